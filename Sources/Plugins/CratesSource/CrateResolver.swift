import SyncProof
import SyncRuntime

/// Pins every input of a crate's build.
///
/// cargo runs in the sandbox only, and three times at most: it describes the crate, from which follow the features and
/// the artifacts; it locks the crate against everything that the registry offers; and it locks it again against the
/// chosen crates alone, which is what every builder will do and has to give the same lock.
struct CrateResolver<Registry: CrateRegistry> {
  let registry: Registry
  let sandbox: any Sandbox
  let scratchDirectory: String

  func resolve(_ request: ResolveRequest) async throws(PluginError) -> BuildSpec {
    let purl = try PackageURL.crate(request.package)
    let features = Set(request.features).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard features.allSatisfy(Self.isFeature) else {
      throw PluginError(.invalid, "'\(features.joined(separator: " "))' holds a name that no cargo feature can have")
    }
    let root = try await registry.locate(name: purl.name, version: purl.version)
    let scratch = try CrateFiles.makeTemporary(in: scratchDirectory)
    defer { CrateFiles.remove(scratch) }

    let package = scratch + "/input/package"
    try CrateFiles.makeFolder(package)
    let folder = try await registry.unpack(root.origin, into: package)
    guard let folder, CrateName.isFolder(folder, of: root.name, version: root.version) else {
      throw PluginError(
        .notFound, "\(registry.title) has no crate \(purl.name) \(root.version), but \(folder ?? "an empty package")")
    }
    let run = RecipeRun(
      sandbox: sandbox, toolchain: request.toolchain, scratch: scratch, crate: folder,
      title: registry.title)
    try CrateFiles.write(CargoRecipe.script, to: scratch + "/input/recipe.sh")

    let description = try await run.describe()
    let manifest = description.manifest
    guard CrateName.isFolder(folder, of: manifest.name, version: manifest.version) else {
      throw PluginError(.invalid, "The manifest in \(folder) is that of \(manifest.name) \(manifest.version)")
    }
    // From here on with the version as the crate spells it: a folder may leave out the build metadata.
    let crate = CrateEntry(name: manifest.name, version: manifest.version, origin: root.origin)
    let selection = try FeatureSelection(manifest: manifest, requested: features)
    var environment = CargoRecipe.environment(selection: selection, enabled: features)
    let (lock, dependencies) = try await pin(
      crate, selection: selection, features: features, environment: environment, run: run, scratch: scratch)

    let artifacts = manifest.artifacts(features: selection.names)
    guard !artifacts.isEmpty else {
      throw PluginError(.invalid, "\(folder) has neither a library nor a program; there is nothing to compare")
    }
    let lockDigest = SHA256.hash(lock)
    environment["SYNC_LOCK_SHA256"] = lockDigest.hex
    environment["SYNC_ARTIFACTS"] = artifacts.joined(separator: " ")
    let item = try Self.item(crate, folder: package)
    return try SpecWriter.write(
      request: request, features: features, sources: [item] + dependencies, lock: lockDigest, environment: environment,
      artifacts: artifacts, target: description.target)
  }

  /// The lock, and the crates that it names without the root itself.
  private func pin(
    _ root: CrateEntry, selection: FeatureSelection, features: [String], environment: [String: String],
    run: RecipeRun, scratch: String
  ) async throws(PluginError) -> (lock: [UInt8], dependencies: [SourceItem]) {
    guard selection.hasDependencies else { return (try await run.lock(registry: nil, environment: environment), []) }
    let candidates = try await registry.candidates(for: root, features: features, scratch: scratch)
    let lock = try await run.lock(registry: candidates.directory, environment: environment)

    let pinned = scratch + "/pinned"
    try CrateFiles.makeFolder(pinned)
    var items: [SourceItem] = []
    for (name, version) in try CargoLock.packages(lock) where name != root.name || version != root.version {
      let folder = "\(name)-\(version)"
      let short = CrateName.withoutMetadata(folder)
      let found = candidates.origins[folder] == nil ? short : folder
      guard let origin = candidates.origins[found] else {
        throw PluginError(.invalid, "The lock names \(folder), which \(registry.title) does not have")
      }
      try CrateFiles.makeFolder("\(pinned)/\(folder)")
      try CrateFiles.copyTree("\(candidates.directory)/\(found)", to: "\(pinned)/\(folder)")
      let crate = CrateEntry(name: name, version: version, origin: origin)
      items.append(try Self.item(crate, folder: "\(pinned)/\(folder)"))
    }
    let again = try await run.lock(registry: pinned, environment: environment)
    guard again == lock else {
      throw PluginError(
        .invalid, "cargo locks \(root.name) \(root.version) otherwise when it sees only the crates that it chose itself"
      )
    }
    return (lock, items)
  }

