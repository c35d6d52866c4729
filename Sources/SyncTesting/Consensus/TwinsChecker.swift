import SyncConsensus
import SyncProof

/// ``ConsensusChecker``, and beside it the rules of docs/consensus-protocol.md over everything that an honest replica
/// signs or sends, written apart from the production code's predicates.
package struct TwinsChecker {
  private var base: ConsensusChecker
  private let group: FixtureGroup
  private let faulty: Set<UInt16>
  private var oracle: VoteOracle
  /// By key: the newest parent of a vote, and the newest view of a statement.
  private var locks: [UInt16: UInt64] = [:]
  private var newestVote: [UInt16: UInt64] = [:]
  private var views: [Int: UInt64] = [:]
  private var times: [UInt64] = [0]

  /// How far a decided block's time may be ahead, in milliseconds: ``FixtureGroup``'s configuration has the same.
  static let skewMilliseconds: UInt64 = 5_000

  init(group: FixtureGroup, faulty: Set<UInt16>) {
    self.group = group
    self.faulty = faulty
    base = ConsensusChecker(group: group, faulty: faulty)
    oracle = VoteOracle(group: group)
  }

  package var failure: String? { base.failure }
  package var height: UInt64 { UInt64(base.height) }
  package func isOrdered(_ entry: [UInt8]) -> Bool { base.isOrdered(entry) }
  package mutating func fail(_ message: String) { base.fail(message) }

  mutating func restarted(_ instance: Int) {
    base.restarted(instance)
    views[instance] = 0
  }

  // MARK: What is decided

  /// All that ``ConsensusChecker`` demands, and a time above the parent's that no honest clock was behind.
  mutating func decided(
    _ decided: DecidedBlock<AppendLog>, by instance: Int, isReplay: Bool, wallMilliseconds: UInt64
  ) {
    let isNew = decided.height > height
    base.decided(decided, by: instance, isReplay: isReplay)
    guard isNew, failure == nil, let below = times.last else { return }
    let time = decided.timeMilliseconds
    times.append(time)
    guard time > below else { return fail("the time of height \(decided.height) is not above its parent's") }
    guard time == below + 1 || wallMilliseconds == .max || time <= wallMilliseconds + Self.skewMilliseconds else {
      return fail("the time of height \(decided.height) was ahead of every clock")
    }
  }

  mutating func misbehaved(_ proof: Misbehaviour) { base.misbehaved(proof) }

  /// A life's view never goes back.
  mutating func stands(_ replica: Replica<AppendLog>, instance: Int) {
    let view = replica.currentView
    guard view >= views[instance] ?? 0 else { return fail("instance \(instance) went back to view \(view)") }
    views[instance] = view
  }

  // MARK: What is signed

  mutating func signing(_ request: SigningRequest, index: UInt16, durableSafety: [UInt8]?) {
    base.signing(request, index: index, durableSafety: durableSafety)
    guard !faulty.contains(index), failure == nil else { return }
    switch request.subject {
    case .vote(let statement):
      let view = statement.proposed.view
      guard view >= newestVote[index] ?? 0 else { return fail("replica \(index) votes in view \(view), which is over") }
      newestVote[index] = view
      locks[index] = max(locks[index] ?? 0, statement.parent.view)
      if let problem = oracle.problem(of: statement) { return fail("replica \(index) \(problem)") }
    case .timeout(let content): check(content, by: index)
    }
  }

  private mutating func check(_ content: UnsignedTimeout, by index: UInt16) {
    let seen = content.highQC.proposed.view
    guard seen >= locks[index] ?? 0 else {
      return fail("replica \(index)'s timeout of view \(content.view) hides what it voted on")
    }
    guard newestVote[index] ?? 0 <= content.view else {
      return fail("replica \(index) gives up view \(content.view) after a vote above it")
    }
    let enters = seen + 1 == content.view ? content.lastTC == nil : content.lastTC.map { $0.view + 1 } == content.view
    guard enters, seen < content.view else {
      return fail("replica \(index)'s timeout of view \(content.view) does not show how the view began")
    }
    if let problem = oracle.problem(of: content.highQC) {
      return fail("replica \(index)'s timeout has a certificate that \(problem)")
    }
    if let tc = content.lastTC, let problem = oracle.problem(of: tc) {
      fail("replica \(index)'s timeout has a timeout certificate that \(problem)")
    }
  }

  // MARK: What is sent

  /// Takes note of the blocks that anyone has sent.
  mutating func saw(_ message: Message) { oracle.saw(message) }

  /// Every certificate that an honest replica shows holds, and what it sends is its own.
  mutating func sent(_ message: Message, by index: UInt16) {
    guard message.epoch == group.set.epoch else { return fail("replica \(index) sends a message of another epoch") }
    for certificate in [message.sync.highQC, message.sync.finality] {
      guard let certificate, let problem = oracle.problem(of: certificate) else { continue }
      return fail("replica \(index) shows a certificate that \(problem)")
    }
    if let tc = message.sync.highTC {
      if let problem = oracle.problem(of: tc) {
        return fail("replica \(index) shows a timeout certificate that \(problem)")
      }
      guard tc.view > message.sync.highQC.proposed.view else { return fail("replica \(index) shows what is over") }
    }
    switch message.body {
    case .proposal(let proposal):
      oracle.saw(message)
      if let problem = oracle.problem(of: proposal.vote.statement) { return fail("replica \(index) \(problem)") }
      checkOwn(proposal.vote.author, proposal.vote.signature, proposal.vote.statement, index)
    case .vote(let vote): checkOwn(vote.author, vote.signature, vote.statement, index)
    case .timeout(let timeout):
      guard timeout.author.rawValue == index else { return fail("replica \(index) sends another's timeout") }
      check(timeout.content, by: index)
    case .status, .entries, .fetch, .blocks, .ask, .answer: break
    }
  }

  private mutating func checkOwn(
    _ author: ReplicaIndex, _ signature: Signature, _ statement: VoteStatement, _ index: UInt16
  ) {
    let certificates = oracle.certificates
    let message = certificates.voteBytes(
      statement.proposed, statement.parent, certificates.commit(statement.proposed, statement.parent))
    guard author.rawValue == index, group.keys[Int(index)].publicKey.accepts(signature, on: message) else {
      return fail("replica \(index) sends a vote that is not its own")
    }
  }
}
