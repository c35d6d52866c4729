import SyncLedger
import SyncProof
import Testing

private let spec = BuildSpec.sample()
private let job = spec.jobID
private let good = Outcome.sample("good", of: spec)
private let bad = Outcome.sample("bad", of: spec)

/// When phases end, and what the evidence says of those who were silent.
@Suite struct PhaseTests {
  @Test func commitPhaseEndsWhenAllHaveAnswered() {
    var world = World()
    world.block(world.builders.submission(spec))
    let early = world.block(
      world.builders.commitment(job, by: "ada", to: good), world.builders.commitment(job, by: "bob", to: good),
      world.builders.abstention(job, by: "cyd"))
    #expect(!early.contains(.revealPhase(job: job)))
    let last = world.block(world.builders.commitment(job, by: "dan", to: good))
    #expect(last == [.committed(job: job, builder: "dan"), .revealPhase(job: job)])
  }

  @Test func aWholeLifeFitsInOneBlock() {
    var world = World()
    let builders = world.builders
    let events = world.block(
      of: [builders.submission(spec)] + builders.names.map { builders.commitment(job, by: $0, to: good) }
        + builders.names.map { builders.opening(job, by: $0, of: good) })
    #expect(events.refusals.isEmpty)
    #expect(events.verdicts == [.reproduced])
    #expect(world.ledger.logSize == 1)
    #expect(world.ledger.nextDeadlineMilliseconds == nil)
  }

  /// One millisecond before the deadline nothing ends; at it the phase ends, before the block's own entries.
  @Test(arguments: [(599_999, false), (600_000, true), (600_001, true)])
  func commitDeadlineIsJudgedByDecidedTime(_ row: (later: UInt64, isOver: Bool)) {
    var world = World()
    world.block(world.builders.submission(spec), world.builders.commitment(job, by: "ada", to: good))
    #expect(world.ledger.nextDeadlineMilliseconds == world.milliseconds + 600_000)
    let events = world.block(world.builders.commitment(job, by: "bob", to: good), later: row.later)
    #expect(events.contains(.revealPhase(job: job)) == row.isOver)
    #expect(events.refusals == (row.isOver ? [.commitPhaseOver] : []))
  }

  @Test(arguments: [(59_999, false), (60_000, true)])
  func revealDeadlineIsJudgedByDecidedTime(_ row: (later: UInt64, isOver: Bool)) {
    var world = World()
    _ = world.committed(spec, [good, good, good, good])
    #expect(world.ledger.nextDeadlineMilliseconds == world.milliseconds + 60_000)
    let events = world.block(world.builders.opening(job, by: "ada", of: good), later: row.later)
    #expect(events.verdicts == (row.isOver ? [.inconclusive] : []))
    #expect(events.refusals == (row.isOver ? [.jobClosed] : []))
  }

  @Test func manyBlocksWithoutTimeEndNothing() {
    var world = World()
    world.block(world.builders.submission(spec))
    for _ in 0..<1000 { world.block(later: 0) }
    #expect(world.ledger.openJobs == [job])
  }

  @Test func timeThatGoesBackIsTakenForTheLastBlocks() {
    var world = World()
    world.block(world.builders.submission(spec))
    let deadline = world.ledger.nextDeadlineMilliseconds
    world.height += 1
    let second = BuildSpec.sample(rebuild: 1)
    _ = world.ledger.apply(
      entries: [world.builders.submission(second)], height: world.height, timeMilliseconds: 1)
    guard case .open(let opened) = world.ledger.job(second.jobID) else { Issue.record("not open"); return }
    #expect(opened.deadlineMilliseconds == deadline)
  }

  @Test func afterAStallBuildersStillHaveTheWholeRevealPhase() {
    var world = World()
    world.block(world.builders.submission(spec), world.builders.commitment(job, by: "ada", to: good))
    world.block(later: 86_400_000)
    #expect(world.ledger.nextDeadlineMilliseconds == world.milliseconds + 60_000)
  }

  @Test func timeAtTheEndOfItsRangeTrapsNothing() {
    var world = World()
    _ = world.ledger.apply(
      entries: [world.builders.submission(spec), world.builders.commitment(job, by: "ada", to: good)], height: 1,
      timeMilliseconds: .max - 1)
    #expect(world.ledger.nextDeadlineMilliseconds == .max)
    #expect(world.ledger.apply(entries: [], height: 2, timeMilliseconds: .max).verdicts == [.inconclusive])
    #expect(world.ledger.openJobs.isEmpty)
  }

  @Test func nobodyCommittedGivesAVerdictAtTheDeadline() {
    var world = World()
    world.block(world.builders.submission(spec))
    let events = world.block(later: 600_000)
    #expect(events.verdicts == [.inconclusive])
    #expect(events.evidence?.absences == [.noCommitment, .noCommitment, .noCommitment, .noCommitment])
  }

  @Test func allAbstainGivesAVerdictAtOnce() {
    var world = World()
    world.block(world.builders.submission(spec))
    let events = world.block(of: world.builders.names.map { world.builders.abstention(job, by: $0) })
    #expect(events.verdicts == [.inconclusive])
    #expect(events.evidence?.absences == [.sandboxFault, .sandboxFault, .sandboxFault, .sandboxFault])
    #expect(!events.contains(.revealPhase(job: job)))
  }

