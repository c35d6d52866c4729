import SourceTools
import SyncProof
import SyncRuntime

/// Crates from Debian's `librust-*-dev` packages, through the apt that the host has configured.
///
/// The host's own package state is read, never written. Downloads are kept in the cache folder, which any number of
/// processes may share. Thread: any; calls may overlap.
public struct DebianCratesSource: Source {
  public let name = "debian-crates"
  private let registry: DebianRegistry

  /// - Parameter cacheDirectory: An absolute path; made when missing.
  public init(cacheDirectory: String) {
    registry = DebianRegistry(apt: AptClient(cacheDirectory: cacheDirectory))
  }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    try await CrateResolver(registry: registry, sandbox: sandbox, scratchDirectory: scratchDirectory).resolve(request)
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    try await CrateFetch.fetch(item, from: registry, into: directory)
  }
}

struct DebianRegistry: CrateRegistry {
  let apt: AptClient
  var title: String { "Debian" }
  /// Debian has one version of most crates, and patches what does not take it.
  let keepsShippedLocks = false

  func locate(name: String, version: String?) async throws(PluginError) -> CrateEntry {
    let wanted = version.flatMap { CrateVersion($0) }
    var found = try await packages(of: name)
    if found.isEmpty || wanted != nil && !found.contains(where: { $0.crate == wanted }),
      try await apt.refreshLists()
    {
      found = try await packages(of: name)
    }
    guard let newest = CrateVersion.newest(found, version: \.crate) else {
      throw PluginError(
        .notFound,
        "Debian has no package \(Self.packageName(name)); look for the crate with 'apt-cache search librust', or put "
          + "its sources into a folder and use the source 'directory'")
    }
    guard let chosen = wanted.map({ wanted in found.last { $0.crate == wanted } }) ?? newest else {
      throw noSuchVersion(name, wanted: version ?? "", available: found.map(\.crate.text))
    }
    return CrateEntry(name: name, version: chosen.crate.text, origin: chosen.package.purl.text)
  }

  func unpack(_ origin: String, checksum: Digest?, into directory: String) async throws(PluginError) -> String? {
    let package = try AptPackage(origin: origin)
    let file = try await download(package)
    let archive = try await Tool(name: "dpkg-deb").stream(
      ["--fsys-tarfile", file], into: CrateArchive(directory: directory)
    ) { archive, piece in try archive.feed(piece) }
    var ended = archive
    try ended.finish()
    return ended.folder
  }

  func forget(_ origin: String) throws(PluginError) -> Bool {
    apt.forget(try AptPackage(origin: origin))
  }

  func candidates(for root: CrateEntry, features: [String], tree: String, scratch: String)
    async throws(PluginError) -> CrateCandidates
  {
    let package = try AptPackage(origin: root.origin)
    let stem = String(package.name.dropLast("-dev".count))
    let wanted = Set(features.map { "\(stem)+\(Self.dashed($0))-dev" })
    let withFeatures = try await apt.names(prefix: stem + "+").filter(wanted.contains)
    let closure = try await apt.closure(of: ["\(package.name)=\(package.version)"] + withFeatures)
    _ = try await apt.download(closure)

    let directory = scratch + "/candidates"
    try CrateFiles.makeFolder(directory)
    var crates: [String: CrateEntry] = [:]
    for dependency in closure where dependency != package {
      let temporary = try CrateFiles.makeTemporary(in: directory)
      defer { CrateFiles.remove(temporary) }
      guard let folder = try await unpack(dependency.purl.text, checksum: nil, into: temporary),
        let split = CrateName.split(folder: folder), crates[folder] == nil
      else { continue }
      try CrateFiles.place(temporary, at: "\(directory)/\(folder)")
      crates[folder] = CrateEntry(name: split.name, version: split.version.text, origin: dependency.purl.text)
    }
    return CrateCandidates(directory: directory, hasTrees: true, crates: crates)
  }

  private func download(_ package: AptPackage) async throws(PluginError) -> String {
    do {
      return try await apt.download([package])[0]
    } catch  where error.code == .io || error.code == .notFound {
      throw PluginError(
        .notFound, "apt cannot get \(package.name) \(package.version) (\(error.message)); it may have left the archive")
    }
  }

  /// The packages of a crate, its older lines (`librust-ahash-0.7-dev`) too, by version.
  private func packages(of name: String) async throws(PluginError) -> [(package: AptPackage, crate: CrateVersion)] {
    let stem = "librust-\(Self.dashed(name))"
    let names = try await apt.names(prefix: stem + "-").filter { candidate in
      let middle = candidate.dropFirst(stem.count).dropLast("-dev".count)
      return middle.isEmpty || middle.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e }
    }
    return try await apt.versions(of: names).compactMap { package in package.crateVersion.map { (package, $0) } }
      .sorted { $0.1 < $1.1 }
  }

  private static func packageName(_ crate: String) -> String { "librust-\(dashed(crate))-dev" }

  /// How Debian's names spell a crate's or a feature's: lower-case, hyphens for underscores.
  private static func dashed(_ name: String) -> String {
    name.lowercased().split(separator: "_", omittingEmptySubsequences: false).joined(separator: "-")
  }
}
