/// Writes the canonical binary encoding that replicas exchange and store: integers big-endian and of fixed width,
/// byte strings behind a 32-bit length.
public struct ByteWriter {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  /// Makes room at once for so many bytes more, and for as many as there are already, so that what is long is not
  /// copied over and over while it grows.
  public mutating func makeRoom(for count: Int) {
    guard bytes.capacity - bytes.count < count else { return }
    bytes.reserveCapacity(bytes.count + max(bytes.count, count))
  }

  // One for each width, none generic: in another module that would not be specialized.

  public mutating func write(_ value: UInt8) { bytes.append(value) }
  /// Big-endian, as the others.
  public mutating func write(_ value: UInt16) { append(UInt64(value), width: 2) }
  public mutating func write(_ value: UInt32) { append(UInt64(value), width: 4) }
  public mutating func write(_ value: UInt64) { append(value, width: 8) }

  private mutating func append(_ value: UInt64, width: Int) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0[(8 - width)...]) }
  }

  /// Bytes of a width that the reader knows.
  public mutating func writeRaw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  /// 32 bytes.
  public mutating func write(_ digest: Digest) {
    digest.withUnsafePointer { bytes.append(contentsOf: UnsafeBufferPointer(start: $0, count: Digest.byteCount)) }
  }
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

  // As the writer has them. Each throws ``ProofError/Code/malformed`` at the end of the bytes.

  public mutating func read(_: UInt8.Type = UInt8.self) throws(ProofError) -> UInt8 {
    UInt8(truncatingIfNeeded: try word(of: 1))
  }
  public mutating func read(_: UInt16.Type = UInt16.self) throws(ProofError) -> UInt16 {
    UInt16(truncatingIfNeeded: try word(of: 2))
  }
  public mutating func read(_: UInt32.Type = UInt32.self) throws(ProofError) -> UInt32 {
    UInt32(truncatingIfNeeded: try word(of: 4))
  }
  public mutating func read(_: UInt64.Type = UInt64.self) throws(ProofError) -> UInt64 { try word(of: 8) }

  private mutating func word(of width: Int) throws(ProofError) -> UInt64 {
    guard remaining >= width else { throw truncated(wanting: width) }
    var value: UInt64 = 0
    for i in offset..<offset + width { value = value << 8 | UInt64(bytes[i]) }
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
    guard remaining >= Digest.byteCount else { throw truncated(wanting: Digest.byteCount) }
    defer { offset += Digest.byteCount }
    return Digest(writtenBy: { target in
      bytes.withUnsafeBytes {
        target.copyMemory(from: $0.baseAddress! + offset, byteCount: Digest.byteCount)
      }
    })
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
