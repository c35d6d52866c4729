import SyncLedger
import SyncProof
import Testing

/// SplitMix64: one seed, one sequence, on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A random group with random, often nonsensical entries in random blocks.
private struct Chaos {
  typealias Applied = (entries: [[UInt8]], height: UInt64, milliseconds: UInt64)

  var generator: SeededGenerator
  var world: World
  let specs: [BuildSpec]
  private(set) var blocks: [Applied] = []
  private(set) var events: [LedgerEvent] = []
  private var sent: [[UInt8]] = []

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    let count = Int.random(in: 1...7, using: &generator)
    world = World(
      Builders(count, reproducers: Int.random(in: 1...count, using: &generator), commitSeconds: 20, revealSeconds: 5))
    specs = (0..<6).map { BuildSpec.sample(rebuild: $0) }
  }

  mutating func run() {
    for _ in 0..<60 {
      let entries = (0..<Int.random(in: 0...6, using: &generator)).map { _ in entry() }
      block(entries, later: .random(in: 0...3_000, using: &generator))
    }
    // At the worst a job is in its commit phase still: both phases pass.
    block([], later: 20_000)
    block([], later: 5_000)
  }

  private mutating func block(_ entries: [[UInt8]], later: UInt64) {
    let admitted = entries.first.map { world.ledger.admits($0) }
    let deadline = world.ledger.nextDeadlineMilliseconds ?? .max
    let now = world.block(of: entries, later: later)
    blocks.append((entries, world.height, world.milliseconds))
    events += now
    // Unless time came in between, what is admitted is what the next block takes.
    if let admitted, deadline > world.milliseconds, let first = entries.first {
      let digest = SHA256.hash(first)
      let isRefused = now.contains { if case .refused(digest, _) = $0 { true } else { false } }
      #expect(admitted != isRefused || isTwice(first, in: entries))
    }
  }

  private func isTwice(_ entry: [UInt8], in entries: [[UInt8]]) -> Bool {
    entries.filter { $0 == entry }.count > 1
  }

  private mutating func entry() -> [UInt8] {
    let builders = world.builders
    let spec = specs.randomElement(using: &generator)!
    let name = builders.names.randomElement(using: &generator)!
    let signer = Int.random(in: 0..<10, using: &generator) == 0 ? builders.names[0] : name
    let outcome: Outcome =
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: .sample("bad", of: spec)
      case 1: .failed(.wallTime)
      default: .sample("good", of: spec)
      }
    let bytes: [UInt8] =
      switch Int.random(in: 0..<12, using: &generator) {
      case 0: builders.submission(spec, by: name, signer: signer)
      case 1: builders.abstention(spec.jobID, by: name, signer: signer)
      case 2...5: builders.commitment(spec.jobID, by: name, to: outcome, signer: signer)
      case 6...9: builders.opening(spec.jobID, by: name, of: outcome, signer: signer)
      case 10: sent.randomElement(using: &generator) ?? []
      default: mangled()
      }
    sent.append(bytes)
    return bytes
  }

  private mutating func mangled() -> [UInt8] {
    guard var bytes = sent.randomElement(using: &generator), !bytes.isEmpty else { return [1, 1] }
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
    }
    return Bool.random(using: &generator) ? bytes : Array(bytes.prefix(.random(in: 0...bytes.count, using: &generator)))
  }

  var ordered: [Digest] { events.compactMap { if case .ordered(let job, _, _) = $0 { job } else { nil } } }
}

@Suite struct PropertyTests {
  @Test(arguments: 0..<40 as Range<UInt64>)
  func everyJobEndsOnceAndReplaysAlike(seed: UInt64) throws {
    var chaos = Chaos(seed: seed)
    chaos.run()
    let ledger = chaos.world.ledger
    #expect(ledger.openJobs.isEmpty)
    #expect(ledger.nextDeadlineMilliseconds == nil)

    var frontier = MerkleFrontier()
    var closed: [Digest] = []
    var accused: Set<String> = []
    for event in chaos.events {
      switch event {
      case .verdict(let job, let verdict, let evidence, let leaf, let index):
        #expect(index == frontier.size)
        #expect(try Evidence(parsing: leaf) == evidence)
        #expect(evidence.jobID == job && evidence.verdict == verdict)
        frontier.append(leafHash: Merkle.leafHash(leaf))
        closed.append(job)
      case .misbehaviourLogged(let record, let leaf, let index):
        #expect(index == frontier.size)
        #expect(accused.insert("\(record.member) \(record.kind)").inserted)
        let proof = try BuilderMisbehaviour(
          try MisbehaviourRecord(parsing: leaf), origin: chaos.world.builders.group.origin)
        #expect(proof.isProven(in: chaos.world.builders.group))
        frontier.append(leafHash: Merkle.leafHash(leaf))
      default: break
      }
    }
    #expect(closed.sorted() == chaos.ordered.sorted())
    #expect(Set(closed).count == closed.count)
    #expect(ledger.logSize == frontier.size && ledger.logRoot == frontier.root)

    var replayed = Ledger(group: chaos.world.builders.group)
    var events: [LedgerEvent] = []
    for block in chaos.blocks {
      events += replayed.apply(entries: block.entries, height: block.height, timeMilliseconds: block.milliseconds)
    }
    #expect(events == chaos.events)
    #expect(replayed.logRoot == ledger.logRoot)
    // The one lived on from a snapshot behind each block, the other on none.
    #expect(replayed.snapshot() == ledger.snapshot())
  }

  /// Evidence holds the height and time of its block; where these are equal, how entries are cut into blocks is not
  /// seen.
  @Test(arguments: 100..<110 as Range<UInt64>)
  func oneBlockOrManyOfEqualHeightAndTimeGiveOneLog(seed: UInt64) {
    var chaos = Chaos(seed: seed)
    chaos.run()
    var split = Ledger(group: chaos.world.builders.group)
    for block in chaos.blocks {
      for entry in block.entries {
        _ = split.apply(entries: [entry], height: block.height, timeMilliseconds: block.milliseconds)
      }
      _ = split.apply(entries: [], height: block.height, timeMilliseconds: block.milliseconds)
    }
    #expect(split.logSize == chaos.world.ledger.logSize)
    #expect(split.logRoot == chaos.world.ledger.logRoot)
  }

  @Test func orderOfAnswersInsideAPhaseIsNotSeen() {
    let spec = BuildSpec.sample()
    let outcomes = ["a", "b", "a", "a"].map { Outcome.sample($0, of: spec) }
    var generator = SeededGenerator(seed: 7)
    var roots: Set<Digest> = []
    for _ in 0..<10 {
      var world = World()
      let builders = world.builders
      let pairs = Array(zip(builders.names, outcomes))
      world.block(builders.submission(spec))
      world.block(
        of: pairs.shuffled(using: &generator).map { builders.commitment(spec.jobID, by: $0.0, to: $0.1) })
      world.block(of: pairs.shuffled(using: &generator).map { builders.opening(spec.jobID, by: $0.0, of: $0.1) })
      #expect(world.ledger.logSize == 1)
      roots.insert(world.ledger.logRoot)
    }
    #expect(roots.count == 1)
  }

  @Test func aCopyIsAValue() {
    var world = World()
    world.block(world.builders.submission(.sample()))
    var copy = world.ledger
    _ = copy.apply(entries: [], height: 9, timeMilliseconds: world.milliseconds + 600_000)
    #expect(copy.logSize == 1 && copy.openJobs.isEmpty)
    #expect(world.ledger.logSize == 0 && world.ledger.openJobs.count == 1)
  }
}
