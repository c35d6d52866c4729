import SourceTools
import SyncProof
import SyncRuntime
import ToolchainShelf

/// Toolchains as packages, `pkg:generic/synchronicity-toolchain-KIND@DIGEST`: rebuilt from the exact Debian packages
/// that their lock file names, in another toolchain.
///
/// Each builder needs the lock file on its own shelf; the package's purl names it by the digest of what comes out.
/// Only toolchains of the variant `extract`, whose packages run no scripts. Thread: any; calls may overlap.
public struct ToolchainSource: Source {
  public let name = "toolchains"
  private static let prefix = "synchronicity-toolchain-"
  private static let lockName = "lock"

  private let shelf: Shelf
  private let archive: DebianArchive

  /// - Parameters:
  ///   - shelf: Where lock files are.
  ///   - cacheDirectory: An absolute path; made when missing. Packages are kept there.
  public init(shelf: Shelf, cacheDirectory: String) {
    (self.shelf, archive) = (shelf, DebianArchive(cacheDirectory: cacheDirectory))
  }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    try PackageRecipe.refuseChoices(request)
    let (kind, wanted) = try Self.parse(request.package)
    let built = try shelf.digest(kind: kind)
    guard let digest = wanted ?? built else {
      throw PluginError(.notFound, "There is no toolchain '\(kind)' here; make it with 'synchronicity toolchain build'")
    }
    let bytes = try shelf.lockBytes(of: digest)
    let lock = try ToolchainLock(parsing: bytes)
    guard lock.variant == .extract else {
      throw PluginError(
        .invalid,
        "The packages of \(kind) run scripts as root when they are installed, which no sandbox lets them do: only "
          + "toolchains of the variant 'extract' can be rebuilt as a job; 'synchronicity toolchain build --packages' "
          + "rebuilds the others")
    }
    let scratch = try SourceFiles.makeTemporary(in: scratchDirectory)
    defer { SourceFiles.remove(scratch) }
    try SourceFiles.write(bytes, to: "\(scratch)/\(Self.lockName)")
    let purl = Text("pkg:generic/\(Self.prefix)\(kind)@\(digest.hex)")
    let root = SourceItem(
      purl: purl, tree: try TreeDigest.sha256(directory: scratch), claim: SHA256.hash(bytes), origin: purl)
    let packages = try await self.packages(of: lock, scratch: scratch)
    let target = Set(lock.packages.map(\.architecture)).subtracting(["all"]).sorted().joined(separator: "-")
    return try PackageRecipe.toolchain.spec(
      request, sources: [root] + packages, artifacts: ["\(Self.prefix)\(kind).tar"], target: target)
  }

  private func packages(of lock: ToolchainLock, scratch: String) async throws(PluginError) -> [SourceItem] {
    let packages = lock.packages.map {
      AptPackage(name: $0.name, version: $0.version, architecture: $0.architecture)
    }
    let checksums = try await archive.checksums(of: packages)
    var items: [SourceItem] = []
    for (package, checksum) in zip(packages, checksums) {
      let origin = DebianOrigin(name: package.name, version: package.version, architecture: package.architecture)
      let folder = "\(scratch)/\(package.name)"
      try SourceFiles.makeFolder(folder)
      try await archive.downloadBinary(origin, claim: checksum, into: folder)
      items.append(
        SourceItem(
          purl: Text(origin.purl), tree: try TreeDigest.sha256(directory: folder), claim: checksum,
          origin: Text(origin.text)))
    }
    return items
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    guard let digest = try Self.parse(item.origin.string).digest else {
      throw PluginError(.invalid, "'\(item.origin.string)' does not say which toolchain")
    }
    try await PinnedTree.place(item, at: directory) { (folder) throws(PluginError) in
      try SourceFiles.write(try shelf.lockBytes(of: digest), to: "\(folder)/\(Self.lockName)")
    }
  }

  private static func parse(_ text: String) throws(PluginError) -> (kind: String, digest: Digest?) {
    let purl = try PackageURL(parsing: text)
    let digest = purl.version.flatMap { Digest(hex: $0) }
    guard purl.type == "generic", purl.namespace == nil, purl.architecture == nil, purl.name.hasPrefix(prefix),
      purl.name.count > prefix.count, purl.version == nil || digest != nil
    else {
      throw PluginError(
        .invalid, "'\(text)' names no toolchain; write pkg:generic/\(prefix)tiny, or the same with @DIGEST")
    }
    return (String(purl.name.dropFirst(prefix.count)), digest)
  }
}
