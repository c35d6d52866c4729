import SourceTools
import SyncProof
import SyncRuntime

/// Crates from a registry that speaks cargo's sparse protocol: crates.io, a mirror of it, or one's own.
///
/// A spec names crates and checksums, never an address: each builder asks the registry of its own configuration, and
/// takes nothing but the archive that has the pinned checksum. Thread: any; calls may overlap.
public struct SparseRegistrySource: Source {
  public let name = "sparse-registry"
  private let registry: SparseRegistry

  /// Opens no connection yet.
  ///
  /// - Parameters:
  ///   - url: As cargo writes it, `sparse+https://HOST/PATH/`, or without `sparse+`.
  ///   - allowsPlainHTTP: Whether http may be used towards other hosts than this one.
  ///   - cacheDirectory: An absolute path; made when missing. Index files and archives are kept there.
  /// - Throws: ``PluginError/Code/invalid`` for an address that is none.
  public init(url: String, allowsPlainHTTP: Bool = false, cacheDirectory: String) throws(PluginError) {
    try self.init(url: url, client: RegistryClient(allowsPlainHTTP: allowsPlainHTTP), cacheDirectory: cacheDirectory)
  }

  init(url: String, client: RegistryClient, cacheDirectory: String) throws(PluginError) {
    var text = url.hasPrefix("sparse+") ? String(url.dropFirst("sparse+".count)) : url
    if !text.hasSuffix("/") { text += "/" }
    guard !text.contains("?") else { throw PluginError(.invalid, "A registry's address has no query; leave it out") }
    let base = try RegistryURL(text, allowsPlainHTTP: client.allowsPlainHTTP)
    var client = client
    client.headers["cargo-protocol"] = "version=1"
    registry = SparseRegistry(
      index: SparseIndex(base: base, client: client, cacheDirectory: cacheDirectory),
      archives: ArchiveCache(directory: cacheDirectory + "/archives", suffix: ".crate", client: client))
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

struct SparseRegistry: CrateRegistry {
  let index: SparseIndex
  let archives: ArchiveCache

  var title: String { index.base.place }
  let keepsShippedLocks = true

  func locate(name: String, version: String?) async throws(PluginError) -> CrateEntry {
    _ = try await index.downloadTemplate()
    let entries = try await index.entries(of: name)
    guard !entries.isEmpty else {
      throw PluginError(.notFound, "\(title) has no crate \(name); check the name, capitals and hyphens too")
    }
    let sorted = entries.compactMap { entry in CrateVersion(entry.vers).map { (entry: entry, version: $0) } }
      .sorted { $0.version < $1.version }
    let offered = sorted.filter { !$0.entry.yanked }
    guard let version, let wanted = CrateVersion(version) else {
      guard let newest = CrateVersion.newest(offered, version: \.version) else {
        throw PluginError(named: .yanked, "All versions of \(name) were withdrawn (yanked) from \(title)")
      }
      return Self.crate(newest.entry)
    }
    let fitting = sorted.filter { $0.version == wanted }
    guard let found = fitting.first(where: { $0.entry.vers == version }) ?? fitting.last else {
      throw noSuchVersion(name, wanted: version, available: offered.suffix(20).map(\.version.text))
    }
    guard !found.entry.yanked else {
      throw PluginError(
        named: .yanked, "\(name) \(version) was withdrawn (yanked) from \(title); ask for another version")
    }
    return Self.crate(found.entry)
  }

  /// Downloads the archive unless it is kept, checks its checksum, and only then unpacks it.
  func unpack(_ origin: String, checksum: Digest?, into directory: String) async throws(PluginError) -> String? {
    let purl = try PackageURL.crate(origin)
    guard let version = purl.version, let checksum else {
      throw PluginError(.invalid, "'\(origin)' comes without version or checksum; a registry's crate needs both")
    }
    let folder = "\(purl.name)-\(version)"
    let bytes = try await archive(name: purl.name, version: version, checksum: checksum)
    var limits = TreeLimits()
    limits.bytesMax = Self.treeBytesMax
    var archive = CrateArchive(directory: directory, layout: .crate(folder: folder), limits: limits)
    // Headers and padding are more than the files, but never this much more.
    try CrateGzip.unpack(bytes, bytesMax: 2 * Self.treeBytesMax) { piece throws(PluginError) in
      try archive.feed(piece)
    }
    try archive.finish()
    // cargo's directory sources take the checksum that goes into the lock from here.
    let note = "{\"files\":{},\"package\":\"\(checksum.hex)\"}\n"
    try CrateFiles.write([UInt8](note.utf8), to: directory + "/.cargo-checksum.json")
    return archive.folder
  }

  /// cargo's own bound on what an archive may hold.
  private static let treeBytesMax: UInt64 = 512 << 20

  /// Nothing is kept that could be damaged: archives are checked each time.
  func forget(_ origin: String) -> Bool { false }

  func candidates(for root: CrateEntry, features: [String], tree: String, scratch: String)
    async throws(PluginError) -> CrateCandidates
  {
    let entries = try await index.entries(of: root.name)
    guard let entry = entries.first(where: { $0.vers == root.version }) else {
      throw PluginError(.notFound, "\(title) no longer has \(root.name) \(root.version)")
    }
    var closure = SparseClosure(index: index, lock: try ShippedLock.read(tree: tree))
    try await closure.gather(root: entry, features: features)
    let directory = scratch + "/candidates"
    try closure.write(to: directory)
    var crates: [String: CrateEntry] = [:]
    for entry in closure.crates.values.joined() { crates["\(entry.name)-\(entry.vers)"] = Self.crate(entry) }
    return CrateCandidates(directory: directory, hasTrees: false, crates: crates)
  }

  private func archive(name: String, version: String, checksum: Digest) async throws(PluginError) -> [UInt8] {
    try await archives.bytes(checksum, of: "\(name) \(version)") { () async throws(PluginError) in
      let address = RegistryLayout.download(
        try await index.downloadTemplate(), name: name, version: version, checksum: checksum.hex)
      return try RegistryURL(address, allowsPlainHTTP: index.client.allowsPlainHTTP)
    }
  }

  private static func crate(_ entry: IndexEntry) -> CrateEntry {
    CrateEntry(
      name: entry.name, version: entry.vers,
      origin: PackageURL(type: "cargo", name: entry.name, version: entry.vers).text,
      checksum: Digest(hex: entry.cksum), compiler: entry.rustVersion)
  }
}
