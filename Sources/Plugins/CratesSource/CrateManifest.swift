import FoundationEssentials
import SourceTools
import SyncProof
import SyncRuntime

/// What `cargo metadata --no-deps` says of one crate, as far as it is needed here.
struct CrateManifest: Decodable {
  struct Target: Decodable {
    let name: String
    let kind: [String]
    let requiredFeatures: [String]?

    enum CodingKeys: String, CodingKey {
      case name, kind
      case requiredFeatures = "required-features"
    }
  }

  struct Dependency: Decodable {
    let name: String
    let rename: String?
    let optional: Bool
    /// `dev`, `build` or nothing.
    let kind: String?

    /// The name in the manifest's own tables.
    var key: String { rename ?? name }
  }

  let name: String
  let version: String
  /// The oldest compiler that the crate takes.
  let rustVersion: String?
  let targets: [Target]
  /// With the implicit ones of optional dependencies.
  let features: [String: [String]]
  let dependencies: [Dependency]

  enum CodingKeys: String, CodingKey {
    case name, version, targets, features, dependencies
    case rustVersion = "rust_version"
  }

  private struct Document: Decodable { let packages: [CrateManifest] }

  static func parse(_ json: [UInt8]) throws(PluginError) -> CrateManifest {
    do {
      let packages = try JSONDecoder().decode(Document.self, from: Data(json)).packages
      guard packages.count == 1 else { throw PluginError(.invalid, "cargo names \(packages.count) crates, not one") }
      return packages[0]
    } catch let error as PluginError {
      throw error
    } catch {
      throw PluginError(.invalid, "The toolchain's cargo describes the crate in a form that is not known: \(error)")
    }
  }

}

/// The features of a crate that are on, and what follows from them.
///
/// Source: the Cargo book, "Features": `dep:NAME`, `NAME/FEATURE` and `NAME?/FEATURE` in a feature's list.
struct FeatureSelection: Equatable {
  /// Each feature that is on with the part of its list that is on, sorted by name.
  private(set) var features: [(name: String, values: [String])] = []
  /// Manifest names of the optional dependencies that are off, sorted.
  private(set) var dropped: [String] = []
  /// Whether there is any dependency left that is not only for the crate's own tests.
  private(set) var hasDependencies = false

  var names: Set<String> { Set(features.map(\.name)) }

  /// - Throws: ``PluginError/Code/featureMissing`` for a requested feature that the crate does not have.
  init(manifest: CrateManifest, requested: [String], withDefault: Bool = true) throws(PluginError) {
    for name in requested where manifest.features[name] == nil {
      let known = manifest.features.keys.sorted().prefix(50).joined(separator: ", ")
      throw PluginError(
        named: .featureAbsent,
        "\(manifest.name) has no feature '\(name)'; it has: \(known.isEmpty ? "none" : known)")
    }
    let real = manifest.dependencies.filter { $0.kind != "dev" }
    let required = Set(real.filter { !$0.optional }.map(\.key))
    let optional = Set(real.map(\.key)).subtracting(required)
    var on: Set<String> = []
    var active = required
    var queue = requested + (withDefault && manifest.features["default"] != nil ? ["default"] : [])
    while let name = queue.popLast() {
      guard on.insert(name).inserted else { continue }
      for value in manifest.features[name] ?? [] {
        switch FeatureValue(value) {
        case .feature(let other): queue.append(other)
        case .dependency(let key): active.insert(key)
        case .ofDependency(let key, feature: _, isWeak: false):
          active.insert(key)
          if optional.contains(key), manifest.features[key] != nil { queue.append(key) }
        case .ofDependency: break
        }
      }
    }
    for name in on.sorted() {
      let values = (manifest.features[name] ?? []).filter { value in
        switch FeatureValue(value) {
        case .feature: true
        case .dependency(let key), .ofDependency(let key, feature: _, isWeak: _): active.contains(key)
        }
      }
      features.append((name, values))
    }
    dropped = optional.subtracting(active).sorted()
    hasDependencies = !active.isEmpty
  }

  /// For the recipe's `SYNC_FEATURES`.
  var table: String { features.map { "\($0.name)=\($0.values.joined(separator: ","))" }.joined(separator: " ") }

  static func == (a: FeatureSelection, b: FeatureSelection) -> Bool {
    a.table == b.table && a.dropped == b.dropped && a.hasDependencies == b.hasDependencies
  }
}

/// One package of a `Cargo.lock`.
struct LockedCrate: Equatable, Sendable {
  var name: String
  var version: String
  /// SHA-256 of the registry's archive, in hexadecimal; the built crate itself has none.
  var checksum: String?
}

/// The crates that a `Cargo.lock` names, the built one among them.
enum CargoLock {
  /// Reads the `name`, `version` and `checksum` lines of each `[[package]]`, as cargo writes them.
  static func packages(_ lock: [UInt8]) throws(PluginError) -> [LockedCrate] {
    var found: [LockedCrate] = []
    var name: String?
    for line in String(decoding: lock, as: UTF8.self).split(separator: "\n") {
      if line.hasPrefix("[") {
        name = nil
      } else if let value = quoted(line, key: "name") {
        name = value
      } else if let value = quoted(line, key: "version"), let name {
        guard CrateName.isValid(name), CrateVersion(value) != nil else {
          throw PluginError(.invalid, "The lock names '\(name)' '\(value)', which no crate can be called")
        }
        found.append(LockedCrate(name: name, version: value))
      } else if let value = quoted(line, key: "checksum"), name != nil, !found.isEmpty {
        found[found.count - 1].checksum = value
      }
    }
    return found
  }

  private static func quoted(_ line: Substring, key: String) -> String? {
    guard line.hasPrefix("\(key) = \""), line.hasSuffix("\"") else { return nil }
    return String(line.dropFirst(key.count + 4).dropLast())
  }
}

/// cargo's note beside a crate in a directory source.
struct CargoChecksum: Decodable {
  /// SHA-256 of the crate's archive as the registry published it: whoever made the folder says so.
  let package: String?

  /// - Returns: `nil` without the file, or where it does not tell: some of Debian's packages hold a sentence instead.
  static func claim(folder: String) throws(PluginError) -> Digest? {
    guard CrateFiles.exists("\(folder)/.cargo-checksum.json") else { return nil }
    let bytes = try CrateFiles.read("\(folder)/.cargo-checksum.json", bytesMax: 16 << 20)
    do {
      return try JSONDecoder().decode(CargoChecksum.self, from: Data(bytes)).package.flatMap { Digest(hex: $0) }
    } catch {
      throw PluginError(.invalid, "\(folder)/.cargo-checksum.json is not what cargo writes: \(error)")
    }
  }
}
