import SyncConsensus
import SyncProof

/// Twins: a group in which a key runs twice, and which messages arrive is chosen anew for each phase of each view.
///
/// A view has three phases: proposals arrive, votes arrive, then who is still in the view gives it up and timeouts
/// arrive. In each phase the instances stand on sides, and messages cross only within a side; what does not cross is
/// lost. After the last view all is joined, and progress is demanded.
///
/// The leader of a view is fixed (`view mod n`), so which key has the twin chooses the views that the twins lead.
/// Source: Bano et al. 2021, "Twins: BFT systems made robust", with sides for each phase in place of each round.
package struct TwinsScenario: Hashable, Sendable {
  /// The side of each instance; twins' second instances stand last.
  package typealias Partition = [UInt8]

  package var replicas: Int
  package var twins: [UInt16]
  /// Three for each view: proposals, votes, timeouts.
  package var phases: [Partition]

  package init(replicas: Int, twins: [UInt16], phases: [Partition]) {
    (self.replicas, self.twins, self.phases) = (replicas, twins, phases)
  }

  /// Runs the scenario and heals.
  ///
  /// - Returns: What did not hold; `nil` for nothing.
  package func failure() throws -> String? {
    var run = try TwinsRun(replicas: replicas, twins: twins)
    for (at, partition) in phases.enumerated() { run.phase(at, partition) }
    run.world.heal()
    return run.world.checker.failure.map { "\(self): \($0)" }
  }

  /// A scenario of random sides, at most three, from one seed.
  package static func sample(seed: UInt64, replicas: Int, twins count: Int, views: Int) -> TwinsScenario {
    var random = SeededGenerator(seed: seed)
    var keys = (0..<UInt16(replicas)).map { $0 }
    var twins: [UInt16] = []
    for _ in 0..<count { twins.append(keys.remove(at: Int(random.below(UInt64(keys.count))))) }
    let phases = (0..<3 * views).map { _ -> Partition in
      let sides = 1 + random.below(3)
      return (0..<replicas + count).map { _ in UInt8(random.below(sides)) }
    }
    return TwinsScenario(replicas: replicas, twins: twins.sorted(), phases: phases)
  }
}

extension TwinsScenario: CustomStringConvertible {
  package var description: String {
    "n = \(replicas), twins \(twins), sides "
      + phases.map { $0.map { "\($0)" }.joined() }.joined(separator: " ")
  }
}

/// One scenario under way.
struct TwinsRun {
  var world: TwinsWorld

  init(replicas: Int, twins: [UInt16]) throws {
    world = try TwinsWorld(replicas: replicas, twins: twins)
    world.waiting.removeAll()
  }

  /// Runs one phase.
  ///
  /// - Parameter number: Counted from the start, three for each view.
  mutating func phase(_ number: Int, _ side: TwinsScenario.Partition) {
    let view = UInt64(number / 3) + 1
    switch number % 3 {
    case 0:
      // Each has an entry of its own, so that twins propose different blocks and every leader has something to say.
      for instance in world.instances.indices { world.submit(at: instance) }
      deliver(side) { if case .proposal = $0 { true } else { false } }
    case 1: deliver(side) { if case .vote = $0 { true } else { false } }
    default:
      world.pass(milliseconds: 2_000)
      for instance in world.instances.indices where world.instances[instance].replica?.currentView ?? 0 <= view {
        world.wake(instance)
      }
      deliver(side) { if case .timeout = $0 { true } else { false } }
      // What was not delivered in its view is lost; what the next view begins with stays.
      world.waiting.removeAll { if case .proposal = $0.message.body { false } else { true } }
    }
  }

  private mutating func deliver(_ side: TwinsScenario.Partition, _ isDue: (Message.Body) -> Bool) {
    world.deliver { envelope in
      let isWithin = side[envelope.from] == side[envelope.to]
      switch envelope.message.body {
      case .proposal, .vote, .timeout:
        guard isDue(envelope.message.body) else { return .hold }
        return isWithin ? .deliver : .drop
      case .entries: return .drop
      case .status, .fetch, .blocks, .ask, .answer: return isWithin ? .deliver : .drop
      }
    }
  }

  /// What of the instances matters for the views to come: what each has signed in its view and what binds it, which
  /// certificates lead it, what it decided, and whether it holds the block that it would build on. Blocks are named by
  /// view, entries and parent. Left out: which quorum signed a certificate, votes that were too few, and blocks of
  /// earlier views that nobody has certified.
  var fingerprint: Digest {
    var writer = ByteWriter()
    for instance in world.instances {
      guard var replica = instance.replica else { continue }
      let (state, view) = (replica.safetyState, replica.currentView)
      writer.write(view)
      writer.write(max(state.lastVotedView, view - 1))
      writer.write(state.oneChainView)
      write(state.lastVote.flatMap { $0.proposed.view == view ? $0.proposed.id : nil }, to: &writer)
      write(state.lastTimeout.flatMap { $0.view == view ? $0.highQC.proposed.id : nil }, to: &writer)
      write(replica.head.id, to: &writer)
      // A copy is asked for what it would show a new peer.
      let peer = ReplicaIndex(rawValue: instance.index == 0 ? 1 : 0)
      guard case .send(_, let bytes) = replica.step(.peerConnected(peer), now: world.now).first,
        let sync = (try? Message(decoding: bytes))?.sync
      else { continue }
      let tip = sync.highQC.proposed.id
      write(tip, to: &writer)
      writer.write(UInt8(tip == replica.head.id || instance.disk[Array("b/".utf8) + tip.bytes] != nil ? 1 : 0))
      writer.write(sync.highTC?.view ?? 0)
      write(sync.highTC?.highQC.proposed.id, to: &writer)
    }
    for envelope in world.waiting {
      guard case .proposal(let proposal) = envelope.message.body else { continue }
      writer.write(UInt16(envelope.to))
      write(proposal.block.id, to: &writer)
    }
    return SHA256.hash(writer.bytes)
  }

