import SyncProof

/// The certificates that every message carries, so that whoever is behind catches up from any message.
package struct SyncInfo: Hashable, Sendable, CanonicallyCodable {
  package let highQC: Certificate
  /// Present where it is of a higher view than `highQC`.
  package let highTC: TimeoutCertificate?
  /// Proves the sender's last decided block, where `highQC` does not.
  package let finality: Certificate?

  package init(highQC: Certificate, highTC: TimeoutCertificate?, finality: Certificate?) {
    (self.highQC, self.highTC, self.finality) = (highQC, highTC, finality)
  }

  /// The view that the sender is in.
  package var currentView: UInt64 {
    let highest = max(highQC.view, highTC?.view ?? 0)
    return highest == .max ? .max : highest + 1
  }

  /// The height that the sender has decided.
  package var decidedHeight: UInt64 { (finality ?? highQC).commit?.height ?? 0 }

  package func encode(to writer: inout ByteWriter) {
    highQC.encode(to: &writer)
    writer.writeOptional(highTC)
    writer.writeOptional(finality)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    highQC = try Certificate(from: &reader)
    highTC = try reader.readOptional()
    finality = try reader.readOptional()
  }
}

/// A block with its leader's vote, which is the signature of the proposal.
package struct Proposal: Hashable, Sendable, CanonicallyCodable {
  package let block: Block
  package let vote: Vote

  package init(block: Block, vote: Vote) { (self.block, self.vote) = (block, vote) }

  package func encode(to writer: inout ByteWriter) {
    block.encode(to: &writer)
    vote.encode(to: &writer)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    block = try Block(from: &reader)
    vote = try Vote(from: &reader)
  }
}

/// Asks for blocks on the chain to `target`, from just above `known`, or just above `decidedHeight` where `known` is
/// not on the chain that the peer has.
package struct FetchRequest: Hashable, Sendable, CanonicallyCodable {
  package let target: Digest
  package let knownHeight: UInt64
  package let known: Digest
  package let decidedHeight: UInt64

  package init(target: Digest, knownHeight: UInt64, known: Digest, decidedHeight: UInt64) {
    self.target = target
    self.knownHeight = knownHeight
    self.known = known
    self.decidedHeight = decidedHeight
  }

  package func encode(to writer: inout ByteWriter) {
    writer.write(target)
    writer.write(knownHeight)
    writer.write(known)
    writer.write(decidedHeight)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    target = try reader.readDigest()
    knownHeight = try reader.read()
    known = try reader.readDigest()
    decidedHeight = try reader.read()
  }
}

/// A chain of blocks, ascending, and a certificate that proves the last: it certifies it or makes it final. Where the
/// last is the target, the asker holds its certificate already.
package struct FetchAnswer: Hashable, Sendable, CanonicallyCodable {
  package let blocks: [Block]
  package let certificate: Certificate?

  package init(blocks: [Block], certificate: Certificate?) { (self.blocks, self.certificate) = (blocks, certificate) }

  package func encode(to writer: inout ByteWriter) {
    writer.write(UInt32(truncatingIfNeeded: blocks.count))
    for block in blocks { block.encode(to: &writer) }
    writer.writeOptional(certificate)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    var blocks: [Block] = []
    for _ in 0..<(try reader.readCount(max: ConsensusLimits.fetchBlocksMax)) { blocks.append(try Block(from: &reader)) }
    self.blocks = blocks
    certificate = try reader.readOptional()
  }
}

/// What replicas send each other.
package struct Message: Hashable, Sendable {
  package enum Body: Hashable, Sendable {
    /// Nothing but the certificates: on a new connection, and to whoever is behind.
    case status
    case proposal(Proposal)
    case vote(Vote)
    case timeout(Timeout)
    case entries([[UInt8]])
    case fetch(FetchRequest)
    case blocks(FetchAnswer)
    /// An observer's question which view the receiver is in, with the number of its start.
    case ask(UInt64)
    /// The answer, with that number: the message's certificates are what is told.
    case answer(UInt64)
  }

  /// The first byte of every message.
  package static let version: UInt8 = 1

  package let epoch: UInt64
  package let sync: SyncInfo
  package let body: Body

  package init(epoch: UInt64, sync: SyncInfo, body: Body) { (self.epoch, self.sync, self.body) = (epoch, sync, body) }

  /// Version, epoch, SyncInfo, kind, body.
  package func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(Message.version)
    writer.write(epoch)
    sync.encode(to: &writer)
    switch body {
    case .status: writer.write(UInt8(0))
    case .proposal(let proposal):
      writer.write(UInt8(1))
      proposal.encode(to: &writer)
    case .vote(let vote):
      writer.write(UInt8(2))
      vote.encode(to: &writer)
    case .timeout(let timeout):
      writer.write(UInt8(3))
      timeout.encode(to: &writer)
    case .entries(let entries):
      writer.write(UInt8(4))
      writer.write(UInt32(truncatingIfNeeded: entries.count))
      for entry in entries { writer.writeCounted(entry) }
    case .fetch(let request):
      writer.write(UInt8(5))
      request.encode(to: &writer)
    case .blocks(let answer):
      writer.write(UInt8(6))
      answer.encode(to: &writer)
    case .ask(let number):
      writer.write(UInt8(7))
      writer.write(number)
    case .answer(let number):
      writer.write(UInt8(8))
      writer.write(number)
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError`` for anything but ``encode()`` of a message.
  package init(decoding bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= ConsensusLimits.messageBytesMax else {
      throw ProofError(.tooLarge, "A message of \(bytes.count) bytes", at: 0)
    }
    var reader = ByteReader(bytes)
    let version = try reader.read(UInt8.self)
    guard version == Message.version else {
      throw ProofError(.unsupportedVersion, "A message of version \(version), not \(Message.version)", at: 0)
    }
    epoch = try reader.read()
    sync = try SyncInfo(from: &reader)
    let start = reader.offset
    switch try reader.read(UInt8.self) {
    case 0: body = .status
    case 1: body = .proposal(try Proposal(from: &reader))
    case 2: body = .vote(try Vote(from: &reader))
    case 3: body = .timeout(try Timeout(from: &reader))
    case 4:
      var entries: [[UInt8]] = []
      for _ in 0..<(try reader.readCount(max: ConsensusLimits.blockEntriesMax)) {
        entries.append(try reader.readCounted(max: ConsensusLimits.entryBytesMax))
      }
      body = .entries(entries)
    case 5: body = .fetch(try FetchRequest(from: &reader))
    case 6: body = .blocks(try FetchAnswer(from: &reader))
    case 7: body = .ask(try reader.read())
    case 8: body = .answer(try reader.read())
    default: throw ProofError(.malformed, "A message of unknown kind", at: start)
    }
    try reader.expectEnd()
  }
}

/// The epoch that a replica's message is of, from its first nine bytes; `nil` for what is no such message.
///
/// For drivers that hold replicas of several epochs: each takes its own epoch's messages alone.
public func epochOfMessage(_ bytes: [UInt8]) -> UInt64? {
  guard bytes.count > 9, bytes[0] == Message.version else { return nil }
  return bytes[1...8].reduce(0) { $0 << 8 | UInt64($1) }
}
