import SyncConsensus
import SyncProof
import SyncTesting
import Testing

/// One replica, spoken to by hand.
@Suite struct ReplicaTests {
  let bench: Workbench
  private let zero = ReplicaIndex(rawValue: 0)
  private let one = ReplicaIndex(rawValue: 1)
  private let two = ReplicaIndex(rawValue: 2)

  init() throws { bench = try Workbench() }

  private func sign(_ request: SigningRequest, _ index: Int) -> Input {
    .signed(request, bench.group.keys[index].sign(request.message))
  }

  private func apply(_ records: [StoredRecord], to disk: inout [[UInt8]: [UInt8]]) {
    for record in records { disk[record.key] = record.value }
  }

  @Test func aVoteIsDurableBeforeItIsSignedAndSignedBeforeItIsSent() throws {
    var replica = try bench.replica(3)
    let block = bench.block(view: 1, on: bench.genesisQC, entries: [[1]])
    let asked = Flattened(
      replica.step(.message(from: one, bench.message(.proposal(bench.proposal(block)))), now: noon))
    #expect(asked.signs.count == 1 && asked.bareSigns == 0 && asked.votes.isEmpty)
    let keys = asked.records.map(\.key)
    #expect(
      keys.contains([UInt8(ascii: "s")]) && keys.contains([UInt8(ascii: "b"), UInt8(ascii: "/")] + block.id.bytes))
    let sent = Flattened(replica.step(sign(asked.signs[0], 3), now: noon))
    #expect(sent.votes.map(\.statement.proposed.id) == [block.id])
    #expect(sent.signs.isEmpty)
  }

  @Test(arguments: [
    "valid", "other leader", "skipped view", "false outcome", "bad signature", "other epoch", "time ahead",
    "time of the parent", "entry twice",
  ])
  func proposals(name: String) throws {
    var replica = try bench.replica(3)
    var block = bench.block(view: 1, on: bench.genesisQC, entries: [[1]])
    if name == "skipped view" { block = bench.block(view: 2, on: bench.genesisQC) }
    if name == "time ahead" { block = bench.block(view: 1, on: bench.genesisQC, time: noon.wallMilliseconds + 5_001) }
    if name == "time of the parent" { block = bench.block(view: 1, on: bench.genesisQC, time: 0) }
    if name == "entry twice" { block = bench.block(view: 1, on: bench.genesisQC, entries: [[1], [1]]) }
    var proposal = bench.proposal(block)
    if name == "false outcome" {
      let told = BlockInfo(
        epoch: 1, view: 1, height: 1, id: block.id, logSize: 7, logRoot: proposal.vote.statement.proposed.logRoot)
      proposal = Proposal(block: block, vote: bench.vote(told, on: bench.genesis, by: 1))
    }
    if name == "bad signature" {
      let vote = bench.vote(bench.outcome(of: block), on: bench.genesis, by: 2)
      proposal = Proposal(block: block, vote: Vote(statement: vote.statement, author: one, signature: vote.signature))
    }
    let epoch: UInt64 = name == "other epoch" ? 2 : 1
    let from = name == "other leader" ? two : name == "skipped view" ? two : one
    let effects = Flattened(
      replica.step(.message(from: from, bench.message(.proposal(proposal), epoch: epoch)), now: noon))
    #expect(effects.signs.count == (name == "valid" ? 1 : 0))
  }

  @Test(arguments: [(UInt8(2), 1), (1, 0)])
  func aBlockOfEntriesThatTheStateDoesNotAdmitGetsNoVote(entry: UInt8, signs: Int) throws {
    var replica = try bench.replica(3)
    let first = bench.block(view: 1, on: bench.genesisQC, entries: [[1]])
    _ = replica.step(.message(from: one, bench.message(.proposal(bench.proposal(first)))), now: noon)
    let info = bench.outcome(of: first)
    let qc = bench.certificate(info, on: bench.genesis)
    var state = AppendLog()
    _ = state.apply(entries: first.entries, height: 1, timeMilliseconds: first.timeMilliseconds)
    let second = bench.block(view: 2, on: qc, entries: [[entry]], time: first.timeMilliseconds + 1)
    let proposal = bench.proposal(second, parent: info, on: state)
    let effects = Flattened(
      replica.step(.message(from: two, bench.message(.proposal(proposal), highQC: qc)), now: noon))
    #expect(effects.signs.count == signs)
  }

  @Test func aVotedBlocksEntriesAreNotForgottenByARestart() throws {
    var replica = try bench.replica(3)
    let block = bench.block(view: 1, on: bench.genesisQC, entries: [[1]])
    var disk: [[UInt8]: [UInt8]] = [:]
    apply(
      Flattened(
        replica.step(.message(from: one, bench.message(.proposal(bench.proposal(block)))), now: noon)
      ).records, to: &disk)
    let restarted = try bench.replica(3, records: disk)
    #expect(restarted.poolCount == 1)
    // Without what was signed, the rest is not to be trusted.
    disk[[UInt8(ascii: "s")]] = nil
    #expect(throws: ConsensusError(.corruptedRecords, "")) { try bench.replica(3, records: disk) }
  }

  @Test func blockMayBeAheadByTheBoundExactly() throws {
    var replica = try bench.replica(3)
    let block = bench.block(view: 1, on: bench.genesisQC, time: noon.wallMilliseconds + 5_000)
    let effects = replica.step(.message(from: one, bench.message(.proposal(bench.proposal(block)))), now: noon)
    #expect(Flattened(effects).signs.count == 1)
  }

  @Test func restartAtEveryPointNeverGivesASecondVote() throws {
    let first = bench.block(view: 1, on: bench.genesisQC, entries: [[1]])
    let second = bench.block(view: 1, on: bench.genesisQC, entries: [[2]])
    var replica = try bench.replica(3)
    let asked = Flattened(
      replica.step(.message(from: one, bench.message(.proposal(bench.proposal(first)))), now: noon))
    // The write was lost: the vote was never signed, another block is as good.
    var lost = try bench.replica(3)
    let free = Flattened(lost.step(.message(from: one, bench.message(.proposal(bench.proposal(second)))), now: noon))
    #expect(free.signs.count == 1)
    // The write survived: the same vote is signed again at once, and no other.
    var disk: [[UInt8]: [UInt8]] = [:]
    apply(asked.records, to: &disk)
    var survived = try bench.replica(3, records: disk)
    let again = Flattened(survived.step(.start, now: noon))
    #expect(again.signs == asked.signs && again.bareSigns == 0)
    let refused = Flattened(
      survived.step(.message(from: one, bench.message(.proposal(bench.proposal(second)))), now: noon))
    #expect(refused.signs.isEmpty)
    let resent = Flattened(survived.step(sign(again.signs[0], 3), now: noon))
    #expect(resent.votes.map(\.statement.proposed.id) == [first.id])
    // The leader asks once more for the same block: the vote goes to it again.
    let repeated = Flattened(
      survived.step(.message(from: one, bench.message(.proposal(bench.proposal(first)))), now: noon))
    let third = Flattened(
      survived.step(.message(from: one, bench.message(.proposal(bench.proposal(first)))), now: noon))
    #expect(repeated.signs.isEmpty && third.signs.isEmpty)
    #expect((repeated.votes + third.votes).allSatisfy { $0.statement.proposed.id == first.id })
  }

  @Test func aRestartedLeaderProposesTheSameBlockOrNothing() throws {
    var leader = try bench.replica(1)
    let proposed = Flattened(leader.step(.submit([[1]]), now: noon))
    #expect(proposed.signs.count == 1)
    var disk: [[UInt8]: [UInt8]] = [:]
    apply(proposed.records, to: &disk)
    var restarted = try bench.replica(1, records: disk)
    let again = Flattened(restarted.step(.start, now: noon.later(milliseconds: 50)))
    #expect(again.signs == proposed.signs)
    let other = Flattened(restarted.step(.submit([[2]]), now: noon.later(milliseconds: 60)))
    #expect(other.signs.isEmpty)
    let sent = Flattened(restarted.step(sign(again.signs[0], 1), now: noon.later(milliseconds: 70)))
    #expect(sent.proposals.map(\.block.entries) == [[[1]]])
  }

  @Test func timeoutIsSentAgainUnchangedAlsoAfterARestart() throws {
    var replica = try bench.replica(3)
    _ = replica.step(.submit([[1]]), now: noon)
    let due = try #require(replica.nextWakeUp)
    #expect(due == noon.monotonicNanoseconds + 100_000_000)
    var now = noon.later(milliseconds: 99)
    #expect(Flattened(replica.step(.wakeUp, now: now)).signs.isEmpty)
    now = noon.later(milliseconds: 100)
    let given = Flattened(replica.step(.wakeUp, now: now))
    #expect(given.signs.count == 1 && given.bareSigns == 0)
    let sent = Flattened(replica.step(sign(given.signs[0], 3), now: now))
    #expect(sent.timeouts.count == 1)
    now = noon.later(milliseconds: 200)
    #expect(Flattened(replica.step(.wakeUp, now: now)).timeouts == sent.timeouts)
    var disk: [[UInt8]: [UInt8]] = [:]
    apply(given.records, to: &disk)
    var restarted = try bench.replica(3, records: disk)
    #expect(Flattened(restarted.step(.start, now: now)).signs == given.signs)
    // It gave up the view, so it does not vote in it.
    let block = bench.block(view: 1, on: bench.genesisQC)
    let late = restarted.step(.message(from: one, bench.message(.proposal(bench.proposal(block)))), now: now)
    #expect(Flattened(late).signs.isEmpty)
  }

  @Test func viewIsGivenUpWithOneHonestPeer() throws {
    var replica = try bench.replica(3)
    let timeouts = (0..<3).map { bench.timeout(1, bench.genesisQC, by: $0) }
    let first = replica.step(.message(from: zero, bench.message(.timeout(timeouts[0]))), now: noon)
    #expect(Flattened(first).signs.isEmpty)
    let relayed = replica.step(.message(from: zero, bench.message(.timeout(timeouts[1]))), now: noon)
    #expect(Flattened(relayed).signs.isEmpty, "a timeout counts from its author only")
    let second = Flattened(replica.step(.message(from: one, bench.message(.timeout(timeouts[1]))), now: noon))
    #expect(second.signs.count == 1)
    #expect(replica.currentView == 1)
    _ = replica.step(.message(from: two, bench.message(.timeout(timeouts[2]))), now: noon)
    #expect(replica.currentView == 2)
  }

  @Test func viewsAreEnteredByCertificatesAlone() throws {
    var replica = try bench.replica(3)
    _ = replica.step(
      .message(
        from: one,
        bench.message(
          .vote(
            bench.vote(
              bench.info(view: 9, height: 1), on: bench.genesis, by: 1)))), now: noon)
    #expect(replica.currentView == 1)
    let qc = bench.certificate(bench.info(view: 9, height: 4), on: bench.info(view: 8, height: 3))
    _ = replica.step(.message(from: one, bench.message(.status, highQC: qc)), now: noon)
    #expect(replica.currentView == 10)
    let weak = bench.certificate(bench.info(view: 19, height: 4), on: bench.info(view: 18, height: 3), by: [0, 1])
    _ = replica.step(.message(from: one, bench.message(.status, highQC: weak)), now: noon)
    #expect(replica.currentView == 10)
  }

  @Test func aQuorumOfVotesMakesTheCertificate() throws {
    var replica = try bench.replica(3)
    let info = bench.info(view: 1, height: 1)
    for (count, author) in [0, 1, 1, 2].enumerated() {
      _ = replica.step(
        .message(
          from: ReplicaIndex(rawValue: UInt16(author)),
          bench.message(.vote(bench.vote(info, on: bench.genesis, by: author)))), now: noon)
      #expect(replica.currentView == (count == 3 ? 2 : 1))
    }
  }

  @Test func aPeerThatIsBehindIsHelpedOnceInAWhile() throws {
    var replica = try bench.replica(3)
    let qc = bench.certificate(bench.info(view: 9, height: 4), on: bench.info(view: 8, height: 3))
    _ = replica.step(.message(from: one, bench.message(.status, highQC: qc)), now: noon)
    let late = bench.message(.timeout(bench.timeout(1, bench.genesisQC, by: 0)))
    func statuses(_ effects: [Effect<AppendLog>]) -> Int {
      Flattened(effects).messages.filter { $0.body == .status && $0.sync.highQC == qc }.count
    }
    #expect(statuses(replica.step(.message(from: zero, late), now: noon)) == 1)
    #expect(statuses(replica.step(.message(from: zero, late), now: noon)) == 0)
    #expect(statuses(replica.step(.message(from: zero, late), now: noon.later(milliseconds: 100))) == 1)
  }

  @Test func twoVotesAreProvenOnceAndForAll() throws {
    var replica = try bench.replica(3)
    var disk: [[UInt8]: [UInt8]] = [:]
    let votes = (0..<3).map { bench.vote(bench.info(view: 1, height: 1, salt: $0), on: bench.genesis, by: 0) }
    var proofs: [Misbehaviour] = []
    for vote in votes {
      let effects = Flattened(replica.step(.message(from: zero, bench.message(.vote(vote))), now: noon))
      proofs += effects.misbehaviours
      apply(effects.records, to: &disk)
    }
    #expect(proofs.count == 1)
    let proof = try #require(proofs.first)
    #expect(proof.kind == .votes && proof.offender == zero && proof.view == 1)
    #expect(proof.isProven(chainID: bench.group.chainID, set: bench.group.set))
    #expect(!proof.isProven(chainID: .zero, set: bench.group.set))
    #expect(try Misbehaviour(decoding: proof.encode(), set: bench.group.set) == proof)
    #expect(try bench.replica(3, records: disk).misbehaviours == [proof])
  }

  @Test func twoProposalsAreProven() throws {
    var replica = try bench.replica(3)
    let blocks = [bench.block(view: 1, on: bench.genesisQC), bench.block(view: 1, on: bench.genesisQC, entries: [[1]])]
    let effects = blocks.flatMap {
      replica.step(.message(from: one, bench.message(.proposal(bench.proposal($0)))), now: noon)
    }
    let all = Flattened(effects)
    #expect(all.misbehaviours.map(\.kind) == [.proposals])
    #expect(all.signs.count == 1)
  }

  @Test func aForgedSecondVoteProvesNothing() throws {
    var replica = try bench.replica(3)
    let first = bench.vote(bench.info(view: 1, height: 1), on: bench.genesis, by: 0)
    let other = bench.vote(bench.info(view: 1, height: 1, salt: 1), on: bench.genesis, by: 2)
    let forged = Vote(statement: other.statement, author: zero, signature: other.signature)
    let effects = [first, forged].flatMap {
      replica.step(.message(from: zero, bench.message(.vote($0))), now: noon)
    }
    #expect(Flattened(effects).misbehaviours.isEmpty)
  }

  @Test func theWrongKeyStopsTheReplica() throws {
    var replica = try bench.replica(1)
    let asked = Flattened(replica.step(.submit([[1]]), now: noon))
    let effects = Flattened(replica.step(sign(asked.signs[0], 2), now: noon))
    #expect(effects.halts == [ConsensusError(.wrongKey, "")])
    #expect(replica.step(.submit([[2]]), now: noon).isEmpty)
    #expect(replica.nextWakeUp == nil)
  }

  @Test(arguments: [
    (UInt64(0), UInt64(1_000)), (2, 1_000), (3, 1_500), (4, 2_250), (5, 3_375), (8, 11_390), (9, 11_390),
    (.max, 11_390),
  ])
  func timer(k: UInt64, milliseconds: UInt64) {
    let timeout = Replica<AppendLog>.viewTimeout(baseNanoseconds: 1_000_000_000, viewsSinceDecided: k)
    #expect(timeout / 1_000_000 == milliseconds)
  }

  @Test func timerIsBounded() {
    let long = Replica<AppendLog>.viewTimeout(baseNanoseconds: 30_000_000_000, viewsSinceDecided: 9)
    #expect(long == ConsensusLimits.timeoutNanosecondsMax)
  }

  @Test func recordsOfAnotherEpochOrInPartAreRefused() throws {
    let other = SafetyState(epoch: 2).encode()
    #expect(throws: ConsensusError(.corruptedRecords, "")) { try bench.replica(0, records: [[115]: other]) }
    #expect(throws: ConsensusError(.corruptedRecords, "")) { try bench.replica(0, records: [[115]: [1, 2]]) }
  }
}
