import SyncConsensus
import SyncProof

/// A whole group in one process, from one seed: virtual time, and a network, disks and processes that fail.
///
/// First come faults (drops, delays, duplicates, reordering, partitions, crashes at every kind of instant, clocks that
/// disagree, in some seeds one replica that runs twice with one key), then all is healed, and progress is demanded.
/// The same seed gives the same events; ``Result/traceDigest`` proves it.
public struct ConsensusSimulator {
  public struct Options: Sendable {
    /// `nil` draws 1 to 7 from the seed.
    public var replicas: Int?
    /// `nil` draws it from the seed, where the group tolerates a faulty replica.
    public var hasTwin: Bool?
    public var faultSeconds: UInt64 = 4
    public init() {}
  }

  public struct Result: Sendable {
    public let seed: UInt64
    /// What did not hold, `nil` for nothing.
    public let failure: String?
    /// SHA-256 over every event in order.
    public let traceDigest: Digest
    public let events: Int
    public let height: Int
    public let crashes: Int
    public let provenMisbehaviours: Int
  }

  enum Event {
    case deliver(instance: Int, from: UInt16, [UInt8])
    case wake(instance: Int, life: Int)
    case written(instance: Int, life: Int, [StoredRecord], [Effect<AppendLog>])
    case submit(instance: Int, [UInt8])
    case connect(instance: Int, peer: UInt16)
    case crash(instance: Int)
    case restart(instance: Int)
    case partition([Int])
    case heal
    case probe
  }

  struct Process {
    let index: UInt16
    var disk: [[UInt8]: [UInt8]] = [:]
    var replica: Replica<AppendLog>?
    var inbox: [Input] = []
    var isWriting = false
    var life = 0
    var monotonicOffset: UInt64 = 0
    var wallOffset: UInt64 = 0
    var wakeUp: UInt64?
  }

  static let millisecond: UInt64 = 1_000_000
  static let wallStart: UInt64 = 1_700_000_000_000

  let seed: UInt64
  let options: Options
  let group: FixtureGroup
  let twin: UInt16?
  var random: SeededGenerator
  var processes: [Process] = []
  var checker: ConsensusChecker
  var queue = EventQueue<Event>()
  var time: UInt64 = 0
  var isHealed = false
  var side: [Int] = []
  let dropPerMille: UInt64
  let crashPerMille: UInt64
  var trace = SHA256.Stream()
  var eventCount = 0
  var crashes = 0
  var proofs = 0
  var submitted: [(entry: [UInt8], instance: Int, life: Int)] = []
  var probes: [[UInt8]] = []
  var entryNumber: UInt64 = 0
  /// Where the faulty replica does not only run twice.
  var liar: Liar?

  /// Called with a line for every event, for the search after a failure.
  public var observer: ((String) -> Void)?

  public init(seed: UInt64, options: Options = Options()) throws {
    var random = SeededGenerator(seed: seed)
    let count = options.replicas ?? [1, 2, 3, 4, 4, 4, 4, 5, 7][Int(random.below(9))]
    group = try FixtureGroup(replicas: count)
    let wantsTwin = options.hasTwin ?? random.happens(perMille: 300)
    twin = wantsTwin && count >= 4 ? UInt16(random.below(UInt64(count))) : nil
    let lies = random.happens(perMille: 600)
    if let twin, lies { liar = Liar(group: group, index: twin) }
    dropPerMille = [0, 10, 50, 200][Int(random.below(4))]
    crashPerMille = [0, 5, 20][Int(random.below(3))]
    self.seed = seed
    self.options = options
    self.random = random
    checker = ConsensusChecker(group: group, faulty: twin.map { [$0] } ?? [])
    for index in 0..<UInt16(count) {
      processes.append(Process(index: index))
      if index == twin { processes.append(Process(index: index)) }
    }
    side = [Int](repeating: 0, count: processes.count)
  }

  /// Runs to the end, or to the first thing that does not hold.
  public mutating func run() -> Result {
    plan()
    for instance in processes.indices { start(instance) }
    while checker.failure == nil, let (at, event) = queue.pop() {
      time = at
      eventCount += 1
      if eventCount > 200_000 {
        checker.fail("events without end")
        break
      }
      handle(event)
    }
    if checker.failure == nil { checkEnd() }
    return Result(
      seed: seed, failure: checker.failure.map { "seed \(seed): \($0)" }, traceDigest: trace.finish(),
      events: eventCount, height: checker.height, crashes: crashes, provenMisbehaviours: proofs)
  }

  // MARK: The plan of faults

  private mutating func plan() {
    let end = options.faultSeconds * 1_000 * Self.millisecond
    for instance in processes.indices { processes[instance].wallOffset = random.below(400) }
    for _ in 0..<(5 + random.below(25)) {
      let instance = Int(random.below(UInt64(processes.count)))
      queue.push(.submit(instance: instance, nextEntry()), at: random.below(end))
    }
    for _ in 0..<random.below(6) {
      let instance = Int(random.below(UInt64(processes.count)))
      let at = random.below(end)
      queue.push(.crash(instance: instance), at: at)
    }
    for _ in 0..<random.below(5) {
      let at = random.below(end)
      let sides = processes.indices.map { _ in Int(random.below(2)) }
      queue.push(.partition(sides), at: at)
      queue.push(
        .partition([Int](repeating: 0, count: processes.count)), at: at + random.below(1_500 * Self.millisecond))
    }
    queue.push(.heal, at: end)
    queue.push(.probe, at: end + 500 * Self.millisecond)
  }

