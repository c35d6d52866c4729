import Dispatch
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
  /// The disk is not waited for, unless many are on their way to it already. The artifact has its name once it is on
  /// the disk: see ``keep(_:)``.
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
          let folder = String(final.dropLast(65))
          guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw Folder.error("create the folder", folder) }
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
  /// - Throws: ``PluginError/Code/io`` when one is not here, since it could not be written; told once.
  package func keep(_ digests: [Digest]) throws(PluginError) -> [Digest] {
    for digest in digests { writing.wait(digest) }
    let lost = Set(digests.filter { access(location(of: $0), R_OK) != 0 })
    var failure: PluginError?
    for digest in lost.sorted() { failure = writing.takeFailure(digest) ?? failure }
    if let failure { throw failure }
    let here = digests.filter { !lost.contains($0) }
    guard !here.isEmpty else { return digests }
    for folder in Set(here.map { String(location(of: $0).dropLast(65)) }).sorted() + [root] {
      let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Folder.error("open", folder) }
      defer { close(descriptor) }
      guard fsync(descriptor) == 0 else { throw Folder.error("write", folder) }
    }
    return digests.filter(lost.contains)
  }

  /// Waits until nothing is on its way to the disk any more. Thread: blocks on the disk.
  func settle() { writing.waitForAll() }

  /// What is on its way to the disk, by digest. A bounded number of threads of its own waits for the disk: none of
  /// those that Swift's tasks share.
  private final class Writing: Sendable {
    private struct State {
      var next: UInt64 = 0
      var items: [Digest: [UInt64: DispatchGroup]] = [:]
      /// The last failure of what is not here, until it is asked for or written after all.
      var failures: [Digest: PluginError] = [:]
    }

    /// Each holds two threads and two descriptors at most.
    private static let itemsMax = 16
    private static let failuresMax = 256

    private let state = Mutex(State())
    private let slots = DispatchSemaphore(value: Writing.itemsMax)

    func begin(_ digest: Digest, _ body: @escaping @Sendable () throws(PluginError) -> Void) {
      slots.wait()
      let ended = DispatchGroup()
      ended.enter()
      let number = state.withLock { state in
        state.next += 1
        state.items[digest, default: [:]][state.next] = ended
        return state.next
      }
      BlockingThread.start { [self] in
        var failure: PluginError?
        do throws(PluginError) { try body() } catch { failure = error }
        end(number, digest, failure)
        ended.leave()
        slots.signal()
      }
    }

    private func end(_ number: UInt64, _ digest: Digest, _ failure: PluginError?) {
      state.withLock { state in
        state.items[digest]?[number] = nil
        if state.items[digest]?.isEmpty == true { state.items[digest] = nil }
        // What nobody has asked for is about jobs that are over.
        if state.failures.count >= Self.failuresMax { state.failures = [:] }
        state.failures[digest] = failure
      }
    }

    func wait(_ digest: Digest) {
      for ended in state.withLock({ Array($0.items[digest, default: [:]].values) }) { ended.wait() }
    }

    func waitForAll() {
      for ended in state.withLock({ $0.items.values.flatMap(\.values) }) { ended.wait() }
    }

    func takeFailure(_ digest: Digest) -> PluginError? { state.withLock { $0.failures.removeValue(forKey: digest) } }
  }

  /// Has the disk write while the processor hashes. It opens the file for itself, so that an error is still told to who
  /// asks afterwards.
  private static func flush(_ path: String, _ group: DispatchGroup) {
    group.enter()
    BlockingThread.start {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      if descriptor >= 0 {
        fsync(descriptor)
        close(descriptor)
      }
      group.leave()
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
