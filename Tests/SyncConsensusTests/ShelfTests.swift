import SyncProof
import SyncTesting
import Testing

@testable import SyncConsensus

/// Blocks that were voted for in views without a certificate: whoever voted must have them once one shows itself.
@Suite struct ShelfTests {
  private let bench: Workbench
  private let zero = ReplicaIndex(rawValue: 0)
  private var replica: Replica<AppendLog>
  private var disk: [[UInt8]: [UInt8]] = [:]
  private var blocks: [Block] = []

  init() throws {
    bench = try Workbench()
    replica = try bench.replica(3)
    _ = step(.start)
  }

  /// What the effects ask of the disk and of the signer is done, until nothing is left.
  @discardableResult private mutating func step(_ input: Input) -> Flattened {
    let effects = Flattened(replica.step(input, now: noon))
    for record in effects.records { disk[record.key] = record.value }
    for request in effects.signs { step(.signed(request, bench.group.keys[3].sign(request.message))) }
    return effects
  }

  private mutating func say(_ body: Message.Body, _ highQC: Certificate? = nil) -> Flattened {
    step(.message(from: zero, bench.message(body, highQC: highQC)))
  }

  private func loaded(_ request: LoadRequest) throws -> Input {
    let stored = RecoveredRecords(disk.map { (key: $0.key, value: $0.value) })
    return .loaded(request, try stored.scan(request.prefix, request.from, request.limit))
  }

  /// As many views in which this replica votes for the leader's block, and which end without a certificate.
  private mutating func fail(views: Int) {
    var last: TimeoutCertificate?
    for view in 1...UInt64(views) {
      // Where it leads itself it has nothing to propose.
      if bench.group.set.turn(of: view) != replica.own {
        let block = bench.block(view: view, on: bench.genesisQC, tc: last, time: noon.wallMilliseconds - 1)
        blocks.append(block)
        step(.message(from: block.author, bench.message(.proposal(bench.proposal(block)))))
      }
      last = bench.timeoutCertificate(view, highQC: bench.genesisQC, views: [0, 0, 0])
    }
  }

  private func certificate(of block: Block) -> Certificate {
    bench.certificate(bench.outcome(of: block), on: bench.genesis)
  }

  private func isStored(_ block: Block) -> Bool { disk[RecordKey.block(block.id)] != nil }

  @Test(arguments: ["the same life", "another life"])
  mutating func aCertificateThatShowsItselfLateFindsItsBlock(life: String) throws {
    fail(views: 120)
    #expect(blocks.count == 90 && blocks.allSatisfy(isStored))
    if life == "another life" {
      replica = try bench.replica(3, records: disk)
      step(.start)
    }
    #expect(replica.tree.count <= ConsensusLimits.uncertifiedBlocksMax + 2)
    #expect(replica.shelf.count == blocks.count - ConsensusLimits.uncertifiedBlocksMax)
    let first = blocks[0]
    #expect(!replica.tree.contains(first.id) && replica.leader != nil)

    // A peer that has adopted the certificate asks for the block, and gets it.
    let asked = say(
      .fetch(FetchRequest(target: first.id, knownHeight: 0, known: bench.genesis.id, decidedHeight: 0)))
    #expect(asked.loads.count == 1)
    let given = step(try loaded(asked.loads[0]))
    let answers = given.messages.compactMap { if case .blocks(let answer) = $0.body { answer.blocks } else { nil } }
    #expect(answers == [[first]])
    #expect(isStored(first) && replica.tree.count <= ConsensusLimits.uncertifiedBlocksMax + 2)

    // So does this replica, which needs no peer for it.
    let shown = say(.status, certificate(of: first))
    #expect(shown.loads.count == 1 && !shown.messages.contains { if case .fetch = $0.body { true } else { false } })
    step(try loaded(shown.loads[0]))
    #expect(replica.tree.contains(first.id) && replica.leader != nil && replica.halted == nil)
    #expect(isStored(first))
  }

