import NIOCore
import SyncProof
import SyncRuntime

/// What travels inside a TLS connection: a 4-byte big-endian length, then that many bytes, of which the first says
/// what the others are.
///
///     hello    00, version (2 bytes, big-endian), the group's digest (32 bytes): first on each side
///     message  01, the message: from the side that dialled only
///     alive    02: when there is nothing else to say
enum Frame: Equatable {
  case hello(version: UInt16, group: [UInt8])
  case message([UInt8])
  case alive

  static let version: UInt16 = 1
  static let headerByteCount = 4
  /// A hello's bound leaves room for those of later versions.
  static let helloBytesMax = 256
  static let messageFrameBytesMax = 1 + TransportLimits.messageBytesMax

  enum Kind: UInt8 {
    case hello = 0
    case message = 1
    case alive = 2
  }

  func encode(allocator: ByteBufferAllocator) -> ByteBuffer {
    var buffer: ByteBuffer
    switch self {
    case .hello(let version, let group):
      buffer = Frame.begin(.hello, count: 2 + group.count, allocator: allocator)
      buffer.writeInteger(version)
      buffer.writeBytes(group)
    case .message(let bytes):
      buffer = Frame.begin(.message, count: bytes.count, allocator: allocator)
      buffer.writeBytes(bytes)
    case .alive: buffer = Frame.begin(.alive, count: 0, allocator: allocator)
    }
    return buffer
  }

  private static func begin(_ kind: Kind, count: Int, allocator: ByteBufferAllocator) -> ByteBuffer {
    var buffer = allocator.buffer(capacity: headerByteCount + 1 + count)
    buffer.writeInteger(UInt32(1 + count))
    buffer.writeInteger(kind.rawValue)
    return buffer
  }
}

/// Cuts a stream of bytes into frames; holds at most one unfinished frame.
struct FrameDecoder {
  /// Why a stream is not one of frames.
  struct Failure: Error { let message: String }

  /// The longest frame that is taken; raised once the hello has come.
  var frameBytesMax = Frame.helloBytesMax
  private var buffer = ByteBuffer()

  /// Above this, an empty buffer's memory is given back.
  private static let idleCapacityMax = 64 << 10

  mutating func feed(_ bytes: ByteBuffer) {
    if buffer.readableBytes == 0 {
      buffer = bytes
    } else {
      var bytes = bytes
      buffer.writeBuffer(&bytes)
    }
  }

  /// The next whole frame, or `nil` when more bytes are needed.
  mutating func next() throws(Failure) -> Frame? {
    guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
    guard length >= 1, Int(length) <= frameBytesMax else {
      throw Failure(message: "a frame of \(length) bytes came where 1 to \(frameBytesMax) are taken")
    }
    guard buffer.readableBytes >= Frame.headerByteCount + Int(length) else {
      buffer.reserveCapacity(Frame.headerByteCount + Int(length))
      return nil
    }
    buffer.moveReaderIndex(forwardBy: Frame.headerByteCount)
    guard let kind = buffer.readInteger(as: UInt8.self), let body = buffer.readBytes(length: Int(length) - 1) else {
      throw Failure(message: "a frame ended early")
    }
    if buffer.readableBytes == 0, buffer.capacity > FrameDecoder.idleCapacityMax { buffer = ByteBuffer() }
    switch Frame.Kind(rawValue: kind) {
    case .hello where body.count >= 2:
      return .hello(version: UInt16(body[0]) << 8 | UInt16(body[1]), group: [UInt8](body[2...]))
    case .message: return .message(body)
    case .alive where body.isEmpty: return .alive
    case .hello, .alive, nil: throw Failure(message: "a frame of kind \(kind) with \(body.count) bytes is not known")
    }
  }
}
