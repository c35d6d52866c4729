import SyncProof
import Testing

@testable import SyncConsensus

@Suite struct PoolTests {
  private let one = Pool.Source.peer(ReplicaIndex(rawValue: 1))
  private let two = Pool.Source.peer(ReplicaIndex(rawValue: 2))

  /// A pool behind a reference, so that expectations may change it.
  private final class Held {
    var pool: Pool
    init(_ entries: Int, _ bytes: Int) {
      let bounds = Configuration.PoolBounds(entriesMax: entries, bytesMax: bytes)
      pool = Pool(local: bounds, peer: bounds)
    }
    func add(_ bytes: [UInt8], from source: Pool.Source, isAdmitted: Bool, height: UInt64) -> Bool {
      pool.add(bytes, from: source, isAdmitted: isAdmitted, height: height)
    }
    func refilter(decided: Set<Digest>, height: UInt64, admits: ([UInt8]) -> Bool) {
      pool.refilter(decided: decided, height: height, admits: admits)
    }
    func select(excluding: Set<Digest> = []) -> [[UInt8]] { pool.select(excluding: excluding) { _ in true } }
    var local: [[UInt8]] { pool.entriesToResend(includingPeers: false, bytesMax: 100) }
    var count: Int { pool.count }
    var isPending: Bool { pool.isPending }
  }

  private func pool(entries: Int = 3, bytes: Int = 100) -> Held { Held(entries, bytes) }

  @Test func aFloodingPeerFillsItsOwnShareOnly() {
    let pool = pool()
    for i in 0..<10 as Range<UInt8> {
      #expect(pool.add([i], from: one, isAdmitted: true, height: 0) == (i < 3))
    }
    #expect(pool.add([100], from: two, isAdmitted: true, height: 0))
    #expect(pool.add([101], from: .local, isAdmitted: true, height: 0))
    #expect(pool.count == 5)
  }

  @Test func bytesAreBounded() {
    let pool = pool(entries: 100, bytes: 100)
    #expect(pool.add([UInt8](repeating: 1, count: 60), from: one, isAdmitted: true, height: 0))
    #expect(!pool.add([UInt8](repeating: 2, count: 41), from: one, isAdmitted: true, height: 0))
    #expect(pool.add([UInt8](repeating: 2, count: 40), from: one, isAdmitted: true, height: 0))
    let large = self.pool(entries: 9, bytes: 1 << 30)
    let longest = [UInt8](repeating: 1, count: ConsensusLimits.entryBytesMax)
    #expect(!large.add(longest + [1], from: .local, isAdmitted: true, height: 0))
    #expect(!large.add([], from: .local, isAdmitted: true, height: 0))
    #expect(large.add(longest, from: .local, isAdmitted: true, height: 0))
  }

  @Test func entriesAreHeldOnce() {
    let pool = pool()
    #expect(pool.add([1], from: one, isAdmitted: true, height: 0))
    #expect(!pool.add([1], from: two, isAdmitted: true, height: 0))
    #expect(pool.local.isEmpty)
    #expect(pool.add([1], from: .local, isAdmitted: true, height: 0))
    #expect(!pool.add([1], from: .local, isAdmitted: true, height: 0))
    #expect(pool.local == [[1]])
    #expect(pool.count == 1)
  }

  @Test func decidedAndRefusedEntriesLeaveAndGiveRoom() {
    let pool = pool()
    for i in 0..<3 as Range<UInt8> { _ = pool.add([i], from: one, isAdmitted: true, height: 0) }
    pool.refilter(decided: [SHA256.hash([0])], height: 1) { $0 != [1] }
    #expect(pool.select() == [[2]])
    #expect(pool.add([7], from: one, isAdmitted: true, height: 1))
    #expect(pool.add([8], from: one, isAdmitted: true, height: 1))
    #expect(!pool.add([9], from: one, isAdmitted: true, height: 1))
  }

  @Test func entriesThatCameEarlyWaitAWhile() {
    let pool = pool()
    #expect(pool.add([1], from: one, isAdmitted: false, height: 5))
    #expect(!pool.isPending)
    #expect(pool.select().isEmpty)
    pool.refilter(decided: [], height: 20) { _ in false }
    #expect(pool.count == 1)
    pool.refilter(decided: [], height: 20) { _ in true }
    #expect(pool.isPending)
    pool.refilter(decided: [], height: 20) { _ in false }
    #expect(pool.count == 0)
    _ = pool.add([1], from: one, isAdmitted: false, height: 5)
    pool.refilter(decided: [], height: 21) { _ in false }
    #expect(pool.count == 0)
  }

  @Test func selectionFitsABlock() {
    let pool = pool(entries: 10_000, bytes: 1 << 30)
    for i in 0..<5_000 { _ = pool.add([UInt8(i & 255), UInt8(i >> 8)], from: .local, isAdmitted: true, height: 0) }
    #expect(pool.select().count == ConsensusLimits.blockEntriesMax)
    #expect(pool.select(excluding: [SHA256.hash([0, 0])]).first == [1, 0])
    let heavy = self.pool(entries: 99, bytes: 1 << 30)
    for i in 0..<6 as Range<UInt8> {
      _ = heavy.add([UInt8](repeating: i, count: 200 << 10), from: .local, isAdmitted: true, height: 0)
    }
    #expect(heavy.select().count == 5)
  }
}
