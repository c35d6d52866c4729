import SourceTools
import SyncProof
import SyncRuntime

/// Debian's source packages, built to binary packages, and single binary packages as inputs of other recipes; through
/// the apt of the host.
///
/// The files of a source package go into the sandbox as the archive has them: nothing of them is unpacked on the host.
/// Thread: any; calls may overlap.
public struct DebianSource: Source {
  public let name = "debian"
  private let archive: DebianArchive

  /// - Parameter cacheDirectory: An absolute path; made when missing.
  public init(cacheDirectory: String) { archive = DebianArchive(cacheDirectory: cacheDirectory) }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    try PackageRecipe.refuseChoices(request)
    let purl = try PackageURL(parsing: request.package)
    guard purl.type == "deb", purl.namespace == "debian", purl.architecture == nil, DebianName.isValid(purl.name),
      purl.version.map(DebianName.isVersion) ?? true
    else {
      throw PluginError(
        .invalid, "'\(request.package)' names no source package; write it like pkg:deb/debian/hello@2.10-3")
    }
    let found = try await archive.locate(purl.name, version: purl.version)
    let scratch = try SourceFiles.makeTemporary(in: scratchDirectory)
    defer { SourceFiles.remove(scratch) }
    let package = scratch + "/input/package"
    try SourceFiles.makeFolder(package)
    try await archive.download(found, into: package)
    let (artifacts, target) = try await PackageRecipe.debian.describe(request, sandbox: sandbox, scratch: scratch)
    let item = SourceItem(
      purl: Text(found.origin.purl), tree: try TreeDigest.sha256(directory: package), claim: found.descriptor,
      origin: Text(found.origin.text))
    return try PackageRecipe.debian.spec(request, sources: [item], artifacts: artifacts, target: target)
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    let origin = try DebianOrigin(parsing: item.origin.string)
    guard Text(origin.purl) == item.purl, let claim = item.claim else {
      throw PluginError(
        .invalid, "'\(item.origin.string)' is not the origin of \(item.purl.string), or has no checksum")
    }
    try await PinnedTree.place(item, at: directory) { (folder) async throws(PluginError) in
      guard origin.isSource else { return try await archive.downloadBinary(origin, claim: claim, into: folder) }
      let found = try await archive.locate(origin.name, version: origin.version)
      guard found.descriptor == claim else {
        throw PluginError(
          .checksumMismatch, "Debian's \(origin.name) \(origin.version) has another .dsc than \(claim.hex)")
      }
      try await archive.download(found, into: folder)
    }
  }
}

/// A source package in apt's lists.
struct DebianSourcePackage: Sendable {
  let origin: DebianOrigin
  /// SHA-256 of its `.dsc`.
  let descriptor: Digest
  /// SHA-256 by file name, the `.dsc` among them.
  let files: [String: Digest]
}

/// What apt gets, checked once more against the checksums in its signed lists.
struct DebianArchive: Sendable {
  static let binaryName = "package.deb"
  private static let filesMax = 64
  private static let fileBytesMax = 1 << 30

  let sources: AptClient
  let binaries: AptClient

  init(cacheDirectory: String) {
    sources = AptClient(cacheDirectory: cacheDirectory, hasSources: true)
    binaries = AptClient(cacheDirectory: cacheDirectory)
  }

  /// - Parameter version: Exactly this one; the one that apt would take when `nil`.
  func locate(_ name: String, version: String?) async throws(PluginError) -> DebianSourcePackage {
    var found = try await listed(name)
    func has(_ version: String?) -> Bool {
      version == nil ? !found.isEmpty : found.contains { $0.origin.version == version }
    }
    if !has(version), try await sources.refreshLists() { found = try await listed(name) }
    guard has(version) else {
      let known = found.map(\.origin.version).joined(separator: ", ")
      throw PluginError(
        .notFound,
        "Debian has no source package \(name)\(version.map { " " + $0 } ?? "")"
          + (known.isEmpty ? "" : ", only \(known)"))
    }
    if let version, let exact = found.first(where: { $0.origin.version == version }) { return exact }
    let out = try await sources.apt("apt-get", ["--print-uris", "--download-only", "source", "--", name])
    let printed = String(decoding: out, as: UTF8.self)
    guard
      let chosen = found.first(where: { $0.files.keys.contains { $0.hasSuffix(".dsc") && printed.contains(" \($0) ") } }
      )
    else { throw PluginError(.notFound, "apt does not say which \(name) it would take; ask for a version") }
    return chosen
  }

