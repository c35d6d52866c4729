import CZlib
import SyncRuntime

/// Unpacks one gzip member, piece by piece and bounded; its checksum and length are checked at the end.
///
/// Source: RFC 1952. A second member or anything else behind the first is refused.
enum CrateGzip {
  /// Bytes that come out before the ratio counts: a small archive of zeros does no harm.
  static let freeBytes: UInt64 = 16 << 20
  /// Deflate reaches 1,032; sources stay far below 20.
  static let ratioMax: UInt64 = 100

  private static let pieceBytes = 1 << 16

  /// - Parameter bytesMax: What may come out.
  /// - Throws: ``PluginError/Code/invalid``, and what `consume` throws.
  static func unpack(_ bytes: [UInt8], bytesMax: UInt64, _ consume: ([UInt8]) throws(PluginError) -> Void)
    throws(PluginError)
  {
    var stream = z_stream()
    // 16 asks for gzip's frame alone, 15 allows every window.
    guard inflateInit2_(&stream, 16 + 15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw PluginError(.io, "zlib cannot begin; is there memory left?")
    }
    defer { inflateEnd(&stream) }
    var (position, total) = (0, UInt64(0))
    while true {
      let (status, taken, piece) = step(&stream, bytes[position...])
      position += taken
      total += UInt64(piece.count)
      guard total <= bytesMax, total <= max(freeBytes, ratioMax * UInt64(bytes.count)) else {
        throw malformed(
          "it unpacks to more than \(min(bytesMax, max(freeBytes, ratioMax * UInt64(bytes.count)))) bytes")
      }
      if !piece.isEmpty { try consume(piece) }
      if status == Z_STREAM_END { break }
      guard status == Z_OK, taken > 0 || !piece.isEmpty else { throw malformed("it is damaged or cut off") }
    }
    guard position == bytes.count else { throw malformed("\(bytes.count - position) bytes stand behind its end") }
  }

  private static func step(_ stream: inout z_stream, _ input: ArraySlice<UInt8>)
    -> (status: Int32, taken: Int, output: [UInt8])
  {
    // zlib does not write to its input, though its interface cannot say so.
    var source = Array(input.prefix(pieceBytes))
    let offered = source.count
    var output = [UInt8](repeating: 0, count: pieceBytes)
    let status = source.withUnsafeMutableBufferPointer { from in
      output.withUnsafeMutableBufferPointer { to in
        (stream.next_in, stream.avail_in) = (from.baseAddress, UInt32(offered))
        (stream.next_out, stream.avail_out) = (to.baseAddress, UInt32(pieceBytes))
        return inflate(&stream, Z_NO_FLUSH)
      }
    }
    output.removeLast(Int(stream.avail_out))
    return (status, offered - Int(stream.avail_in), output)
  }

  private static func malformed(_ what: String) -> PluginError {
    PluginError(.invalid, "The crate's archive is refused: \(what)")
  }
}
