import CLibcrypto

/// SHA-256 (FIPS 180-4) by OpenSSL, which uses the processor's instructions for it where there are any.
public enum SHA256 {
  public static func hash(_ bytes: [UInt8]) -> Digest { hash(bytes[...]) }

  static func hash(_ bytes: ArraySlice<UInt8>) -> Digest {
    var stream = Stream()
    stream.update(bytes)
    return stream.finish()
  }

  /// A hash over bytes that arrive in pieces.
  public struct Stream {
    private var context = SHA256_CTX()

    public init() { SHA256_Init(&context) }

    public mutating func update(_ bytes: [UInt8]) { SHA256_Update(&context, bytes, bytes.count) }

    /// The same for bytes that are somebody else's, without a copy.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
      SHA256_Update(&context, bytes.baseAddress, bytes.count)
    }

    mutating func update(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { update($0) } }

    mutating func update(byte: UInt8) { withUnsafeBytes(of: byte) { update($0) } }
    mutating func update(_ digest: Digest) {
      digest.withUnsafePointer { _ = SHA256_Update(&context, $0, Digest.byteCount) }
    }

    /// Ends the stream; the value must not be used again.
    public mutating func finish() -> Digest {
      Digest(writtenBy: { SHA256_Final($0.assumingMemoryBound(to: UInt8.self), &context) })
    }
  }
}
