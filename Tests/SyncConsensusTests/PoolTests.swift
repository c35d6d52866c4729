import SyncProof
import SyncTesting
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
      pool.add(bytes, from: source, height: height, isAdmitted: isAdmitted)
    }
    func refilter(decided: Set<Digest>, height: UInt64, isWhole: Bool = false, admits: ([UInt8]) -> Bool) {
      pool.refilter(decided: decided, height: height, isWhole: isWhole, admits: admits)
    }
    func select(excluding: Set<Digest> = []) -> [[UInt8]] { pool.select(excluding: excluding) { _ in true } }
    func selectNothing() -> [[UInt8]] { pool.select(excluding: []) { _ in false } }
    var isSettled: Bool { pool.isSettled }
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

  @Test func aBlockCostsWhatIsInItHoweverMuchWaits() {
    let pool = pool(entries: 20_000, bytes: 1 << 30)
    func entry(_ i: Int) -> [UInt8] { [UInt8(i & 255), UInt8(i >> 8)] }
    for i in 0..<10_000 { _ = pool.add(entry(i), from: .local, isAdmitted: true, height: 0) }
    _ = pool.add([9, 9, 9], from: one, isAdmitted: false, height: 0)
    var asked = 0
    for block in 0..<100 {
      let decided = Set((block * 10..<block * 10 + 10).map { SHA256.hash(entry($0)) })
      // The parked one is looked at each time, the rest a few times in all.
      pool.refilter(decided: decided, height: 1) { bytes in
        asked += 1
        return bytes.count == 2
      }
    }
    #expect(pool.count == 9_001)
    #expect(pool.select().first == entry(1_000))
    #expect(asked < 100 + 3 * 10_000)
    // Somebody's entry that was early is taken in at once, however much waits.
    pool.refilter(decided: [], height: 2) { _ in true }
    #expect(pool.select(excluding: Set((1_000..<10_000).map { SHA256.hash(entry($0)) })) == [[9, 9, 9]])
  }

  @Test func whatNeverWillBeTakenIsNotKeptAndWhatIsHereIsNotAskedAbout() {
    var pool = Pool(local: .init(entriesMax: 9, bytesMax: 99), peer: .init(entriesMax: 9, bytesMax: 99))
    let hopeless = pool.add([1], from: one, height: 0, isAdmitted: false, mayBeLater: false)
    #expect(!hopeless && pool.count == 0)
    let good = pool.add([1], from: one, height: 0, isAdmitted: true)
    #expect(good && pool.count == 1)
    var asked = 0
    func ask() -> Bool {
      asked += 1
      return true
    }
    let again = pool.add([1], from: two, height: 0, isAdmitted: ask(), mayBeLater: ask())
    #expect(!again && asked == 0)
  }

  @Test func whatALeaderCouldNotTakeIsLookedAtBehindTheNextBlock() {
    let pool = pool(entries: 20_000, bytes: 1 << 30)
    for i in 0..<5_000 { _ = pool.add([UInt8(i & 255), UInt8(i >> 8)], from: one, isAdmitted: true, height: 0) }
    pool.refilter(decided: [], height: 1) { _ in false }
    #expect(pool.count == 5_000 && !pool.isSettled)
    #expect(pool.selectNothing().isEmpty)
    pool.refilter(decided: [], height: 2) { _ in false }
    #expect(pool.count == 0 && pool.isSettled)
  }

  @Test func whatNobodyTakesAnyMoreGoesWhenAllAreLookedAt() {
    let pool = pool(entries: 20_000, bytes: 1 << 30)
    for i in 0..<1_000 { _ = pool.add([UInt8(i & 255), UInt8(i >> 8)], from: one, isAdmitted: true, height: 0) }
    pool.refilter(decided: [], height: 1) { _ in false }
    #expect(pool.count == 1_000 && pool.isPending)
    pool.refilter(decided: [], height: 1, isWhole: true) { _ in false }
    #expect(pool.count == 0 && !pool.isPending)
  }

  /// Takes entries in one block alone, whatever is submitted.
  private struct OneBlockLog: StateMachine {
    var isFull = false
    var logSize: UInt64 { isFull ? 1 : 0 }
    var logRoot: Digest { .zero }
    var nextDeadlineMilliseconds: UInt64? { nil }
    func admits(_ entry: [UInt8]) -> Bool { !isFull }
    func mayAdmitLater(_ entry: [UInt8]) -> Bool { false }
    mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [Int] {
      isFull = isFull || !entries.isEmpty
      return entries.map(\.count)
    }
  }

  /// Hundreds of entries that no block will ever hold: the group rests all the same, its leader at once, the others
  /// when their time is up.
  @Test(arguments: [1, 4]) func aGroupRestsWhenWhatWaitsIsOfNoUse(replicas: Int) throws {
    let group = try FixtureGroup(replicas: replicas)
    var members = try (0..<replicas).map { index in
      try Replica(
        configuration: try group.configuration(of: index), genesis: OneBlockLog(), recovered: RecoveredRecords([]))
    }
    var now = noon
    // The first block decides some 250 of them, and leaves the rest.
    let entries = (0..<1_900).map { i in [UInt8](repeating: 1, count: 4_096) + [UInt8(i & 255), UInt8(i >> 8)] }
    var queue: [(to: Int, input: Input)] = members.indices.map { ($0, .start) } + [(0, .submit(entries))]
    func perform(_ effects: [Effect<OneBlockLog>], _ index: Int) {
      for effect in effects {
        switch effect {
        case .persist(_, let then): perform(then, index)
        case .sign(let request): queue.append((index, .signed(request, group.keys[index].sign(request.message))))
        case .send(let peer, let bytes):
          queue.append((Int(peer.rawValue), .message(from: ReplicaIndex(rawValue: UInt16(index)), bytes)))
        case .broadcast(let bytes):
          for peer in members.indices where peer != index {
            queue.append((peer, .message(from: ReplicaIndex(rawValue: UInt16(index)), bytes)))
          }
        case .decided, .load, .misbehaviour, .observation: break
        case .halted(let error): Issue.record("halted: \(error)")
        }
      }
    }
    for _ in 0..<8 {
      while !queue.isEmpty {
        let (to, input) = queue.removeFirst()
        perform(members[to].step(input, now: now), to)
      }
      guard members.contains(where: { $0.nextWakeUp != nil }) else { break }
      now = now.later(milliseconds: 60_000)
      queue = members.indices.map { ($0, .wakeUp) }
    }
    #expect(members.allSatisfy { $0.nextWakeUp == nil && $0.poolCount == 0 && $0.head.logSize == 1 })
    // Nobody gave up a view for them.
    #expect(members.allSatisfy { $0.currentView < 6 })
  }
}
