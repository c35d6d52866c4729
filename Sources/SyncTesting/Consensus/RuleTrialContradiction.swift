import SyncConsensus
import SyncProof

/// What cannot happen while at most f lie: a quorum's word against this replica's own. It stops, and signs no more.
extension RuleTrial {
  /// - Returns: What a replica goes on behind; `nil` for nothing.
  package static func contradictions() throws -> String? {
    let group = try FixtureGroup(replicas: 4)
    let genesis = CertificateOracle(group: group).genesis
    func block(_ view: UInt64, on parent: Certificate, _ entries: [[UInt8]] = []) -> Block {
      Block(
        epoch: group.set.epoch, view: view, height: parent.proposed.height + 1, author: group.set.turn(of: view),
        timeMilliseconds: 100 + view, entries: entries, parentCertificate: parent, timeoutCertificate: nil)
    }
    func certificate(_ block: Block, logRoot: Digest? = nil) -> Certificate {
      let parent = block.parentCertificate.proposed
      let info = BlockInfo(
        epoch: block.epoch, view: block.view, height: block.height, id: block.id, logSize: parent.logSize,
        logRoot: logRoot ?? parent.logRoot)
      let statement = VoteStatement(proposed: info, parent: parent)
      return Certificate(
        proposed: info, parent: parent, commit: statement.commit,
        shares: (0..<3).map {
          Certificate.Share(
            signer: ReplicaIndex(rawValue: UInt16($0)),
            signature: group.keys[$0].sign(statement.signedBytes(chainID: group.chainID)))
        })
    }
    let now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000)
    func replica(hearing blocks: [(Block, Certificate)]) throws -> Replica<AppendLog> {
      var replica = try Replica(configuration: try group.configuration(of: 0), genesis: AppendLog())
      _ = replica.step(.start, now: now)
      for (block, own) in blocks {
        let statement = VoteStatement(proposed: own.proposed, parent: own.parent)
        let signature = group.keys[Int(block.author.rawValue)].sign(statement.signedBytes(chainID: group.chainID))
        let vote = Vote(statement: statement, author: block.author, signature: signature)
        hear(&replica, .proposal(Proposal(block: block, vote: vote)), block.parentCertificate, from: block.author)
      }
      return replica
    }
    func hear(
      _ replica: inout Replica<AppendLog>, _ body: Message.Body, _ certificate: Certificate, from peer: ReplicaIndex
    ) {
      let sync = SyncInfo(highQC: certificate, highTC: nil, finality: nil)
      let message = Message(epoch: group.set.epoch, sync: sync, body: body)
      _ = replica.step(.message(from: peer, message.encode()), now: now)
    }

    let first = block(1, on: genesis)
    let firstQC = certificate(first)
    let peer = ReplicaIndex(rawValue: 1)
    var computed = try replica(hearing: [(first, firstQC)])
    hear(&computed, .status, certificate(first, logRoot: SHA256.hash([1])), from: peer)
    guard computed.halted?.code == .diverged else { return "another outcome of a block is certified" }

    let second = block(2, on: firstQC)
    let secondQC = certificate(second)
    var decided = try replica(hearing: [(first, firstQC), (second, secondQC)])
    hear(&decided, .status, secondQC, from: peer)
    guard decided.halted == nil, decided.head.height == 1 else { return "a block is not decided" }
    let other = block(11, on: genesis, [[1]])
    let above = block(12, on: certificate(other))
    hear(&decided, .status, certificate(above), from: peer)
    guard decided.halted?.code == .diverged else { return "another block is final at a height that is decided" }
    guard decided.step(.submit([[2]]), now: now).isEmpty else { return "a replica that has stopped goes on" }
    return nil
  }

  /// One leader of four draws out each of its views; the timer follows the others'.
  package static func pace() -> String? {
    var pace = ViewPace()
    for view in 0..<16 as Range<UInt16> {
      let leader = ReplicaIndex(rawValue: view % 4)
      pace.note(leader.rawValue == 2 ? 10_000_000_000 : 50_000_000, ledBy: leader)
    }
    let base = pace.base(configured: 100_000_000, faultyMax: 1)
    return base == 200_000_000 ? nil : "a timer of \(base) ns follows one leader"
  }
}
