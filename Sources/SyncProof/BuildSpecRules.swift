extension BuildSpec {
  /// Checks bounds and order, and that evidence about this spec fits into a leaf whatever 100 builders reveal.
  ///
  /// - Throws: ``ProofError/Code/invalidSpec``, or ``ProofError/Code/tooLarge`` if the evidence might not fit.
  public func validate() throws(ProofError) { try validate(textBytes: encode().count) }

  /// - Parameter textBytes: How many ``encode()`` writes.
  func validate(textBytes: Int) throws(ProofError) {
    try validateNames()
    try validateSources()
    try validateEnvironment()
    try validateLimits()
    try validateArtifacts()
    let worst = Evidence.leafBytesWorst(for: self, textBytes: textBytes)
    guard worst <= ProofLimits.leafBytesMax else {
      throw ProofError(
        .tooLarge,
        "Evidence about this spec may take \(worst) bytes, a leaf has \(ProofLimits.leafBytesMax); "
          + "declare fewer artifacts (an archive of them, say), fewer sources or a shorter recipe")
    }
  }

  private func validateNames() throws(ProofError) {
    guard SourceItem.parts(of: package) != nil else {
      throw invalid("`\(Naming.printable(package.utf8))` is no package URL of the form pkg:type/name@version")
    }
    guard Naming.isWord(target, others: "._-", max: ProofLimits.targetBytesMax) else {
      throw invalid("The target is 1...\(ProofLimits.targetBytesMax) letters, digits and `._-`")
    }
    guard Naming.isWord(profile, others: "._-", max: ProofLimits.profileBytesMax) else {
      throw invalid("The profile is 1...\(ProofLimits.profileBytesMax) letters, digits and `._-`")
    }
    guard features.count <= ProofLimits.featuresMax else {
      throw invalid("\(features.count) features; at most \(ProofLimits.featuresMax)")
    }
    for feature in features {
      guard Naming.isToken(feature, max: ProofLimits.featureBytesMax), !feature.utf8.contains(UInt8(ascii: ",")) else {
        throw invalid("A feature is printable ASCII without space and comma, at most \(ProofLimits.featureBytesMax)")
      }
    }
    guard BuildSpec.isStrictlySorted(features) else { throw invalid("Features are sorted, each once") }
  }

  private func validateSources() throws(ProofError) {
    guard sources.count <= ProofLimits.sourcesMax else {
      throw invalid("\(sources.count) sources; at most \(ProofLimits.sourcesMax)")
    }
    var folders: [Text] = []
    for (i, source) in sources.enumerated() {
      guard let parts = SourceItem.parts(of: source.purl) else {
        throw invalid("`\(Naming.printable(source.purl.utf8))` is no package URL of the form pkg:type/name@version")
      }
      guard Naming.isToken(source.origin, max: ProofLimits.purlBytesMax) else {
        throw invalid("A source's origin is printable ASCII without space, at most \(ProofLimits.purlBytesMax) bytes")
      }
      guard i == 0 || sources[i - 1] < source else { throw invalid("Sources are sorted by their purl, each once") }
      let folder = SourceItem.directoryName(parts)
      guard !Policy.contains(folders, folder) else {
        throw invalid("Two sources would share one folder: their names and versions run together alike")
      }
      Policy.insert(folder, into: &folders)
    }
    guard root != nil else { throw invalid("The package itself is not among the sources") }
  }

  private func validateEnvironment() throws(ProofError) {
    guard environment.count <= ProofLimits.environmentMax else {
      throw invalid("\(environment.count) environment variables; at most \(ProofLimits.environmentMax)")
    }
    for (i, variable) in environment.enumerated() {
      guard Naming.isWord(variable.name, others: "_", max: ProofLimits.environmentNameBytesMax),
        let first = variable.name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
      else { throw invalid("`\(Naming.printable(variable.name.utf8))` is no name of an environment variable") }
      guard variable.value.utf8.count <= ProofLimits.environmentValueBytesMax else {
        throw invalid("An environment value has at most \(ProofLimits.environmentValueBytesMax) bytes")
      }
      for byte in variable.value.utf8 where byte < 0x20 || byte >= 0x7f {
        throw invalid("The value of `\(variable.name)` is not printable ASCII")
      }
      guard i == 0 || environment[i - 1].name < variable.name else {
        throw invalid("Environment variables are sorted, each once")
      }
    }
  }

  private func validateLimits() throws(ProofError) {
    try check("wall-seconds", limits.wallSeconds, 1...604_800)
    try check("cpu-seconds", limits.cpuSeconds, 1...604_800_000)
    try check("memory-bytes", limits.memoryBytes, 1...1 << 50)
    try check("processes", limits.processes, 1...1 << 22)
    try check("disk-bytes", limits.diskBytes, 1...1 << 50)
    try check("transcript-bytes", limits.transcriptBytes, 1...1 << 40)
  }

  private func validateArtifacts() throws(ProofError) {
    guard !recipe.isEmpty, recipe.count <= ProofLimits.recipeBytesMax else {
      throw invalid("A recipe of \(recipe.count) bytes; wanted 1...\(ProofLimits.recipeBytesMax)")
    }
    guard !artifacts.isEmpty, artifacts.count <= ProofLimits.artifactsMax else {
      throw invalid("\(artifacts.count) artifacts; wanted 1...\(ProofLimits.artifactsMax)")
    }
    for path in artifacts where !Naming.isRelativePath(path, max: ProofLimits.artifactPathBytesMax) {
      throw invalid(
        "`\(Naming.printable(path.utf8))` is no relative path of printable ASCII without spaces, `.` and `..`")
    }
    guard BuildSpec.isStrictlySorted(artifacts) else { throw invalid("Artifacts are sorted by path, each once") }
  }

  private func check(_ name: StaticString, _ value: UInt64, _ range: ClosedRange<UInt64>) throws(ProofError) {
    guard range.contains(value) else {
      throw invalid(
        "The limit `\(name)` is \(value); wanted \(range.lowerBound)...\(range.upperBound)")
    }
  }

  private func invalid(_ message: Text) -> ProofError { ProofError(.invalidSpec, message) }

  private static func isStrictlySorted(_ texts: [Text]) -> Bool {
    for i in texts.indices.dropFirst() where texts[i - 1] >= texts[i] { return false }
    return true
  }
}
