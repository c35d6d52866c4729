import SyncConsensus
import SyncProof

/// The network between the processes.
extension ConsensusSimulator {
  /// Lets a faulty replica answer a message with what it should not send.
  mutating func lie(_ instance: Int, _ bytes: [UInt8]) {
    let index = processes[instance].index
    guard let message = try? Message(decoding: bytes) else { return }
    let wall = Self.wallStart + time / Self.millisecond
    guard let lies = liars[index]?.lies(on: message, wallMilliseconds: wall, random: &random) else { return }
    for message in lies {
      votes.saw(message)
      for peer in 0..<UInt16(group.set.count) where peer != index {
        transmit(message.encode(), from: instance, to: peer)
      }
    }
  }

  mutating func checkMessage(_ bytes: [UInt8], of sender: Int) {
    guard let message = try? Message(decoding: bytes), message.encode() == bytes else {
      return checker.fail("instance \(sender) sends what is not the encoding of a message")
    }
    votes.saw(message)
    // A leader signs before anybody has seen its block.
    if case .proposal(let proposal) = message.body { check(proposal.vote.statement, by: processes[sender].index) }
  }

  /// Whether the rules let an honest replica vote so.
  mutating func check(_ statement: VoteStatement, by index: UInt16) {
    guard !faulty.contains(index), let problem = votes.problem(of: statement) else { return }
    checker.fail("replica \(index) \(problem)")
  }

  mutating func transmit(_ bytes: [UInt8], from sender: Int, to index: UInt16) {
    remember(bytes)
    for instance in processes.indices where processes[instance].index == index {
      if isHealed {
        push(bytes, from: sender, to: instance, after: 1 + random.below(8 * Self.millisecond))
        continue
      }
      if faults.isCut(from: sender, to: instance, at: time) { continue }
      if happens(faults.drops) { continue }
      for _ in 0..<(happens(faults.duplicates) ? 2 : 1) {
        var delay = 1 + random.below(8 * Self.millisecond) + slowness(of: sender) + slowness(of: instance)
        if happens(faults.reorders) { delay += random.below(40 * Self.millisecond) }
        for fault in faults.delays where fault.window.contains(time) && random.happens(perMille: fault.perMille) {
          delay += random.below(fault.by * Self.millisecond + 1)
        }
        push(bytes, from: sender, to: instance, after: delay)
        if happens(faults.garbage) { push(garbled(bytes), from: sender, to: instance, after: delay + 1) }
      }
    }
  }

  private mutating func push(_ bytes: [UInt8], from sender: Int, to instance: Int, after delay: UInt64) {
    queue.push(.deliver(instance: instance, from: processes[sender].index, bytes), at: time + delay)
  }

  private mutating func happens(_ rates: [FaultTable.Rate]) -> Bool {
    for rate in rates where rate.window.contains(time) && random.happens(perMille: rate.perMille) { return true }
    return false
  }

  /// What the sender never sent: noise, or its bytes with one bit turned, or their beginning.
  private mutating func garbled(_ bytes: [UInt8]) -> [UInt8] {
    guard !bytes.isEmpty else { return bytes }
    switch random.below(3) {
    case 0: return (0..<random.below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    case 1: return Array(bytes.prefix(Int(random.below(UInt64(bytes.count)))))
    default:
      var bytes = bytes
      bytes[Int(random.below(UInt64(bytes.count)))] ^= 1 << UInt8(random.below(8))
      return bytes
    }
  }

  /// How much longer an instance's messages and writes take.
  func slowness(of instance: Int) -> UInt64 {
    guard !isHealed else { return 0 }
    return faults.slow.reduce(0) { sum, fault in
      fault.instance == instance && fault.window.contains(time) ? sum + fault.by * Self.millisecond : sum
    }
  }

  // MARK: Connections

  /// Connections across a border that is gone stand again.
  mutating func mend(_ fault: ConsensusFault) {
    switch fault {
    case .partition(let a, let b, _), .oneWay(let a, let b, _):
      for one in a {
        for other in b { connect(one, other) }
      }
    default: break
    }
  }

  /// All of them, anew.
  mutating func reconnect() {
    for one in processes.indices {
      for other in processes.indices where other > one { connect(one, other) }
    }
  }

  private mutating func connect(_ one: Int, _ other: Int) {
    guard processes[one].index != processes[other].index else { return }
    for (a, b) in [(one, other), (other, one)] {
      queue.push(.connect(instance: a, peer: processes[b].index), at: time + random.below(20 * Self.millisecond))
    }
  }
}

/// A plan, arranged for quick answers.
struct FaultTable {
  struct Rate {
    let perMille: UInt64
    var by: UInt64 = 0
    let window: Span
  }