  private static func item(_ crate: CrateEntry, folder: String) throws(PluginError) -> SourceItem {
    SourceItem(
      purl: Text(PackageURL(type: "cargo", name: crate.name, version: crate.version).text),
      tree: try TreeDigest.sha256(directory: folder), claim: try CargoChecksum.claim(folder: folder),
      origin: Text(crate.origin))
  }

  /// What cargo takes as a feature's name, without what the recipe's table separates by.
  private static func isFeature(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 64 && name.utf8.first != UInt8(ascii: "-")
      && name.utf8.allSatisfy { c in
        (0x30...0x39).contains(c) || (0x61...0x7a).contains(c | 0x20) || "_-+.".utf8.contains(c)
      }
  }
}

/// The recipe's runs before there is a spec.
struct RecipeRun {
  let sandbox: any Sandbox
  let toolchain: Digest
  let scratch: String
  /// For messages: the crate's folder and where it is from.
  let crate: String
  let title: String

  private static let outputBytesMax = 16 << 20

  func describe() async throws(PluginError) -> (manifest: CrateManifest, target: String) {
    let output = try await run(step: "describe", registry: nil, environment: CargoRecipe.baseEnvironment)
    let rustc = String(
      decoding: try CrateFiles.read(output + "/rustc.txt", bytesMax: 1 << 16), as: UTF8.self)
    guard let host = rustc.split(separator: "\n").first(where: { $0.hasPrefix("host: ") })?.dropFirst(6) else {
      throw PluginError(.invalid, "The toolchain's rustc does not tell its host; is it a Rust toolchain?")
    }
    let json = try CrateFiles.read(output + "/manifest.json", bytesMax: Self.outputBytesMax)
    return (try CrateManifest.parse(json), String(host))
  }

  func lock(registry: String?, environment: [String: String]) async throws(PluginError) -> [UInt8] {
    let output = try await run(step: "lock", registry: registry, environment: environment)
    return try CrateFiles.read(output + "/Cargo.lock", bytesMax: Self.outputBytesMax)
  }

  private func run(step: String, registry: String?, environment: [String: String]) async throws(PluginError) -> String {
    let output = "\(scratch)/output"
    CrateFiles.remove(output)
    try CrateFiles.makeFolder(output)
    // Inside, another user may write here.
    try CrateFiles.openToAll(output)
    let own = "\(scratch)/sandbox"
    try CrateFiles.makeFolder(own)
    var environment = environment
    environment["SYNC_STEP"] = step
    var mounts = [
      SandboxMount(hostPath: scratch + "/input", insidePath: "/input", isWritable: false),
      SandboxMount(hostPath: output, insidePath: "/output", isWritable: true),
    ]
    if let registry { mounts.append(SandboxMount(hostPath: registry, insidePath: "/registry", isWritable: false)) }
    let result = try await sandbox.run(
      SandboxRequest(
        runID: "resolve-\(UInt64.random(in: .min ... .max))", toolchain: toolchain,
        command: ["/bin/sh", "/input/recipe.sh"],
        environment: environment.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
          ($0.key, $0.value)
        },
        workingDirectory: "/build", mounts: mounts, limits: CargoRecipe.resolveLimits, scratchDirectory: own))
    guard result.termination == .exited(status: 0) else {
      throw PluginError(.invalid, "\(crate) cannot be built from the crates of \(title): \(reason(result))")
    }
    return output
  }

  /// cargo's own words where there are some, from its error to the innermost cause, on one line.
  private func reason(_ result: SandboxResult) -> String {
    let lines = String(decoding: result.transcript.suffix(1 << 16), as: UTF8.self).split(separator: "\n")
    guard let first = lines.firstIndex(where: { $0.hasPrefix("error") }) else {
      return "\(lines.last ?? "it printed nothing") (\(result.termination))"
    }
    let words = lines[first...].map { $0.drop { $0 == " " } }.filter { line in
      !["Caused by:", "recipe:", "note:", "help:"].contains { line.hasPrefix($0) }
    }
    let text = words.joined(separator: "; ")
    return text.count > 600 ? "\(text.prefix(250)) ... \(text.suffix(350))" : text
  }
}
