import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// Unpacked toolchains, each in a folder named by its digest. Processes may share the folder.
///
/// A folder has its final name only once its archive was verified, unpacked and written to the disk.
struct ToolchainStore: Sendable {
  let directory: String

  /// Few enough files that tar's complaints about them fit its stream's buffer before they are read.
  private static let chunkBytes = 1 << 18

  func path(of toolchain: Digest) -> String { "\(directory)/\(toolchain.hex)" }

  func has(_ toolchain: Digest) -> Bool { access(path(of: toolchain), F_OK) == 0 }

  func probe() -> SandboxProbe.Finding {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let found = folders.map { $0 + "/tar" }.first { (path: String) in access(path, X_OK) == 0 }
    return SandboxProbe.Finding(
      name: "tar", isMet: found != nil, detail: found ?? "GNU tar unpacks toolchains and is not in PATH",
      mend: found == nil ? "apt-get install tar" : nil)
  }

  func prepare(_ toolchain: Digest, archive: String) async throws(PluginError) {
    if has(toolchain) { return }
    let lock = try await WorkLock.take(path(of: toolchain) + ".lock", to: "unpack \(toolchain)")
    defer { close(lock) }
    if has(toolchain) { return }
    let result = await BlockingThread.run { () throws(PluginError) in try unpack(archive, as: toolchain) }
    try result.get()
  }

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
