/// Why an entry changes nothing. The raw value is what goldens, metrics and people see; it never changes its meaning.
public enum Refusal: String, Hashable, Sendable, CaseIterable {
  /// The bytes are no entry: another version, truncated, trailing, not canonical.
  case malformed
  /// A bound is passed: an entry's bytes, or a spec whose evidence might not fit a leaf.
  case tooLarge = "too-large"
  /// The name is no member of the group.
  case stranger
  /// The member's builder key did not sign this for this chain.
  case invalidSignature = "invalid-signature"
  /// The spec breaks a rule of ``BuildSpec/validate()``.
  case invalidSpec = "invalid-spec"
  /// The same spec was ordered before; a fresh rebuild has another `rebuild` number.
  case duplicateJob = "duplicate-job"
  /// The submitter's share of the open jobs is used up.
  case shareUsedUp = "share-used-up"
  /// No such job was ordered.
  case unknownJob = "unknown-job"
  /// The verdict stands: whatever comes now is late.
  case jobClosed = "job-closed"
  /// The reveal phase has begun: commitments and abstentions are late.
  case commitPhaseOver = "commit-phase-over"
  /// The commit phase is still open: an opening now would let others copy, so it does not count.
  case revealTooEarly = "reveal-too-early"
  /// The builder has committed to this already.
  case duplicateCommitment = "duplicate-commitment"
  /// The builder has committed to something else; the first stands.
  case doubleCommitment = "double-commitment"
  /// The builder has abstained; that is final.
  case abstainedBefore = "abstained-before"
  /// The builder has committed; it can no longer abstain.
  case committedBefore = "committed-before"
  /// There is no commitment that this could open.
  case noCommitment = "no-commitment"
  /// The builder has opened its commitment already.
  case duplicateReveal = "duplicate-reveal"
  /// The builder has signed a wrong opening; that is final.
  case wrongOpeningBefore = "wrong-opening-before"
  /// The opened outcome is none that the spec can have: it names other artifacts than the declared ones.
  case impossibleOutcome = "impossible-outcome"
  /// A hand-over has its approvals: what remains to be done is to end the open jobs.
  case epochEnding = "epoch-ending"
  /// This group file was proposed before.
  case duplicateProposal = "duplicate-proposal"
  /// No such hand-over was proposed.
  case unknownProposal = "unknown-proposal"
  /// The builder has approved of this already.
  case duplicateApproval = "duplicate-approval"
  /// The proposed group file does not parse, is of another origin, or not of the next epoch.
  case impossibleHandover = "impossible-handover"
  /// A record of this kind against this member stands in the log already.
  case knownMisbehaviour = "known-misbehaviour"
  /// The statements prove nothing against the member: they do not contradict each other, or are not its own.
  case unproven

  /// Whether the same entry may be taken later: its sender may be a block ahead, or room may be made.
  public var mayPass: Bool {
    switch self {
    case .unknownJob, .revealTooEarly, .unknownProposal, .shareUsedUp: true
    case .malformed, .tooLarge, .stranger, .invalidSignature, .invalidSpec, .duplicateJob, .jobClosed, .commitPhaseOver,
      .duplicateCommitment, .doubleCommitment, .abstainedBefore, .committedBefore, .noCommitment, .duplicateReveal,
      .wrongOpeningBefore, .impossibleOutcome, .epochEnding, .duplicateProposal, .duplicateApproval,
      .impossibleHandover, .knownMisbehaviour, .unproven:
      false
    }
  }
}
