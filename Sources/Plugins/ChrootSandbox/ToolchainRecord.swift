import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// What an unpacked toolchain was when it was unpacked from the tar that has its digest: beside its folder, as
/// `<digest>.record`.
///
/// Two digests over the tree. The quick one covers what the kernel changes with any change of a file: names, modes,
/// owners, sizes, inode numbers, and the times of the content's and the inode's last change, to the nanosecond; the
/// latter cannot be set back without changing the clock. It reads no content, so it is taken at each process's first
/// use. The slow one covers the content, and is taken when somebody asks for it.
struct ToolchainRecord: Equatable {
  let quick: Digest
  let content: Digest

  private static let head = "synchronicity-unpacked/v1"
  private static let bytesMax = 1 << 10

  init(of directory: String) throws(PluginError) {
    quick = try Self.quick(of: directory)
    content = try Self.content(of: directory)
  }

  /// - Returns: `nil` when there is no record, or none that this version writes.
  init?(readingFrom path: String) {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let data = try? file.read(upToCount: Self.bytesMax) else { return nil }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 4, lines[0] == Self.head, lines[1].hasPrefix("quick "), lines[2].hasPrefix("content "),
      let quick = Digest(hex: lines[1].dropFirst(6).utf8), let content = Digest(hex: lines[2].dropFirst(8).utf8)
    else { return nil }
    (self.quick, self.content) = (quick, content)
  }

  func write(to path: String) throws(PluginError) {
    let text = "\(Self.head)\nquick \(quick.hex)\ncontent \(content.hex)\n"
    let temporary = "\(path).\(UniqueName.next()).partial"
    guard FileManager.default.createFile(atPath: temporary, contents: Data(text.utf8)), rename(temporary, path) == 0
    else {
      let reason = String(cString: strerror(errno))
      unlink(temporary)
      throw PluginError(.io, "Cannot write \(path): \(reason)")
    }
  }

  /// Of the tree below the folder; the folder's own inode, which is renamed, does not count.
  static func quick(of directory: String) throws(PluginError) -> Digest {
    var walk = TreeScan(isQuick: true)
    return try walk.digest(of: directory)
  }

  static func content(of directory: String) throws(PluginError) -> Digest {
    var walk = TreeScan(isQuick: false)
    return try walk.digest(of: directory)
  }
}

/// Hashes a tree whose names may be anything, in an order that the file system's own does not decide.
private struct TreeScan {
  private let isQuick: Bool
  private var pending: [UInt8] = []

  private static let depthMax = 128
  private static let pieceBytes = 1 << 16

  init(isQuick: Bool) { self.isQuick = isQuick }

  mutating func digest(of directory: String) throws(PluginError) -> Digest {
    let root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard root >= 0 else { throw failed("open", directory) }
    var hasher = try FileHasher()
    try visit(root, directory, depth: 0, into: &hasher)
    try hasher.update(pending)
    pending = []
    return try hasher.finish()
  }

  /// Takes over `folder`.
  private mutating func visit(_ folder: Int32, _ path: String, depth: Int, into hasher: inout FileHasher)
    throws(PluginError)
  {
    guard depth < Self.depthMax, let stream = fdopendir(folder) else {
      close(folder)
      throw failed("list", path)
    }
    defer { closedir(stream) }
    for name in try names(stream, path) {
      var info = stat()
      guard fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { throw failed("look at", path) }
      let kind = info.st_mode & S_IFMT
      name.withUnsafeBytes { pending += $0 }
      add(UInt64(info.st_mode), UInt64(info.st_uid), UInt64(info.st_gid))
      // A folder's size and link count depend on the file system and on what it once held.
      if kind != S_IFDIR { add(UInt64(info.st_size)) }
      if isQuick {
        add(UInt64(info.st_ino), UInt64(bitPattern: Int64(info.st_mtim.tv_sec)), UInt64(info.st_mtim.tv_nsec))
        add(UInt64(bitPattern: Int64(info.st_ctim.tv_sec)), UInt64(info.st_ctim.tv_nsec))
      } else if kind == S_IFREG {
        try addContent(name, in: folder, path, into: &hasher)
      } else if kind == S_IFLNK {
        var target = [UInt8](repeating: 0, count: 4_097)
        let count = readlinkat(folder, name, &target, target.count)
        guard count >= 0 else { throw failed("read a link in", path) }
        pending += target[..<count]
      }
      if kind == S_IFDIR {
        let child = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard child >= 0 else { throw failed("open a folder in", path) }
        try visit(child, path, depth: depth + 1, into: &hasher)
        // So that a file cannot pass for one of the folder beside it.
        add(.max)
      }
      if pending.count >= Self.pieceBytes {
        try hasher.update(pending)
        pending.removeAll(keepingCapacity: true)
      }
    }
  }

  private mutating func add(_ numbers: UInt64...) {
    for number in numbers { withUnsafeBytes(of: number.littleEndian) { pending += $0 } }
  }

  /// Null-terminated, sorted by their bytes.
  private func names(_ stream: OpaquePointer, _ path: String) throws(PluginError) -> [[CChar]] {
    var names: [[CChar]] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) {
          Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
        }
      }
      if name != [0x2e, 0] && name != [0x2e, 0x2e, 0] { names.append(name) }
    }
    guard errno == 0 else { throw failed("list", path) }
    return names.sorted { strcmp($0, $1) < 0 }
  }

  private mutating func addContent(_ name: [CChar], in folder: Int32, _ path: String, into hasher: inout FileHasher)
    throws(PluginError)
  {
    try hasher.update(pending)
    pending.removeAll(keepingCapacity: true)
    let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else { throw failed("open a file in", path) }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: Self.pieceBytes)
    while true {
      let count = read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failed("read a file in", path) }
      if count == 0 { return }
      try hasher.update(buffer, count: count)
    }
  }

  private func failed(_ what: String, _ path: String) -> PluginError {
    PluginError(.io, "Cannot \(what) \(path): \(String(cString: strerror(errno)))")
  }
}
