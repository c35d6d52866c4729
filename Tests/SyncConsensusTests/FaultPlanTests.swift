import Testing

@testable import SyncTesting

@Suite struct FaultPlanTests {
  private func run(_ seed: UInt64, _ options: ConsensusSimulator.Options) throws -> ConsensusSimulator.Result {
    var simulator = try ConsensusSimulator(seed: seed, options: options)
    return simulator.run()
  }

  static let lines = [
    "crash 1 write 17 before down 300", "crash 1 write 17 inside down 0", "crash 0 write 1 after down 60000",
    "crash 1 effect 40 down 300", "crash 1 at 900 down 300", "power 1 at 0 down 300",
    "restored 1 to 300 at 900 down 20",
    "sync-fails 1 write 17 lost down 300", "sync-fails 1 write 17 kept down 300", "crashes 50 from 0 to 4000",
    "dead 2 at 900", "slow 1 by 200 from 0 to 4000", "partition 0,1|2,3 from 500 to 900",
    "one-way 0,1>2 from 500 to 900", "drop 50 from 0 to 4000", "duplicate 30 from 1 to 2",
    "delay 50 by 400 from 0 to 4000", "reorder 1000 from 0 to 3600000", "garbage 1 from 0 to 4000",
    "clock 1 by -500 at 900", "clock 1 by 500 at 900", "drift 1 by -200", "twin 2", "liar 2",
  ]

