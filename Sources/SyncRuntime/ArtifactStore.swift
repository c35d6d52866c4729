import Dispatch
import Foundation
import Glibc
import SyncProof
import Synchronization

/// Artifacts on disk by their SHA-256: `<root>/<first two digits>/<digest>`, mode 0644, written once.
///
/// Thread: any. A file appears under its name whole and on the disk, or not at all.
public struct ArtifactStore: Sendable {
  let root: String
  private let writing = Writing()

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
  /// The disk is not waited for. The artifact has its name once it is on the disk: see ``keep(_:)``.
  ///
  /// - Returns: Digest and size of what was stored; `nil`, and nothing is stored, if there is more than `bytesMax`.
  func adopt(_ source: Source, name: String, bytesMax: UInt64) throws(PluginError) -> (digest: Digest, size: UInt64)? {
    let temporary = "\(root)/incoming.\(getpid()).\(UInt64.random(in: 0...UInt64.max))"
    var kept: Int32 = -1
    let flush = DispatchGroup()
    do throws(PluginError) {
      let result: (digest: Digest, size: UInt64)?
      if move(source, to: temporary) {
        kept = fcntl(source.descriptor, F_DUPFD_CLOEXEC, 0)
        guard kept >= 0 else { throw Folder.error("open", temporary) }
        Self.flush(temporary, flush)
        result = try Self.hash(source.descriptor, andWriteTo: nil, name: name, bytesMax: bytesMax)
      } else {
        kept = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard kept >= 0 else { throw Folder.error("create", temporary) }
        result = try Self.hash(source.descriptor, andWriteTo: kept, name: name, bytesMax: bytesMax)
      }
      guard let result else {
        close(kept)
        unlink(temporary)
        return nil
      }
      writing.begin(result.digest) { [kept] () throws(PluginError) in
        defer { close(kept) }
        flush.wait()
        do throws(PluginError) {
          guard fsync(kept) == 0 else { throw Folder.error("write", temporary) }
          let final = location(of: result.digest)
          try Folder.make(String(final.dropLast(65)))
          guard rename(temporary, final) == 0 else { throw Folder.error("rename", temporary) }
        } catch {
          unlink(temporary)
          throw error
        }
      }
      return result
    } catch {
      if kept >= 0 { close(kept) }
      unlink(temporary)
      throw error
    }
  }

  /// Waits until adopted artifacts are as lasting as the disk makes them, their names too.
  ///
  /// Thread: blocks on the disk.
  /// - Returns: Those that are not here, since a crash came before they were on the disk.
  /// - Throws: ``PluginError/Code/io`` when one could not be written; it is not here then, and asking again says so.
  package func keep(_ digests: [Digest]) throws(PluginError) -> [Digest] {
    for digest in digests { try writing.wait(digest) }
    let here = digests.filter { access(location(of: $0), R_OK) == 0 }
    guard !here.isEmpty else { return digests }
    for folder in Set(here.map { String(location(of: $0).dropLast(65)) }).sorted() + [root] {
      let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Folder.error("open", folder) }
      defer { close(descriptor) }
      guard fsync(descriptor) == 0 else { throw Folder.error("write", folder) }
    }
    return digests.filter { !here.contains($0) }
  }

  /// Waits until nothing is on its way to the disk any more. Thread: blocks on the disk.
  func settle() { writing.waitForAll() }

  /// What is on its way to the disk, by digest; of what could not be written, the error until it is asked for.
  private final class Writing: Sendable {
    private struct Item: Sendable {
      let number: UInt64
      let work: Work
    }

    private final class Work: Sendable {
      let ended = DispatchGroup()
      let error = Mutex<PluginError?>(nil)
    }

    private let items = Mutex<(next: UInt64, all: [Digest: [Item]])>((0, [:]))

    func begin(_ digest: Digest, _ body: @escaping @Sendable () throws(PluginError) -> Void) {
      let work = Work()
      work.ended.enter()
      let number = items.withLock { items in
        items.next += 1
        items.all[digest, default: []].append(Item(number: items.next, work: work))
        return items.next
      }
      DispatchQueue.global().async { [self] in
        do throws(PluginError) {
          try body()
          remove(number, digest)
        } catch {
          work.error.withLock { $0 = error }
        }
        work.ended.leave()
      }
    }

    func wait(_ digest: Digest) throws(PluginError) {
      for item in items.withLock({ $0.all[digest] ?? [] }) {
        item.work.ended.wait()
        remove(item.number, digest)
        if let error = item.work.error.withLock({ $0 }) { throw error }
      }
    }

    func waitForAll() {
      for item in items.withLock({ $0.all.values.flatMap { $0 } }) { item.work.ended.wait() }
    }

    private func remove(_ number: UInt64, _ digest: Digest) {
      items.withLock { items in
        items.all[digest]?.removeAll { $0.number == number }
        if items.all[digest]?.isEmpty == true { items.all[digest] = nil }
      }
    }
  }

  /// Has the disk write while the processor hashes. It opens the file for itself, so that an error is still told to who
  /// asks afterwards.
  private static func flush(_ path: String, _ group: DispatchGroup) {
    DispatchQueue.global().async(group: group) {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { return }
      fsync(descriptor)
      close(descriptor)
    }
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
