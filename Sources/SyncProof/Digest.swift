/// A SHA-256 digest: 32 bytes, ordered as its bytes are.
public struct Digest: Hashable, Comparable, Sendable {
  public static let byteCount = 32

  // Big-endian words, so that comparing words in order is comparing bytes.
  @usableFromInline let w0: UInt64
  @usableFromInline let w1: UInt64
  @usableFromInline let w2: UInt64
  @usableFromInline let w3: UInt64

  /// All zero bits: the parent of a genesis block, never the digest of anything.
  public static let zero = Digest(w0: 0, w1: 0, w2: 0, w3: 0)

  private init(w0: UInt64, w1: UInt64, w2: UInt64, w3: UInt64) {
    (self.w0, self.w1, self.w2, self.w3) = (w0, w1, w2, w3)
  }

  /// Takes the 32 bytes that `write` puts where it is told to.
  init(writtenBy write: (UnsafeMutableRawPointer) -> Void) {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    withUnsafeMutablePointer(to: &words) { write(UnsafeMutableRawPointer($0)) }
    self.init(
      w0: UInt64(bigEndian: words.0), w1: UInt64(bigEndian: words.1), w2: UInt64(bigEndian: words.2),
      w3: UInt64(bigEndian: words.3))
  }

  /// - Parameter bytes: Exactly 32 bytes, else `nil`.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Digest.byteCount else { return nil }
    var words = Words()
    for byte in bytes { words.shiftIn(UInt64(byte), bits: 8) }
    self.init(words)
  }

  /// - Parameter hex: Exactly 64 lower-case hexadecimal digits in ASCII, else `nil`.
  public init?(hex: some Collection<UInt8>) {
    guard hex.count == 2 * Digest.byteCount else { return nil }
    var words = Words()
    for character in hex {
      guard let value = Hex.value(of: character) else { return nil }
      words.shiftIn(UInt64(value), bits: 4)
    }
    self.init(words)
  }

  /// 256 bits into which bytes are shifted, most significant first.
  private struct Words {
    var (w0, w1, w2, w3): (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    private var count: UInt64 = 0

    mutating func shiftIn(_ value: UInt64, bits: UInt64) {
      // A whole word makes room by moving all: no place is looked up.
      if count & 63 == 0 { (w0, w1, w2, w3) = (w1, w2, w3, 0) }
      w3 = w3 << bits | value
      count += bits
    }
  }

  private init(_ words: Words) { self.init(w0: words.w0, w1: words.w1, w2: words.w2, w3: words.w3) }

  public init?(hex: String) { self.init(hex: [UInt8](hex.utf8)) }

  /// The 32 bytes, most significant first.
  public var bytes: [UInt8] {
    withUnsafePointer { [UInt8](UnsafeBufferPointer(start: $0, count: Digest.byteCount)) }
  }

  /// The first four bytes, big-endian.
  var firstWord: UInt32 { UInt32(truncatingIfNeeded: w0 >> 32) }

  /// Calls `body` with a pointer to the same bytes, which are there until it returns.
  func withUnsafePointer<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
    Swift.withUnsafePointer(to: (w0.bigEndian, w1.bigEndian, w2.bigEndian, w3.bigEndian)) {
      body(UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self))
    }
  }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { String(decoding: Hex.encode(bytes), as: UTF8.self) }

  public static func < (a: Digest, b: Digest) -> Bool {
    if a.w0 != b.w0 { return a.w0 < b.w0 }
    if a.w1 != b.w1 { return a.w1 < b.w1 }
    if a.w2 != b.w2 { return a.w2 < b.w2 }
    return a.w3 < b.w3
  }

  @inlinable public static func == (a: Digest, b: Digest) -> Bool {
    (a.w0 ^ b.w0) | (a.w1 ^ b.w1) | (a.w2 ^ b.w2) | (a.w3 ^ b.w3) == 0
  }

  /// Half of it tells digests apart as well as all of it.
  @inlinable public func hash(into hasher: inout Hasher) {
    hasher.combine(w0)
    hasher.combine(w1)
  }
}

extension Digest: CustomStringConvertible {
  public var description: String { hex }
}