  private func listed(_ name: String) async throws(PluginError) -> [DebianSourcePackage] {
    let out: [UInt8]
    do throws(PluginError) {
      out = try await sources.apt("apt-cache", ["showsrc", "--only-source", "--", name])
    } catch {
      // apt-cache fails where it knows no such package.
      guard error.code == .io else { throw error }
      return []
    }
    return DebianParagraph.parse(out).compactMap { paragraph in
      guard paragraph["Package"] == name, let version = paragraph["Version"], DebianName.isVersion(version) else {
        return nil
      }
      var files: [String: Digest] = [:]
      for line in paragraph.fields["Checksums-Sha256"] ?? [] where !line.isEmpty {
        let words = line.split(separator: " ")
        guard words.count == 3, let digest = Digest(hex: words[0].utf8), TreeDigest.isPlain([UInt8](words[2].utf8)),
          !words[2].contains("/"), !words[2].hasPrefix(".")
        else { return nil }
        files[String(words[2])] = digest
      }
      let descriptors = files.filter { $0.key.hasSuffix(".dsc") }
      guard descriptors.count == 1, let descriptor = descriptors.first?.value, files.count <= Self.filesMax else {
        return nil
      }
      return DebianSourcePackage(
        origin: DebianOrigin(name: name, version: version, architecture: "source"), descriptor: descriptor, files: files
      )
    }
  }

  /// Exactly the files of the list, each checked.
  func download(_ package: DebianSourcePackage, into folder: String) async throws(PluginError) {
    let (name, version) = (package.origin.name, package.origin.version)
    do throws(PluginError) {
      try await sources.apt("apt-get", ["--download-only", "source", "--", "\(name)=\(version)"], in: folder)
    } catch  where error.code == .io {
      throw PluginError(
        .notFound, "apt cannot get the source of \(name) \(version) (\(error.message)); it may have left the archive")
    }
    guard Set(SourceFiles.names(in: folder)) == Set(package.files.keys) else {
      throw PluginError(.notFound, "apt gave other files for \(name) \(version) than its lists name")
    }
    for (file, checksum) in package.files.sorted(by: { $0.key < $1.key }) {
      try check("\(folder)/\(file)", file, checksum)
      try SourceFiles.makeReadable("\(folder)/\(file)")
    }
  }

  /// One binary package, as ``binaryName``.
  func downloadBinary(_ origin: DebianOrigin, claim: Digest, into folder: String) async throws(PluginError) {
    let package = AptPackage(name: origin.name, version: origin.version, architecture: origin.architecture)
    let file = try await binaries.download([package])[0]
    do throws(PluginError) { try check(file, "\(origin.name) \(origin.version)", claim) } catch {
      // What was kept may be damaged; the next try gets it again.
      _ = binaries.forget(package)
      throw error
    }
    try SourceFiles.copyFile(file, to: "\(folder)/\(Self.binaryName)")
  }

  /// What apt's lists say of binary packages; the order is that of `packages`.
  func checksums(of packages: [AptPackage]) async throws(PluginError) -> [Digest] {
    let names = packages.map { "\($0.name)=\($0.version)" }
    let out = try await binaries.apt("apt-cache", ["show", "--no-all-versions", "--"] + names)
    let paragraphs = DebianParagraph.parse(out)
    var found: [Digest] = []
    for package in packages {
      let listed = paragraphs.first {
        $0["Package"] == package.name && $0["Version"] == package.version
          && $0["Architecture"] == package.architecture
      }
      guard let checksum = listed?["SHA256"].flatMap({ Digest(hex: $0) }) else {
        throw PluginError(
          .notFound, "Debian no longer has \(package.name) \(package.version) for \(package.architecture)")
      }
      found.append(checksum)
    }
    return found
  }

  private func check(_ path: String, _ what: String, _ checksum: Digest) throws(PluginError) {
    let (got, size) = try FileDigest.sha256(path: path)
    guard got == checksum, size <= Self.fileBytesMax else {
      throw PluginError(
        .checksumMismatch, "apt gave \(what) with the SHA-256 \(got.hex), its lists say \(checksum.hex)")
    }
  }
}
