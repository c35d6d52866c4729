import SyncTesting
import Testing

@Suite struct SimulationTests {
  private func run(_ seed: UInt64, _ options: ConsensusSimulator.Options) throws -> ConsensusSimulator.Result {
    var simulator = try ConsensusSimulator(seed: seed, options: options)
    return simulator.run()
  }

  /// Seeds that found something; the same events may need another seed once the simulator draws otherwise.
  @Test(arguments: [
    (UInt64(2_318), UInt64(4), "an entry of a peer that crashed, held by one replica alone, was never sent on"),
    (3_104, 4, "the same beside a liar"),
    (23, 3, "an outcome whose sync had failed was read again after the restart, and committed to"),
    (2_000_126, 4, "an outcome that the power left whole was read again after the restart, and committed to"),
  ])
  func regressions(seed: UInt64, faultSeconds: UInt64, finding: String) throws {
    var options = ConsensusSimulator.Options()
    (options.faultSeconds, options.hasRestored) = (faultSeconds, false)
    let result = try run(seed, options)
    #expect(result.failure == nil, "\(finding)")
  }

  @Test func aSeedGivesTheSameTrace() throws {
    var options = ConsensusSimulator.Options()
    options.faultSeconds = 1
    for seed in [3, 11] as [UInt64] {
      let (a, b) = (try run(seed, options), try run(seed, options))
      #expect(a.traceDigest == b.traceDigest && a.events == b.events && a.verdicts == b.verdicts)
      // The plan, given as text, is the one that was drawn.
      var given = options
      given.plan = try ConsensusFaultPlan(parsing: a.plan.text)
      #expect(try run(seed, given).traceDigest == a.traceDigest)
    }
    #expect(try run(4, options).traceDigest != run(3, options).traceDigest)
  }

  /// A few seeds in each run of the tests; `scripts/test` runs a thousand fresh ones in the optimised program.
  @Test(arguments: 0..<8) func seeds(block: Int) throws {
    var options = ConsensusSimulator.Options()
    options.faultSeconds = 2
    for seed in UInt64(block) * 2..<UInt64(block + 1) * 2 {
      let result = try run(seed, options)
      #expect(result.failure == nil, "\(result.replayCommand(options))")
    }
  }

  /// Each verdict comes up, or the checks of evidence would check nothing.
  @Test func aSoundGroupReachesItsVerdicts() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.jobs = 12
    options.plan = ConsensusFaultPlan()
    let result = try run(1, options)
    #expect(result.failure == nil)
    #expect(result.verdicts.count == 15)
    #expect(Set(result.verdicts).count >= 2)
    #expect(result.crashes == 0 && result.crashPoints == 0)
  }

  /// The next epoch is entered, and one of a single member by two.
  @Test(arguments: [1, 2, 4, 5]) func theNextEpochGoesOn(replicas: Int) throws {
    var options = ConsensusSimulator.Options()
    (options.replicas, options.handsOver, options.faultSeconds) = (replicas, true, 2)
    for seed in 0..<2 as Range<UInt64> {
      let result = try run(seed, options)
      #expect(result.failure == nil, "\(result.replayCommand(options))")
      #expect(result.hasHandedOver && result.nextHeight > 3)
    }
  }

  /// A run's plan is that of both epochs; the command that replays it does not name the rate of its crashes.
  @Test func theNextEpochIsThatOfThePlan() throws {
    var options = ConsensusSimulator.Options()
    (options.handsOver, options.faultSeconds, options.crashesPerMille) = (true, 2, 100)
    let drawn = try run(12, options)
    #expect(!drawn.plan.next.isEmpty && !drawn.injected.next.isEmpty)
    (options.plan, options.crashesPerMille) = (try ConsensusFaultPlan(parsing: drawn.plan.text), nil)
    let given = try run(12, options)
    #expect(given.traceDigest == drawn.traceDigest && given.nextHeight == drawn.nextHeight && drawn.nextHeight > 0)
    #expect(given.plan == drawn.plan)
    options.plan?.next = []
    #expect(try run(12, options).traceDigest != drawn.traceDigest)
  }

  /// A member of the next epoch that runs twice and lies contradicts itself, and the log says so.
  @Test func theNextEpochHasFaultyMembersToo() throws {
    var options = ConsensusSimulator.Options()
    (options.replicas, options.handsOver, options.faultSeconds) = (5, true, 2)
    options.plan = try ConsensusFaultPlan(parsing: "next twin 1;next liar 1")
    let results = try (0..<4 as Range<UInt64>).map { try run($0, options) }
    for result in results { #expect(result.failure == nil, "\(result.replayCommand(options))") }
    #expect(results.contains { $0.provenMisbehaviours > 0 })
  }

  @Test func aNextEpochThatForgetsJobsIsFound() throws {
    var options = ConsensusSimulator.Options()
    (options.replicas, options.handsOver, options.faultSeconds) = (4, true, 2)
    options.defect = .nextEpochForgetsJobs
    let failures = try (0..<12 as Range<UInt64>).compactMap { try run($0, options).failure }
    #expect(failures.contains { $0.contains("came twice") && $0.hasSuffix("in the next epoch") }, "\(failures)")
  }

  /// Wherever a replica comes back behind some blocks, it starts from a snapshot and is the same as without.
  @Test func snapshotsAreStartedFrom() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.jobs = 12
    options.plan = try ConsensusFaultPlan(
      parsing: "crash 0 at 2000 down 20;crash 1 at 2500 down 500;crash 2 at 3000 down 20;crash 0 at 3500 down 20")
    let result = try run(5, options)
    #expect(result.failure == nil)
    #expect(result.resumes == 4)
  }

  @Test func crashesAreCounted() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.faultSeconds = 1
    options.plan = try ConsensusFaultPlan(
      parsing: """
        crash 0 write 2 before down 20;crash 1 write 3 inside down 20;crash 2 write 2 after down 20
        crash 3 effect 5 down 20;sync-fails 0 write 5 kept down 20;crash 1 at 500 down 20
        """)
    let result = try run(9, options)
    #expect(result.failure == nil)
    #expect(result.crashPoints == 5 && result.crashes == 6)
  }

  /// One small run, ended at each of its places in turn.
  @Test func crashEverywhere() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.jobs = 1
    options.faultSeconds = 1
    options.plan = ConsensusFaultPlan()
    let found = try ConsensusSimulator.crashEverywhere(seed: 2, options: options, pointsMax: 20)
    #expect(found.points == 20)
    #expect(found.failure == nil, "\(found.failure?.replayCommand(options) ?? "")")
  }
}
