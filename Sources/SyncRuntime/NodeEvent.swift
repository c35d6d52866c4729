import SyncProof

/// What a node tells whoever runs it, as it happens.
///
/// All but ``fault(_:)`` follow the decided blocks and are told again by no one: who starts later asks the node's
/// ``NodeView``.
public enum NodeEvent: Sendable, Equatable {
  /// The node takes part: at its start, and again in each epoch.
  case started
  /// The group takes the job; builders rebuild.
  case ordered(job: Digest, package: Text)
  case committed(job: Digest, builder: Text)
  case abstained(job: Digest, builder: Text)
  /// All have committed, or the time for it is over; builders open their commitments.
  case revealing(job: Digest)
  case revealed(job: Digest, builder: Text)
  case verdict(job: Digest, Verdict)
  /// The evidence is the log's leaf of this index.
  case logged(job: Digest, index: UInt64)
  /// A quorum has cosigned a checkpoint: what has an index below the size can be proven.
  case cosigned(treeSize: UInt64)
  /// A proof of misbehaviour is in the log.
  case misbehaviour(member: Text, kind: Text)
  /// The epoch is over; the node goes on in the next, if this builder is in it.
  case epochEnded(UInt64)
  /// The node ends: its journal or its signer failed.
  case fault(PluginError)
}
