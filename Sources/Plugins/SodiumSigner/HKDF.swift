import CSodium

/// The HMAC-based key derivation function with SHA-256.
///
/// Source: RFC 5869 §2, on libsodium's HMAC-SHA-256.
enum HKDF {
  static let hashByteCount = Int(crypto_auth_hmacsha256_BYTES)
  /// The most that the function gives: 255 blocks.
  static let outputByteCountMax = 255 * hashByteCount

  /// Extracts from `material` and expands into `outputByteCount` bytes at `output`; intermediate values are wiped.
  static func derive(
    from material: UnsafeBufferPointer<UInt8>, salt: [UInt8], info: [UInt8], into output: UnsafeMutablePointer<UInt8>,
    outputByteCount: Int
  ) {
    precondition(outputByteCount <= outputByteCountMax, "HKDF-SHA256 gives at most 8,160 bytes")
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * hashByteCount) { scratch in
      guard let key = scratch.baseAddress else { return }
      let block = key + hashByteCount
      defer { sodium_memzero(key, scratch.count) }

      // An absent salt is a block of zeros (§2.2).
      let salt = salt.isEmpty ? [UInt8](repeating: 0, count: hashByteCount) : salt
      authenticate(key: salt, keyByteCount: salt.count, into: key) { $0.update(material) }
      var filled = 0
      var counter: UInt8 = 1
      while filled < outputByteCount {
        authenticate(key: key, keyByteCount: hashByteCount, into: block) { code in
          if filled > 0 { code.update(UnsafeBufferPointer(start: block, count: hashByteCount)) }
          info.withUnsafeBufferPointer { code.update($0) }
          [counter].withUnsafeBufferPointer { code.update($0) }
        }
        let count = min(hashByteCount, outputByteCount - filled)
        (output + filled).update(from: block, count: count)
        filled += count
        counter &+= 1
      }
    }
  }

  private struct Code {
    var state = crypto_auth_hmacsha256_state()

    mutating func update(_ bytes: UnsafeBufferPointer<UInt8>) {
      guard let start = bytes.baseAddress else { return }
      crypto_auth_hmacsha256_update(&state, start, UInt64(bytes.count))
    }
  }

  private static func authenticate(
    key: UnsafePointer<UInt8>, keyByteCount: Int, into output: UnsafeMutablePointer<UInt8>,
    message: (inout Code) -> Void
  ) {
    var code = Code()
    defer { sodium_memzero(&code.state, MemoryLayout.size(ofValue: code.state)) }
    crypto_auth_hmacsha256_init(&code.state, key, keyByteCount)
    message(&code)
    crypto_auth_hmacsha256_final(&code.state, output)
  }
}
