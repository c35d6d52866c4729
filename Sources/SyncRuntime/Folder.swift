import Foundation
import Glibc

/// Folders of a node, with errors that name the path.
package enum Folder {
  /// Makes the folder and its parents, mode 0755 less the umask; one that is there is fine.
  package static func make(_ path: String, mode: mode_t = 0o755) throws(PluginError) {
    var partial = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      partial += "/" + part
      if mkdir(partial, mode) != 0, errno != EEXIST { throw error("create the folder", partial) }
    }
  }

  /// Removes a tree, also one that is deeper than any path, as a build may leave it; a missing one is fine. Symbolic
  /// links are removed, not followed.
  package static func remove(_ path: String) {
    if unlink(path) == 0 || errno == ENOENT { return }
    // Its owner may have taken his own rights.
    _ = chmod(path, S_IRWXU)
    try? FolderCopy.empty(path)
    _ = rmdir(path)
  }

  /// The bytes of a regular file, reached through no link; `nil` where there is none.
  ///
  /// - Parameter bytesMax: Of a larger file `nil`, or its front where `isCut` says so.
  package static func read(_ path: String, bytesMax: Int, isCut: Bool = false) -> [UInt8]? {
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
  package static func read(_ descriptor: Int32, at offset: UInt64, count: Int) -> [UInt8]? {
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

  /// All of a file of `/proc` or `/sys`, whose size says nothing, so that Foundation would stop at 4 KiB.
  ///
  /// - Returns: `nil` where it cannot be read, or has more than 16 MiB.
  package static func readKernelFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while bytes.count <= 16 << 20 {
      // Some of these files give no other offset than the one behind what was read.
      var failed = false
      let got = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, filled in
        var count = 0
        repeat { count = Glibc.read(descriptor, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
        failed = count < 0
        filled = max(count, 0)
      }
      // Half a file would pass for a whole one.
      if failed { return nil }
      if got.isEmpty { return String(decoding: bytes, as: UTF8.self) }
      bytes += got
    }
    return nil
  }

  /// Writes a whole file or nothing.
  package static func write(_ bytes: [UInt8], to path: String) throws(PluginError) {
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw PluginError(.io, "Cannot write \(path): \(error.localizedDescription)")
    }
  }

  package static func error(_ verb: String, _ path: String) -> PluginError {
    let number = errno
    let hint = number == ENOSPC ? "; free some space on its file system, nothing was lost" : ""
    return PluginError(.io, "Cannot \(verb) \(path): \(String(cString: strerror(number)))\(hint)")
  }
}
