/// A cosigner's timestamped signature on a checkpoint: C2SP tlog-cosignature, version 1 (Ed25519, type 0x04).
public struct Cosignature: Hashable, Sendable {
  /// Unix seconds, at most 2^63 - 1.
  public let timestamp: UInt64
  /// Over ``message(timestamp:body:)``.
  public let signature: Signature

  /// Bytes behind the key ID.
  public static let byteCount = 8 + Signature.byteCount

  /// - Parameter blob: What stands behind the key ID: 8 bytes of time, big-endian, and the signature. Anything else
  ///   is `nil`.
  public init?(parsing blob: [UInt8]) {
    guard blob.count == Cosignature.byteCount, let signature = Signature(bytes: blob.dropFirst(8)) else { return nil }
    var timestamp: UInt64 = 0
    for byte in blob.prefix(8) { timestamp = timestamp << 8 | UInt64(byte) }
    guard timestamp <= UInt64(Int64.max) else { return nil }
    (self.timestamp, self.signature) = (timestamp, signature)
  }

  /// Whether it is `key`'s on the checkpoint whose text is `body`.
  public func isValid(by key: PublicKey, body: [UInt8]) -> Bool {
    key.accepts(signature, on: Cosignature.message(timestamp: timestamp, body: body))
  }

  /// The bytes that a cosigner signs.
  ///
  /// - Parameters:
  ///   - timestamp: Unix seconds, at most 2^63 - 1.
  ///   - body: The checkpoint's text with its last newline, without signatures.
  public static func message(timestamp: UInt64, body: [UInt8]) -> [UInt8] {
    var writer = LineWriter(capacity: body.count + 48)
    writer.line("cosignature/v1")
    writer.line("time", timestamp)
    writer.raw(body)
    return writer.bytes
  }

  /// What stands behind the key ID on the signature line.
  public static func blob(timestamp: UInt64, signature: Signature) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(timestamp)
    writer.write(signature)
    return writer.bytes
  }
}
