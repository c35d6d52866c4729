import SyncProof

/// The state machine's table: which entry does what in which phase. Nothing here changes the state.
extension Ledger {
  /// What an entry does to the state as it is; `member` is a position in the group's members.
  enum Step {
    case order(Submission, id: Digest, specBytesCount: Int, member: Int)
    case commit(SignedCommitment, member: Int)
    case doubleCommit(SignedCommitment, first: SignedCommitment, member: Int)
    case abstain(SignedAbstention, member: Int)
    case open(SignedReveal, member: Int)
    case openWrongly(SignedReveal, first: SignedCommitment, member: Int)
    case propose(Proposal)
    case approve(SignedApproval, place: Int, member: Int)
    case accuse(MisbehaviourRecord, member: Int)
    case refuse(Refusal)
  }

  /// Bounds and state are checked first and signatures last, so that garbage and duplicates cost no Ed25519.
  func step(for bytes: [UInt8]) -> Step {
    do throws(ProofError) {
      return switch try Entry(parsing: bytes) {
      case .submission(let submission): step(for: submission)
      case .commitment(let signed): step(for: signed)
      case .abstention(let signed): step(for: signed)
      case .reveal(let signed): step(for: signed)
      case .proposal(let signed): step(for: signed)
      case .approval(let signed): step(for: signed)
      case .accusation(let record): step(for: record)
      }
    } catch {
      return switch error.code {
      case .invalidSpec: .refuse(.invalidSpec)
      case .tooLarge: .refuse(.tooLarge)
      default: .refuse(.malformed)
      }
    }
  }

  private func step(for submission: Submission) -> Step {
    guard let member = group.position(of: submission.submitter) else { return .refuse(.stranger) }
    guard !isEnding else { return .refuse(.epochEnding) }
    let spec = submission.spec.encode()
    let id = SHA256.hash(spec)
    guard open[id] == nil, closed[id] == nil else { return .refuse(.duplicateJob) }
    let share = shares[member]
    let count = group.members.count
    guard share.jobs < max(1, LedgerLimits.openJobsMax / count),
      share.specBytes + spec.count <= LedgerLimits.openSpecBytesMax / count
    else { return .refuse(.shareUsedUp) }
    let signed = Entry.submissionSignedBytes(job: id, submitter: submission.submitter, chainID: chainID)
    guard acceptsSignature(group.members[member].builderKey, submission.signature, signed) else {
      return .refuse(.invalidSignature)
    }
    return .order(submission, id: id, specBytesCount: spec.count, member: member)
  }

  private func step(for signed: SignedCommitment) -> Step {
    guard let member = group.position(of: signed.builder) else { return .refuse(.stranger) }
    guard let job = open[signed.job] else { return .refuse(missing(signed.job)) }
    guard job.phase == .commit else { return .refuse(.commitPhaseOver) }
    switch job.answers[member] {
    case .waiting:
      return isSigned(signed, by: member) ? .commit(signed, member: member) : .refuse(.invalidSignature)
    case .committed(let first):
      guard first.digest != signed.commitment else { return .refuse(.duplicateCommitment) }
      guard !job.doubleCommitments.contains(signed.builder) else { return .refuse(.doubleCommitment) }
      guard isSigned(signed, by: member) else { return .refuse(.invalidSignature) }
      let counted = SignedCommitment(
        job: signed.job, builder: signed.builder, commitment: first.digest, signature: first.signature)
      return .doubleCommit(signed, first: counted, member: member)
    case .abstained, .revealed, .wrongOpening:
      // Openings belong to the reveal phase, so this is an abstention.
      return .refuse(.abstainedBefore)
    }
  }

  private func step(for signed: SignedAbstention) -> Step {
    guard let member = group.position(of: signed.builder) else { return .refuse(.stranger) }
    guard let job = open[signed.job] else { return .refuse(missing(signed.job)) }
    guard job.phase == .commit else { return .refuse(.commitPhaseOver) }
    switch job.answers[member] {
    case .waiting:
      let bytes = Entry.abstentionSignedBytes(job: signed.job, builder: signed.builder, chainID: chainID)
      guard acceptsSignature(group.members[member].builderKey, signed.signature, bytes) else {
        return .refuse(.invalidSignature)
      }
      return .abstain(signed, member: member)
    case .abstained: return .refuse(.abstainedBefore)
    case .committed, .revealed, .wrongOpening: return .refuse(.committedBefore)
    }
  }

  private func step(for signed: SignedReveal) -> Step {
    let reveal = signed.reveal
    guard let member = group.position(of: reveal.builder) else { return .refuse(.stranger) }
    guard let job = open[reveal.job] else { return .refuse(missing(reveal.job)) }
    guard job.phase == .reveal else { return .refuse(.revealTooEarly) }
    switch job.answers[member] {
    case .waiting, .abstained: return .refuse(.noCommitment)
    case .revealed: return .refuse(.duplicateReveal)
    case .wrongOpening: return .refuse(.wrongOpeningBefore)
    case .committed(let commitment):
      guard isSigned(signed, by: member) else { return .refuse(.invalidSignature) }
      guard reveal.group == group.origin, reveal.commitment == commitment.digest else {
        let first = SignedCommitment(
          job: reveal.job, builder: reveal.builder, commitment: commitment.digest, signature: commitment.signature)
        return .openWrongly(signed, first: first, member: member)
      }
      // It also bounds the evidence, whose size was promised when the spec was ordered.
      guard reveal.outcome.answers(job.spec) else { return .refuse(.impossibleOutcome) }
      return .open(signed, member: member)
    }
  }

  private func missing(_ job: Digest) -> Refusal { closed[job] == nil ? .unknownJob : .jobClosed }

  private func isSigned(_ signed: SignedCommitment, by member: Int) -> Bool {
    let bytes = Entry.commitmentSignedBytes(
      job: signed.job, builder: signed.builder, commitment: signed.commitment, chainID: chainID)
    return acceptsSignature(group.members[member].builderKey, signed.signature, bytes)
  }

  /// Both signatures: the one for this chain and the one that goes into the evidence.
  private func isSigned(_ signed: SignedReveal, by member: Int) -> Bool {
    let key = group.members[member].builderKey
    let bytes = Entry.revealSignedBytes(signed.reveal, signature: signed.signature, chainID: chainID)
    return acceptsSignature(key, signed.entrySignature, bytes)
      && acceptsSignature(key, signed.signature, signed.reveal.signedBytes())
  }
}
