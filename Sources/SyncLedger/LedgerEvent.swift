import SyncProof

/// What a decided block has done, in the order in which it was done.
///
/// `builder` and `submitter` are names of members; all digests but the one in ``refused(entry:reason:)`` are jobs'
/// where the label says so.
public enum LedgerEvent: Hashable, Sendable {
  /// A job exists from here on; builders rebuild.
  case ordered(job: Digest, spec: BuildSpec, submitter: Text)
  case committed(job: Digest, builder: Text)
  case abstained(job: Digest, builder: Text)
  /// The commit phase is over and somebody has committed: openings are counted from here on.
  case revealPhase(job: Digest)
  case revealed(job: Digest, builder: Text, outcome: Digest)
  /// A builder has signed an opening that does not open its commitment; ``misbehaviour(_:)`` follows with the proof.
  case wrongOpening(job: Digest, builder: Text)
  /// A builder has signed a second, different commitment; ``misbehaviour(_:)`` follows with the proof.
  case doubleCommitment(job: Digest, builder: Text)
  case misbehaviour(BuilderMisbehaviour)
  /// The job is over: `leaf` is `evidence.encode()` and stands in the log at `index`.
  case verdict(job: Digest, verdict: Verdict, evidence: Evidence, leaf: [UInt8], index: UInt64)
  /// A member proposes the group file with this digest for the next epoch.
  case proposed(handover: Digest, proposer: Text)
  case approved(handover: Digest, builder: Text)
  /// The proposal has its approvals: no new jobs are taken from here on.
  case epochEnding(handover: Digest)
  /// The epoch is over: `leaf` is the encoded ``Handover`` and stands in the log at `index`, as its epoch's last.
  case epochEnded(next: Group, leaf: [UInt8], index: UInt64)
  /// An entry of the block changed nothing; `entry` is the SHA-256 of its bytes.
  case refused(entry: Digest, reason: Refusal)
}

/// Two entries, both signed by one builder for one chain, that an honest builder does not both sign.
public struct BuilderMisbehaviour: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case doubleCommitment = "double-commitment"
    case wrongOpening = "wrong-opening"
  }
  public let kind: Kind
  public let job: Digest
  public let builder: Text
  /// The entry that the group counted, always a commitment.
  public let first: Entry
  /// The entry that contradicts it: another commitment, or a reveal whose commitment is another one.
  public let second: Entry

  init(kind: Kind, job: Digest, builder: Text, first: Entry, second: Entry) {
    (self.kind, self.job, self.builder, self.first, self.second) = (kind, job, builder, first, second)
  }

  /// What the two entries show, whoever has put them together.
  ///
  /// - Parameter origin: The group's: a reveal for another one opens nothing here.
  /// - Returns: `nil` unless they are one builder's on one job and contradict each other: two commitments, or a
  ///   commitment and a reveal that does not open it. Whether the builder signed them, ``isProven(in:)`` says.
  public init?(_ first: Entry, _ second: Entry, origin: Text) {
    guard case .commitment(let commitment) = first else { return nil }
    switch second {
    case .commitment(let other):
      guard other.job == commitment.job, other.builder == commitment.builder,
        other.commitment != commitment.commitment
      else { return nil }
      kind = .doubleCommitment
    case .reveal(let signed):
      guard signed.reveal.job == commitment.job, signed.reveal.builder == commitment.builder,
        signed.reveal.commitment != commitment.commitment || signed.reveal.group != origin
      else { return nil }
      kind = .wrongOpening
    case .submission, .abstention, .proposal, .approval: return nil
    }
    (job, builder, self.first, self.second) = (commitment.job, commitment.builder, first, second)
  }

  /// Whether the builder signed both entries for this group's chain: the proof holds for anyone who has the group file.
  public func isProven(in group: Group) -> Bool {
    guard let key = group.member(named: builder)?.builderKey else { return false }
    return [first, second].allSatisfy { entry in
      switch entry {
      case .commitment(let signed):
        key.accepts(
          signed.signature,
          on: Entry.commitmentSignedBytes(
            job: signed.job, builder: signed.builder, commitment: signed.commitment, chainID: group.chainID))
      case .reveal(let signed):
        key.accepts(
          signed.entrySignature,
          on: Entry.revealSignedBytes(signed.reveal, signature: signed.signature, chainID: group.chainID))
          && key.accepts(signed.signature, on: signed.reveal.signedBytes())
      case .submission, .abstention, .proposal, .approval: false
      }
    }
  }
}
