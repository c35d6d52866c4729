import SyncConsensus
import SyncLedger
import SyncProof

/// What must hold of jobs, verdicts and the log, written apart from the ledger's own counting.
struct EvidenceChecker {
  private struct Work: Hashable {
    let job: Digest
    let builder: Text
  }

  private let group: Group
  /// Builders that run twice, which contradict themselves.
  private let faulty: Set<Text>
  /// By height, from 1 on: every replica must see the same events, evidence and leaves included.
  private var events: [[LedgerEvent]] = []
  private var leafHashes: [Digest] = []
  /// Of this epoch.
  private(set) var newLeaves: [[UInt8]] = []
  /// The signed bytes of every opening that a builder has stored, and whether one stored an abstention.
  private var made: [Work: Set<[UInt8]>] = [:]
  private var abstained: Set<Work> = []
  private var ordered: Set<Digest> = []
  private(set) var closed: Set<Digest> = []
  private(set) var verdicts: [Verdict] = []
  /// Members and kinds of which the log has a record.
  private(set) var accusations: Set<String> = []
  /// The group of the next epoch, once this one is over.
  private(set) var over: Group?

  init(group: Group, faulty: Set<Text>) { (self.group, self.faulty) = (group, faulty) }

  /// Of the next epoch: the log goes on, and what was ordered is not ordered again.
  init(group: Group, after former: EvidenceChecker, faulty: Set<Text>) {
    (self.group, self.faulty) = (group, faulty)
    (leafHashes, ordered, closed) = (former.leafHashes, former.ordered, former.closed)
  }

  var leaves: Int { leafHashes.count }
  var openJobs: Int { ordered.count - closed.count }
  func isOrdered(_ job: Digest) -> Bool { ordered.contains(job) }

  /// A builder has an outcome and stores it; from here on it may commit to it.
  mutating func stores(_ reveal: Reveal) {
    made[Work(job: reveal.job, builder: reveal.builder), default: []].insert(reveal.signedBytes())
  }

  mutating func storesAbstention(from job: Digest, by builder: Text) {
    abstained.insert(Work(job: job, builder: builder))
  }

  /// - Parameter log: The instance's own tree after the block, made of the leaves that it saw.
  /// - Returns: What does not hold.
  mutating func decided(_ decided: DecidedBlock<SimulatedLedger>, log: MerkleFrontier) -> String? {
    let height = Int(decided.height)
    guard log.size == decided.info.logSize, log.root == decided.info.logRoot else {
      return "the tree of the leaves up to height \(height) is not the one that was voted for"
    }
    if height <= events.count {
      return events[height - 1] == decided.events ? nil : "height \(height) did something else elsewhere"
    }
    guard height == events.count + 1 else { return "height \(height) came before \(events.count + 1)" }
    events.append(decided.events)
    if over != nil, !decided.events.isEmpty { return "something happened behind the epoch's end" }
    for event in decided.events {
      if let problem = take(event, decided) { return problem }
    }
    guard decided.info.logSize == UInt64(leafHashes.count), decided.info.logRoot == root(leafHashes[...]) else {
      return "the root at height \(height) is not that of its \(leafHashes.count) leaves"
    }
    return nil
  }

  private mutating func take(_ event: LedgerEvent, _ decided: DecidedBlock<SimulatedLedger>) -> String? {
    switch event {
    case .ordered(let job, let spec, _):
      guard job == SHA256.hash(spec.encode()), ordered.insert(job).inserted else { return "job \(job) came twice" }
    case .verdict(let job, let verdict, let evidence, let leaf, let index):
      guard ordered.contains(job), closed.insert(job).inserted else { return "a verdict on no open job" }
      guard index == UInt64(leafHashes.count) else { return "leaf \(index) stands where \(leafHashes.count) belongs" }
      append(leaf)
      verdicts.append(verdict)
      if evidence.jobID != job || evidence.verdict != verdict { return "evidence about something else" }
      if evidence.height != decided.height || evidence.timeMilliseconds != decided.timeMilliseconds {
        return "evidence of another block"
      }
      guard let again = try? Evidence(parsing: leaf), again == evidence else {
        return "a leaf that is not its evidence"
      }
      return problem(of: evidence)
    case .misbehaviour(let proof):
      if !faulty.contains(proof.builder) { return "honest builder \(proof.builder.string) was accused" }
    case .misbehaviourLogged(let record, let leaf, let index):
      guard index == UInt64(leafHashes.count) else { return "leaf \(index) stands where \(leafHashes.count) belongs" }
      append(leaf)
      guard faulty.contains(record.member) else { return "honest member \(record.member.string) was accused" }
      guard accusations.insert("\(record.member.string) \(record.kind.rawValue)").inserted else {
        return "\(record.member.string) was accused of \(record.kind.rawValue) twice"
      }
      guard (try? MisbehaviourRecord(parsing: leaf)) == record, AccusationJudge.isProven(record, group) else {
        return "a leaf accuses \(record.member.string) and proves nothing"
      }
    case .wrongOpening(_, let builder), .doubleCommitment(_, let builder):
      if !faulty.contains(builder) { return "honest builder \(builder.string) contradicts itself" }
    case .committed(let job, let builder):
      if made[Work(job: job, builder: builder)] == nil { return "\(builder.string) committed to nothing that it made" }
    case .abstained(let job, let builder):
      if !abstained.contains(Work(job: job, builder: builder)) { return "\(builder.string) did not abstain" }
    case .epochEnded(let next, let leaf, let index):
      guard over == nil, openJobs == 0 else { return "the epoch ended twice, or with \(openJobs) open jobs" }
      guard index == UInt64(leafHashes.count) else { return "leaf \(index) stands where \(leafHashes.count) belongs" }
      append(leaf)
      over = next
      return problem(ofHandover: leaf, to: next)
    case .revealPhase, .revealed, .proposed, .approved, .epochEnding, .refused: break
    }
    return nil
  }

