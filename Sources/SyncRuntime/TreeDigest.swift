import Glibc
import SyncProof

/// Bounds of a source tree; a tree beyond one of them is refused before it is read to the end.
public struct TreeLimits: Sendable, Equatable {
  /// Files, symbolic links and directories, all counted.
  public var entriesMax = 65_536
  /// Sizes of all files, added up.
  public var bytesMax: UInt64 = 1 << 30
  /// Bytes of one path below the tree's root.
  public var pathBytesMax = 1_024
  /// Names in one path.
  public var depthMax = 64
  public init() {}
}

/// One file or symbolic link of a source tree.
package struct TreeEntry: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case file(isExecutable: Bool, size: UInt64)
    case link(target: [UInt8])
  }
  /// Below the tree's root, without a leading slash.
  package let path: [UInt8]
  package let kind: Kind
}

/// One digest for a directory of source files, whatever host, user and archive it came through.
///
/// SHA-256 over text lines, each ended by a line feed:
///
/// ```
/// synchronicity-tree/v1
/// file <644|755> <size> <sha256> <path>
/// link <target> <path>
/// ```
///
/// with one line for each file and symbolic link, sorted by the bytes of the path. The mode is `755` where the owner
/// may execute the file, else `644`; size is decimal without leading zeros; the digest is 64 lower-case hexadecimal
/// digits. Times, owners and other mode bits do not count, directories count by what they hold. Refused: anything
/// that is neither regular file, directory nor symbolic link; a path with a control character; a link whose target is
/// absolute, empty, holds a space or a control character, has `..` behind a name, or leads out of the tree.
public enum TreeDigest {
  /// The digest of the tree below `directory`, which may itself be reached through symbolic links.
  ///
  /// Thread: any; blocks on the disk. The tree must not change meanwhile.
  ///
  /// - Throws: ``PluginError/Code/notFound`` without such a directory, ``PluginError/Code/invalid`` for a tree that
  ///   is refused, ``PluginError/Code/io``.
  public static func sha256(directory: String, limits: TreeLimits = TreeLimits()) throws(PluginError) -> Digest {
    var listing = SHA256.Stream()
    listing.update([UInt8]("synchronicity-tree/v1\n".utf8))
    for entry in try entries(directory: directory, limits: limits) {
      let path = String(decoding: entry.path, as: UTF8.self)
      switch entry.kind {
      case .file(let isExecutable, let listedSize):
        let (digest, size) = try FileDigest.sha256(path: directory + "/" + path)
        guard size == listedSize else {
          throw PluginError(.io, "\(path) changed while its tree was read; leave the tree alone and try again")
        }
        listing.update([UInt8]("file \(isExecutable ? "755" : "644") \(size) \(digest.hex) \(path)\n".utf8))
      case .link(let target):
        listing.update([UInt8]("link ".utf8) + target + [UInt8](" \(path)\n".utf8))
      }
    }
    return listing.finish()
  }

  /// What stands below `directory`, sorted by path; the same bounds and refusals.
  package static func entries(directory: String, limits: TreeLimits = TreeLimits()) throws(PluginError) -> [TreeEntry] {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw PluginError(
        errno == ENOENT || errno == ENOTDIR ? .notFound : .io, "Cannot open the folder \(directory): \(reason())")
    }
    var walk = TreeWalk(limits: limits)
    try walk.visit(descriptor: descriptor, path: [], depth: 0)
    return walk.found.sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  /// Whether a symbolic link at `path` stays in its tree: `..` only in front, and no more of them than there are
  /// directories above the link. Behind a name, `..` would leave whatever directory that name links to.
  package static func staysInside(target: [UInt8], path: [UInt8]) -> Bool {
    guard !target.isEmpty, target.first != UInt8(ascii: "/"), isPlain(target), !target.contains(0x20) else {
      return false
    }
    var above = path.count { $0 == UInt8(ascii: "/") }
    var sawName = false
    for part in target.split(separator: UInt8(ascii: "/")) {
      if part.elementsEqual("..".utf8) {
        guard !sawName, above > 0 else { return false }
        above -= 1
      } else if !part.elementsEqual(".".utf8) {
        sawName = true
      }
    }
    return true
  }

