import SyncProof

/// Transferable proof that one replica signed two statements of which an honest one signs at most one.
public struct Misbehaviour: Hashable, Sendable {
  /// What was signed twice.
  public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    /// Two votes in one view by a replica whose turn it was not to lead it; where it led in the place of one that had
    /// failed, the votes may be its proposals.
    case votes = 1
    /// Two votes in one view by the replica whose turn it was, whose vote is the signature of its proposal.
    case proposals = 2
    /// Two timeouts of one view that name different certificates.
    case timeouts = 3
  }

  package enum Statements: Hashable, Sendable {
    case votes(Vote, Vote)
    case timeouts(TimeoutShare, TimeoutShare)
  }

  /// A timeout reduced to what its signature covers.
  package struct TimeoutShare: Hashable, Sendable {
    package let statement: TimeoutStatement
    package let signature: Signature
  }

  public let kind: Kind
  public let offender: ReplicaIndex
  public let epoch: UInt64
  public let view: UInt64
  package let statements: Statements

  /// - Returns: `nil` unless the votes are one replica's, of one view, for different statements.
  package init?(_ first: Vote, _ second: Vote, set: ReplicaSet) {
    guard first.author == second.author, first.view == second.view, first.statement != second.statement,
      first.statement.proposed.epoch == second.statement.proposed.epoch
    else { return nil }
    kind = set.turn(of: first.view) == first.author ? .proposals : .votes
    offender = first.author
    epoch = first.statement.proposed.epoch
    view = first.view
    statements = .votes(first, second)
  }

  /// - Returns: `nil` unless the timeouts are one replica's, of one view, naming different certificates' views.
  package init?(_ first: Timeout, _ second: Timeout) {
    self.init(
      first.author, TimeoutShare(statement: first.content.statement, signature: first.signature),
      second.author, TimeoutShare(statement: second.content.statement, signature: second.signature))
  }

  private init?(_ a: ReplicaIndex, _ first: TimeoutShare, _ b: ReplicaIndex, _ second: TimeoutShare) {
    guard a == b, first.statement.view == second.statement.view, first.statement.epoch == second.statement.epoch,
      first.statement.highQCView != second.statement.highQCView
    else { return nil }
    kind = .timeouts
    offender = a
    epoch = first.statement.epoch
    view = first.statement.view
    statements = .timeouts(first, second)
  }

  /// Whether both signatures are the offender's: the proof holds for anyone who knows the set.
  public func isProven(chainID: Digest, set: ReplicaSet) -> Bool {
    guard epoch == set.epoch, let key = set.key(of: offender) else { return false }
    switch statements {
    case .votes(let first, let second):
      return key.accepts(first.signature, on: first.statement.signedBytes(chainID: chainID))
        && key.accepts(second.signature, on: second.statement.signedBytes(chainID: chainID))
    case .timeouts(let first, let second):
      return key.accepts(first.signature, on: first.statement.signedBytes(chainID: chainID))
        && key.accepts(second.signature, on: second.statement.signedBytes(chainID: chainID))
    }
  }

  /// One byte of kind, the offender, then both statements with their signatures.
  public func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(kind.rawValue)
    writer.write(offender)
    switch statements {
    case .votes(let first, let second):
      first.encode(to: &writer)
      second.encode(to: &writer)
    case .timeouts(let first, let second):
      writer.write(epoch)
      writer.write(view)
      for share in [first, second] {
        writer.write(share.statement.highQCView)
        writer.write(share.signature)
      }
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed`` unless the bytes are ``encode()`` of a well-formed proof for `set`;
  ///   signatures are checked by ``isProven(chainID:set:)``.
  public init(decoding bytes: [UInt8], set: ReplicaSet) throws(ProofError) {
    var reader = ByteReader(bytes)
    guard let kind = Kind(rawValue: try reader.read()) else {
      throw ProofError(.malformed, "A kind of misbehaviour that is not known", at: 0)
    }
    let offender = try reader.readIndex()
    let parsed: Misbehaviour?
    switch kind {
    case .votes, .proposals:
      let first = try Vote(from: &reader)
      parsed = Misbehaviour(first, try Vote(from: &reader), set: set)
    case .timeouts:
      let epoch: UInt64 = try reader.read()
      let view: UInt64 = try reader.read()
      var shares: [TimeoutShare] = []
      for _ in 0..<2 {
        let statement = TimeoutStatement(epoch: epoch, view: view, highQCView: try reader.read())
        shares.append(TimeoutShare(statement: statement, signature: try reader.readSignature()))
      }
      parsed = Misbehaviour(offender, shares[0], offender, shares[1])
    }
    try reader.expectEnd()
    guard let parsed, parsed.kind == kind, parsed.offender == offender else {
      throw ProofError(.malformed, "The two statements do not contradict each other", at: 0)
    }
    self = parsed
  }
}
