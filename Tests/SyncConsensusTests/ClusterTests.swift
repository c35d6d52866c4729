import SyncConsensus
import SyncProof
import SyncTesting
import Testing

/// The whole group over a perfect network, but for what each test takes away.
@Suite struct ClusterTests {
  private func logs(_ cluster: Cluster) -> Set<Digest> { Set(cluster.replicas.compactMap { $0?.state.logRoot }) }

  @Test(arguments: [1, 2, 3, 4, 5, 7, 10])
  func anEntryIsDecidedByAllAndTheGroupRestsAgain(count: Int) throws {
    var cluster = try Cluster(replicas: count)
    for number in 0..<5 as Range<UInt8> {
      cluster.submit([number], at: Int(number) % count)
      #expect(cluster.replicas.allSatisfy { $0?.state.logSize == UInt64(number) + 1 })
      #expect(cluster.replicas.allSatisfy { $0?.nextWakeUp == nil && $0?.poolCount == 0 })
    }
    #expect(logs(cluster).count == 1)
    #expect(cluster.now == noon, "no timer was needed")
  }

  @Test func anIdleGroupEmitsNothing() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.submit([1], at: 0)
    for index in 0..<4 {
      for minutes in 1..<5 as Range<UInt64> {
        let effects = cluster.replicas[index]?.step(.wakeUp, now: noon.later(milliseconds: minutes * 60_000)) ?? []
        #expect(effects.isEmpty)
        #expect(cluster.replicas[index]?.nextWakeUp == nil)
      }
    }
  }

  @Test func anEntryIsFollowedByOneEmptyBlockThatDecidesIt() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.submit([1], at: 0)
    #expect(cluster.heights == [1, 1, 1, 1])
    #expect(cluster.replicas.allSatisfy { $0?.currentView == 3 })
  }

  @Test(arguments: 0..<4) func oneOfFourDead(dead: Int) throws {
    var cluster = try Cluster(replicas: 4)
    cluster.stop(dead)
    for number in 0..<8 as Range<UInt8> {
      cluster.submit([number], at: (dead + 1 + Int(number) % 3) % 4)
      cluster.settle()
      #expect(cluster.replicas.allSatisfy { $0 == nil || $0?.state.logSize == UInt64(number) + 1 })
    }
    #expect(logs(cluster).count == 1)
    #expect(cluster.now.monotonicNanoseconds - noon.monotonicNanoseconds < 4_000_000_000)
    try cluster.start(dead)
    cluster.run()
    #expect(cluster.replicas[dead]?.state.logSize == 8, "it catches up though the group is idle")
    #expect(cluster.replicas.allSatisfy { $0?.nextWakeUp == nil })
  }

  /// It is passed over from its first failure on, also after the others have restarted, and back once it has signed.
  @Test(arguments: [(4, [1]), (7, [2, 3]), (10, [0, 2, 4])])
  func deadLeadersCostOneTimerEach(count: Int, dead: [Int]) throws {
    var cluster = try Cluster(replicas: count)
    for index in dead { cluster.stop(index) }
    let alive = (0..<count).filter { !dead.contains($0) }
    func submit(_ numbers: Range<UInt8>) {
      for number in numbers {
        cluster.submit([number], at: alive[Int(number) % alive.count])
        cluster.settle(milliseconds: 20_000)
      }
    }
    submit(0..<UInt8(count))
    let before = cluster.now
    submit(50..<UInt8(50 + 2 * count))
    #expect(cluster.now == before, "a timer was waited for")
    for index in alive {
      cluster.stop(index)
      try cluster.start(index)
    }
    cluster.run()
    submit(100..<UInt8(100 + count))
    #expect(cluster.now == before, "a timer was waited for after a restart")
    for index in dead { try cluster.start(index) }
    cluster.run()
    submit(150..<UInt8(150 + 4 * count))
    let leaders = Set(cluster.replicas.compactMap { $0?.leader })
    #expect(leaders.count == 1 && logs(cluster).count == 1)
    #expect(cluster.replicas[alive[0]]?.passedOver == [], "who signs again leads again")
  }

  @Test func twoOfFourStoppedThenOneReturns() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.submit([1], at: 0)
    cluster.stop(1)
    cluster.stop(2)
    cluster.submit([2], at: 0)
    cluster.settle(milliseconds: 5_000)
    #expect(cluster.replicas[0]?.state.logSize == 1)
    #expect(cluster.replicas[0]?.nextWakeUp != nil)
    try cluster.start(2)
    cluster.run()
    cluster.settle()
    #expect([0, 2, 3].allSatisfy { cluster.replicas[$0]?.state.logSize == 2 })
    #expect([0, 2, 3].allSatisfy { cluster.replicas[$0]?.nextWakeUp == nil })
  }

  @Test func aReplicaThatWasAwayForLongCatchesUpInBatches() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.stop(3)
    let count = ConsensusLimits.recentBlocksMax * 2 + 10
    for number in 0..<count {
      cluster.submit([UInt8(number & 255), UInt8(number >> 8)], at: number % 3)
      cluster.settle()
    }
    try cluster.start(3)
    cluster.run()
    cluster.settle()
    #expect(cluster.loads > 0)
    #expect(cluster.replicas[3]?.state.logSize == UInt64(count))
    #expect(Set(cluster.decided).count == 1)
    // The restarted ones replay the same blocks from their records.
    for index in 0..<4 {
      cluster.stop(index)
      try cluster.start(index)
    }
    cluster.run()
    #expect(Set(cluster.decided).count == 1)
    #expect(logs(cluster).count == 1)
  }

  @Test func aMissedProposalIsFetchedByItsCertificate() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.drops = { _, to, message in
      if case .proposal(let proposal) = message.body { return to == 3 && !proposal.block.entries.isEmpty }
      return false
    }
    cluster.submit([1], at: 0)
    cluster.settle()
    #expect(cluster.replicas[3]?.state.logSize == 1)
    #expect(logs(cluster).count == 1)
  }

  @Test func aSubmissionThatWasLostOnItsWayIsSentAgain() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.drops = { _, _, message in if case .entries = message.body { true } else { false } }
    cluster.submit([1], at: 0)
    #expect(cluster.replicas.allSatisfy { $0?.state.logSize == 0 })
    cluster.drops = { _, _, _ in false }
    cluster.settle()
    #expect(cluster.replicas.allSatisfy { $0?.state.logSize == 1 })
  }

  @Test func anEntryOfAPeerThatCrashedIsSentOn() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.drops = { _, to, message in if case .entries = message.body { to != 3 } else { false } }
    cluster.submit([1], at: 0)
    cluster.stop(0)
    cluster.drops = { _, _, _ in false }
    cluster.settle()
    #expect([1, 2, 3].allSatisfy { cluster.replicas[$0]?.state.logSize == 1 })
    #expect([1, 2, 3].allSatisfy { cluster.replicas[$0]?.nextWakeUp == nil })
  }

  /// Of seven one is gone and one votes and never proposes: that one leads in its own turn and in that of the one
  /// before it, and no more than those two views of seven are lost.
  @Test func whoVotesAndNeverProposesCostsItsTurnsAlone() throws {
    let (dead, mute) = (4, 5)
    var cluster = try Cluster(replicas: 7)
    cluster.stop(dead)
    cluster.drops = { sender, _, message in
      if case .proposal = message.body { sender == mute } else { false }
    }
    let first = cluster.replicas[0]?.currentView ?? 0
    let givenUp = cluster.givenUp(by: 0).count
    for number in 0..<40 as Range<UInt8> {
      cluster.submit([1, number], at: [0, 1, 2, 3, 6][Int(number % 5)])
      cluster.settle()
    }
    #expect(cluster.replicas[0]?.state.logSize == 40)
    let views = (cluster.replicas[0]?.currentView ?? 0) - first
    let lost = UInt64(cluster.givenUp(by: 0).count - givenUp)
    #expect(views >= 80)
    // And one until the dead one is passed over.
    #expect(lost > views / 14 && lost <= views * 2 / 7 + 2, "\(lost) of \(views)")
  }

  @Test func aDeadlineWakesTheGroupAndIsPassedByADecidedBlock() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.submit([AppendLog.deadlineTag, 2, 0], at: 0)
    #expect(cluster.replicas.allSatisfy { $0?.state.logSize == 1 })
    #expect(cluster.replicas.allSatisfy { $0?.nextWakeUp != nil })
    let before = cluster.messages
    cluster.settle()
    #expect(cluster.messages > before)
    #expect(cluster.replicas.allSatisfy { $0?.state.logSize == 2 && $0?.nextWakeUp == nil })
    #expect(cluster.now.wallMilliseconds - noon.wallMilliseconds < 700)
    #expect(cluster.replicas.allSatisfy { ($0?.headTimeMilliseconds ?? 0) >= noon.wallMilliseconds + 512 })
  }

  @Test func aDeadlineIsPassedThoughTheLeaderIsDead() throws {
    for dead in 0..<4 {
      var cluster = try Cluster(replicas: 4)
      cluster.submit([AppendLog.deadlineTag, 2, 0], at: 0)
      cluster.stop(dead)
      cluster.settle()
      #expect(cluster.replicas.allSatisfy { $0 == nil || $0?.state.logSize == 2 })
    }
  }

  @Test func restartsBetweenDecisionsLoseNothing() throws {
    for victim in 0..<4 {
      var cluster = try Cluster(replicas: 4)
      for number in 0..<6 as Range<UInt8> {
        cluster.submit([number], at: (victim + Int(number)) % 4)
        cluster.stop(victim)
        try cluster.start(victim)
        cluster.run()
      }
      cluster.settle()
      #expect(cluster.replicas.allSatisfy { $0?.state.logSize == 6 })
      #expect(Set(cluster.decided).count == 1)
    }
  }
}
