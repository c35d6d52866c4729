import Dispatch
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

  /// A regular file that may become an artifact: open for reading, and where it lies.
  struct Source {
    let descriptor: Int32
    let folder: Int32
    let entry: String
  }

  /// Takes a file into the store: by its move where that is safe, else by a copy; hashes what is kept.
  ///
  /// The content is on the disk when this returns, its name after ``settle(_:)``.
  ///
  /// - Returns: Digest and size of what was stored; `nil`, and nothing is stored, if there is more than `bytesMax`.
  func adopt(_ source: Source, name: String, bytesMax: UInt64) throws(PluginError) -> (digest: Digest, size: UInt64)? {
    let temporary = "\(root)/incoming.\(getpid()).\(UInt64.random(in: 0...UInt64.max))"
    do throws(PluginError) {
      let result: (digest: Digest, size: UInt64)?
      if move(source, to: temporary) {
        let flush = Self.flush(temporary)
        defer { flush.wait() }
        result = try Self.hash(source.descriptor, andWriteTo: nil, name: name, bytesMax: bytesMax)
        guard fsync(source.descriptor) == 0 else { throw Folder.error("write", temporary) }
      } else {
        result = try copy(source.descriptor, to: temporary, name: name, bytesMax: bytesMax)
      }
      guard let result else {
        unlink(temporary)
        return nil
      }
      let final = location(of: result.digest)
      try Folder.make(String(final.dropLast(65)))
      guard rename(temporary, final) == 0 else { throw Folder.error("rename", temporary) }
      return result
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Makes the names of adopted artifacts as lasting as their content is.
  func settle(_ digests: [Digest]) throws(PluginError) {
    for folder in Set(digests.map { String(location(of: $0).dropLast(65)) }).sorted() + [root] {
      let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Folder.error("open", folder) }
      defer { close(descriptor) }
      guard fsync(descriptor) == 0 else { throw Folder.error("write", folder) }
    }
  }

  /// Has the disk write while the processor hashes. It opens the file for itself, so that an error is still told to who
  /// asks afterwards.
  private static func flush(_ path: String) -> DispatchWorkItem {
    let item = DispatchWorkItem {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { return }
      fsync(descriptor)
      close(descriptor)
    }
    DispatchQueue.global().async(execute: item)
    return item
  }

  /// Moves the file if nobody can change it afterwards: it is this user's, has no other name, and is open for writing
  /// nowhere, which the kernel says by granting a lease.
  ///
  /// - Returns: False when it has to be copied; then there is nothing at `temporary`.
  private func move(_ source: Source, to temporary: String) -> Bool {
    guard renameat(source.folder, source.entry, AT_FDCWD, temporary) == 0 else { return false }
    var (opened, named) = (stat(), stat())
    let isOurs =
      fstat(source.descriptor, &opened) == 0 && lstat(temporary, &named) == 0 && opened.st_ino == named.st_ino
      && opened.st_dev == named.st_dev && opened.st_nlink == 1 && opened.st_uid == geteuid()
      && Self.hasNoWriter(source.descriptor) && fchmod(source.descriptor, 0o644) == 0
      // Its age is the time that it is here, not one that the build gave it.
      && futimens(source.descriptor, nil) == 0
    if !isOurs { unlink(temporary) }
    return isOurs
  }

  // Of <bits/fcntl-linux.h>: F_SETSIG, F_SETLEASE.
  private static let setSignal: Int32 = 10
  private static let setLease: Int32 = 1_024

  private static func hasNoWriter(_ descriptor: Int32) -> Bool {
    // Who would break the lease in the moment that it lasts sends a signal that nobody minds.
    guard fcntl(descriptor, setSignal, SIGURG) == 0, fcntl(descriptor, setLease, F_RDLCK) == 0 else { return false }
    return fcntl(descriptor, setLease, F_UNLCK) == 0
  }

  private func copy(_ descriptor: Int32, to temporary: String, name: String, bytesMax: UInt64) throws(PluginError) -> (
    digest: Digest, size: UInt64
  )? {
    let target = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard target >= 0 else { throw Folder.error("create", temporary) }
    defer { close(target) }
    let result = try Self.hash(descriptor, andWriteTo: target, name: name, bytesMax: bytesMax)
    guard result == nil || fsync(target) == 0 else { throw Folder.error("write", temporary) }
    return result
  }

  private func location(of digest: Digest) -> String {
    let hex = digest.hex
    return "\(root)/\(hex.prefix(2))/\(hex)"
  }

  private static func hash(
    _ source: Int32, andWriteTo target: Int32?, name: String, bytesMax: UInt64
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
      if let target { try write(buffer, count: count, to: target, name: name) }
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
