import SyncProof

/// A value with one binary encoding: `decode(encode(x)) == x`, and bytes that are no value's encoding are refused.
package protocol CanonicallyCodable: Sendable {
  func encode(to writer: inout ByteWriter)
  init(from reader: inout ByteReader) throws(ProofError)
}

extension CanonicallyCodable {
  package func encode() -> [UInt8] {
    var writer = ByteWriter()
    encode(to: &writer)
    return writer.bytes
  }

  /// The whole of `bytes`, nothing behind it.
  package init(decoding bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    try self.init(from: &reader)
    try reader.expectEnd()
  }
}

extension ByteWriter {
  /// One byte, 0 or 1, then the value where there is one.
  mutating func writeOptional(_ value: (some CanonicallyCodable)?) {
    write(UInt8(value == nil ? 0 : 1))
    value?.encode(to: &self)
  }

  mutating func write(_ index: ReplicaIndex) { write(index.rawValue) }
}

extension ByteReader {
  mutating func readOptional<T: CanonicallyCodable>(_ type: T.Type = T.self) throws(ProofError) -> T? {
    try readFlag() ? try T(from: &self) : nil
  }

  mutating func readFlag() throws(ProofError) -> Bool {
    let start = offset
    switch try read(UInt8.self) {
    case 0: return false
    case 1: return true
    default: throw ProofError(.malformed, "A flag is 0 or 1", at: start)
    }
  }

  mutating func readIndex() throws(ProofError) -> ReplicaIndex { ReplicaIndex(rawValue: try read(UInt16.self)) }
}

/// What stands before everything that is signed or hashed, so that bytes of one kind, protocol version, group or epoch
/// never pass for another's.
package enum Domain {
  static let vote = Array("synchronicity-consensus-vote/v1\n".utf8)
  static let voteHash = Array("synchronicity-consensus-vote-hash/v1\n".utf8)
  static let timeout = Array("synchronicity-consensus-timeout/v1\n".utf8)
  static let block = Array("synchronicity-consensus-block/v1\n".utf8)
  static let payload = Array("synchronicity-consensus-payload/v1\n".utf8)
  static let certificate = Array("synchronicity-consensus-certificate/v1\n".utf8)
  static let timeoutCertificate = Array("synchronicity-consensus-timeout-certificate/v1\n".utf8)
  static let genesis = Array("synchronicity-consensus-genesis/v1\n".utf8)
}
