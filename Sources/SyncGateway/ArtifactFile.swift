import Glibc
import Hummingbird
import NIOCore
import NIOPosix
import SyncProof
import SyncRuntime

/// An open artifact. The descriptor closes with the last reference, also when a client left before the first byte.
final class ArtifactFile: Sendable {
  let size: Int
  private let descriptor: Int32

  private init(descriptor: Int32, size: Int) { (self.descriptor, self.size) = (descriptor, size) }

  deinit { close(descriptor) }

  /// Opens a regular file; anything else, such as a link or a pipe put in its place, is as good as absent.
  ///
  /// Thread: runs on the I/O pool.
  static func open(_ path: String) async throws -> ArtifactFile? {
    try await NIOThreadPool.singleton.runIfActive {
      let descriptor = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
      guard descriptor >= 0 else { return nil }
      var info = stat()
      guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size >= 0 else {
        close(descriptor)
        return nil
      }
      return ArtifactFile(descriptor: descriptor, size: Int(info.st_size))
    }
  }

  /// Streams `range`, one chunk in memory at a time, as fast as the client takes it.
  func body(_ range: Range<Int>) -> ResponseBody {
    ResponseBody(contentLength: range.count) { writer in
      var offset = range.lowerBound
      while offset < range.upperBound {
        let chunk = try await self.read(at: offset, count: min(GatewayLimits.chunkBytes, range.upperBound - offset))
        offset += chunk.readableBytes
        try await writer.write(chunk)
      }
      try await writer.finish(nil)
    }
  }

  /// Streams the whole as text that is harmless on a terminal; how long that is shows only at its end.
  func harmlessText() -> ResponseBody {
    ResponseBody { writer in
      var text = TerminalText()
      var offset = 0
      while offset < self.size {
        let chunk = try await self.read(at: offset, count: min(GatewayLimits.chunkBytes, self.size - offset))
        offset += chunk.readableBytes
        try await writer.write(ByteBuffer(bytes: text.feed(Array(chunk.readableBytesView))))
      }
      try await writer.write(ByteBuffer(bytes: text.finish()))
      try await writer.finish(nil)
    }
  }

  private func read(at offset: Int, count: Int) async throws -> ByteBuffer {
    try await NIOThreadPool.singleton.runIfActive {
      var buffer = ByteBufferAllocator().buffer(capacity: count)
      let got = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
        var result: Int
        repeat {
          result = pread(self.descriptor, bytes.baseAddress, count, off_t(offset))
        } while result < 0 && errno == EINTR
        return max(0, result)
      }
      // Cutting the connection is the only honest end: the head has promised more bytes than there are.
      guard got > 0 else { throw Truncated() }
      return buffer
    }
  }

  private struct Truncated: Error {}
}

/// What a `Range` header asks of a body of known size. Source: RFC 9110 §14.
enum ByteRange: Equatable, Sendable {
  /// No range, or one that a server may leave aside: several ranges, another unit, not in the format.
  case whole
  case part(Range<Int>)
  case unsatisfiable

  init(_ header: String?, size: Int) {
    guard let header, header.lowercased().hasPrefix("bytes=") else {
      self = .whole
      return
    }
    let parts = header.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = ByteRange.number(parts[0]), let last = ByteRange.number(parts[1]) else {
      self = .whole
      return
    }
    switch (first, last) {
    case (.some(let from), .some(let to)) where from <= to:
      self = from < size ? .part(from..<(min(to, size - 1) + 1)) : .unsatisfiable
    case (.some(let from), .none): self = from < size ? .part(from..<size) : .unsatisfiable
    case (.none, .some(let suffix)):
      self = suffix > 0 && size > 0 ? .part(max(0, size - suffix)..<size) : .unsatisfiable
    default: self = .whole
    }
  }

  /// - Returns: `nil` for what is not a number, `.some(nil)` for an empty place.
  private static func number(_ text: Substring) -> Int?? {
    if text.isEmpty { return .some(nil) }
    guard text.utf8.count <= 18, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return nil
    }
    return Int(text)
  }
}
