extension BuildSpec {
  /// The canonical text, whose SHA-256 is the job's identity; of a spec that ``validate()`` refuses it cannot be read.
  public func encode() -> [UInt8] {
    var writer = LineWriter()
    writer.line("synchronicity-spec/v1")
    writer.line("package", package)
    writer.line("rebuild", rebuild)
    writer.line("toolchain", toolchain)
    writer.line("target", target)
    writer.line("profile", profile)
    for feature in features { writer.line("feature", feature) }
    for source in sources {
      writer.line(
        "source",
        fields: [
          source.purl.utf8, Hex.encode(source.tree.bytes), BuildSpec.optional(source.claim), source.origin.utf8,
        ])
    }
    writer.line("lock", BuildSpec.optional(lock))
    for variable in environment {
      writer.line("environment", variable.name.utf8 + [UInt8(ascii: "=")] + variable.value.utf8)
    }
    writer.line("wall-seconds", limits.wallSeconds)
    writer.line("cpu-seconds", limits.cpuSeconds)
    writer.line("memory-bytes", limits.memoryBytes)
    writer.line("processes", limits.processes)
    writer.line("disk-bytes", limits.diskBytes)
    writer.line("transcript-bytes", limits.transcriptBytes)
    writer.line("recipe", base64: recipe)
    for artifact in artifacts { writer.line("artifact", artifact) }
    return writer.bytes
  }

  /// Parses and validates: `encode()` of the result is `bytes`.
  ///
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/unsupportedVersion``, ``ProofError/Code/tooLarge`` or
  ///   ``ProofError/Code/invalidSpec``.
  public init(parsing bytes: [UInt8]) throws(ProofError) { try self.init(parsing: bytes[...]) }

  init(parsing bytes: Bytes) throws(ProofError) {
    guard bytes.count <= ProofLimits.leafBytesMax else {
      throw ProofError(
        .tooLarge, "A spec of \(bytes.count) bytes; the leaf that carries it has \(ProofLimits.leafBytesMax) at most")
    }
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-spec/v1", .unsupportedVersion)
    package = Text(utf8: try reader.value("package"))
    rebuild = try reader.decimal("rebuild")
    toolchain = try reader.digest("toolchain")
    target = Text(utf8: try reader.value("target"))
    profile = Text(utf8: try reader.value("profile"))
    features = []
    while reader.isNext("feature") { features.append(Text(utf8: try reader.value("feature"))) }
    sources = []
    while reader.isNext("source") { sources.append(try BuildSpec.readSource(&reader)) }
    let lockOffset = reader.offset
    lock = try BuildSpec.digest(optional: try reader.value("lock"), at: lockOffset)
    environment = []
    while reader.isNext("environment") {
      let start = reader.offset
      let line = try reader.value("environment")
      var reader = FieldReader(line, separator: UInt8(ascii: "="))
      guard let name = reader.next(), let value = reader.last() else {
        throw ProofError(.malformed, "An environment line wants a name, `=` and a value", at: start)
      }
      environment.append(EnvironmentVariable(name: Text(utf8: name), value: Text(utf8: value)))
    }
    limits = Limits(
      wallSeconds: try reader.decimal("wall-seconds"), cpuSeconds: try reader.decimal("cpu-seconds"),
      memoryBytes: try reader.decimal("memory-bytes"), processes: try reader.decimal("processes"),
      diskBytes: try reader.decimal("disk-bytes"), transcriptBytes: try reader.decimal("transcript-bytes"))
    recipe = try reader.base64("recipe")
    artifacts = []
    while reader.isNext("artifact") { artifacts.append(Text(utf8: try reader.value("artifact"))) }
    try reader.expectEnd()
    try validate(textBytes: bytes.count)
  }

  private static func readSource(_ reader: inout LineReader) throws(ProofError) -> SourceItem {
    let start = reader.offset
    let fields = try reader.fields("source", count: 4)
    guard let tree = Digest(hex: fields[1]) else {
      throw ProofError(.malformed, "A source's tree is 64 lower-case hexadecimal digits", at: start)
    }
    return SourceItem(
      purl: Text(utf8: fields[0]), tree: tree, claim: try digest(optional: fields[2], at: start),
      origin: Text(utf8: fields[3]))
  }

  private static func optional(_ digest: Digest?) -> [UInt8] {
    guard let digest else { return [UInt8(ascii: "-")] }
    return Hex.encode(digest.bytes)
  }

  private static func digest(optional text: Bytes, at offset: Int) throws(ProofError) -> Digest? {
    if text.equals("-") { return nil }
    guard let digest = Digest(hex: text) else {
      throw ProofError(.malformed, "Wanted 64 lower-case hexadecimal digits, or `-` for none", at: offset)
    }
    return digest
  }
}
