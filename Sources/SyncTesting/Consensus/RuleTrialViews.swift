import SyncConsensus
import SyncProof

/// How a view ends that nobody certifies: whose timeouts are joined, and how long the timer runs; and which blocks are
/// taken from who is asked for them.
extension RuleTrial {
  /// The base of ``FixtureGroup``'s timeouts, nanoseconds.
  static let base: UInt64 = 100_000_000
  static let start = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000)

  /// One replica that nothing has happened to yet, and what its peers say.
  struct Stage {
    let group: FixtureGroup
    let oracle: CertificateOracle
    let own = ReplicaIndex(rawValue: 0)
    var replica: Replica<AppendLog>

    init(baseNanoseconds: UInt64 = RuleTrial.base) throws {
      group = try FixtureGroup(replicas: 4)
      oracle = CertificateOracle(group: group)
      replica = try Replica(
        configuration: try group.configuration(of: Int(own.rawValue), timeoutBaseNanoseconds: baseNanoseconds),
        genesis: AppendLog())
      _ = replica.step(.start, now: RuleTrial.start)
    }

    /// What a quorum has given up that had seen no certificate.
    func timeoutCertificate(_ view: UInt64) -> TimeoutCertificate {
      TimeoutCertificate(
        epoch: group.set.epoch, view: view, highQC: oracle.genesis,
        shares: (0..<3).map {
          TimeoutCertificate.Share(
            signer: ReplicaIndex(rawValue: UInt16($0)), highQCView: 0,
            signature: group.keys[$0].sign(oracle.timeoutBytes(view, highQCView: 0)))
        })
    }

    mutating func hear(
      _ body: Message.Body, from peer: UInt16, highQC: Certificate? = nil, highTC: TimeoutCertificate? = nil,
      at now: Instant = RuleTrial.start
    ) -> [Effect<AppendLog>] {
      let sync = SyncInfo(highQC: highQC ?? oracle.genesis, highTC: highTC, finality: nil)
      let message = Message(epoch: group.set.epoch, sync: sync, body: body)
      return replica.step(.message(from: ReplicaIndex(rawValue: peer), message.encode()), now: now)
    }

    /// - Returns: Whether the replica gives the view up as well.
    mutating func hearTimeout(_ view: UInt64, lastTC: TimeoutCertificate?, from peer: UInt16) -> Bool {
      let content = UnsignedTimeout(view: view, highQC: oracle.genesis, lastTC: lastTC)
      let signature = group.keys[Int(peer)].sign(oracle.timeoutBytes(view, highQCView: 0))
      let timeout = Timeout(content: content, author: ReplicaIndex(rawValue: peer), signature: signature)
      return hear(.timeout(timeout), from: peer).contains(where: RuleTrial.givesUp)
    }

    /// An empty block on top of another, as its leader proposes it, and the certificate that it gets.
    func propose(
      _ view: UInt64, on parent: Certificate, after tc: TimeoutCertificate? = nil, time: UInt64? = nil
    ) -> (Proposal, Certificate) {
      let leader = group.set.turn(of: view)
      let block = Block(
        epoch: group.set.epoch, view: view, height: parent.proposed.height + 1, author: leader,
        timeMilliseconds: time ?? 100 + view, entries: [], parentCertificate: parent, timeoutCertificate: tc)
      let info = BlockInfo(
        epoch: group.set.epoch, view: view, height: block.height, id: block.id, logSize: parent.proposed.logSize,
        logRoot: parent.proposed.logRoot)
      let statement = VoteStatement(proposed: info, parent: parent.proposed)
      let message = oracle.voteBytes(info, parent.proposed, oracle.commit(info, parent.proposed))
      let signature = group.keys[Int(leader.rawValue)].sign(message)
      let proposal = Proposal(block: block, vote: Vote(statement: statement, author: leader, signature: signature))
      let certificate = Certificate(
        proposed: info, parent: parent.proposed, commit: statement.commit,
        shares: (0..<3).map {
          Certificate.Share(signer: ReplicaIndex(rawValue: UInt16($0)), signature: group.keys[$0].sign(message))
        })
      return (proposal, certificate)
    }

    mutating func hearBlock(_ view: UInt64, on parent: Certificate) -> Certificate {
      let (proposal, certificate) = propose(view, on: parent)
      _ = hear(.proposal(proposal), from: proposal.block.author.rawValue, highQC: parent)
      return certificate
    }

    /// Nanoseconds until the timer of a view in which something waits.
    mutating func wait(at now: Instant = RuleTrial.start) -> UInt64? {
      _ = replica.step(.submit([[1]]), now: now)
      return replica.nextWakeUp.map { $0 - now.monotonicNanoseconds }
    }
  }

  private static func givesUp(_ effect: Effect<AppendLog>) -> Bool {
    switch effect {
    case .sign(let request):
      if case .timeout = request.subject { return true }
      return false
    case .persist(_, let then): return then.contains(where: givesUp)
    default: return false
    }
  }

  // MARK: Timeouts of others

  /// One timeout may be a liar's; two of four hold an honest one. Only those count that show how the view began.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func joins() throws -> String? {
    var first = try Stage()
    if first.hearTimeout(1, lastTC: nil, from: 1) { return "a single timeout is joined" }
    if first.hearTimeout(1, lastTC: nil, from: 1) { return "a timeout that is sent twice is joined" }
    guard first.hearTimeout(1, lastTC: nil, from: 2) else { return "two timeouts are not joined" }

    var second = try Stage()
    let tc = second.timeoutCertificate(1)
    _ = second.hear(.status, from: 1, highTC: tc)
    guard second.replica.currentView == 2 else { return "a timeout certificate leads nowhere" }
    if second.hearTimeout(2, lastTC: nil, from: 1) || second.hearTimeout(2, lastTC: tc, from: 2) {
      return "a timeout counts that does not show how its view began"
    }
    guard second.hearTimeout(2, lastTC: tc, from: 3) else { return "two timeouts of a later view are not joined" }
    return nil
  }

  // MARK: The timer

  /// base * 1.5^min(max(k - 2, 0), 6), at most a minute, k views behind the last decided block's; whole in each view.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func timer() throws -> String? {
    for (view, halves) in [(1, 0), (2, 0), (3, 1), (4, 2), (8, 6), (9, 6), (40, 6)] as [(UInt64, Int)] {
      var stage = try Stage()
      if view > 1 { _ = stage.hear(.status, from: 1, highTC: stage.timeoutCertificate(view - 1)) }
      let wanted = (0..<halves).reduce(base) { time, _ in time * 3 / 2 }
      let waits = stage.wait()
      guard waits == wanted else { return "view \(view) waits \(waits ?? 0) ns; \(wanted) are right" }
    }
    var slow = try Stage(baseNanoseconds: 30_000_000_000)
    _ = slow.hear(.status, from: 1, highTC: slow.timeoutCertificate(11))
    guard slow.wait() == 60_000_000_000 else { return "a view waits for more than a minute" }

    var decided = try Stage()
    var qc = decided.oracle.genesis
    for view in 1...3 as ClosedRange<UInt64> { qc = decided.hearBlock(view, on: qc) }
    _ = decided.hear(.status, from: 1, highQC: qc)
    guard decided.replica.head.view == 2, decided.replica.currentView == 4 else { return "nothing is decided" }
    guard decided.wait() == base else { return "a view behind a decision waits for longer than the first" }

    var next = try Stage()
    _ = next.wait()
    let later = Instant(monotonicNanoseconds: start.monotonicNanoseconds + base / 2, wallMilliseconds: 1_050)
    _ = next.hear(.status, from: 1, highTC: next.timeoutCertificate(1), at: later)
    guard next.replica.nextWakeUp == later.monotonicNanoseconds + base else {
      return "a view does not begin with all of its time"
    }
    return nil
  }

  // MARK: Who is behind

  /// A peer that says by its status that it is in an earlier view is shown the certificates, and one that is not, not.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func helps() throws -> String? {
    var stage = try Stage()
    let tc = stage.timeoutCertificate(4)
    _ = stage.hear(.status, from: 1, highTC: tc)
    func isHelped(_ effects: [Effect<AppendLog>]) -> Bool {
      effects.contains { effect in
        guard case .send(let peer, let bytes) = effect, let message = try? Message(decoding: bytes) else {
          return false
        }
        return peer.rawValue == 2 && message.sync.highTC == tc
      }
    }
    if isHelped(stage.hear(.status, from: 2, highTC: tc)) { return "a peer that is not behind is helped" }
    guard isHelped(stage.hear(.status, from: 2)) else { return "a peer that is behind is not helped" }
    if isHelped(stage.hear(.status, from: 2)) { return "a peer is helped twice at once" }
    return nil
  }

  // MARK: Fetched blocks

  /// What is fetched need not be signed: it is bound to a certificate by its hashes.
  ///
  /// - Returns: What is taken or refused wrongly; `nil` for nothing.
  package static func fetches() throws -> String? {
    let (first, second, forged) = try chain()
    let stranger = Block(
      epoch: first.0.epoch, view: forged.view + 1, height: 1, author: first.0.author, timeMilliseconds: 101,
      entries: [], parentCertificate: forged, timeoutCertificate: nil)
    let rows: [(name: String, blocks: [Block], certificate: Certificate?, height: UInt64)] = [
      ("a chain", [first.0, second.0], nil, 1),
      ("a stranger before the block that is wanted", [stranger, second.0], nil, 0),
      ("a stranger with another's certificate", [stranger], second.1, 0),
      ("a chain that stands nowhere", [second.0], nil, 0),
    ]
    for row in rows {
      var stage = try Stage()
      let effects = stage.hear(.status, from: 1, highQC: second.1)
      let asked = effects.compactMap { effect -> UInt16? in
        guard case .send(let peer, let bytes) = effect, let message = try? Message(decoding: bytes),
          case .fetch = message.body
        else { return nil }
        return peer.rawValue
      }
      guard let peer = asked.first else { return "a missing block is not asked for" }
      let answer = FetchAnswer(blocks: row.blocks, certificate: row.certificate)
      _ = stage.hear(.blocks(answer), from: peer, highQC: second.1)
      if let why = stage.replica.halted { return "\(row.name) halts a replica: \(why)" }
      guard stage.replica.currentView == 3, stage.replica.head.height == row.height else {
        return "\(row.name) leads to height \(stage.replica.head.height) and view \(stage.replica.currentView)"
      }
    }
    return nil
  }

  /// Two blocks with their certificates, the second of which makes the first final; and a certificate that nobody has
  /// signed, about the block below them in a far view.
  private static func chain() throws -> ((Block, Certificate), (Block, Certificate), forged: Certificate) {
    let stage = try Stage()
    let (first, firstQC) = stage.propose(1, on: stage.oracle.genesis)
    let (second, secondQC) = stage.propose(2, on: firstQC)
    let below = stage.oracle.genesis.proposed
    let far = BlockInfo(
      epoch: below.epoch, view: 100, height: below.height, id: below.id, logSize: below.logSize, logRoot: below.logRoot)
    let forged = Certificate(proposed: far, parent: below, commit: nil, shares: [])
    return ((first.block, firstQC), (second.block, secondQC), forged)
  }
}
