import Crypto
import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A path of this host, whose bytes need not be UTF-8.
package struct HostPath {
  private let bytes: [UInt8]

  package init(_ text: String) { bytes = Array(text.utf8) }
  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// - Parameter name: One component, without NUL and `/`.
  func appending(_ name: Data) -> HostPath { HostPath(bytes: bytes + [0x2F] + name) }

  /// To be shown.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  func withCString<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value {
    (bytes + [0]).withUnsafeBufferPointer { pointer in
      pointer.withMemoryRebound(to: CChar.self) { body($0.baseAddress!) }
    }
  }
}

/// An open file of this host.
///
/// Thread: one at a time.
package final class HostFile {
  let path: String
  private let descriptor: Int32

  /// - Parameter flags: Of `open`; no link is followed, and a pipe is not waited for.
  package convenience init(_ path: String, _ flags: Int32 = O_RDONLY) throws { try self.init(HostPath(path), flags) }

  init(_ path: HostPath, _ flags: Int32) throws {
    self.path = path.text
    descriptor = path.withCString { open($0, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600) }
    guard descriptor >= 0 else { throw Fault.system(flags & O_CREAT == 0 ? "open" : "make", path.text) }
  }

  deinit { close(descriptor) }

  func status() throws -> stat {
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw Fault.system("look at", path) }
    return info
  }

  /// - Returns: At most `count` bytes; fewer at the file's end only.
  package func read(_ count: Int) throws -> Data {
    var data = Data(count: count)
    var filled = 0
    while filled < count {
      let got = data.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, count - filled) }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw Fault.system("read", path) }
      if got == 0 { break }
      filled += got
    }
    return filled == count ? data : data.prefix(filled)
  }

  func write(_ data: Data) throws {
    var done = 0
    while done < data.count {
      let put = data.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, data.count - done) }
      if put < 0 && errno == EINTR { continue }
      guard put > 0 else { throw Fault.system("write", path) }
      done += put
    }
  }

  func seek(to offset: UInt64) throws {
    guard let offset = off_t(exactly: offset), lseek(descriptor, offset, SEEK_SET) == offset else {
      throw Fault.system("seek in", path)
    }
  }

  func setSize(_ size: UInt64) throws {
    guard let size = off_t(exactly: size), ftruncate(descriptor, size) == 0 else {
      throw Fault.system("set the size of", path)
    }
  }

  func setMode(_ mode: mode_t) throws {
    guard fchmod(descriptor, mode) == 0 else { throw Fault.system("change the mode of", path) }
  }
}

extension REDigest {
  /// Of a blob in memory.
  package init(of data: some DataProtocol) {
    self.init()
    hash = Self.hex(SHA256.hash(data: data))
    sizeBytes = Int64(data.count)
  }

  /// Of a file's content.
  package init(ofFile file: HostFile) throws {
    var hasher = SHA256()
    var count: Int64 = 0
    while true {
      let piece = try file.read(1 << 18)
      if piece.isEmpty { break }
      hasher.update(data: piece)
      count += Int64(piece.count)
    }
    self.init()
    (hash, sizeBytes) = (Self.hex(hasher.finalize()), count)
  }

  package static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// Whether it can be a SHA-256 digest, and so a name of a blob.
  package var isSound: Bool {
    hash.utf8.count == 64 && sizeBytes >= 0
      && hash.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
