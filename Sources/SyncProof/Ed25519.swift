import CSodium

/// An Ed25519 public key (RFC 8032): 32 bytes, ordered as its bytes are.
public struct PublicKey: Hashable, Comparable, Sendable {
  public static let byteCount = 32
  let value: Digest

  /// - Parameter bytes: Exactly 32 bytes, else `nil`. Whether they are a point is decided when a signature is checked.
  public init?(bytes: some Collection<UInt8>) {
    guard let value = Digest(bytes: bytes) else { return nil }
    self.value = value
  }

  public var bytes: [UInt8] { value.bytes }
  public static func < (a: PublicKey, b: PublicKey) -> Bool { a.value < b.value }

  /// Whether `signature` is this key's on `message`.
  ///
  /// The acceptance rule is libsodium's `crypto_sign_verify_detached`, everywhere: canonical S, no small-order
  /// R or key, cofactorless equation. Two rules in one group would split it. It is called by its longer name, under
  /// which it brings no other signature scheme's code into the embedded library.
  public func accepts(_ signature: Signature, on message: [UInt8]) -> Bool {
    value.withUnsafePointer {
      crypto_sign_ed25519_verify_detached(signature.bytes, message, UInt64(message.count), $0) == 0
    }
  }
}

/// An Ed25519 signature: 64 bytes.
public struct Signature: Hashable, Sendable {
  public static let byteCount = 64
  public let bytes: [UInt8]

  /// - Parameter bytes: Exactly 64 bytes, else `nil`.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Signature.byteCount else { return nil }
    self.bytes = [UInt8](bytes)
  }
}
