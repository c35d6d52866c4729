import Foundation
import Glibc
import SyncProof
import SyncRuntime
import Synchronization

/// Unpacked toolchains, each in a folder named by its digest. Processes may share the folder.
///
/// A folder has its final name only once its archive was verified, unpacked and written to the disk, and is used only
/// while it is what its ``ToolchainRecord`` says: looked at on the first use in each process, and again after
/// ``recheckSeconds``. Whoever runs something in it holds its lock, shared; whoever unpacks or removes it, alone.
struct ToolchainStore: Sendable {
  let directory: String

  /// How long a folder that was found intact is taken to be.
  private static let recheckSeconds: Int64 = 600
  private let intact = IntactFolders()

  init(directory: String) { self.directory = directory }

  /// Few enough files that tar's complaints about them fit its stream's buffer before they are read.
  private static let chunkBytes = 1 << 18

  func path(of toolchain: Digest) -> String { "\(directory)/\(toolchain.hex)" }

  /// Whether it is there, and is what was unpacked.
  func has(_ toolchain: Digest) -> Bool {
    let folder = path(of: toolchain)
    guard access(folder, F_OK) == 0 else {
      intact.forget(toolchain)
      return false
    }
    if intact.holds(toolchain, seconds: Self.recheckSeconds) { return true }
    guard let real = realpath(folder, nil) else { return false }
    defer { free(real) }
    let place = String(cString: real)
    guard let record = ToolchainRecord(readingFrom: place + ".record"),
      (try? ToolchainRecord.quick(of: place)) == record.quick
    else {
      intact.forget(toolchain)
      return false
    }
    intact.note(toolchain)
    return true
  }

  /// Keeps the toolchain from being removed until the descriptor is closed.
  ///
  /// - Throws: ``PluginError/Code/notFound`` when it is not there, ``PluginError/Code/checksumMismatch`` when it is not
  ///   what was unpacked.
  func use(_ toolchain: Digest) async throws(PluginError) -> Int32 {
    let lock = try await WorkLock.take(lockPath(of: toolchain), to: "unpack \(toolchain)", isShared: true)
    guard !has(toolchain) else { return lock }
    close(lock)
    guard access(path(of: toolchain), F_OK) == 0 else {
      throw PluginError(.notFound, "The toolchain \(toolchain) is not prepared; prepare it from its tar first")
    }
    throw PluginError(
      .checksumMismatch,
      "The unpacked toolchain \(toolchain) was changed since it was unpacked; prepare it from its tar again")
  }

  /// Reads every file of an unpacked toolchain.
  ///
  /// - Throws: ``PluginError/Code/notFound``, ``PluginError/Code/checksumMismatch``.
  func verify(_ toolchain: Digest) throws(PluginError) {
    let folder = path(of: toolchain)
    guard access(folder, F_OK) == 0 else { throw PluginError(.notFound, "\(toolchain) is not unpacked here") }
    guard let record = ToolchainRecord(readingFrom: folder + ".record") else {
      throw PluginError(.checksumMismatch, "Nothing tells what was unpacked to \(folder); remove it")
    }
    guard try ToolchainRecord(of: folder) == record else {
      throw PluginError(
        .checksumMismatch, "\(folder) is not what was unpacked there; remove it, and the next build unpacks it again")
    }
  }

