import SourceTools
import SyncProof
import SyncRuntime

/// Python source distributions of a package index, built to wheels.
///
/// The archive goes into the sandbox as the index has it, as the one file `sdist.tar.gz` of the source tree: nothing of
/// it is unpacked on the host. A spec names the package and the checksum, never an address: each builder asks the index
/// of its own configuration. Thread: any; calls may overlap.
public struct PyPISource: Source {
  public let name = "pypi"
  private let index: SimpleIndex
  private let archives: ArchiveCache

  static let fileName = "sdist.tar.gz"

  /// Opens no connection yet.
  ///
  /// - Parameters:
  ///   - url: Of the index's simple API, such as `https://HOST/simple/`.
  ///   - allowsPlainHTTP: Whether http may be used towards other hosts than this one.
  ///   - cacheDirectory: An absolute path; made when missing. Archives are kept there.
  /// - Throws: ``PluginError/Code/invalid`` for an address that is none.
  public init(url: String, allowsPlainHTTP: Bool = false, cacheDirectory: String) throws(PluginError) {
    try self.init(url: url, client: RegistryClient(allowsPlainHTTP: allowsPlainHTTP), cacheDirectory: cacheDirectory)
  }

  init(url: String, client: RegistryClient, cacheDirectory: String) throws(PluginError) {
    var client = client
    client.headers["accept"] = SimpleIndex.accepted
    let base = try RegistryURL(url.hasSuffix("/") ? url : url + "/", allowsPlainHTTP: client.allowsPlainHTTP)
    index = SimpleIndex(base: base, client: client)
    client.headers["accept"] = nil
    archives = ArchiveCache(directory: cacheDirectory, suffix: ".tar.gz", client: client)
  }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    try PackageRecipe.refuseChoices(request)
    let wanted = try Self.parse(request.package)
    let found = try await index.locate(wanted.name, version: wanted.version)
    let scratch = try SourceFiles.makeTemporary(in: scratchDirectory)
    defer { SourceFiles.remove(scratch) }
    let package = scratch + "/input/package"
    try SourceFiles.makeFolder(package)
    let purl = "pkg:pypi/\(wanted.name)@\(found.version)"
    try await place(purl, found.checksum, address: found.address, into: package)
    let (artifacts, target) = try await PackageRecipe.python.describe(request, sandbox: sandbox, scratch: scratch)
    guard artifacts.count == 1 else {
      throw PluginError(.invalid, "\(purl) gives \(artifacts.count) wheels, where one is expected")
    }
    let item = SourceItem(
      purl: Text(purl), tree: try TreeDigest.sha256(directory: package), claim: found.checksum, origin: Text(purl))
    return try PackageRecipe.python.spec(request, sources: [item], artifacts: artifacts, target: target)
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    let purl = try Self.parse(item.origin.string)
    guard let version = purl.version, let checksum = item.claim else {
      throw PluginError(
        .invalid, "'\(item.origin.string)' comes without version or checksum; a distribution needs both")
    }
    try await PinnedTree.place(item, at: directory) { (folder) async throws(PluginError) in
      try await place(item.purl.string, checksum, address: nil, name: purl.name, version: version, into: folder)
    }
  }

  /// - Parameter address: Asked of the index when `nil`.
  private func place(
    _ purl: String, _ checksum: Digest, address: RegistryURL?, name: String = "", version: String = "",
    into folder: String
  ) async throws(PluginError) {
    let bytes = try await archives.bytes(checksum, of: purl) { () async throws(PluginError) in
      if let address { return address }
      let found = try await index.distributions(of: name).first { $0.version == version && $0.checksum == checksum }
      guard let found else {
        throw PluginError(
          .checksumMismatch, "\(index.title) has no distribution of \(purl) with the SHA-256 \(checksum.hex)")
      }
      return found.address
    }
    try SourceFiles.write(bytes, to: "\(folder)/\(Self.fileName)")
  }

  /// - Throws: ``PluginError/Code/invalid`` unless the name is normalized, since a spec spells it in one way.
  static func parse(_ text: String) throws(PluginError) -> PackageURL {
    let purl = try PackageURL(parsing: text)
    guard purl.type == "pypi", purl.namespace == nil, purl.architecture == nil else {
      throw PluginError(.invalid, "'\(text)' does not name a Python package; write it like pkg:pypi/six@1.16.0")
    }
    let normalized = SimpleIndex.normalized(purl.name)
    guard purl.name == normalized, purl.name.utf8.allSatisfy({ $0 != 0x7e && $0 != 0x2b && $0 != 0x3a }) else {
      throw PluginError(.invalid, "The package '\(purl.name)' is written pkg:pypi/\(normalized)")
    }
    return purl
  }
}