  /// Valid UTF-8 without control characters: one line can hold it, and any language can name it.
  package static func isPlain(_ bytes: [UInt8]) -> Bool {
    bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f } && String(validating: bytes, as: UTF8.self) != nil
  }

  fileprivate static func reason() -> String { String(cString: strerror(errno)) }
}

/// Reads directories by descriptor, so that nobody can put a symbolic link in its way.
private struct TreeWalk {
  let limits: TreeLimits
  var found: [TreeEntry] = []
  private var entryCount = 0
  private var byteCount: UInt64 = 0

  init(limits: TreeLimits) { self.limits = limits }

  /// Takes over `descriptor`.
  mutating func visit(descriptor: Int32, path: [UInt8], depth: Int) throws(PluginError) {
    guard let stream = fdopendir(descriptor) else {
      close(descriptor)
      throw PluginError(.io, "Cannot list \(display(path)): \(TreeDigest.reason())")
    }
    defer { closedir(stream) }
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { continue }
      try add(name: name, in: descriptor, path: path.isEmpty ? name : path + [UInt8(ascii: "/")] + name, depth: depth)
    }
    guard errno == 0 else { throw PluginError(.io, "Cannot list \(display(path)): \(TreeDigest.reason())") }
  }

  private mutating func add(name: [UInt8], in parent: Int32, path: [UInt8], depth: Int) throws(PluginError) {
    entryCount += 1
    guard entryCount <= limits.entriesMax else {
      throw PluginError(.invalid, "The tree has more than \(limits.entriesMax) files and folders")
    }
    guard path.count <= limits.pathBytesMax, depth < limits.depthMax else {
      throw PluginError(.invalid, "\(display(path)) is nested too deep or longer than \(limits.pathBytesMax) bytes")
    }
    guard TreeDigest.isPlain(name) else {
      throw PluginError(.invalid, "\(display(path)) has a control character or no UTF-8 in its name")
    }
    let cName = name.map { CChar(bitPattern: $0) } + [0]
    var info = stat()
    guard fstatat(parent, cName, &info, AT_SYMLINK_NOFOLLOW) == 0 else {
      throw PluginError(.io, "Cannot read \(display(path)): \(TreeDigest.reason())")
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG:
      byteCount += UInt64(info.st_size)
      guard byteCount <= limits.bytesMax else {
        throw PluginError(.invalid, "The tree has more than \(limits.bytesMax) bytes")
      }
      let kind = TreeEntry.Kind.file(isExecutable: info.st_mode & S_IXUSR != 0, size: UInt64(info.st_size))
      found.append(TreeEntry(path: path, kind: kind))
    case S_IFLNK:
      let target = try readLink(cName, in: parent, path: path)
      guard TreeDigest.staysInside(target: target, path: path) else {
        throw PluginError(.invalid, "\(display(path)) is a symbolic link to \(display(target)), out of its tree")
      }
      found.append(TreeEntry(path: path, kind: .link(target: target)))
    case S_IFDIR:
      let child = openat(parent, cName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard child >= 0 else { throw PluginError(.io, "Cannot open \(display(path)): \(TreeDigest.reason())") }
      try visit(descriptor: child, path: path, depth: depth + 1)
    default:
      throw PluginError(.invalid, "\(display(path)) is a device, pipe or socket; a source tree holds only files")
    }
  }

  private func readLink(_ name: [CChar], in parent: Int32, path: [UInt8]) throws(PluginError) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limits.pathBytesMax + 1)
    let count = readlinkat(parent, name, &buffer, buffer.count)
    guard count >= 0 else { throw PluginError(.io, "Cannot read \(display(path)): \(TreeDigest.reason())") }
    guard count <= limits.pathBytesMax else {
      throw PluginError(.invalid, "\(display(path)) is a symbolic link with a target that is too long")
    }
    return Array(buffer[..<count])
  }

  private func display(_ path: [UInt8]) -> String {
    path.isEmpty ? "the tree" : String(decoding: path, as: UTF8.self)
  }
}