  private mutating func nextEntry() -> [UInt8] {
    entryNumber += 1
    var entry = [UInt8](repeating: 0x20, count: 3 + Int(random.below(100)))
    if random.happens(perMille: 200) {
      entry[0] = AppendLog.deadlineTag
      entry[1] = UInt8(random.below(6))
      entry[2] = UInt8(random.below(256))
    }
    return entry + (0..<8).map { UInt8(truncatingIfNeeded: entryNumber >> (8 * $0)) }
  }

  private mutating func handle(_ event: Event) {
    switch event {
    case .deliver(let instance, let from, let bytes):
      guard processes[instance].replica != nil else { return }
      note(1, instance, bytes)
      if !isHealed, processes[instance].index == twin { lie(instance, bytes) }
      put(.message(from: ReplicaIndex(rawValue: from), bytes), into: instance)
    case .wake(let instance, let life):
      guard processes[instance].life == life, processes[instance].wakeUp == time else { return }
      processes[instance].wakeUp = nil
      note(2, instance, [])
      put(.wakeUp, into: instance)
    case .written(let instance, let life, let records, let held):
      guard processes[instance].life == life, processes[instance].replica != nil else { return }
      note(3, instance, [])
      store(records, in: instance)
      processes[instance].isWriting = false
      perform(held, for: instance)
      pump(instance)
    case .submit(let instance, let entry):
      guard processes[instance].replica != nil else { return }
      submitted.append((entry, instance, processes[instance].life))
      note(4, instance, entry)
      put(.submit(entry), into: instance)
    case .connect(let instance, let peer):
      guard processes[instance].replica != nil else { return }
      note(5, instance, [])
      put(.peerConnected(ReplicaIndex(rawValue: peer)), into: instance)
    case .crash(let instance): if !isHealed { crash(instance) }
    case .restart(let instance): if processes[instance].replica == nil { start(instance) }
    case .partition(let sides): if !isHealed { change(to: sides) }
    case .heal: heal()
    case .probe:
      for _ in 0..<3 {
        let honest = processes.indices.filter { processes[$0].index != twin }
        let instance = honest[Int(random.below(UInt64(honest.count)))]
        let entry = nextEntry()
        probes.append(entry)
        put(.submit(entry), into: instance)
      }
    }
  }

  private mutating func note(_ kind: UInt8, _ instance: Int, _ bytes: [UInt8]) {
    var writer = ByteWriter()
    writer.write(time)
    writer.write(kind)
    writer.write(UInt16(instance))
    writer.writeCounted(bytes)
    trace.update(writer.bytes)
    observer?(describe(kind, instance, bytes))
  }

  private func describe(_ kind: UInt8, _ instance: Int, _ bytes: [UInt8]) -> String {
    let name = ["", "message", "wake", "written", "submit", "connect"][Int(kind)]
    let place = processes[instance].replica.map { "view \($0.currentView) height \($0.head.height)" } ?? "down"
    let message = (try? Message(decoding: bytes)).map { message in
      switch message.body {
      case .status: "status"
      case .proposal(let proposal): "proposal \(proposal.block.view) of \(proposal.block.entries.count)"
      case .vote(let vote): "vote \(vote.view) by \(vote.author)"
      case .timeout(let timeout): "timeout \(timeout.view) by \(timeout.author)"
      case .entries(let entries): "entries \(entries.count)"
      case .fetch(let request): "fetch above \(request.knownHeight)"
      case .blocks(let answer): "blocks \(answer.blocks.count)"
      }
    }
    let milliseconds = time / Self.millisecond
    return "\(milliseconds) ms \(name) \(instance) (replica \(processes[instance].index), \(place)) \(message ?? "")"
  }

  // MARK: The end

  private mutating func checkEnd() {
    for (instance, process) in processes.enumerated() where process.index != twin {
      guard let replica = process.replica else { return checker.fail("instance \(instance) is down") }
      if replica.head.height != UInt64(checker.height) {
        return checker.fail("instance \(instance) stands at \(replica.head.height) of \(checker.height)")
      }
      if replica.nextWakeUp != nil { return checker.fail("instance \(instance) does not rest") }
    }
    for entry in probes where !checker.isOrdered(entry) { return checker.fail("no progress after healing") }
    for item in submitted where processes[item.instance].life == item.life && processes[item.instance].index != twin {
      if !checker.isOrdered(item.entry) { return checker.fail("a submission that an honest replica held was lost") }
    }
  }
}

/// Events by time, then by the order in which they were put in.
struct EventQueue<Event> {
  private var heap: [(time: UInt64, sequence: UInt64, event: Event)] = []
  private var sequence: UInt64 = 0

  private func precedes(_ a: Int, _ b: Int) -> Bool {
    (heap[a].time, heap[a].sequence) < (heap[b].time, heap[b].sequence)
  }

  mutating func push(_ event: Event, at time: UInt64) {
    sequence += 1
    heap.append((time, sequence, event))
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> (time: UInt64, event: Event)? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return (first.time, first.event) }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
      if least == parent { break }
      heap.swapAt(parent, least)
      parent = least
    }
    return (first.time, first.event)
  }
}