  private func write(_ id: Digest?, to writer: inout ByteWriter) {
    writer.writeRaw((id.map { world.names[$0] ?? $0 } ?? .zero).bytes)
  }
}

/// Every scenario over given partitions, each distinct situation once.
package struct TwinsEnumeration {
  /// For four replicas, one of them twice.
  package enum Alphabet: Sendable {
    /// All 16 ways to stand on at most two sides.
    case full
    /// Seven: together; each of the four keys cut off; the twins apart with one honest replica, or with two.
    case small
    /// Four: together; the twins apart with one honest replica, or with two; the twins with one honest replica.
    case tiny
  }

  package struct Report: Sendable {
    /// Sequences of partitions that the enumeration stands for.
    package var scenarios: UInt64 = 0
    /// Phases that were run, different situations they led to, of these after the last view, and of these healed.
    package var phases = 0
    package var situations = 0
    package var last = 0
    package var healed = 0
    package var steps = 0
    package var failure: String?
  }

  private let twin: UInt16
  private let views: Int
  private let healEvery: Int
  private let partitions: [TwinsScenario.Partition]
  private var visited: [Set<Digest>]
  private var path: [TwinsScenario.Partition] = []
  private var report = Report()

  private init(twin: UInt16, views: Int, alphabet: Alphabet, healEvery: Int) {
    (self.twin, self.views, self.healEvery) = (twin, views, healEvery)
    partitions = Self.partitions(alphabet, twin: twin)
    visited = [Set<Digest>](repeating: [], count: 3 * views)
  }

  /// Runs every scenario with the twin at `twin` and so many views, from view 1.
  ///
  /// - Parameter healEvery: Of the last situations, each so many-th is healed.
  package static func run(twin: UInt16, views: Int, alphabet: Alphabet, healEvery: Int = 1) throws -> Report {
    var enumeration = TwinsEnumeration(twin: twin, views: views, alphabet: alphabet, healEvery: healEvery)
    let start = try TwinsRun(replicas: 4, twins: [twin])
    enumeration.extend(start, isSymmetric: true)
    let count = UInt64(enumeration.partitions.count)
    enumeration.report.scenarios = (0..<3 * views).reduce(1) { product, _ in product * count }
    return enumeration.report
  }

  /// How many partitions the alphabet has.
  package static func partitionCount(_ alphabet: Alphabet, twin: UInt16) -> Int {
    partitions(alphabet, twin: twin).count
  }

  static func partitions(_ alphabet: Alphabet, twin: UInt16) -> [TwinsScenario.Partition] {
    let all = (0..<16).map { bits -> TwinsScenario.Partition in
      (0..<5).map { $0 == 0 ? 0 : UInt8(bits >> ($0 - 1) & 1) }
    }
    guard alphabet != .full else { return all }
    let honest = (0..<4).filter { $0 != Int(twin) }
    return all.filter { side in
      let isApart = side[Int(twin)] != side[4]
      let others = honest.filter { side[$0] != side[Int(twin)] }.count
      if !isApart {
        if alphabet == .small { return others <= 1 || others == 3 }
        return others == 0 || others == 2 && side[honest[0]] == side[Int(twin)]
      }
      // The first twin's side has the first honest replica alone, or the last two.
      return others == 2 && side[honest[0]] == side[Int(twin)] || others == 1 && side[honest[0]] != side[Int(twin)]
    }
  }

  /// The same sides with the twins' roles exchanged, named so that instance 0's is side 0.
  private func exchanged(_ side: TwinsScenario.Partition) -> TwinsScenario.Partition {
    var other = side
    other.swapAt(Int(twin), 4)
    return other.map { $0 ^ other[0] }
  }

  /// Goes on with every partition; while nothing has told the twins apart, with one of two that mirror each other.
  private mutating func extend(_ run: TwinsRun, isSymmetric: Bool) {
    let number = path.count
    if number == 3 * views {
      report.last += 1
      guard report.last % healEvery == 0 else { return }
      var last = run
      last.world.heal()
      report.healed += 1
      report.steps += last.world.steps - run.world.steps
      if let failure = last.world.checker.failure { fail(failure) }
      return
    }
    for side in partitions where report.failure == nil {
      let mirror = exchanged(side)
      if isSymmetric, mirror.lexicographicallyPrecedes(side), partitions.contains(mirror) { continue }
      var next = run
      path.append(side)
      next.phase(number, side)
      report.phases += 1
      report.steps += next.world.steps - run.world.steps
      if let failure = next.world.checker.failure {
        fail(failure)
      } else if visited[number].insert(next.fingerprint).inserted {
        report.situations += 1
        extend(next, isSymmetric: isSymmetric && mirror == side)
      }
      path.removeLast()
    }
  }

  private mutating func fail(_ failure: String) {
    report.failure = "\(TwinsScenario(replicas: 4, twins: [twin], phases: path)): \(failure)"
  }
}
