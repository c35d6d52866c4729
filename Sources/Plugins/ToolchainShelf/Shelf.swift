import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// The toolchains of one host: tars of root file systems, each by its SHA-256, with the lock file of those that were
/// made here. Processes may share the folder.
///
/// Files: `<sha256>.tar`; `<sha256>.lock` (``ToolchainLock``), or `<sha256>.origin`, one line that says where an
/// imported one is from; and `index`, whose lines are kind, digest of the recipe, digest of the tar.
public struct Shelf: Sendable {
  /// The script that makes toolchains, for bash.
  public static let script = String(decoding: PackageResources.toolchain_sh, as: UTF8.self)

  public let directory: String

  private static let indexBytesMax = 1 << 20

  /// - Parameter directory: An absolute path; it need not be there.
  public init(directory: String) { self.directory = directory }

  /// One toolchain.
  public struct Item: Sendable, Equatable {
    public let digest: Digest
    /// What it was built as, sorted; none for imported ones and those that a later build has replaced.
    public let kinds: [String]
    public let bytes: UInt64
    public let lock: ToolchainLock?
    /// Where an imported one is from.
    public let origin: String?
  }

  public func path(of toolchain: Digest) -> String { "\(directory)/\(toolchain.hex).tar" }

  public func has(_ toolchain: Digest) -> Bool { access(path(of: toolchain), R_OK) == 0 }

  /// Sorted by digest; none where there is no folder.
  public func items() throws(PluginError) -> [Item] {
    let index = try self.index()
    var items: [Item] = []
    for name in ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted() {
      guard name.hasSuffix(".tar"), let digest = Digest(hex: String(name.dropLast(4))) else { continue }
      var info = stat()
      guard stat(path(of: digest), &info) == 0, info.st_mode & S_IFMT == S_IFREG else { continue }
      let origin = bytes("\(digest.hex).origin", max: 1 << 12).map { String(decoding: $0, as: UTF8.self) }
      items.append(
        Item(
          digest: digest, kinds: Set(index.filter { $0.digest == digest }.map(\.kind)).sorted(),
          bytes: UInt64(info.st_size),
          lock: try? bytes("\(digest.hex).lock", max: ToolchainLock.bytesMax).map(ToolchainLock.init(parsing:)),
          origin: origin?.split(separator: "\n").first.map(String.init)))
    }
    return items
  }

  /// The toolchain that was built last as `kind`.
  public func digest(kind: String) throws(PluginError) -> Digest? {
    try index().last { $0.kind == kind }?.digest
  }

  /// The lock file of a toolchain, byte for byte.
  ///
  /// - Throws: ``PluginError/Code/notFound`` when it was not made here.
  public func lockBytes(of toolchain: Digest) throws(PluginError) -> [UInt8] {
    guard let bytes = bytes("\(toolchain.hex).lock", max: ToolchainLock.bytesMax) else {
      throw PluginError(
        .notFound,
        "There is no lock file of the toolchain \(toolchain) here; make it with 'synchronicity toolchain build', or "
          + "put the lock file beside the toolchains")
    }
    return bytes
  }

  /// Reads the whole tar.
  ///
  /// - Throws: ``PluginError/Code/notFound``, ``PluginError/Code/checksumMismatch``.
  public func verify(_ toolchain: Digest) throws(PluginError) {
    let path = path(of: toolchain)
    let got = try FileDigest.sha256(path: path).digest
    guard got == toolchain else {
      throw PluginError(
        .checksumMismatch, "\(path) has SHA-256 \(got); remove it and build or import the toolchain again")
    }
  }

  /// Copies a tar in, under the name of its digest; one that is there already is left as it is.
  ///
  /// - Parameter origin: One line for ``Item/origin``.
  public func add(tar: String, origin: String) throws(PluginError) -> Digest {
    try makeFolder()
    let temporary = "\(directory)/.import-\(getpid())-\(UInt32.random(in: .min ... .max))"
    defer { unlink(temporary) }
    guard FileManager.default.fileExists(atPath: tar) else { throw PluginError(.notFound, "There is no file \(tar)") }
    do { try FileManager.default.copyItem(atPath: tar, toPath: temporary) } catch {
      throw PluginError(.io, "Cannot copy \(tar) to \(directory): \(error.localizedDescription)")
    }
    // What was copied is what is hashed: the file may change meanwhile.
    let digest = try FileDigest.sha256(path: temporary).digest
    if has(digest) { return digest }
    let note = "\(directory)/\(digest.hex).origin"
    guard chmod(temporary, 0o644) == 0,
      FileManager.default.createFile(atPath: note, contents: Data((origin + "\n").utf8)),
      rename(temporary, path(of: digest)) == 0
    else { throw PluginError(.io, "Cannot keep \(tar) in \(directory): \(String(cString: strerror(errno)))") }
    return digest
  }

  /// Removes the tar and what stands beside it, and what the index says of it.
  public func remove(_ toolchain: Digest) throws(PluginError) {
    let lock = open("\(directory)/.lock-index", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw failed("lock", ".lock-index") }
    defer { close(lock) }
    let kept = try index().filter { $0.digest != toolchain }
    let text = kept.map { "\($0.kind) \($0.recipe) \($0.digest.hex)\n" }.joined()
    if access("\(directory)/index", F_OK) == 0 {
      let temporary = "\(directory)/.index-\(UniqueName.next())"
      guard FileManager.default.createFile(atPath: temporary, contents: Data(text.utf8)),
        rename(temporary, "\(directory)/index") == 0
      else { throw failed("write", "index") }
    }
    for suffix in ["tar", "lock", "origin", "manifest"] {
      guard unlink("\(directory)/\(toolchain.hex).\(suffix)") == 0 || errno == ENOENT else {
        throw failed("remove", "\(toolchain.hex).\(suffix)")
      }
    }
  }

  private func makeFolder() throws(PluginError) {
    do { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) } catch {
      throw PluginError(.io, "Cannot make \(directory): \(error.localizedDescription)")
    }
  }

  private func index() throws(PluginError) -> [(kind: String, recipe: String, digest: Digest)] {
    guard let bytes = bytes("index", max: Self.indexBytesMax) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 3, let digest = Digest(hex: words[2]) else { return nil }
      return (words[0], words[1], digest)
    }
  }

  /// `nil` without such a file, or when it is too large to be one.
  private func bytes(_ name: String, max: Int) -> [UInt8]? {
    guard let file = FileHandle(forReadingAtPath: "\(directory)/\(name)") else { return nil }
    defer { try? file.close() }
    guard let data = try? file.read(upToCount: max + 1), data.count <= max else { return nil }
    return [UInt8](data)
  }

  private func failed(_ what: String, _ name: String) -> PluginError {
    PluginError(.io, "Cannot \(what) \(directory)/\(name): \(String(cString: strerror(errno)))")
  }
}