  /// Sorted.
  func all() -> [Digest] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).compactMap { Digest(hex: $0) }.sorted()
  }

  /// - Returns: False when something runs in it, or another process unpacks it.
  func remove(_ toolchain: Digest, isTrial: Bool) throws(PluginError) -> Bool {
    guard let lock = try WorkLock.tryToTake(lockPath(of: toolchain)) else { return false }
    defer { close(lock) }
    guard !isTrial else { return true }
    intact.forget(toolchain)
    try removeUnpacked(toolchain)
    // The lock file stays: whoever waits for it must not get the lock of a file that is gone.
    return true
  }

  private func removeUnpacked(_ toolchain: Digest) throws(PluginError) {
    unlink(path(of: toolchain) + ".record")
    try remove(path(of: toolchain))
  }

  func probe() -> SandboxProbe.Finding {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let found = folders.map { $0 + "/tar" }.first { (path: String) in access(path, X_OK) == 0 }
    return SandboxProbe.Finding(
      name: "tar", isMet: found != nil, detail: found ?? "GNU tar unpacks toolchains and is not in PATH",
      mend: found == nil ? "apt-get install tar" : nil)
  }

  func prepare(_ toolchain: Digest, archive: String) async throws(PluginError) {
    if has(toolchain) { return }
    let lock = try await WorkLock.take(lockPath(of: toolchain), to: "unpack \(toolchain)")
    defer { close(lock) }
    if has(toolchain) { return }
    // What is there without being intact was changed, or cut off before its record was written.
    try removeUnpacked(toolchain)
    let result = await BlockingThread.run { () throws(PluginError) in try unpack(archive, as: toolchain) }
    try result.get()
  }

  private func lockPath(of toolchain: Digest) -> String { path(of: toolchain) + ".lock" }

  private func unpack(_ archive: String, as toolchain: Digest) throws(PluginError) {
    let partial = path(of: toolchain) + ".partial"
    try remove(partial)
    // Twice: nothing is unpacked from bytes that are not the toolchain's, and what was unpacked is what was hashed.
    try check(try FileDigest.sha256(path: archive).digest, is: toolchain, archive)
    guard mkdir(partial, 0o755) == 0 else {
      throw PluginError(.io, "Cannot make \(partial): \(String(cString: strerror(errno)))")
    }
    do throws(PluginError) {
      try check(try stream(archive, into: partial), is: toolchain, archive)
      try commit(partial, as: path(of: toolchain))
      // Written last: a folder without it is unpacked again.
      try ToolchainRecord(of: path(of: toolchain)).write(to: path(of: toolchain) + ".record")
    } catch {
      try? remove(partial)
      throw error
    }
  }

  private func check(_ digest: Digest, is toolchain: Digest, _ archive: String) throws(PluginError) {
    guard digest == toolchain else {
      throw PluginError(.checksumMismatch, "\(archive) has SHA-256 \(digest); \(toolchain) is wanted")
    }
  }

  /// Feeds tar from the archive and hashes what it was fed.
  private func stream(_ archive: String, into folder: String) throws(PluginError) -> Digest {
    let file = open(archive, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { throw PluginError(.io, "Cannot open \(archive): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    // Device nodes need root and are not used: the sandbox has a /dev of its own.
    let tar = try ChildProcess(
      path: "tar",
      arguments: [
        "--extract", "--file=-", "--directory=\(folder)", "--no-same-owner", "--no-same-permissions",
        "--exclude=./dev/*", "--warning=no-timestamp",
      ], hasOutput: false)
    var hasher = try FileHasher()
    var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
    var words: [UInt8] = []
    while true {
      let count = read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        tar.closeInput()
        tar.wait()
        throw PluginError(.io, "Cannot read \(archive): \(String(cString: strerror(errno)))")
      }
      if count == 0 { break }
      try hasher.update(buffer, count: count)
      // tar stops reading at the archive's end mark; what pads it is hashed all the same.
      tar.send([UInt8](buffer[..<count]))
      take(from: tar.errors, waits: false, into: &words)
    }
    tar.closeInput()
    take(from: tar.errors, waits: true, into: &words)
    guard tar.wait() == 0 else {
      let first = String(decoding: words, as: UTF8.self).split(separator: "\n").first ?? "no reason given"
      throw PluginError(.io, "tar cannot unpack \(archive): \(first)")
    }
    return try hasher.finish()
  }

  /// Reads what tar has to say, and keeps the beginning of it.
  private func take(from stream: Int32, waits: Bool, into words: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(stream, &buffer, buffer.count, waits ? 0 : Int32(MSG_DONTWAIT))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      if words.count < 1 << 16 { words += buffer[..<count] }
    }
  }

  /// The name must not be on the disk before the content is.
  private func commit(_ partial: String, as final: String) throws(PluginError) {
    sync()
    guard rename(partial, final) == 0 else {
      throw PluginError(.io, "Cannot keep \(final): \(String(cString: strerror(errno)))")
    }
  }

  private func remove(_ path: String) throws(PluginError) {
    guard access(path, F_OK) == 0 else { return }
    do { try FileManager.default.removeItem(atPath: path) } catch {
      throw PluginError(.io, "Cannot remove \(path), left by an unpacking that was cut off: \(error)")
    }
  }
}

/// Which folders this process has found intact, and when.
private final class IntactFolders: Sendable {
  private let seen = Mutex<[Digest: ContinuousClock.Instant]>([:])

  func holds(_ toolchain: Digest, seconds: Int64) -> Bool {
    seen.withLock { $0[toolchain].map { ContinuousClock.now - $0 < .seconds(seconds) } ?? false }
  }

  func note(_ toolchain: Digest) { seen.withLock { $0[toolchain] = ContinuousClock.now } }
  func forget(_ toolchain: Digest) { seen.withLock { $0[toolchain] = nil } }
}
