import Foundation
import SyncProof
import SyncRuntime

/// Reading of files that come from outside, and writing of whole ones.
public enum SmallFile {
  /// How long a pipe may stay silent.
  private static let pipeSeconds: Int32 = 10

  /// The bytes of a file that must not be larger than `bytesMax`; a larger one is refused before it is read.
  public static func read(_ path: String, what: String, bytesMax: Int) throws(PluginError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw PluginError(.io, "Cannot open the \(what) \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT != S_IFDIR else {
      throw PluginError(.invalid, "\(path) is a folder where a \(what) is expected")
    }
    // Whoever writes into a pipe may take a moment; opened as above, it would seem to be empty.
    _ = fcntl(descriptor, F_SETFL, 0)
    guard info.st_mode & S_IFMT == S_IFREG || Readiness.wait(for: descriptor, seconds: pipeSeconds) else {
      throw PluginError(.io, "Nothing came from \(path) for \(pipeSeconds) s; a \(what) is expected")
    }
    guard info.st_size <= bytesMax else {
      throw PluginError(
        .invalid, "\(path) has \(info.st_size) bytes; a \(what) has at most \(bytesMax). Is it the right file?")
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Foundation.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw PluginError(.io, "Cannot read the \(what) \(path): \(String(cString: strerror(errno)))")
      }
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer[..<count])
      guard bytes.count <= bytesMax else {
        throw PluginError(.invalid, "\(path) goes on after \(bytesMax) bytes, the most that a \(what) has")
      }
    }
  }

  /// Writes a whole file or nothing: to a temporary name, then renamed.
  public static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(PluginError) {
    let temporary = "\(path).\(UniqueName.next()).partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else {
      throw PluginError(.io, "Cannot write \(path): \(String(cString: strerror(errno)))")
    }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(descriptor, $0.baseAddress! + written, bytes.count - written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        let reason = String(cString: strerror(errno))
        close(descriptor)
        unlink(temporary)
        throw PluginError(.io, "Cannot write \(path): \(reason)")
      }
      written += count
    }
    guard fsync(descriptor) == 0 || errno == EINVAL, close(descriptor) == 0, rename(temporary, path) == 0 else {
      let reason = String(cString: strerror(errno))
      unlink(temporary)
      throw PluginError(.io, "Cannot write \(path): \(reason)")
    }
  }

  public static func makeFolder(_ path: String) throws(PluginError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw PluginError(.io, "Cannot create the folder \(path): \(error.localizedDescription)")
    }
  }
}

/// Whether something can be read.
private enum Readiness {
  static func wait(for descriptor: Int32, seconds: Int32) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, seconds * 1_000) > 0
  }
}