  @Test mutating func theNextCertificateFreesThem() throws {
    fail(views: 120)
    let last = try #require(blocks.last)
    _ = say(.status, certificate(of: last))
    #expect(replica.shelf.isEmpty && replica.tree.contains(last.id))
    // Whatever is written next takes them along.
    let next = bench.block(view: 121, on: certificate(of: last), time: noon.wallMilliseconds)
    step(
      .message(
        from: next.author, bench.message(.proposal(bench.proposal(next, parent: bench.outcome(of: last))))))
    #expect(isStored(next) && isStored(last) && !isStored(blocks[0]))
  }

  @Test mutating func whatCannotBeReadIsAskedFor() throws {
    fail(views: 120)
    let first = blocks[0]
    disk[RecordKey.block(first.id)] = nil
    let shown = say(.status, certificate(of: first))
    #expect(shown.loads.count == 1)
    let after = step(try loaded(shown.loads[0]))
    #expect(after.messages.contains { if case .fetch(let it) = $0.body { it.target == first.id } else { false } })
    step(.message(from: first.author, bench.message(.blocks(FetchAnswer(blocks: [first], certificate: nil)))))
    #expect(replica.tree.contains(first.id) && replica.leader != nil)
  }

  /// Who made the certificate of others' votes has not signed it, and may be the only one who can answer.
  @Test func whoHasNotSignedIsAskedToo() throws {
    let bench = try Workbench(replicas: 7)
    var replica = try bench.replica(6)
    _ = replica.step(.start, now: noon)
    let block = bench.block(view: 1, on: bench.genesisQC)
    var asked: Set<ReplicaIndex> = []
    func note(_ effects: [Effect<AppendLog>]) {
      for case .send(let peer, let bytes) in effects {
        if case .fetch = (try? Message(decoding: bytes))?.body { asked.insert(peer) }
      }
    }
    let shown = bench.message(.status, highQC: bench.certificate(bench.outcome(of: block), on: bench.genesis))
    note(replica.step(.message(from: ReplicaIndex(rawValue: 0), shown), now: noon))
    for round in 1..<7 as Range<UInt64> { note(replica.step(.wakeUp, now: noon.later(milliseconds: 60_000 * round))) }
    #expect(asked == Set(bench.group.set.indices.dropLast()))
  }
}

/// The same for a whole group, which the certificate of a block that nobody has would stop for good.
@Suite struct ShelvedGroupTests {
  private final class Seen {
    var votes: [Vote] = []
  }

  /// Votes are lost, so that no view has a certificate; who has seen the first view's makes one of them, and shows it
  /// behind more views than memory keeps blocks of.
  @Test(arguments: ["in one life", "behind restarts"]) func itGoesOn(when: String) throws {
    var cluster = try Cluster(replicas: 4)
    let seen = Seen()
    cluster.drops = { _, _, message in
      switch message.body {
      case .proposal(let proposal): seen.votes.append(proposal.vote)
      case .vote(let vote):
        seen.votes.append(vote)
        return true
      default: break
      }
      return false
    }
    cluster.submit([1], at: 0)
    cluster.settle(milliseconds: 200_000)
    let views = cluster.replicas.compactMap { $0?.currentView }
    #expect(views.allSatisfy { $0 > UInt64(ConsensusLimits.uncertifiedBlocksMax) * 2 }, "\(views)")
    #expect(cluster.heights == [0, 0, 0, 0])

    let first = try #require(seen.votes.map(\.view).min())
    let votes = seen.votes.filter { $0.view == first }
    let statement = try #require(votes.first?.statement)
    let signers = Dictionary(votes.map { ($0.author, $0.signature) }, uniquingKeysWith: { first, _ in first })
    let shares = signers.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(3).map {
      Certificate.Share(signer: $0.key, signature: $0.value)
    }
    #expect(shares.count == 3 && votes.allSatisfy { $0.statement == statement })
    let held = Certificate(
      proposed: statement.proposed, parent: statement.parent, commit: statement.commit, shares: shares)
    if when == "behind restarts" {
      for index in 0..<4 { cluster.stop(index) }
      for index in 0..<4 { try cluster.start(index) }
      cluster.run()
    }
    for index in 0..<4 { cluster.show(held, to: index) }
    cluster.drops = { _, _, _ in false }
    cluster.settle()
    #expect(cluster.replicas.allSatisfy { $0?.state.logSize == 1 && $0?.halted == nil && $0?.nextWakeUp == nil })
    // On top of the block whose certificate was held back, and of no other.
    #expect(cluster.decided.allSatisfy { $0.contains(held.proposed.id) })
  }
}

