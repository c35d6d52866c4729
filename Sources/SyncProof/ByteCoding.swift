/// Writes the canonical binary encoding that replicas exchange and store: integers big-endian and of fixed width,
/// byte strings behind a 32-bit length.
public struct ByteWriter {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Big-endian, as wide as the type.
  public mutating func write<T: FixedWidthInteger>(_ value: T) {
    var shift = T.bitWidth
    while shift > 0 {
      shift -= 8
      bytes.append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: shift)))
    }
  }

  /// Bytes of a width that the reader knows.
  public mutating func writeRaw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  /// 32 bytes.
  public mutating func write(_ digest: Digest) { writeRaw(digest.bytes) }
  /// 64 bytes.
  public mutating func write(_ signature: Signature) { writeRaw(signature.bytes) }

  /// A 32-bit length, then the bytes.
  public mutating func writeCounted(_ value: [UInt8]) {
    precondition(UInt64(value.count) <= UInt64(UInt32.max), "A byte string is at most 4 GiB")
    write(UInt32(value.count))
    writeRaw(value)
  }
}

/// Reads what ``ByteWriter`` writes; every length is checked against what is there before anything is copied.
public struct ByteReader {
  private let bytes: [UInt8]
  public private(set) var offset = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Bytes that are not read yet.
  public var remaining: Int { bytes.count - offset }

  /// Big-endian, as wide as the type; throws ``ProofError/Code/malformed`` at the end of the bytes.
  public mutating func read<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type = T.self) throws(ProofError) -> T {
    let width = T.bitWidth / 8
    guard remaining >= width else { throw truncated(wanting: width) }
    var value: T = 0
    for i in 0..<width { value = (T.bitWidth > 8 ? value << 8 : 0) | T(bytes[offset + i]) }
    offset += width
    return value
  }

  /// Exactly `count` bytes; throws ``ProofError/Code/malformed`` where there are fewer.
  public mutating func readRaw(_ count: Int) throws(ProofError) -> [UInt8] {
    guard count >= 0, remaining >= count else { throw truncated(wanting: count) }
    defer { offset += count }
    return [UInt8](bytes[offset..<offset + count])
  }

  /// 32 bytes.
  public mutating func readDigest() throws(ProofError) -> Digest {
    guard let digest = Digest(bytes: try readRaw(Digest.byteCount)) else { throw truncated(wanting: 32) }
    return digest
  }

  /// 64 bytes.
  public mutating func readSignature() throws(ProofError) -> Signature {
    guard let signature = Signature(bytes: try readRaw(Signature.byteCount)) else { throw truncated(wanting: 64) }
    return signature
  }

  /// - Parameter countMax: The most bytes that the caller takes; a longer string is refused before it is copied.
  public mutating func readCounted(max countMax: Int) throws(ProofError) -> [UInt8] {
    let start = offset
    let count = try read(UInt32.self)
    guard UInt64(count) <= UInt64(countMax) else {
      throw ProofError(.tooLarge, "A byte string of \(count) bytes; at most \(countMax) are taken here", at: start)
    }
    return try readRaw(Int(count))
  }

  /// - Parameter countMax: The most elements that the caller takes.
  public mutating func readCount(max countMax: Int) throws(ProofError) -> Int {
    let start = offset
    let count = try read(UInt32.self)
    guard UInt64(count) <= UInt64(countMax) else {
      throw ProofError(.tooLarge, "A list of \(count) elements; at most \(countMax) are taken here", at: start)
    }
    return Int(count)
  }

  /// Refuses bytes behind the value: one value has one encoding.
  public func expectEnd() throws(ProofError) {
    guard remaining == 0 else {
      throw ProofError(.malformed, "\(remaining) bytes stand behind the end of the value", at: offset)
    }
  }

  private func truncated(wanting count: Int) -> ProofError {
    ProofError(.malformed, "The bytes end after \(remaining) where \(count) more are wanted", at: offset)
  }
}
