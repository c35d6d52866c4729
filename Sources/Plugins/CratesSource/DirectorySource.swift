import SourceTools
import SyncProof
import SyncRuntime

/// Crates from folders `NAME-VERSION` below one root: a mirror on a host without a network, or a test's fixtures.
///
/// Every folder holds what the crate's archive holds, and `.cargo-checksum.json` as cargo's directory sources want it;
/// `{"files":{}}` is enough. Thread: any; calls may overlap. The folders must not change meanwhile.
public struct DirectorySource: Source {
  public let name = "directory"
  private let registry: DirectoryRegistry

  /// - Parameter root: An absolute path. Nothing is read before the first call.
  public init(root: String) { registry = DirectoryRegistry(root: root) }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    try await CrateResolver(registry: registry, sandbox: sandbox, scratchDirectory: scratchDirectory).resolve(request)
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    try await CrateFetch.fetch(item, from: registry, into: directory)
  }
}

struct DirectoryRegistry: CrateRegistry {
  let root: String
  var title: String { root }
  let keepsShippedLocks = true

  func locate(name: String, version: String?) throws(PluginError) -> CrateEntry {
    let found = CrateFiles.names(in: root).compactMap(CrateName.split).filter { $0.name == name }
      .map(\.version).sorted()
    guard let newest = CrateVersion.newest(found, version: { $0 }) else {
      throw PluginError(.notFound, "\(root) has no crate \(name); put its sources into \(root)/\(name)-VERSION")
    }
    guard let chosen = version.map({ wanted in found.first { $0 == CrateVersion(wanted) } }) ?? newest else {
      throw noSuchVersion(name, wanted: version ?? "", available: found.map(\.text))
    }
    return entry(name: name, version: chosen.text)
  }

  func unpack(_ origin: String, checksum: Digest?, into directory: String) throws(PluginError) -> String? {
    let purl = try PackageURL(parsing: origin)
    guard purl.type == "generic", purl.namespace == nil, let version = purl.version,
      let split = CrateName.split(folder: "\(purl.name)-\(version)"), split.name == purl.name
    else { throw PluginError(.invalid, "'\(origin)' is not the origin of a crate in a folder") }
    let folder = "\(purl.name)-\(version)"
    guard CrateFiles.isFolder("\(root)/\(folder)") else {
      throw PluginError(.notFound, "\(root) has no \(folder); copy its sources there")
    }
    try CrateFiles.copyTree("\(root)/\(folder)", to: directory)
    return folder
  }

  func forget(_ origin: String) -> Bool { false }

  func candidates(for root: CrateEntry, features: [String], tree: String, scratch: String) -> CrateCandidates {
    var crates: [String: CrateEntry] = [:]
    for folder in CrateFiles.names(in: self.root) {
      guard let split = CrateName.split(folder: folder) else { continue }
      crates[folder] = entry(name: split.name, version: split.version.text)
    }
    return CrateCandidates(directory: self.root, hasTrees: true, crates: crates)
  }

  private func entry(name: String, version: String) -> CrateEntry {
    CrateEntry(
      name: name, version: version, origin: PackageURL(type: "generic", name: name, version: version).text)
  }
}