  /// In nanoseconds of virtual time.
  struct Span {
    let from: UInt64
    let to: UInt64
    init(_ window: ConsensusFault.Window) {
      (from, to) = (window.from * ConsensusSimulator.millisecond, window.to * ConsensusSimulator.millisecond)
    }
    func contains(_ time: UInt64) -> Bool { from <= time && time < to }
  }

  struct Slow {
    let instance: Int
    let by: UInt64
    let window: Span
  }

  struct Cut {
    let from: Set<Int>
    let to: Set<Int>
    let isOneWay: Bool
    let window: Span
  }

  /// By instance, then by the number of the write or effect.
  private(set) var crashesAtWrite: [Int: [Int: [ConsensusFault.Moment: UInt64]]] = [:]
  private(set) var crashesAtEffect: [Int: [Int: UInt64]] = [:]
  private(set) var failedSyncs: [Int: [Int: (isKept: Bool, down: UInt64)]] = [:]
  private var crashRates: [Rate] = []
  private(set) var slow: [Slow] = []
  private var cuts: [Cut] = []
  private(set) var drops: [Rate] = []
  private(set) var duplicates: [Rate] = []
  private(set) var delays: [Rate] = []
  private(set) var reorders: [Rate] = []
  private(set) var garbage: [Rate] = []

  init(_ plan: ConsensusFaultPlan) {
    for fault in plan.faults {
      switch fault {
      case .crashAtWrite(let instance, let write, let moment, let down):
        crashesAtWrite[instance, default: [:]][write, default: [:]][moment] = down
      case .crashAtEffect(let instance, let effect, let down):
        crashesAtEffect[instance, default: [:]][effect] = down
      case .failedSync(let instance, let write, let isKept, let down):
        failedSyncs[instance, default: [:]][write] = (isKept, down)
      case .crashes(let rate, let window): crashRates.append(Rate(perMille: rate, window: Span(window)))
      case .slow(let instance, let by, let window):
        slow.append(Slow(instance: instance, by: by, window: Span(window)))
      case .partition(let a, let b, let window):
        cuts.append(Cut(from: Set(a), to: Set(b), isOneWay: false, window: Span(window)))
      case .oneWay(let a, let b, let window):
        cuts.append(Cut(from: Set(a), to: Set(b), isOneWay: true, window: Span(window)))
      case .drop(let rate, let window): drops.append(Rate(perMille: rate, window: Span(window)))
      case .duplicate(let rate, let window): duplicates.append(Rate(perMille: rate, window: Span(window)))
      case .delay(let rate, let by, let window):
        delays.append(Rate(perMille: rate, by: by, window: Span(window)))
      case .reorder(let rate, let window): reorders.append(Rate(perMille: rate, window: Span(window)))
      case .garbage(let rate, let window): garbage.append(Rate(perMille: rate, window: Span(window)))
      case .crash, .powerCut, .restored, .dead, .clock, .drift, .twin, .liar: break
      }
    }
  }

  /// At how many places of a thousand processes end.
  func crashRate(at time: UInt64) -> UInt64 {
    crashRates.reduce(0) { $1.window.contains(time) ? max($0, $1.perMille) : $0 }
  }

  func isCut(from sender: Int, to instance: Int, at time: UInt64) -> Bool {
    cuts.contains { cut in
      guard cut.window.contains(time) else { return false }
      return cut.from.contains(sender) && cut.to.contains(instance)
        || !cut.isOneWay && cut.to.contains(sender) && cut.from.contains(instance)
    }
  }
}