  private mutating func append(_ leaf: [UInt8]) {
    leafHashes.append(SHA256.hash([0] + leaf))
    newLeaves.append(leaf)
  }

  /// Enough members of this epoch signed what the leaf says, counted from scratch.
  private func problem(ofHandover leaf: [UInt8], to next: Group) -> String? {
    guard let handover = try? Handover(parsing: leaf), handover.encode() == leaf else {
      return "a leaf that is no hand-over"
    }
    guard handover.group == group.origin, handover.epoch == group.epoch, next.epoch == group.epoch + 1,
      handover.policy == next.policy()
    else { return "a hand-over to another group than the one of the next epoch" }
    let text = handover.policy.encode()
    var signers: Set<Text> = []
    for approval in handover.approvals {
      let bytes = Handover.signedBytes(
        group: group.origin, epoch: group.epoch, policy: SHA256.hash(text), builder: approval.builder)
      guard let key = group.member(named: approval.builder)?.builderKey, key.accepts(approval.signature, on: bytes)
      else { return "\(approval.builder.string) did not sign the hand-over" }
      signers.insert(approval.builder)
    }
    let count = group.members.count
    return signers.count >= max(count - (count - 1) / 3, group.reproducers) ? nil : "\(signers.count) approvals"
  }

  /// The evidence names each member once, with what it really made; its verdict is that of a count from scratch.
  private func problem(of evidence: Evidence) -> String? {
    guard evidence.builders.map(\.name) == group.members.map(\.name) else { return "evidence without some member" }
    guard evidence.group == group.origin, evidence.epoch == group.epoch, evidence.reproducers == group.reproducers
    else { return "evidence of another group" }
    var counts = [Int](repeating: 0, count: evidence.outcomes.count)
    for (line, member) in zip(evidence.builders, group.members) {
      let work = Work(job: evidence.jobID, builder: line.name)
      switch line {
      case .revealed(let name, let outcome, let nonce, let statement, let signature):
        guard counts.indices.contains(outcome) else { return "an outcome that is not listed" }
        counts[outcome] += 1
        let bytes = Reveal.signedBytes(
          group: evidence.group, job: evidence.jobID, builder: name, outcome: evidence.outcomes[outcome].digest,
          nonce: nonce, statement: statement)
        guard made[work]?.contains(bytes) == true else { return "an outcome that \(name.string) did not make" }
        guard member.builderKey.accepts(signature, on: bytes) else { return "\(name.string) did not sign its outcome" }
      case .absent(let name, .sandboxFault):
        if !abstained.contains(work) { return "\(name.string) did not abstain" }
      case .absent(let name, .noReveal):
        if made[work] == nil { return "\(name.string) committed to nothing that it made" }
      case .absent(let name, .wrongOpening):
        if !faulty.contains(name) { return "\(name.string) opened nothing wrongly" }
      case .absent(_, .noCommitment): break
      }
    }
    guard !counts.contains(0) else { return "an outcome that nobody has" }
    return evidence.verdict == verdict(counts, evidence) ? nil : "\(evidence.verdict) is not what the builders say"
  }

  private func verdict(_ counts: [Int], _ evidence: Evidence) -> Verdict {
    guard let most = counts.max() else { return .inconclusive }
    let leaders = counts.indices.filter { counts[$0] == most }
    if leaders.count == 1, most >= group.reproducers {
      return evidence.outcomes[leaders[0]].outcome?.isBuilt == true ? .reproduced : .failed
    }
    return counts.count > 1 ? .diverged : .inconclusive
  }

  /// RFC 6962 §2.1, by its recursion.
  private func root(_ leaves: ArraySlice<Digest>) -> Digest {
    guard let first = leaves.first else { return SHA256.hash([]) }
    guard leaves.count > 1 else { return first }
    var left = 1
    while left * 2 < leaves.count { left *= 2 }
    let split = leaves.startIndex + left
    return SHA256.hash([1] + root(leaves[..<split]).bytes + root(leaves[split...]).bytes)
  }
}
