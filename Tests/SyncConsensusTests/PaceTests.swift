import SyncConsensus
import SyncProof
import SyncTesting
import Testing

@testable import SyncConsensus

/// The timeout follows what views last.
@Suite struct PaceTests {
  @Test(
    arguments: [
      ("nothing measured", [], 100),
      ("one leader alone may be faulty", [(1, 300)], 100),
      ("the slower of two is not believed", [(1, 900), (2, 50)], 200),
      ("short views leave the configured base", [(0, 3), (1, 2), (2, 4), (3, 3)], 100),
      ("four times the second slowest of four", [(0, 70), (1, 80), (2, 90), (3, 5_000)], 360),
      ("a quick view counts by an eighth", [(1, 80), (2, 80), (1, 1), (2, 1)], 280),
      ("a slow view counts at once", [(1, 80), (2, 80), (1, 160), (2, 160)], 640),
      ("at most the longest timeout", [(1, 1_000_000), (2, 1_000_000)], 60_000),
    ] as [(String, [(UInt16, UInt64)], UInt64)])
  func base(name: String, views: [(UInt16, UInt64)], milliseconds: UInt64) {
    var pace = ViewPace()
    for (leader, duration) in views { pace.note(duration * 1_000_000, ledBy: ReplicaIndex(rawValue: leader)) }
    #expect(pace.base(configured: 100_000_000, faultyMax: 1) == milliseconds * 1_000_000, Comment(rawValue: name))
  }

  @Test func anOverflowIsTheLongestTimeout() {
    var pace = ViewPace()
    for leader in 0..<2 { pace.note(.max, ledBy: ReplicaIndex(rawValue: UInt16(leader))) }
    #expect(pace.base(configured: 1, faultyMax: 1) == ConsensusLimits.timeoutNanosecondsMax)
  }

  /// A base of 100 ms over links on which a view takes 300: the group learns it, and gives up no view any more.
  @Test func slowLinksAreLearnt() throws {
    var group = try SlowGroup(delay: { _, _ in 150 })
    group.run(milliseconds: 30_000)
    let before = group.timeouts
    group.run(milliseconds: 30_000)
    #expect(before > 0)
    #expect(group.timeouts == before)
    #expect(group.decidedEntries > 60)
  }

  /// What one slow replica of four takes is not waited for.
  @Test func oneSlowReplicaDoesNotSlowTheTimeout() throws {
    var group = try SlowGroup(delay: { sender, receiver in sender == 3 || receiver == 3 ? 45 : 1 })
    group.run(milliseconds: 3_000)
    let bases = group.replicas.prefix(3).map { $0.timeoutBaseNanoseconds }
    #expect(bases.allSatisfy { $0 == 100_000_000 })
    #expect(group.decidedEntries > 20)
  }
}

/// Four replicas whose messages take so many milliseconds from one to the other; one entry waits at any time.
private struct SlowGroup {
  private enum Event {
    case input(Int, Input)
    case wake(Int)
  }

  var replicas: [Replica<AppendLog>]
  private(set) var timeouts = 0
  private(set) var decidedEntries = 0
  private let group: FixtureGroup
  private let delay: (Int, Int) -> UInt64
  private var events: [(at: UInt64, number: Int, event: Event)] = []
  private var time: UInt64 = 0
  private var number = 0
  private var next: UInt8 = 0

  init(delay: @escaping (Int, Int) -> UInt64) throws {
    let group = try FixtureGroup(replicas: 4)
    (self.group, self.delay) = (group, delay)
    replicas = try (0..<4).map { index in
      try Replica(
        configuration: group.configuration(of: index), genesis: AppendLog(), recovered: RecoveredRecords([])
      ) { _ throws(ConsensusError) in }
    }
    for index in 0..<4 { push(.input(index, .start), after: 0) }
    submit()
  }

  mutating func run(milliseconds: UInt64) {
    let end = time + milliseconds * 1_000_000
    while let first = events.indices.min(by: { (events[$0].at, events[$0].number) < (events[$1].at, events[$1].number) }
    ),
      events[first].at <= end
    {
      let (at, _, event) = events.remove(at: first)
      time = at
      switch event {
      case .input(let index, let input): step(index, input)
      case .wake(let index):
        if let due = replicas[index].nextWakeUp, due <= time { step(index, .wakeUp) }
      }
    }
    time = end
  }

  private mutating func submit() {
    next &+= 1
    push(.input(0, .submit([[next, UInt8(decidedEntries & 0xFF), UInt8(decidedEntries >> 8)]])), after: 0)
  }

  private mutating func step(_ index: Int, _ input: Input) {
    let now = Instant(monotonicNanoseconds: time, wallMilliseconds: noon.wallMilliseconds + time / 1_000_000)
    perform(replicas[index].step(input, now: now), of: index)
    if let due = replicas[index].nextWakeUp { push(.wake(index), after: due > time ? due - time : 0) }
  }

  private mutating func perform(_ effects: [Effect<AppendLog>], of index: Int) {
    for effect in effects {
      switch effect {
      case .persist(_, let then): perform(then, of: index)
      case .sign(let request):
        if case .timeout = request.subject { timeouts += 1 }
        push(.input(index, .signed(request, group.keys[index].sign(request.message))), after: 0)
      case .send(let peer, let bytes): transmit(bytes, from: index, to: Int(peer.rawValue))
      case .broadcast(let bytes): for peer in 0..<4 where peer != index { transmit(bytes, from: index, to: peer) }
      case .decided(let block):
        guard index == 0, !block.block.entries.isEmpty else { break }
        decidedEntries += block.block.entries.count
        submit()
      case .load, .observation, .misbehaviour, .halted: break
      }
    }
  }

  private mutating func transmit(_ bytes: [UInt8], from sender: Int, to peer: Int) {
    let message = Input.message(from: ReplicaIndex(rawValue: UInt16(sender)), bytes)
    push(.input(peer, message), after: delay(sender, peer) * 1_000_000)
  }

  private mutating func push(_ event: Event, after nanoseconds: UInt64) {
    number += 1
    events.append((time + nanoseconds, number, event))
  }
}
