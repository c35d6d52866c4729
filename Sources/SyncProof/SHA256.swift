import CSodium

/// SHA-256 (FIPS 180-4) by libsodium: for tree nodes, evidence and identities.
///
/// Artifacts, which are large, are hashed by the caller: SyncRuntime has OpenSSL's faster code for them.
public enum SHA256 {
  public static func hash(_ bytes: [UInt8]) -> Digest {
    var stream = Stream()
    stream.update(bytes)
    return stream.finish()
  }

  /// A hash over bytes that arrive in pieces.
  public struct Stream {
    private var state = crypto_hash_sha256_state()

    public init() { crypto_hash_sha256_init(&state) }

    public mutating func update(_ bytes: [UInt8]) {
      crypto_hash_sha256_update(&state, bytes, UInt64(bytes.count))
    }

    /// Ends the stream; the value must not be used again.
    public mutating func finish() -> Digest {
      var out = [UInt8](repeating: 0, count: Digest.byteCount)
      crypto_hash_sha256_final(&state, &out)
      guard let digest = Digest(bytes: out) else { preconditionFailure("SHA-256 gives 32 bytes") }
      return digest
    }
  }
}