  /// ada reveals, bob opens wrongly, cyd commits and is silent, dan's sandbox fails, eve never answers.
  @Test func eachAbsenceIsNamed() throws {
    var world = World(Builders(5))
    let builders = world.builders
    world.block(
      builders.submission(spec), builders.commitment(job, by: "ada", to: good),
      builders.commitment(job, by: "bob", to: good), builders.commitment(job, by: "cyd", to: good),
      builders.abstention(job, by: "dan"))
    world.block(later: 600_000)
    world.block(builders.opening(job, by: "ada", of: good), builders.opening(job, by: "bob", of: bad))
    let events = world.block(later: 60_000)
    #expect(events.verdicts == [.inconclusive])
    #expect(events.evidence?.absences == [nil, .wrongOpening, .noReveal, .sandboxFault, .noCommitment])
    #expect(events.evidence?.outcomes.map(\.outcome) == [good])
  }

  @Test func wrongOpeningComesWithItsProof() throws {
    var world = World()
    _ = world.committed(spec, [good, good, good, good])
    let events = world.block(world.builders.opening(job, by: "bob", of: bad))
    #expect(events.first == .wrongOpening(job: job, builder: "bob"))
    guard case .misbehaviour(let proof) = try #require(events.dropFirst().first) else {
      Issue.record("no proof"); return
    }
    #expect(proof.kind == .wrongOpening)
    #expect(Entry.commitment(proof.first).encode() == world.builders.commitment(job, by: "bob", to: good))
    guard case .reveal(let signed) = try Entry(parsing: world.builders.opening(job, by: "bob", of: bad)) else {
      Issue.record("no reveal"); return
    }
    #expect(proof.second == .opening(SignedOpening(signed)))
  }

  @Test func doubleCommitmentComesWithItsProofAndTheFirstStands() throws {
    var world = World()
    let builders = world.builders
    world.block(builders.submission(spec), builders.commitment(job, by: "ada", to: good))
    let events = world.block(builders.commitment(job, by: "ada", to: bad))
    #expect(events.first == .doubleCommitment(job: job, builder: "ada"))
    guard case .misbehaviour(let proof) = try #require(events.dropFirst().first) else {
      Issue.record("no proof"); return
    }
    #expect(proof.kind == .doubleCommitment)
    #expect(Entry.commitment(proof.first).encode() == builders.commitment(job, by: "ada", to: good))
    guard case .commitment(let second) = proof.second else { Issue.record("no commitment"); return }
    #expect(Entry.commitment(second).encode() == builders.commitment(job, by: "ada", to: bad))
    guard case .open(let open) = world.ledger.job(job) else { Issue.record("not open"); return }
    #expect(open.doubleCommitments == ["ada"])
    world.block(later: 600_000)
    #expect(world.block(builders.opening(job, by: "ada", of: good)).evidence?.absences.first == .some(nil))
  }

  @Test func wrongOpeningCompletesTheRevealPhase() {
    var world = World()
    let builders = world.builders
    _ = world.committed(spec, [good, good, good, good])
    let events = world.block(
      builders.opening(job, by: "ada", of: good), builders.opening(job, by: "bob", of: good),
      builders.opening(job, by: "cyd", of: good), builders.opening(job, by: "dan", of: bad))
    #expect(events.verdicts == [.reproduced])
  }

  @Test func aCopiedCommitmentCannotBeOpened() {
    var world = World()
    let builders = world.builders
    world.block(builders.submission(spec), builders.commitment(job, by: "ada", to: good))
    // bob signs ada's digest as his own, and copies her opening once it is out.
    let copied = builders.reveal(job, by: "ada", good).commitment
    let bytes = Entry.commitmentSignedBytes(
      job: job, builder: "bob", commitment: copied, chainID: builders.group.chainID)
    let signature = builders.key("bob", .builder).sign(bytes)
    world.block(
      Entry.commitment(SignedCommitment(job: job, builder: "bob", commitment: copied, signature: signature)).encode())
    world.block(later: 600_000)
    let events = world.block(builders.opening(job, by: "ada", of: good), builders.opening(job, by: "bob", of: good))
    #expect(events.contains(.wrongOpening(job: job, builder: "bob")))
    #expect(events.evidence?.absences == [nil, .wrongOpening, .noCommitment, .noCommitment])
  }

  /// Two jobs whose phases end in one block end in the order of their deadlines, so leaves have one order.
  @Test func overdueJobsEndInTheOrderOfTheirDeadlines() {
    var world = World()
    let specs = (0..<5).map { BuildSpec.sample(rebuild: UInt64($0)) }
    for spec in specs.reversed() { world.block(world.builders.submission(spec)) }
    #expect(world.ledger.openJobs == specs.reversed().map(\.jobID))
    let events = world.block(later: 700_000)
    let closed = events.compactMap { if case .verdict(let job, _, _, _, _) = $0 { job } else { nil } }
    #expect(closed == specs.reversed().map(\.jobID))
  }

  @Test func lookupsFollowTheJob() {
    var world = World()
    #expect(world.ledger.job(job).map { _ in () } == nil)
    world.block(world.builders.submission(spec, by: "bob"), world.builders.commitment(job, by: "cyd", to: good))
    guard case .open(let open) = world.ledger.job(job) else { Issue.record("not open"); return }
    #expect(open.phase == .commit)
    #expect(open.spec == spec)
    #expect(open.steps == [.waiting, .waiting, .committed, .waiting])
    #expect(world.ledger.submitter(of: open) == "bob")
    #expect(open.orderedMilliseconds == world.milliseconds)
    world.block(later: 600_000)
    world.block(later: 60_000)
    guard case .closed(let closed) = world.ledger.job(job) else { Issue.record("not closed"); return }
    #expect(closed.index == 0 && closed.verdict == .inconclusive && closed.height == world.height)
  }
}
