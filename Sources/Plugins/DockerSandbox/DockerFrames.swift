/// Takes apart the stream that an attached container sends: a byte that names the stream, three of zero, the length as
/// four bytes big endian, then so many bytes.
///
/// Holds at most a header; a frame of any length passes through in pieces.
///
/// Source: Docker Engine API, "Attach to a container", stream format.
struct DockerFrames {
  enum Stream: UInt8 {
    case input = 0
    case output = 1
    case errors = 2
  }

  private var header: [UInt8] = []
  private var stream = Stream.output
  private var left: UInt32 = 0

  /// - Parameter body: Called with each piece of a frame's content, in order.
  /// - Returns: False if the bytes are no such stream; nothing more can be taken then.
  mutating func take(_ bytes: some Collection<UInt8>, _ body: (Stream, [UInt8]) -> Void) -> Bool {
    var rest = bytes[...]
    while let first = rest.first {
      if left > 0 {
        let piece = rest.prefix(Int(left))
        body(stream, [UInt8](piece))
        left -= UInt32(piece.count)
        rest = rest.dropFirst(piece.count)
        continue
      }
      header.append(first)
      rest = rest.dropFirst()
      guard header.count == 8 else { continue }
      guard let kind = Stream(rawValue: header[0]), header[1] | header[2] | header[3] == 0 else { return false }
      stream = kind
      left = header[4...].reduce(0) { $0 << 8 | UInt32($1) }
      header.removeAll(keepingCapacity: true)
    }
    return true
  }
}
