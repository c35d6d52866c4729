import SourceTools
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
    let folder = try await registry.unpack(root.origin, checksum: root.checksum, into: package)
    guard let folder, CrateName.isFolder(folder, of: root.name, version: root.version) else {
      throw PluginError(
        .notFound, "\(registry.title) has no crate \(purl.name) \(root.version), but \(folder ?? "an empty package")")
    }
    let run = RecipeRun(
      sandbox: sandbox, toolchain: request.toolchain, scratch: scratch, crate: folder,
      title: registry.title)
    guard CrateFiles.exists(package + "/Cargo.toml") else {
      throw PluginError(named: .noManifest, "\(folder) has no Cargo.toml; it is no crate")
    }
    try CrateFiles.write(CargoRecipe.script, to: scratch + "/input/recipe.sh")

    let description = try await run.describe()
    let manifest = description.manifest
    guard CrateName.isFolder(folder, of: manifest.name, version: manifest.version) else {
      throw PluginError(.invalid, "The manifest in \(folder) is that of \(manifest.name) \(manifest.version)")
    }
    // From here on with the version as the crate spells it: a folder may leave out the build metadata.
    var crate = root
    (crate.name, crate.version) = (manifest.name, manifest.version)
    let own = (name: "\(crate.name) \(crate.version)", compiler: manifest.rustVersion)
    try CompilerVersion.check(rustc: description.rustc, crates: [own])
    let selection = try FeatureSelection(
      manifest: manifest, requested: features, withDefault: request.selection.withDefaultFeatures)
    let plan = try CargoPlan(request.selection, manifest: manifest, features: selection.names, facts: description)
    var environment = CargoRecipe.environment(selection: selection, enabled: features, plan: plan)
    let (lock, dependencies, compilers) = try await pin(
      crate, request: request, selection: selection, environment: environment, run: run, scratch: scratch)
    try CompilerVersion.check(rustc: description.rustc, crates: compilers)

    let artifacts = plan.artifacts
    guard !artifacts.isEmpty else {
      throw PluginError(.invalid, "\(folder) has neither a library nor a program; there is nothing to compare")
    }
    let lockDigest = SHA256.hash(lock)
    environment["SYNC_LOCK_SHA256"] = lockDigest.hex
    environment["SYNC_ARTIFACTS"] = artifacts.joined(separator: " ")
    let item = try Self.item(crate, folder: package)
    return try SpecWriter(
      request: request, recipe: CargoRecipe.script, limits: CargoRecipe.buildLimits, target: plan.target,
      profile: plan.profile, features: features, lock: lockDigest, environment: environment, artifacts: artifacts
    ).write([item] + dependencies)
  }

  private typealias Pinned = (
    lock: [UInt8], dependencies: [SourceItem], compilers: [(name: String, compiler: String?)]
  )

  /// The lock, the crates that it names without the root itself, and the compilers that these want.
  private func pin(
    _ root: CrateEntry, request: ResolveRequest, selection: FeatureSelection, environment: [String: String],
    run: RecipeRun, scratch: String
  ) async throws(PluginError) -> Pinned {
    guard selection.hasDependencies else {
      return (try await run.lock(registry: nil, environment: environment), [], [])
    }
    let features = request.features + (request.selection.withDefaultFeatures ? ["default"] : [])
    let package = scratch + "/input/package"
    var candidates = try await registry.candidates(for: root, features: features, tree: package, scratch: scratch)
    if let locked = try ShippedLock.read(tree: package), candidates.hasTrees, registry.keepsShippedLocks {
      candidates = try ShippedLock.restrict(candidates, to: locked, in: scratch + "/locked")
    }
    let lock = try await run.lock(registry: candidates.directory, environment: environment)

    let pinned = scratch + "/pinned"
    try CrateFiles.makeFolder(pinned)
    var items: [SourceItem] = []
    var compilers: [(name: String, compiler: String?)] = []
    for locked in try CargoLock.packages(lock) where locked.name != root.name || locked.version != root.version {
      let folder = "\(locked.name)-\(locked.version)"
      let short = CrateName.withoutMetadata(folder)
      let found = candidates.crates[folder] == nil ? short : folder
      guard var crate = candidates.crates[found] else {
        throw PluginError(.invalid, "The lock names \(folder), which \(registry.title) does not have")
      }
      (crate.name, crate.version) = (locked.name, locked.version)
      try CrateFiles.makeFolder("\(pinned)/\(folder)")
      try await place(crate, from: "\(candidates.directory)/\(found)", hasTree: candidates.hasTrees, in: pinned)
      items.append(try Self.item(crate, folder: "\(pinned)/\(folder)"))
      compilers.append(("\(crate.name) \(crate.version)", crate.compiler))
    }
    let again = try await run.lock(registry: pinned, environment: environment)
    guard again == lock else {
      throw PluginError(
        .invalid, "cargo locks \(root.name) \(root.version) otherwise when it sees only the crates that it chose itself"
      )
    }
    return (lock, items, compilers)
  }

  private func place(_ crate: CrateEntry, from tree: String, hasTree: Bool, in pinned: String)
    async throws(PluginError)
  {
    let folder = "\(crate.name)-\(crate.version)"
    if hasTree { return try CrateFiles.copyTree(tree, to: "\(pinned)/\(folder)") }
    let got = try await registry.unpack(crate.origin, checksum: crate.checksum, into: "\(pinned)/\(folder)")
    guard got == folder else {
      throw PluginError(.notFound, "\(crate.origin) holds \(got ?? "no crate"), not \(folder)")
    }
    guard CrateFiles.exists("\(pinned)/\(folder)/Cargo.toml") else {
      throw PluginError(
        named: .noManifest, "The archive of \(crate.name) \(crate.version) has no Cargo.toml; it is no crate")
    }
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

extension RecipeRun {
  private static var outputBytesMax: Int { 16 << 20 }

  /// - Parameters:
  ///   - crate: The crate's folder, for messages.
  ///   - title: Where it is from.
  init(sandbox: any Sandbox, toolchain: Digest, scratch: String, crate: String, title: String) {
    self.init(sandbox: sandbox, toolchain: toolchain, scratch: scratch, limits: CargoRecipe.resolveLimits) {
      (result, name) in
      let reason = CargoRefusal.reason(result)
      return PluginError(named: name, "\(crate) cannot be built from the crates of \(title): \(reason)")
    }
  }

  func describe() async throws(PluginError) -> CargoFacts {
    let output = try await run(step: "describe", environment: CargoRecipe.baseEnvironment)
    let rustc = String(
      decoding: try CrateFiles.read(output + "/rustc.txt", bytesMax: 1 << 16), as: UTF8.self)
    guard let host = rustc.split(separator: "\n").first(where: { $0.hasPrefix("host: ") })?.dropFirst(6) else {
      throw PluginError(.invalid, "The toolchain's rustc does not tell its host; is it a Rust toolchain?")
    }
    let json = try CrateFiles.read(output + "/manifest.json", bytesMax: Self.outputBytesMax)
    return CargoFacts(
      manifest: try CrateManifest.parse(json), rustc: rustc, host: String(host),
      targets: Set(try lines("targets.txt")).sorted(), profiles: Set(try lines("profiles.txt")).sorted())
  }

  func lock(registry: String?, environment: [String: String]) async throws(PluginError) -> [UInt8] {
    let output = try await run(step: "lock", registry: registry, environment: environment)
    return try CrateFiles.read(output + "/Cargo.lock", bytesMax: Self.outputBytesMax)
  }
}
