import SyncConsensus
import SyncProof
import SyncTesting
import Testing

/// A replica that comes back with older records than it has signed: docs/consensus-protocol.md.
@Suite struct ObservationTests {
  private static func entry(_ number: UInt8) -> [UInt8] { [1, number] }

  /// A group that has ordered something, and replica 3's disk as it was before more was ordered.
  private func aged() throws -> Cluster {
    var cluster = try Cluster(replicas: 4)
    for number in 0..<3 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    let copy = cluster.disks[3]
    for number in 3..<9 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    cluster.stop(3)
    cluster.disks[3] = copy
    return cluster
  }

  /// Views with two different votes or timeouts of one replica, over all its lives.
  private func contradictions(_ requests: [SigningRequest]) -> Int {
    var votes: [UInt64: Set<[UInt8]>] = [:]
    var timeouts: [UInt64: Set<[UInt8]>] = [:]
    for request in requests {
      switch request.subject {
      case .vote(let statement): votes[statement.proposed.view, default: []].insert(request.message)
      case .timeout(let content): timeouts[content.view, default: []].insert(request.message)
      }
    }
    return (Array(votes.values) + timeouts.values).count { $0.count > 1 }
  }

  @Test func itSignsNothingUntilTheGroupHasMovedOn() throws {
    var cluster = try aged()
    let before = cluster.signed[3].count
    try cluster.start(3, isRestored: true)
    cluster.run()
    #expect(cluster.observations[3] == [.began(.restored)])
    #expect(cluster.replicas[3]?.isObserving == true)
    // Caught up, and silent.
    #expect(cluster.replicas[3]?.head == cluster.replicas[0]?.head)
    #expect(cluster.signed[3].count == before)
    for number in 20..<26 as Range<UInt8> { cluster.submit(Self.entry(number), at: Int(number) % 4) }
    cluster.settle()
    guard case .ended(let height)? = cluster.observations[3].last else {
      Issue.record("it never signs again")
      return
    }
    #expect(cluster.replicas[3]?.isObserving == false)
    #expect(cluster.replicas[3]?.observedHeight == height)
    #expect(contradictions(cluster.signed[3]) == 0)
    #expect(Set(cluster.heights).count == 1)
    // The group counts on it again: without another one, too.
    cluster.stop(1)
    cluster.submit(Self.entry(40), at: 3)
    cluster.settle()
    #expect(cluster.heights[3] == cluster.heights[0])
    #expect(cluster.replicas[3]?.poolCount == 0)
    #expect(cluster.signed[3].count > before)
    #expect(contradictions(cluster.signed[3]) == 0)
  }

  /// What the above is there for.
  @Test func withoutItVotesTwice() throws {
    var contradicting = 0
    for number in 50..<60 as Range<UInt8> {
      var cluster = try aged()
      // The others' certificates do not reach it, so that it believes to be in an old view.
      cluster.stop(0)
      cluster.stop(1)
      try cluster.start(3, noticesUnknownSignatures: false)
      cluster.drops = { sender, _, _ in sender == 2 }
      cluster.submit(Self.entry(number), at: 3)
      cluster.settle(milliseconds: 5_000)
      contradicting += contradictions(cluster.signed[3])
    }
    #expect(contradicting > 0)
  }

  @Test func itStaysAnObserverOverRestartsWithoutBeingToldAgain() throws {
    var cluster = try aged()
    try cluster.start(3, isRestored: true)
    cluster.run()
    cluster.stop(3)
    try cluster.start(3)
    cluster.run()
    #expect(cluster.replicas[3]?.isObserving == true)
    for number in 20..<26 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    cluster.settle()
    let height = cluster.replicas[3]?.observedHeight
    #expect(cluster.replicas[3]?.isObserving == false)
    cluster.stop(3)
    try cluster.start(3)
    cluster.run()
    #expect(cluster.replicas[3]?.isObserving == false)
    #expect(height ?? 0 > 0 && cluster.replicas[3]?.observedHeight == height)
  }

  @Test func anEmptyDiskIsAnOlderCopyToo() throws {
    var cluster = try aged()
    cluster.disks[3] = [:]
    try cluster.start(3, isRestored: true)
    cluster.run()
    for number in 20..<26 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    cluster.settle()
    #expect(cluster.replicas[3]?.isObserving == false)
    #expect(Set(cluster.heights).count == 1)
    #expect(contradictions(cluster.signed[3]) == 0)
  }

  /// Of four, all three others must answer: among two there may be none who knows the newest view.
  @Test func tooFewAnswersAreNone() throws {
    var cluster = try aged()
    cluster.drops = { sender, _, message in
      if sender == 1, case .answer = message.body { true } else { false }
    }
    try cluster.start(3, isRestored: true)
    cluster.run()
    for number in 20..<26 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    cluster.settle(milliseconds: 3_000)
    #expect(cluster.replicas[3]?.isObserving == true)
    cluster.drops = { _, _, _ in false }
    cluster.settle(milliseconds: 3_000)
    // It was asked again. What is ordered from here on is new.
    for number in 30..<36 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    cluster.settle()
    #expect(cluster.replicas[3]?.isObserving == false)
  }

  @Test func anAnswerToAnEarlierStartDoesNotCount() throws {
    var cluster = try aged()
    cluster.drops = { _, _, message in
      if case .ask = message.body { true } else { false }
    }
    try cluster.start(3, isRestored: true)
    cluster.run()
    var replica = try #require(cluster.replicas[3])
    let certificate = try #require(cluster.replicas[0]?.headCertificate)
    let sync = SyncInfo(highQC: certificate, highTC: nil, finality: nil)
    let number = try #require(cluster.lastStart)
    for (offered, floor) in [(number - 1, false), (number + 1, false), (number, true)] {
      for peer in 0..<3 as Range<UInt16> {
        let message = Message(epoch: 1, sync: sync, body: .answer(offered)).encode()
        _ = replica.step(.message(from: ReplicaIndex(rawValue: peer), message), now: cluster.now)
      }
      #expect((replica.observationFloor != nil) == floor, "\(offered)")
    }
  }

