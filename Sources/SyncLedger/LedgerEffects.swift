import SyncProof

/// What a step changes, and how phases end. Deterministic: queues and arrays give every order.
extension Ledger {
  mutating func take(_ step: Step, of entry: [UInt8], _ block: inout Block) {
    switch step {
    case .order(let submission, let id, let specBytesCount, let member):
      order(submission, id, specBytesCount, member, &block)
    case .commit(let signed, let member):
      let commitment = OpenJob.Commitment(digest: signed.commitment, signature: signed.signature)
      open[signed.job]?.take(.committed(commitment), by: member)
      block.events.append(.committed(job: signed.job, builder: signed.builder))
      endCommitPhaseIfAnswered(signed.job, &block)
    case .doubleCommit(let second, let first, let member):
      open[second.job]?.doubleCommitments.append(second.builder)
      block.events.append(.doubleCommitment(job: second.job, builder: second.builder))
      keep(BuilderMisbehaviour(first: first, second: second), of: member, &block)
    case .abstain(let signed, let member):
      open[signed.job]?.take(.abstained, by: member)
      block.events.append(.abstained(job: signed.job, builder: signed.builder))
      endCommitPhaseIfAnswered(signed.job, &block)
    case .open(let signed, let member):
      let reveal = signed.reveal
      open[reveal.job]?.open(reveal, signed.signature, by: member)
      block.events.append(
        .revealed(job: reveal.job, builder: reveal.builder, outcome: reveal.outcome.digest))
      endRevealPhaseIfOpened(reveal.job, &block)
    case .openWrongly(let signed, let first, let member):
      let (job, builder) = (signed.reveal.job, signed.reveal.builder)
      open[job]?.take(.wrongOpening, by: member)
      block.events.append(.wrongOpening(job: job, builder: builder))
      keep(BuilderMisbehaviour(first: first, second: signed), of: member, &block)
      endRevealPhaseIfOpened(job, &block)
    case .propose(let proposal): propose(proposal, &block)
    case .approve(let signed, let place, let member): approve(signed, place, member, &block)
    case .accuse(let record, let member): log(record, of: member, &block)
    case .refuse(let reason):
      block.events.append(.refused(entry: SHA256.hash(entry), reason: reason))
    }
  }

  private mutating func order(
    _ submission: Submission, _ id: Digest, _ specBytesCount: Int, _ member: Int, _ block: inout Block
  ) {
    let deadline = deadline(after: group.commitSeconds, block)
    let order = OpenJob.Order(
      spec: submission.spec, specBytesCount: specBytesCount, submitter: member, sequence: sequence,
      timeMilliseconds: block.timeMilliseconds, height: block.height)
    sequence += 1
    shares[member].jobs += 1
    shares[member].specBytes += specBytesCount
    open[id] = OpenJob(
      order: order, builders: group.members.count, deadlineMilliseconds: deadline,
      ticket: committing.join(id, deadlineMilliseconds: deadline))
    block.events.append(.ordered(job: id, spec: submission.spec, submitter: submission.submitter))
  }

  // MARK: - Phases

  /// Ends what the block's time has ended, by deadline; at equal deadlines reveal phases first.
  ///
  /// Each turn ends a phase of an open job, so the loop ends.
  mutating func endOverduePhases(_ block: inout Block) {
    while true {
      let commit = committing.head.flatMap { $0.deadlineMilliseconds <= block.timeMilliseconds ? $0 : nil }
      let reveal = revealing.head.flatMap { $0.deadlineMilliseconds <= block.timeMilliseconds ? $0 : nil }
      if let reveal, reveal.deadlineMilliseconds <= commit?.deadlineMilliseconds ?? .max {
        close(reveal.job, &block)
      } else if let commit {
        endCommitPhase(commit.job, &block)
      } else {
        return
      }
    }
  }

  private mutating func endCommitPhaseIfAnswered(_ id: Digest, _ block: inout Block) {
    if open[id]?.isAnswered == true { endCommitPhase(id, &block) }
  }

  private mutating func endRevealPhaseIfOpened(_ id: Digest, _ block: inout Block) {
    if open[id]?.isOpened == true { close(id, &block) }
  }

  private mutating func endCommitPhase(_ id: Digest, _ block: inout Block) {
    guard let job = open[id] else { return }
    guard !job.isOpened else { return close(id, &block) }
    committing.leave(job.ticket)
    // From the block's own time, not from the deadline: after a stall the builders still get the whole phase.
    let deadline = deadline(after: group.revealSeconds, block)
    let ticket = revealing.join(id, deadlineMilliseconds: deadline)
    open[id]?.phase = .reveal
    open[id]?.deadlineMilliseconds = deadline
    open[id]?.ticket = ticket
    block.events.append(.revealPhase(job: id))
  }

  private func deadline(after seconds: UInt64, _ block: Block) -> UInt64 {
    let (sum, overflow) = block.timeMilliseconds.addingReportingOverflow(seconds * 1000)
    return overflow ? .max : sum
  }

  // MARK: - Verdict

  private mutating func close(_ id: Digest, _ block: inout Block) {
    guard let job = open.removeValue(forKey: id) else { return }
    switch job.phase {
    case .commit: committing.leave(job.ticket)
    case .reveal: revealing.leave(job.ticket)
    }
    shares[job.order.submitter].jobs -= 1
    shares[job.order.submitter].specBytes -= job.order.specBytesCount
    let evidence = evidence(of: job, block)
    let leaf = evidence.encode()
    let index = log.size
    log.append(leafHash: Merkle.leafHash(leaf))
    closed[id] = ClosedJob(index: index, verdict: evidence.verdict, height: block.height)
    block.events.append(
      .verdict(job: id, verdict: evidence.verdict, evidence: evidence, leaf: leaf, index: index))
  }
}
