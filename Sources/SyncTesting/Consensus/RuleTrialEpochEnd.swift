import SyncConsensus
import SyncProof

/// A state that goes on wanting and taking entries behind its epoch's end: only the consensus' own rules hold it back.
private struct StubbornLog: StateMachine {
  private var log = AppendLog()
  private(set) var nextSetHash: Digest?

  var logSize: UInt64 { log.logSize }
  var logRoot: Digest { log.logRoot }
  var nextDeadlineMilliseconds: UInt64? { nextSetHash == nil ? nil : 1_500 }
  /// What is refused here stays so.
  func mayAdmitLater(_ entry: [UInt8]) -> Bool { false }

  func admits(_ entry: [UInt8]) -> Bool { !entry.isEmpty }

  mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [AppendLog.Event] {
    if entries.contains(RuleTrial.end) { nextSetHash = SHA256.hash(RuleTrial.end) }
    // An empty block would change it too.
    let all = entries + [[0, UInt8(truncatingIfNeeded: height)]]
    return log.apply(entries: all, height: height, timeMilliseconds: timeMilliseconds)
  }
}

extension RuleTrial {
  fileprivate static let end: [UInt8] = Array("end".utf8)

  /// A replica that has a certified block with the epoch's end, and what is proposed on top of it.
  ///
  /// - Returns: What it should not have done, or left undone; `nil` for neither.
  package static func epochEnd() throws -> String? {
    guard try votes(entries: [], changesState: false) else { return "an empty block behind the end gets no vote" }
    if try votes(entries: [[7]], changesState: false) { return "a block with entries behind the end gets a vote" }
    if try votes(entries: [[7]], changesState: true) { return "entries behind the end are applied" }
    if try votes(entries: [], changesState: true) { return "an empty block behind the end changes the state" }
    return try rests()
  }

  /// The group at the end of its first block, and the same state from scratch.
  private struct Ended {
    let group: FixtureGroup
    let block: Block
    let info: BlockInfo
    let certificate: Certificate
    let state: StubbornLog

    init() throws {
      group = try FixtureGroup(replicas: 4)
      let genesis = CertificateOracle(group: group).genesis
      let leader = group.set.turn(of: 1)
      block = Block(
        epoch: group.set.epoch, view: 1, height: 1, author: leader, timeMilliseconds: 1_000, entries: [RuleTrial.end],
        parentCertificate: genesis, timeoutCertificate: nil)
      var state = StubbornLog()
      _ = state.apply(entries: block.entries, height: 1, timeMilliseconds: 1_000)
      info = BlockInfo(
        epoch: group.set.epoch, view: 1, height: 1, id: block.id, logSize: state.logSize, logRoot: state.logRoot,
        nextSetHash: state.nextSetHash)
      self.state = state
      certificate = Ended.certificate(VoteStatement(proposed: info, parent: genesis.proposed), group)
    }

    static func certificate(_ statement: VoteStatement, _ group: FixtureGroup) -> Certificate {
      Certificate(
        proposed: statement.proposed, parent: statement.parent, commit: statement.commit,
        shares: (0..<3).map {
          Certificate.Share(
            signer: ReplicaIndex(rawValue: UInt16($0)),
            signature: group.keys[$0].sign(statement.signedBytes(chainID: group.chainID)))
        })
    }

    /// A block on top of the end with what its leader says of it.
    func proposal(_ entries: [[UInt8]], changesState: Bool) -> Proposal {
      let leader = group.set.turn(of: 2)
      let next = Block(
        epoch: group.set.epoch, view: 2, height: 2, author: leader, timeMilliseconds: 2_000, entries: entries,
        parentCertificate: certificate, timeoutCertificate: nil)
      var after = state
      if changesState { _ = after.apply(entries: entries, height: 2, timeMilliseconds: 2_000) }
      let info = BlockInfo(
        epoch: group.set.epoch, view: 2, height: 2, id: next.id, logSize: after.logSize, logRoot: after.logRoot,
        nextSetHash: after.nextSetHash)
      let statement = VoteStatement(proposed: info, parent: self.info)
      let signature = group.keys[Int(leader.rawValue)].sign(statement.signedBytes(chainID: group.chainID))
      return Proposal(block: next, vote: Vote(statement: statement, author: leader, signature: signature))
    }

    /// The replica that leads neither of the two views, with the first block.
    func replica(_ now: Instant) throws -> Replica<StubbornLog> {
      var replica = try Replica(configuration: try group.configuration(of: 0), genesis: StubbornLog())
      _ = replica.step(.start, now: now)
      let statement = VoteStatement(proposed: info, parent: block.parentCertificate.proposed)
      let signature = group.keys[Int(block.author.rawValue)].sign(statement.signedBytes(chainID: group.chainID))
      let vote = Vote(statement: statement, author: block.author, signature: signature)
      let sync = SyncInfo(highQC: block.parentCertificate, highTC: nil, finality: nil)
      _ = replica.step(
        .message(from: block.author, message(.proposal(Proposal(block: block, vote: vote)), sync)), now: now)
      return replica
    }

    func message(_ body: Message.Body, _ sync: SyncInfo) -> [UInt8] {
      Message(epoch: group.set.epoch, sync: sync, body: body).encode()
    }
  }

  private static func votes(entries: [[UInt8]], changesState: Bool) throws -> Bool {
    let ended = try Ended()
    let now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 2_000)
    var replica = try ended.replica(now)
    let proposal = ended.proposal(entries, changesState: changesState)
    let sync = SyncInfo(highQC: ended.certificate, highTC: nil, finality: nil)
    let effects = replica.step(
      .message(from: proposal.block.author, ended.message(.proposal(proposal), sync)), now: now)
    return effects.contains(where: isSigning)
  }

  /// The end is decided, and entries wait that the state would take: nothing is wanted any more.
  private static func rests() throws -> String? {
    let ended = try Ended()
    let now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_200)
    var replica = try ended.replica(now)
    let proposal = ended.proposal([], changesState: false)
    let decides = Ended.certificate(proposal.vote.statement, ended.group)
    let sync = SyncInfo(highQC: decides, highTC: nil, finality: nil)
    let peer = proposal.block.author
    _ = replica.step(.message(from: peer, ended.message(.proposal(proposal), sync)), now: now)
    guard replica.nextSetHash != nil, replica.head == ended.info else { return "the epoch's end is not decided" }
    _ = replica.step(.submit([[9]]), now: now)
    if let at = replica.nextWakeUp { return "a replica waits for \(at) in an epoch that is over" }
    return nil
  }

  private static func isSigning<State>(_ effect: Effect<State>) -> Bool {
    switch effect {
    case .sign: true
    case .persist(_, let then): then.contains(where: isSigning)
    default: false
    }
  }
}
