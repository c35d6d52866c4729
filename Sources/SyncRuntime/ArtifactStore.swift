import Foundation
import Glibc
import SyncProof

/// Artifacts on disk by their SHA-256: `<root>/<first two digits>/<digest>`, mode 0644, written once.
///
/// Thread: any. A file appears under its name whole or not at all.
public struct ArtifactStore: Sendable {
  let root: String

  /// - Throws: ``PluginError/Code/io`` when the folder cannot be made.
  public init(root: String) throws(PluginError) {
    self.root = root
    try Folder.make(root)
  }

  /// The file of an artifact that is here.
  public func path(of digest: Digest) -> String? {
    let path = location(of: digest)
    return access(path, R_OK) == 0 ? path : nil
  }

  /// Moves bytes from an open descriptor into the store, hashing the copy that is kept.
  ///
  /// - Returns: Digest and size of what was stored; `nil`, and nothing is stored, if there is more than `bytesMax`.
  func adopt(descriptor: Int32, name: String, bytesMax: UInt64) throws(PluginError) -> (
    digest: Digest, size: UInt64
  )? {
    let temporary = "\(root)/incoming.\(getpid()).\(UInt64.random(in: 0...UInt64.max))"
    let target = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard target >= 0 else { throw Folder.error("create", temporary) }
    defer { close(target) }
    do throws(PluginError) {
      let result = try ArtifactStore.copyHashing(from: descriptor, to: target, name: name, bytesMax: bytesMax)
      guard let result else {
        unlink(temporary)
        return nil
      }
      guard fsync(target) == 0 else { throw Folder.error("write", temporary) }
      let final = location(of: result.digest)
      try Folder.make(String(final.dropLast(65)))
      guard rename(temporary, final) == 0 else { throw Folder.error("rename", temporary) }
      return result
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private func location(of digest: Digest) -> String {
    let hex = digest.hex
    return "\(root)/\(hex.prefix(2))/\(hex)"
  }

  private static func copyHashing(
    from source: Int32, to target: Int32, name: String, bytesMax: UInt64
  ) throws(PluginError) -> (digest: Digest, size: UInt64)? {
    var hasher = try FileHasher()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var size: UInt64 = 0
    while true {
      let count = read(source, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw Folder.error("read", name)
      }
      if count == 0 { return (try hasher.finish(), size) }
      guard UInt64(count) <= bytesMax - size else { return nil }
      try hasher.update(buffer, count: count)
      try write(buffer, count: count, to: target, name: name)
      size += UInt64(count)
    }
  }

  private static func write(_ buffer: [UInt8], count: Int, to target: Int32, name: String) throws(PluginError) {
    var written = 0
    while written < count {
      let result = buffer.withUnsafeBytes { Glibc.write(target, $0.baseAddress! + written, count - written) }
      if result < 0 {
        if errno == EINTR { continue }
        throw Folder.error("write", name)
      }
      written += result
    }
  }
}

/// Folders of a node, with errors that name the path.
enum Folder {
  /// Makes the folder and its parents, mode 0755 less the umask; one that is there is fine.
  static func make(_ path: String, mode: mode_t = 0o755) throws(PluginError) {
    var partial = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      partial += "/" + part
      if mkdir(partial, mode) != 0, errno != EEXIST { throw error("create the folder", partial) }
    }
  }

  /// Removes a tree; a missing one is fine. Symbolic links are removed, not followed.
  static func remove(_ path: String) {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The bytes of a regular file, reached through no link; `nil` where there is none.
  ///
  /// - Parameter bytesMax: Of a larger file `nil`, or its front where `isCut` says so.
  static func read(_ path: String, bytesMax: Int, isCut: Bool = false) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, isCut || info.st_size <= bytesMax else {
      return nil
    }
    return read(descriptor, at: 0, count: min(Int(info.st_size), bytesMax))
  }

  /// - Returns: Fewer bytes than asked for at the file's end; `nil` on an error.
  static func read(_ descriptor: Int32, at offset: UInt64, count: Int) -> [UInt8]? {
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
        if got < 0, errno == EINTR { continue }
        failed = got < 0
        if got <= 0 { break }
        filled += got
      }
    }
    return failed ? nil : bytes
  }

  /// Writes a whole file or nothing.
  static func write(_ bytes: [UInt8], to path: String) throws(PluginError) {
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw PluginError(.io, "Cannot write \(path): \(error.localizedDescription)")
    }
  }

  static func error(_ verb: String, _ path: String) -> PluginError {
    let number = errno
    let hint = number == ENOSPC ? "; free some space on its file system, nothing was lost" : ""
    return PluginError(.io, "Cannot \(verb) \(path): \(String(cString: strerror(number)))\(hint)")
  }
}
