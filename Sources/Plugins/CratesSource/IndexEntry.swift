import FoundationEssentials
import SyncProof
import SyncRuntime

/// One version of a crate, as a registry's index tells it.
///
/// Source: the Cargo book, "Registry index", "JSON schema".
struct IndexEntry: Codable, Sendable {
  struct Dependency: Codable, Sendable {
    /// The name in the manifest's own tables.
    let name: String
    let req: String
    let features: [String]
    let optional: Bool
    let defaultFeatures: Bool
    let target: String?
    /// `normal`, `build` or `dev`.
    let kind: String?
    let registry: String?
    /// The crate's own name, where the manifest renames it.
    let package: String?

    var crate: String { package ?? name }

    enum CodingKeys: String, CodingKey {
      case name, req, features, optional, target, kind, registry, package
      case defaultFeatures = "default_features"
    }
  }

  let name: String
  let vers: String
  let deps: [Dependency]
  let cksum: String
  private(set) var features: [String: [String]]
  /// Features in the syntax of 2022; older cargos do not look here. Part of ``features`` once read.
  private var features2: [String: [String]]?
  var yanked: Bool
  let links: String?
  let rustVersion: String?
  private var v: Int?

  enum CodingKeys: String, CodingKey {
    case name, vers, deps, cksum, features, features2, yanked, links, v
    case rustVersion = "rust_version"
  }

  static let lineBytesMax = 1 << 20
  private static let formatMax = 2

  /// Reads one line; `nil` for what cargo skips too: damage, a later format, names and versions that are none, and
  /// dependencies on another registry, since a builder asks one.
  init?(line: some Collection<UInt8>) {
    guard line.count <= Self.lineBytesMax, var entry = try? JSONDecoder().decode(IndexEntry.self, from: Data(line)),
      entry.v ?? 1 <= Self.formatMax, CrateName.isValid(entry.name), CrateVersion(entry.vers) != nil,
      Digest(hex: entry.cksum) != nil, entry.deps.allSatisfy(Self.isGood)
    else { return nil }
    entry.features.merge(entry.features2 ?? [:]) { $0 + $1 }
    (entry.features2, entry.v) = (nil, Self.formatMax)
    self = entry
  }

  private static func isGood(_ dependency: Dependency) -> Bool {
    CrateName.isValid(dependency.crate) && CrateRequirement(dependency.req) != nil && dependency.registry == nil
  }

  /// The line for cargo, with nothing that was not understood here.
  func encode() throws(PluginError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return [UInt8](try encoder.encode(self)) + [0x0a] } catch {
      throw PluginError(.invalid, "\(name) \(vers) of the index cannot be written: \(error)")
    }
  }

  /// The dependencies that these features switch on, for any target, with the features asked of each. As for cargo's
  /// lock, a weak feature (`NAME?/FEATURE`) switches its dependency on too; only a build leaves it out again.
  func reached(features wanted: Set<String>, withDefault: Bool) -> [(dependency: Dependency, features: [String])] {
    var on: Set<String> = []
    var active: Set<String> = []
    var passed: [String: [String]] = [:]
    let optional = Set(deps.filter(\.optional).map(\.name))
    var queue = wanted.union(withDefault ? ["default"] : []).sorted()
    while let feature = queue.popLast() {
      guard on.insert(feature).inserted else { continue }
      if features[feature] == nil, optional.contains(feature) { active.insert(feature) }
      for value in features[feature] ?? [] {
        switch FeatureValue(value) {
        case .feature(let other): queue.append(other)
        case .dependency(let key): active.insert(key)
        case .ofDependency(let key, let name, let isWeak):
          passed[key, default: []].append(name)
          active.insert(key)
          if !isWeak { queue.append(key) }
        }
      }
    }
    return deps.filter { $0.kind != "dev" && (!$0.optional || active.contains($0.name)) }
      .map { ($0, $0.features + passed[$0.name, default: []]) }
  }
}

/// One value of a feature's list.
///
/// Source: the Cargo book, "Features".
enum FeatureValue: Equatable {
  case feature(String)
  case dependency(String)
  case ofDependency(String, feature: String, isWeak: Bool)

  init(_ text: String) {
    if text.hasPrefix("dep:") {
      self = .dependency(String(text.dropFirst(4)))
    } else if let slash = text.firstIndex(of: "/") {
      let key = text[..<slash]
      let isWeak = key.hasSuffix("?")
      self = .ofDependency(
        String(isWeak ? key.dropLast() : key), feature: String(text[text.index(after: slash)...]), isWeak: isWeak)
    } else {
      self = .feature(text)
    }
  }
}