  @Test func anObserverAnswersNobody() throws {
    let bench = try Workbench()
    var configuration = try bench.group.configuration(of: 0)
    let ask = bench.message(.ask(7))
    for isRestored in [false, true] {
      configuration.isRestored = isRestored
      var replica = try Replica(configuration: configuration, genesis: AppendLog())
      _ = replica.step(.start, now: noon)
      let effects = replica.step(.message(from: ReplicaIndex(rawValue: 1), ask), now: noon)
      let answers = effects.compactMap { effect -> UInt64? in
        guard case .send(_, let bytes) = effect, case .answer(let number)? = (try? Message(decoding: bytes))?.body
        else {
          return nil
        }
        return number
      }
      #expect(answers == (isRestored ? [] : [7]))
    }
  }

  /// An older copy of which nobody was told, or a second process with the same keys.
  @Test func aSignatureThatItDoesNotKnowMakesItAnObserver() throws {
    var cluster = try aged()
    try cluster.start(3)
    cluster.run()
    guard case .began(.unknownSignature)? = cluster.observations[3].first else {
      Issue.record("it signs as if nothing had happened: \(cluster.observations[3])")
      return
    }
    for number in 20..<26 as Range<UInt8> { cluster.submit(Self.entry(number), at: 0) }
    cluster.settle()
    #expect(cluster.replicas[3]?.isObserving == false)
    #expect(contradictions(cluster.signed[3]) == 0)
  }

  /// The old process was not dead at all: whoever is told of it stops for good.
  @Test func aSecondProcessThatSignsMeanwhileStopsIt() throws {
    var cluster = try aged()
    try cluster.start(3, isRestored: true)
    cluster.run()
    let floor = try #require(cluster.replicas[3]?.observationFloor)
    var replica = try #require(cluster.replicas[3])
    let bench = try Workbench()
    for (view, halts) in [(floor, false), (floor + 1, false), (floor + 2, true)] {
      let info = bench.info(view: view, height: 1_000)
      let parent = bench.info(view: view - 1, height: 999)
      let message = bench.message(.status, highQC: bench.certificate(info, on: parent, by: [1, 2, 3]))
      _ = replica.step(.message(from: ReplicaIndex(rawValue: 1), message), now: cluster.now)
      #expect((replica.halted?.code == .sharedKey) == halts, "view \(view) with floor \(floor)")
    }
  }

  /// The last view that the records know of, in which something else was signed.
  @Test func anotherSignatureInTheLastVotedViewIsNoticed() throws {
    let bench = try Workbench()
    var configuration = try bench.group.configuration(of: 3)
    configuration.noticesUnknownSignatures = true
    for isSame in [true, false] {
      var replica = try Replica(configuration: configuration, genesis: AppendLog())
      _ = replica.step(.start, now: noon)
      let block = bench.block(view: 1, on: bench.genesisQC, entries: [[1]], time: noon.wallMilliseconds)
      let proposal = bench.message(.proposal(bench.proposal(block)))
      _ = replica.step(.message(from: ReplicaIndex(rawValue: 1), proposal), now: noon)
      let vote = try #require(replica.safetyState.lastVote)
      let certified = isSame ? vote.proposed : bench.info(view: 1, height: 1, salt: 9)
      let message = bench.message(.status, highQC: bench.certificate(certified, on: vote.parent, by: [1, 2, 3]))
      _ = replica.step(.message(from: ReplicaIndex(rawValue: 1), message), now: noon)
      #expect(replica.currentView == 2 && replica.isObserving != isSame)
    }
  }

  @Test(arguments: [1, 2, 3]) func aGroupThatToleratesNobodyCannotTakeOneBack(replicas: Int) throws {
    var configuration = try FixtureGroup(replicas: replicas).configuration(of: 0)
    configuration.isRestored = true
    #expect(throws: ConsensusError(.configuration, "")) {
      try Replica(configuration: configuration, genesis: AppendLog())
    }
  }

  @Test(arguments: [[], [0, 0], [1], [2], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0]] as [[UInt8]])
  func aDamagedRecordIsRefused(bytes: [UInt8]) throws {
    let group = try FixtureGroup(replicas: 4)
    #expect(throws: ConsensusError(.corruptedRecords, "")) {
      try Replica(
        configuration: try group.configuration(of: 0), genesis: AppendLog(),
        recovered: RecoveredRecords([(key: [UInt8(ascii: "o")], value: bytes)]))
    }
  }

  /// In the simulator, beside every other fault; the checkers see every signature of every life.
  @Test(arguments: [(4, false), (7, false), (7, true)]) func simulated(replicas: Int, hasTwin: Bool) throws {
    var restored = 0
    for seed in 9_000..<9_008 as Range<UInt64> {
      var options = ConsensusSimulator.Options()
      (options.replicas, options.hasTwin, options.hasRestored, options.faultSeconds) = (replicas, hasTwin, true, 3)
      var simulator = try ConsensusSimulator(seed: seed, options: options)
      restored += simulator.plan.text.contains("restored ") ? 1 : 0
      let result = simulator.run()
      #expect(result.failure == nil, "\(result.replayCommand(options))")
    }
    #expect(restored >= 4)
  }
}