  @Test(arguments: lines) func aLineComesBack(line: String) throws {
    #expect(try ConsensusFault(parsing: line).description == line)
    // No word may be missing, and none may follow.
    let words = line.split(separator: " ")
    for count in 0..<words.count {
      #expect(throws: ConsensusFaultError.self) {
        try ConsensusFault(parsing: words.prefix(count).joined(separator: " "))
      }
    }
    for other in [line + " ", line + " 1", " " + line, line.uppercased(), line + "0x"] {
      #expect(throws: ConsensusFaultError.self, "\(other)") { try ConsensusFault(parsing: other) }
    }
  }

  @Test(arguments: [
    ("a number with a leading zero", "twin 02"), ("a number with a sign", "twin +2"), ("a negative number", "twin -1"),
    ("a rate of none", "drop 0 from 0 to 10"), ("a rate above all", "drop 1001 from 0 to 10"),
    ("an empty window", "drop 10 from 10 to 10"), ("a window backwards", "drop 10 from 10 to 5"),
    ("more than an hour", "drop 10 from 0 to 3600001"), ("more than a minute away", "crash 1 at 0 down 60001"),
    ("the write before the first", "crash 1 write 0 before down 1"), ("an effect 0", "crash 1 effect 0 down 1"),
    ("another moment", "crash 1 write 1 during down 1"), ("another state", "sync-fails 1 write 1 torn down 1"),
    ("a clock that jumps far", "clock 1 by 60001 at 0"), ("a clock that drifts far", "drift 1 by -100001"),
    ("one side", "partition 0,1 from 0 to 10"), ("three sides", "partition 0|1|2 from 0 to 10"),
    ("an empty side", "partition 0| from 0 to 10"), ("both sides", "partition 0|0 from 0 to 10"),
    ("a side out of order", "partition 1,0|2 from 0 to 10"), ("a side with one twice", "partition 1,1|2 from 0 to 10"),
    ("the wrong separator", "one-way 0|1 from 0 to 10"), ("an unknown kind", "fire 1"), ("nothing", ""),
  ])
  func refused(what: String, line: String) {
    #expect(throws: ConsensusFaultError.self, "\(what)") { try ConsensusFault(parsing: line) }
  }

  @Test func aPlanComesBack() throws {
    for seed in 0..<200 as Range<UInt64> {
      let plan = try ConsensusSimulator(seed: seed).plan
      #expect(try ConsensusFaultPlan(parsing: plan.text) == plan)
    }
    #expect(try ConsensusFaultPlan(parsing: " twin 1 ;; \n liar 1\n").text == "twin 1;liar 1")
    #expect(try ConsensusFaultPlan(parsing: "").faults.isEmpty)
    let both = try ConsensusFaultPlan(parsing: "next liar 1;dead 2 at 9\n  next dead 0 at 5 ")
    #expect(both.text == "dead 2 at 9;next liar 1;next dead 0 at 5")
    #expect(both.faults.map(\.description) == ["dead 2 at 9"] && both.next.count == 2)
    for text in ["twin 1;twin", "next", "next ", "next  twin 1", "next next twin 1", "Next twin 1"] {
      #expect(throws: ConsensusFaultError.self, "\(text)") { try ConsensusFaultPlan(parsing: text) }
    }
  }

  /// Every kind is drawn somewhere, so that none is dead code.
  @Test func everyKindIsDrawn() throws {
    var kinds: Set<Substring> = []
    for seed in 0..<400 as Range<UInt64> {
      for fault in try ConsensusSimulator(seed: seed).plan.faults {
        kinds.insert(fault.description.prefix { $0 != " " })
      }
    }
    #expect(kinds == Set(FaultPlanTests.lines.map { $0.prefix { $0 != " " } }))
  }

  @Test(arguments: [
    ("a replica outside", 4, "twin 4"), ("an instance outside", 4, "crash 4 at 0 down 1"),
    ("a side with one outside", 4, "partition 0|9 from 0 to 10"), ("a twin where none is tolerated", 3, "twin 0"),
    ("a dead one where none is tolerated", 1, "dead 0 at 1"), ("two faulty of four", 4, "twin 0;liar 1"),
    ("a twin and a dead one of four", 4, "twin 0;dead 1 at 5"),
    ("a replica outside the next epoch", 5, "next crash 4 at 0 down 1"),
    ("a twin where the next epoch tolerates none", 4, "next twin 0"),
  ])
  func noPlanForTheGroup(what: String, replicas: Int, text: String) throws {
    var options = ConsensusSimulator.Options()
    options.replicas = replicas
    options.plan = try ConsensusFaultPlan(parsing: text)
    #expect(throws: ConsensusFaultError.self, "\(what)") { try ConsensusSimulator(seed: 1, options: options) }
  }

  @Test func theTwinsSecondProcessIsTheLastInstance() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.plan = try ConsensusFaultPlan(parsing: "twin 0;liar 0;crash 4 at 5 down 1;dead 4 at 9")
    #expect(try ConsensusSimulator(seed: 1, options: options).processes.map(\.index) == [0, 1, 2, 3, 0])
  }

  // MARK: Shrinking

  @Test func shrinkingKeepsWhatIsNeededTogether() {
    let all = (0..<40).map { ConsensusFault.dead(instance: $0, at: 0) }
    let needed: Set<ConsensusFault> = [all[3], all[17], all[38]]
    var runs = 0
    let small = ConsensusFaultPlan(all).shrunk { plan in
      runs += 1
      return needed.isSubset(of: plan.faults)
    }
    #expect(Set(small.faults) == needed && small.faults.count == 3)
    #expect(runs < 200)
    #expect(ConsensusFaultPlan(all).shrunk { _ in true }.faults.isEmpty)
    #expect(ConsensusFaultPlan(all).shrunk { $0.faults.count == 40 }.faults == all)
  }

  /// A disk that loses the safety record with the power is a planted defect that one fault alone brings out.
  @Test func aPlantedDefectIsShrunkToItsOneFault() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.faultSeconds = 2
    options.defect = .diskForgetsSafety
    options.plan = try ConsensusFaultPlan(
      parsing: """
        drop 10 from 0 to 2000;crash 1 at 300 down 100;partition 0,1|2,3 from 700 to 900
        clock 2 by 300 at 200;power 3 at 1500 down 50;crash 0 effect 9 down 40;duplicate 30 from 0 to 2000
        """)
    var simulator = try ConsensusSimulator(seed: 5, options: options)
    let result = simulator.run()
    try #require(result.failure != nil)
    let small = ConsensusSimulator.shrink(result, options: options)
    #expect(small.plan.text == "power 3 at 1500 down 50")
    #expect(small.failure != nil)
    options.defect = nil
    var sound = try ConsensusSimulator(seed: 5, options: options)
    #expect(sound.run().failure == nil)
    #expect(
      small.replayCommand(options)
        == "synchronicity simulate --seed 5 --replicas 4 --fault-seconds 2 --faults 'power 3 at 1500 down 50'")
  }

  /// The same defect in the next epoch alone, among faults of both.
  @Test func aFaultOfTheNextEpochIsWhatIsLeft() throws {
    var options = ConsensusSimulator.Options()
    (options.replicas, options.faultSeconds, options.handsOver) = (5, 2, true)
    options.defect = .diskForgetsSafety
    options.plan = try ConsensusFaultPlan(
      parsing: """
        drop 10 from 0 to 2000;clock 2 by 300 at 200;next drop 10 from 0 to 2000;next clock 0 by 20 at 5
        next crashes 10 from 0 to 500;next power 3 at 1700 down 50;next delay 50 by 40 from 0 to 2000
        """)
    let (seed, result) = try #require(
      try (0..<20 as Range<UInt64>).lazy.map { ($0, try run($0, options)) }.first { $0.1.failure != nil })
    #expect(result.hasFailedLater)
    let small = ConsensusSimulator.shrink(result, options: options)
    #expect(small.failure?.hasSuffix("in the next epoch") == true && small.plan.faults.isEmpty)
    #expect(small.plan.next.contains { $0.description.hasPrefix("power 3 ") }, "\(small.plan.text)")
    options.defect = nil
    #expect(try run(seed, options).failure == nil)
    options.defect = .diskForgetsSafety
    // What is printed gives the same events.
    options.plan = try ConsensusFaultPlan(parsing: small.plan.text)
    #expect(try run(seed, options).traceDigest == small.traceDigest)
  }

  /// Crashes at a rate and the same crashes one by one are the same run, so that a failure of one can be shrunk.
  @Test func crashesAtARateAreTheSameOneByOne() throws {
    var options = ConsensusSimulator.Options()
    options.replicas = 4
    options.faultSeconds = 1
    options.plan = try ConsensusFaultPlan(parsing: "crashes 30 from 0 to 1000;drop 20 from 0 to 1000")
    var byRate = try ConsensusSimulator(seed: 7, options: options)
    let a = byRate.run()
    try #require(a.injected.faults.count > 5 && a.crashPoints == a.injected.faults.count)
    options.plan = ConsensusFaultPlan(a.injected.faults + [try ConsensusFault(parsing: "drop 20 from 0 to 1000")])
    var oneByOne = try ConsensusSimulator(seed: 7, options: options)
    let b = oneByOne.run()
    #expect(a.traceDigest == b.traceDigest && b.crashPoints == a.crashPoints)
  }
}
