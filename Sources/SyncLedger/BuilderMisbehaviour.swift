import SyncProof

/// A commitment and another statement, both signed by one builder for one chain, that an honest builder does not both
/// sign.
public struct BuilderMisbehaviour: Hashable, Sendable {
  /// What contradicts the commitment.
  public enum Contradiction: Hashable, Sendable {
    /// Another commitment to the same job.
    case commitment(SignedCommitment)
    /// An opening of another commitment than that.
    case opening(SignedOpening)
  }

  public let job: Digest
  public let builder: Text
  /// The one that the group counted.
  public let first: SignedCommitment
  public let second: Contradiction

  public var kind: MisbehaviourRecord.Kind {
    switch second {
    case .commitment: .doubleCommitment
    case .opening: .wrongOpening
    }
  }

  init(first: SignedCommitment, second: SignedCommitment) {
    (job, builder, self.first, self.second) = (first.job, first.builder, first, .commitment(second))
  }

  init(first: SignedCommitment, second: SignedReveal) {
    (job, builder, self.first, self.second) = (first.job, first.builder, first, .opening(SignedOpening(second)))
  }

  /// What the two statements show, whoever has put them together.
  ///
  /// - Parameter origin: The group's: a reveal for another one opens nothing here.
  /// - Returns: `nil` unless they are one builder's on one job and contradict each other: two commitments, or a
  ///   commitment and an opening that does not open it. Whether the builder signed them, ``isProven(in:)`` says.
  public init?(_ first: SignedCommitment, _ second: Contradiction, origin: Text) {
    switch second {
    case .commitment(let other):
      guard other.job == first.job, other.builder == first.builder, other.commitment != first.commitment else {
        return nil
      }
    case .opening(let opening):
      guard opening.job == first.job, opening.builder == first.builder,
        opening.commitment != first.commitment || opening.group != origin
      else { return nil }
    }
    (job, builder, self.first, self.second) = (first.job, first.builder, first, second)
  }

  /// - Throws: ``ProofError/Code/malformed`` if the record is no builder's, or its statements do not contradict each
  ///   other or are not of its member and kind; and what reading them throws.
  public init(_ record: MisbehaviourRecord, origin: Text) throws(ProofError) {
    guard !record.kind.isOfReplica, record.statements.count == 2,
      case .commitment(let first) = try Entry(parsing: record.statements[0])
    else { throw ProofError(.malformed, "A builder's misbehaviour wants a commitment and what contradicts it") }
    let second: Contradiction
    if record.kind == .doubleCommitment {
      guard case .commitment(let other) = try Entry(parsing: record.statements[1]) else {
        throw ProofError(.malformed, "A double commitment wants two commitments")
      }
      second = .commitment(other)
    } else {
      second = .opening(try SignedOpening(parsing: record.statements[1]))
    }
    guard let proof = BuilderMisbehaviour(first, second, origin: origin) else {
      throw ProofError(.malformed, "The two statements do not contradict each other")
    }
    guard proof.builder == record.member else {
      throw ProofError(.malformed, "The statements are of \(proof.builder), not of \(record.member)")
    }
    self = proof
  }

  /// The record of it, for a leaf or a file.
  public func record(chainID: Digest) -> MisbehaviourRecord {
    let other =
      switch second {
      case .commitment(let signed): Entry.commitment(signed).encode()
      case .opening(let opening): opening.encode()
      }
    return MisbehaviourRecord(
      chainID: chainID, member: builder, kind: kind, statements: [Entry.commitment(first).encode(), other])
  }

  /// Whether the builder signed both for this group's chain: the proof holds for anyone who has the group file.
  public func isProven(in group: Group) -> Bool { isProven(in: group) { $0.accepts($1, on: $2) } }

  func isProven(in group: Group, _ accepts: (PublicKey, Signature, [UInt8]) -> Bool) -> Bool {
    guard let key = group.member(named: builder)?.builderKey else { return false }
    func isSigned(_ signed: SignedCommitment) -> Bool {
      accepts(
        key, signed.signature,
        Entry.commitmentSignedBytes(
          job: signed.job, builder: signed.builder, commitment: signed.commitment, chainID: group.chainID))
    }
    guard isSigned(first) else { return false }
    switch second {
    case .commitment(let signed): return isSigned(signed)
    case .opening(let opening):
      return accepts(
        key, opening.entrySignature, Entry.openingSignedBytes(opening, chainID: group.chainID))
        && accepts(key, opening.signature, opening.signedBytes())
    }
  }
}
