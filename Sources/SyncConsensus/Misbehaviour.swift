import SyncProof

/// Transferable proof that one replica signed what an honest one does not: two statements of which it signs at most
/// one, or a block with a certificate that no quorum made.
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
    /// A proposal with a certificate that does not verify. The ID that its author signed is the digest of a header that
    /// holds the certificate; in other messages certificates are not signed, and prove nothing against their sender.
    case forgedCertificate = 4
  }

  package enum Statements: Hashable, Sendable {
    case votes(Vote, Vote)
    case timeouts(TimeoutShare, TimeoutShare)
    case proposal(BlockHeader, Vote)
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

  /// The same with a timeout that is a certificate's share.
  init?(_ first: Timeout, _ share: TimeoutCertificate.Share, of certificate: TimeoutCertificate) {
    let statement = TimeoutStatement(
      epoch: certificate.epoch, view: certificate.view, highQCView: share.highQCView)
    self.init(
      first.author, TimeoutShare(statement: first.content.statement, signature: first.signature),
      share.signer, TimeoutShare(statement: statement, signature: share.signature))
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

  /// - Returns: `nil` unless the vote is the author's own for the block of this header. Whether a certificate in it is
  ///   forged, ``isProven(chainID:set:)`` says.
  package init?(forgingProposal header: BlockHeader, _ vote: Vote) {
    guard vote.author == header.author, vote.statement.proposed.id == header.id,
      vote.statement.proposed.epoch == header.epoch, vote.view == header.view
    else { return nil }
    kind = .forgedCertificate
    offender = vote.author
    epoch = header.epoch
    view = header.view
    statements = .proposal(header, vote)
  }

  /// Whether the signatures are the offender's, and what they are under is a contradiction or a forgery: the proof
  /// holds for anyone who knows the set.
  ///
  /// A certificate of view 0 is never taken for forged: what the genesis is, the log before the epoch says.
  public func isProven(chainID: Digest, set: ReplicaSet) -> Bool {
    guard epoch == set.epoch, let key = set.key(of: offender) else { return false }
    switch statements {
    case .votes(let first, let second):
      return key.accepts(first.signature, on: first.statement.signedBytes(chainID: chainID))
        && key.accepts(second.signature, on: second.statement.signedBytes(chainID: chainID))
    case .timeouts(let first, let second):
      return key.accepts(first.signature, on: first.statement.signedBytes(chainID: chainID))
        && key.accepts(second.signature, on: second.statement.signedBytes(chainID: chainID))
    case .proposal(let header, let vote):
      return key.accepts(vote.signature, on: vote.statement.signedBytes(chainID: chainID))
        && Misbehaviour.isForged(header, chainID: chainID, set: set)
    }
  }

  private static func isForged(_ header: BlockHeader, chainID: Digest, set: ReplicaSet) -> Bool {
    do throws(ConsensusError) {
      for certificate in [header.parentCertificate, header.timeoutCertificate?.highQC] {
        guard let certificate, certificate.view > 0 else { continue }
        try certificate.verify(chainID: chainID, set: set)
      }
      try header.timeoutCertificate?.verify(set: set) { key, statement, signature in
        key.accepts(signature, on: statement.signedBytes(chainID: chainID))
      }
      return false
    } catch {
      return true
    }
  }

  /// One byte of kind, the offender, then what it signed, with the signatures.
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
    case .proposal(let header, let vote):
      header.encode(to: &writer)
      vote.encode(to: &writer)
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
    case .forgedCertificate:
      let header = try BlockHeader(from: &reader)
      parsed = Misbehaviour(forgingProposal: header, try Vote(from: &reader))
    }
    try reader.expectEnd()
    guard let parsed, parsed.kind == kind, parsed.offender == offender else {
      throw ProofError(.malformed, "The statements are no contradiction and no forgery", at: 0)
    }
    self = parsed
  }
}