/// Contradictions of which one half stands in a certificate alone.
@Suite struct CertificateContradictionTests {
  private let bench: Workbench
  private var replica: Replica<AppendLog>

  init() throws {
    bench = try Workbench()
    replica = try bench.replica(3)
    _ = replica.step(.start, now: noon)
  }

  private mutating func say(
    _ body: Message.Body, _ highQC: Certificate, _ tc: TimeoutCertificate? = nil, from peer: UInt16 = 1
  ) {
    let sync = SyncInfo(highQC: highQC, highTC: tc, finality: nil)
    _ = replica.step(
      .message(from: ReplicaIndex(rawValue: peer), Message(epoch: 1, sync: sync, body: body).encode()), now: noon)
  }

  private func expect(_ kind: Misbehaviour.Kind, by offender: UInt16) {
    #expect(replica.misbehaviours.map(\.kind) == [kind])
    #expect(replica.misbehaviours.map(\.offender.rawValue) == [offender])
    #expect(replica.misbehaviours.allSatisfy { $0.isProven(chainID: bench.group.chainID, set: bench.group.set) })
  }

  /// The leader shows one block to this replica and another one to all others.
  @Test(arguments: ["proposal first", "certificate first"])
  mutating func aProposalBesideTheCertificateOfAnother(order: String) {
    let shown = Message.Body.proposal(bench.proposal(bench.block(view: 1, on: bench.genesisQC)))
    let certified = bench.certificate(
      bench.outcome(of: bench.block(view: 1, on: bench.genesisQC, time: 999)), on: bench.genesis, by: [0, 1, 2])
    if order == "proposal first" { say(shown, bench.genesisQC) }
    say(.status, certified)
    if order == "certificate first" { say(shown, bench.genesisQC) }
    expect(.proposals, by: 1)
  }

  @Test mutating func aVoteBesideTheCertificateOfAnotherBlock() {
    let other = bench.info(view: 1, height: 1, salt: 9)
    say(.vote(bench.vote(other, on: bench.genesis, by: 2)), bench.genesisQC, from: 2)
    say(.status, bench.certificate(bench.info(view: 1, height: 1), on: bench.genesis, by: [0, 1, 2]))
    expect(.votes, by: 2)
  }

  @Test mutating func aTimeoutBesideTheCertificateWithAnother() {
    let first = bench.timeoutCertificate(1, highQC: bench.genesisQC, views: [0, 0, 0])
    say(.timeout(bench.timeout(2, bench.genesisQC, first, by: 2)), bench.genesisQC, from: 2)
    let higher = bench.certificate(bench.info(view: 1, height: 1), on: bench.genesis, by: [0, 1, 2])
    say(.status, higher, bench.timeoutCertificate(2, highQC: higher, views: [1, 1, 1]))
    expect(.timeouts, by: 2)
  }

  /// The same statement twice is none.
  @Test mutating func aVoteThatIsInTheCertificateToo() {
    let info = bench.info(view: 1, height: 1)
    for author in [2, 1] as [UInt16] {
      say(.vote(bench.vote(info, on: bench.genesis, by: Int(author))), bench.genesisQC, from: author)
    }
    say(.status, bench.certificate(info, on: bench.genesis, by: [0, 1, 2]))
    say(.vote(bench.vote(info, on: bench.genesis, by: 0)), bench.genesisQC, from: 0)
    #expect(replica.misbehaviours.isEmpty && replica.currentView == 2)
  }
}
