import SyncConsensus
import SyncProof

/// ``ConsensusChecker``, and beside it the rules of docs/consensus-protocol.md over everything that an honest replica
/// signs or sends, written apart from the production code's predicates.
package struct TwinsChecker {
  /// What of a block the voting rules look at.
  private struct Header {
    let author: UInt16
    let epoch: UInt64
    let view: UInt64
    let parent: BlockInfo
    let qc: Certificate
    let tc: TimeoutCertificate?
  }

  private var base: ConsensusChecker
  private let group: FixtureGroup
  private let faulty: Set<UInt16>
  private var certificates = CertificateOracle.Cache()
  private let oracle: CertificateOracle
  private var headers: [Digest: Header] = [:]
  private let leaders: LeaderOracle
  /// Who has failed behind each block whose ancestors were all seen.
  private var failed: [Digest: [UInt16]]
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
    oracle = CertificateOracle(group: group)
    leaders = LeaderOracle(count: group.set.count)
    failed = [oracle.genesis.proposed.id: []]
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
      if let header = headers[statement.proposed.id] { check(statement, header, by: index) }
    case .timeout(let content): check(content, by: index)
    }
  }

  private mutating func check(_ statement: VoteStatement, _ header: Header, by index: UInt16) {
    if let problem = problem(of: header) {
      return fail("replica \(index) votes in view \(header.view) for a block which \(problem)")
    }
    guard statement.parent == header.parent, statement.proposed.view == header.view,
      statement.proposed.epoch == group.set.epoch
    else { return fail("replica \(index) votes for another place than its block has") }
  }

  /// V2 and what a block must be, from the published rule.
  private mutating func problem(of header: Header) -> String? {
    guard header.epoch == group.set.epoch else { return "is of epoch \(header.epoch)" }
    if let failed = failed(behind: header.parent.id) {
      guard header.author == leaders.leader(of: header.view, failed: failed) else {
        return "its view's leader did not make"
      }
    } else {
      // An ancestor was never sent: whoever it is, at most f are passed over.
      let behind = (UInt64(header.author) + UInt64(leaders.count) - header.view % UInt64(leaders.count))
      guard behind % UInt64(leaders.count) <= UInt64(leaders.faultyMax) else { return "no leader of its view made" }
    }
    if let problem = oracle.problem(of: header.qc, &certificates) {
      return "has a parent's certificate that \(problem)"
    }
    guard let tc = header.tc else {
      return header.qc.proposed.view + 1 == header.view ? nil : "skips views without a timeout certificate"
    }
    if let problem = oracle.problem(of: tc, &certificates) { return "has a timeout certificate that \(problem)" }
    guard tc.view + 1 == header.view else { return "has another view's timeout certificate" }
    guard tc.shares.allSatisfy({ $0.highQCView <= header.qc.proposed.view }) else {
      return "extends an older block than its view's quorum had seen"
    }
    return header.qc.proposed.view + 1 < header.view ? nil : "explains its view twice"
  }

  /// `nil` where an ancestor was never sent.
  private mutating func failed(behind id: Digest) -> [UInt16]? {
    var path: [(Digest, Header)] = []
    var at = id
    while failed[at] == nil {
      guard let header = headers[at] else { return nil }
      path.append((at, header))
      at = header.parent.id
    }
    for (id, header) in path.reversed() {
      failed[id] = leaders.failed(behind: (header.view, header.qc), failed: failed[header.parent.id] ?? [])
    }
    return failed[id]
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
    if let problem = oracle.problem(of: content.highQC, &certificates) {
      return fail("replica \(index)'s timeout has a certificate that \(problem)")
    }
    if let tc = content.lastTC, let problem = oracle.problem(of: tc, &certificates) {
      fail("replica \(index)'s timeout has a timeout certificate that \(problem)")
    }
  }

  // MARK: What is sent

  /// Takes note of the blocks that anyone has sent.
  mutating func saw(_ message: Message) {
    switch message.body {
    case .proposal(let proposal): note(proposal.block)
    case .blocks(let answer): for block in answer.blocks { note(block) }
    default: break
    }
  }

  private mutating func note(_ block: Block) {
    headers[block.id] = Header(
      author: block.author.rawValue, epoch: block.epoch, view: block.view, parent: block.parentCertificate.proposed,
      qc: block.parentCertificate, tc: block.timeoutCertificate)
  }

  /// Every certificate that an honest replica shows holds, and what it sends is its own.
  mutating func sent(_ message: Message, by index: UInt16) {
    guard message.epoch == group.set.epoch else { return fail("replica \(index) sends a message of another epoch") }
    for certificate in [message.sync.highQC, message.sync.finality] {
      guard let certificate, let problem = oracle.problem(of: certificate, &certificates) else { continue }
      return fail("replica \(index) shows a certificate that \(problem)")
    }
    if let tc = message.sync.highTC {
      if let problem = oracle.problem(of: tc, &certificates) {
        return fail("replica \(index) shows a timeout certificate that \(problem)")
      }
      guard tc.view > message.sync.highQC.proposed.view else { return fail("replica \(index) shows what is over") }
    }
    switch message.body {
    case .proposal(let proposal):
      note(proposal.block)
      guard let header = headers[proposal.block.id] else { return }
      check(proposal.vote.statement, header, by: index)
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
    let message = oracle.voteBytes(
      statement.proposed, statement.parent, oracle.commit(statement.proposed, statement.parent))
    guard author.rawValue == index, group.keys[Int(index)].publicKey.accepts(signature, on: message) else {
      return fail("replica \(index) sends a vote that is not its own")
    }
  }
}
