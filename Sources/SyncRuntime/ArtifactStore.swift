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
