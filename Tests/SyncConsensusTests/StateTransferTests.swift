import SyncProof
import SyncTesting
import Testing

@testable import SyncConsensus

/// A replica that was away for long: whole ranges of blocks, each proven by its last certificate.
@Suite struct StateTransferTests {
  /// In blocks of 500; what arrives is at most a few times that, whatever is missing.
  @Test func aReplicaThatMissedAHundredThousandEntriesCatchesUpAndIsInterrupted() throws {
    let total = 100_000
    var cluster = try Cluster(replicas: 4)
    cluster.stop(3)
    for first in stride(from: 0, to: total, by: 500) {
      try cluster.offer(
        (first..<first + 500).map { number in [1] + (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } })
      // Views that the absent one leads end by the timer.
      cluster.settle(milliseconds: 2_000)
    }
    #expect(cluster.replicas[0]?.state.logSize == UInt64(total))
    let height = try #require(cluster.replicas[0]?.head.height)
    #expect(height >= 200)

    let seen = Seen()
    cluster.drops = { _, to, message in
      guard to == 3, case .blocks(let answer) = message.body else { return false }
      seen.note(answer)
      return false
    }
    var heights: [UInt64] = []
    // Blocks that it holds at one time, however many are missing.
    var peak = 0
    for _ in 0..<4 {
      try cluster.start(3)
      // What an earlier life has decided is there again, and is not asked for.
      #expect(cluster.replicas[3]?.head.height == heights.last ?? 0)
      let before = seen.answers
      while seen.answers < before + 3, cluster.heights[3] != height {
        cluster.run(stepsMax: 1)
        peak = max(peak, try held(by: cluster.replicas[3]))
      }
      heights.append(try #require(cluster.heights[3]))
      cluster.stop(3)
    }
    #expect(heights == Array(Set(heights)).sorted(), "each life goes on from the one before: \(heights)")
    #expect(heights.last ?? height < height)
    try cluster.start(3)
    while cluster.heights[3] != height, !cluster.isQuiet {
      cluster.run(stepsMax: 1)
      peak = max(peak, try held(by: cluster.replicas[3]))
    }
    #expect(peak > 0 && peak <= ConsensusLimits.uncertifiedBlocksMax + 2 + ConsensusLimits.recentBlocksMax)
    cluster.run()
    cluster.settle()
    #expect(cluster.replicas[3]?.head == cluster.replicas[0]?.head)
    #expect(cluster.replicas[3]?.state.logRoot == cluster.replicas[0]?.state.logRoot)
    #expect(cluster.decided[3] == cluster.decided[0])
    // Nothing is sent much more than once, and never more at a time than one answer may hold.
    #expect(seen.blocks < Int(height) + 8 * ConsensusLimits.fetchBlocksMax)
    #expect(seen.largest <= ConsensusLimits.fetchBytesMax && seen.most <= ConsensusLimits.fetchBlocksMax)
    // It is counted on at once.
    cluster.stop(1)
    cluster.submit([2, 2], at: 3)
    cluster.settle()
    #expect(cluster.replicas[3]?.state.logSize == UInt64(total + 1))
  }

  /// Peers that give nothing are passed over, and the next one is asked.
  @Test func peersThatGiveNothingArePassedOver() throws {
    var cluster = try Cluster(replicas: 4)
    cluster.stop(3)
    for number in 0..<200 as Range<UInt8> { try cluster.offer([[1, number]]) }
    cluster.settle()
    let seen = Seen()
    // The answers of two of the three are lost.
    cluster.drops = { sender, to, message in
      guard to == 3, case .blocks(let answer) = message.body else { return false }
      seen.note(answer)
      return sender != 2
    }
    try cluster.start(3)
    cluster.run()
    cluster.settle()
    #expect(cluster.replicas[3]?.head == cluster.replicas[0]?.head)
    #expect(seen.answers > 0)
  }

  private func held(by replica: Replica<AppendLog>?) throws -> Int {
    let replica = try #require(replica)
    return replica.tree.count + replica.recent.count + replica.proposals.values.reduce(0) { $0 + $1.count }
  }

  private final class Seen {
    private(set) var answers = 0
    private(set) var blocks = 0
    private(set) var most = 0
    private(set) var largest = 0

    func note(_ answer: FetchAnswer) {
      answers += 1
      blocks += answer.blocks.count
      most = max(most, answer.blocks.count)
      largest = max(largest, answer.blocks.reduce(0) { $0 + $1.encode().count })
    }
  }
}
