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
  /// A member has signed what an honest one does not: `leaf` is the encoded record and stands in the log at `index`, as
  /// the first of its kind against that member in this epoch.
  case misbehaviourLogged(MisbehaviourRecord, leaf: [UInt8], index: UInt64)
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
