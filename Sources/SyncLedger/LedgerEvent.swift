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
}
