import SyncProof
import Testing

@testable import SyncConsensus

@Suite struct PoolTests {
  private let one = Pool.Source.peer(ReplicaIndex(rawValue: 1))
  private let two = Pool.Source.peer(ReplicaIndex(rawValue: 2))

  private func pool(entries: Int = 3, bytes: Int = 100) -> Pool {
    let bounds = Configuration.PoolBounds(entriesMax: entries, bytesMax: bytes)
    return Pool(local: bounds, peer: bounds)
  }

  @Test func aFloodingPeerFillsItsOwnShareOnly() {
    var pool = pool()
    for i in 0..<10 as Range<UInt8> {
      #expect(pool.add([i], from: one, isAdmitted: true, height: 0) == (i < 3))
    }
    #expect(pool.add([100], from: two, isAdmitted: true, height: 0))
    #expect(pool.add([101], from: .local, isAdmitted: true, height: 0))
    #expect(pool.count == 5)
  }

  @Test func bytesAreBounded() {
    var pool = pool(entries: 100, bytes: 100)
    #expect(pool.add([UInt8](repeating: 1, count: 60), from: one, isAdmitted: true, height: 0))
    #expect(!pool.add([UInt8](repeating: 2, count: 41), from: one, isAdmitted: true, height: 0))
    #expect(pool.add([UInt8](repeating: 2, count: 40), from: one, isAdmitted: true, height: 0))
    var large = self.pool(entries: 9, bytes: 1 << 30)
    let longest = [UInt8](repeating: 1, count: ConsensusLimits.entryBytesMax)
    #expect(!large.add(longest + [1], from: .local, isAdmitted: true, height: 0))
    #expect(!large.add([], from: .local, isAdmitted: true, height: 0))
    #expect(large.add(longest, from: .local, isAdmitted: true, height: 0))
  }

  @Test func entriesAreHeldOnce() {
    var pool = pool()
    #expect(pool.add([1], from: one, isAdmitted: true, height: 0))
    #expect(!pool.add([1], from: two, isAdmitted: true, height: 0))
    #expect(pool.localEntries(bytesMax: 100).isEmpty)
    #expect(pool.add([1], from: .local, isAdmitted: true, height: 0))
    #expect(!pool.add([1], from: .local, isAdmitted: true, height: 0))
    #expect(pool.localEntries(bytesMax: 100) == [[1]])
    #expect(pool.count == 1)
  }

  @Test func decidedAndRefusedEntriesLeaveAndGiveRoom() {
    var pool = pool()
    for i in 0..<3 as Range<UInt8> { _ = pool.add([i], from: one, isAdmitted: true, height: 0) }
    pool.refilter(decided: [SHA256.hash([0])], height: 1) { $0 != [1] }
    #expect(pool.select(excluding: []) { _ in true } == [[2]])
    #expect(pool.add([7], from: one, isAdmitted: true, height: 1))
    #expect(pool.add([8], from: one, isAdmitted: true, height: 1))
    #expect(!pool.add([9], from: one, isAdmitted: true, height: 1))
  }

  @Test func entriesThatCameEarlyWaitAWhile() {
    var pool = pool()
    #expect(pool.add([1], from: one, isAdmitted: false, height: 5))
    #expect(!pool.isPending)
    #expect(pool.select(excluding: []) { _ in true }.isEmpty)
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
    var pool = Pool(
      local: .init(entriesMax: 10_000, bytesMax: 1 << 30), peer: .init(entriesMax: 1, bytesMax: 1))
    for i in 0..<5_000 { _ = pool.add([UInt8(i & 255), UInt8(i >> 8)], from: .local, isAdmitted: true, height: 0) }
    #expect(pool.select(excluding: []) { _ in true }.count == ConsensusLimits.blockEntriesMax)
    #expect(pool.select(excluding: [SHA256.hash([0, 0])]) { _ in true }.first == [1, 0])
    var heavy = Pool(local: .init(entriesMax: 99, bytesMax: 1 << 30), peer: .init(entriesMax: 1, bytesMax: 1))
    for i in 0..<6 as Range<UInt8> {
      _ = heavy.add([UInt8](repeating: i, count: 200 << 10), from: .local, isAdmitted: true, height: 0)
    }
    #expect(heavy.select(excluding: []) { _ in true }.count == 5)
  }
}
