import SyncConsensus
import SyncProof

/// A group over ``Replica/step(_:now:)`` whose every delivery a test decides: messages wait until one of the phases
/// lets them through, and time passes only where it is told to.
///
/// A value: a copy is a branch of the history.
package struct TwinsWorld {
  /// A message on its way to one instance.
  package struct Envelope {
    package let from: Int
    package let to: Int
    package let bytes: [UInt8]
    package let message: Message
  }

  /// What becomes of a message that is due.
  package enum Fate {
    case deliver
    /// It stays, behind what is already waiting.
    case hold
    case drop
  }

  /// One process: two of them may run with the same key.
  package struct Instance {
    package let index: UInt16
    package var disk: [[UInt8]: [UInt8]] = [:]
    package var replica: Replica<AppendLog>?
    var adversary: (any Adversary)?
  }

  package let group: FixtureGroup
  /// Keys that run twice or lie.
  package let faulty: Set<UInt16>
  package var instances: [Instance]
  package var checker: TwinsChecker
  package private(set) var now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000_000)
  package private(set) var steps = 0
  package private(set) var proofs: [Misbehaviour] = []
  /// Proposed blocks, by what they hold: view, entries and parent, whichever quorum's certificate names that.
  package private(set) var names: [Digest: Digest] = [:]
  package var waiting: [Envelope] = []
  private var inputs: [(to: Int, input: Input)] = []
  private var entryNumber: UInt64 = 0

  /// Steps of one settling, beyond which the group is said never to rest; those of the tests stay below 3,000.
  static let settleStepsMax = 12_000
  /// Steps by which one process may answer one input: it signs, and hears of its own signature.
  static let answerStepsMax = 200

  /// - Parameters:
  ///   - twins: Keys that run twice; the second instances stand last, in this order.
  ///   - adversaries: Lies by key; such a key runs one honest process behind them.
  package init(replicas: Int, twins: [UInt16] = [], adversaries: [(UInt16, any Adversary)] = []) throws {
    group = try FixtureGroup(replicas: replicas)
    faulty = Set(twins + adversaries.map(\.0))
    checker = TwinsChecker(group: group, faulty: faulty)
    instances = (0..<UInt16(replicas)).map { Instance(index: $0) } + twins.map { Instance(index: $0) }
    for (index, adversary) in adversaries { instances[Int(index)].adversary = adversary }
    for instance in instances.indices { start(instance) }
    drain()
  }

  package func isHonest(_ instance: Int) -> Bool { !faulty.contains(instances[instance].index) }

  /// The highest view that an honest process is in.
  package var highestView: UInt64 {
    instances.indices.filter { isHonest($0) }.compactMap { instances[$0].replica?.currentView }.max() ?? 0
  }

  // MARK: Processes

  /// Begins, or begins again, from what is on the disk; what waited for it is lost.
  package mutating func start(_ instance: Int) {
    waiting.removeAll { $0.to == instance }
    inputs.removeAll { $0.to == instance }
    checker.restarted(instance)
    var replayed: [DecidedBlock<AppendLog>] = []
    do {
      instances[instance].replica = try Replica(
        configuration: try group.configuration(of: Int(instances[instance].index)), genesis: AppendLog(),
        recovered: RecoveredRecords(instances[instance].disk.map { (key: $0.key, value: $0.value) })
      ) { block throws(ConsensusError) in replayed.append(block) }
    } catch {
      return checker.fail("instance \(instance) does not start: \(error)")
    }
    if isHonest(instance) {
      for block in replayed { checker.decided(block, by: instance, isReplay: true, wallMilliseconds: .max) }
    }
    inputs.append((instance, .start))
  }

  /// Stands up every connection anew.
  package mutating func connectAll() {
    for a in instances.indices {
      for peer in 0..<UInt16(group.set.count) where peer != instances[a].index { connect(a, peer) }
    }
  }

  package mutating func connect(_ instance: Int, _ peer: UInt16) {
    inputs.append((instance, .peerConnected(ReplicaIndex(rawValue: peer))))
  }

  /// A new entry for one process.
  ///
  /// - Returns: Its bytes.
  @discardableResult
  package mutating func submit(at instance: Int) -> [UInt8] {
    entryNumber += 1
    let entry = [0x20] + (0..<8).map { UInt8(truncatingIfNeeded: entryNumber >> (8 * $0)) }
    inputs.append((instance, .submit([entry])))
    drain()
    return entry
  }

  // MARK: Time and delivery

  /// Lets the messages that wait have their fates, and those that they cause, until none is delivered any more.
  package mutating func deliver(_ fate: (Envelope) -> Fate) {
    drain()
    var held: [Envelope] = []
    let first = steps
    while !waiting.isEmpty, checker.failure == nil {
      if steps - first > Self.settleStepsMax { return checker.fail("messages never end") }
      let batch = waiting
      waiting = []
      for envelope in batch {
        switch fate(envelope) {
        case .hold: held.append(envelope)
        case .drop: break
        case .deliver:
          receive(envelope)
          drain()
        }
      }
    }
    waiting = held + waiting
  }

  private mutating func receive(_ envelope: Envelope) {
    let to = envelope.to
    // Liars would lead each other up without end with what each makes up.
    if isHonest(envelope.from) {
      let context = context(of: to)
      if let lies = instances[to].adversary?.receive(envelope.message, by: context) { release(lies, of: to) }
    }
    inputs.append(
      (to, .message(from: ReplicaIndex(rawValue: instances[envelope.from].index), envelope.bytes)))
  }

  package mutating func pass(milliseconds: UInt64) {
    now = Instant(
      monotonicNanoseconds: now.monotonicNanoseconds + milliseconds * 1_000_000,
      wallMilliseconds: now.wallMilliseconds + milliseconds)
  }

  /// Wakes one process, whenever its timer is.
  package mutating func wake(_ instance: Int) {
    inputs.append((instance, .wakeUp))
    drain()
  }

  /// Lets time pass to the next timer, and delivers; for at most so long.
  package mutating func settle(milliseconds: UInt64, _ fate: (Envelope) -> Fate = { _ in .deliver }) {
    let end = now.monotonicNanoseconds + milliseconds * 1_000_000
    let first = steps
    while checker.failure == nil {
      deliver(fate)
      let timers = instances.indices.filter { isHonest($0) }.compactMap { instances[$0].replica?.nextWakeUp }
      guard let next = timers.min(), next <= end else { return }
      if next > now.monotonicNanoseconds {
        pass(milliseconds: (next - now.monotonicNanoseconds + 999_999) / 1_000_000)
      }
      for instance in instances.indices {
        let context = context(of: instance)
        if let lies = instances[instance].adversary?.tick(by: context) { release(lies, of: instance) }
        if let at = instances[instance].replica?.nextWakeUp, at <= now.monotonicNanoseconds {
          inputs.append((instance, .wakeUp))
        }
      }
      drain()
      if steps - first > Self.settleStepsMax { return checker.fail("the group never rests") }
    }
  }

  /// Steps through inputs that are no messages, and those that they cause.
  private mutating func drain() {
    let inputsAtFirst = inputs.count
    var count = 0
    var next = 0
    while next < inputs.count, checker.failure == nil {
      let (to, input) = inputs[next]
      next += 1
      count += 1
      steps += 1
      if count > Self.answerStepsMax + 2 * inputsAtFirst { return checker.fail("instance \(to) never rests") }
      guard let effects = instances[to].replica?.step(input, now: now) else { continue }
      perform(effects, of: to)
      if isHonest(to), let replica = instances[to].replica { checker.stands(replica, instance: to) }
    }
    inputs.removeAll()
  }

  // MARK: Effects

  private mutating func perform(_ effects: [Effect<AppendLog>], of instance: Int) {
    let index = instances[instance].index
    for effect in effects {
      switch effect {
      case .persist(let records, let then):
        for record in records { instances[instance].disk[record.key] = record.value }
        perform(then, of: instance)
      case .sign(let request):
        checker.signing(request, index: index, durableSafety: instances[instance].disk[[UInt8(ascii: "s")]])
        inputs.append((instance, .signed(request, group.keys[Int(index)].sign(request.message))))
      case .send(let peer, let bytes): emit(bytes, of: instance, to: [peer.rawValue])
      case .broadcast(let bytes):
        emit(bytes, of: instance, to: (0..<UInt16(group.set.count)).filter { $0 != index })
      case .decided(let block):
        if isHonest(instance) {
          let key = Array("d/".utf8) + (0..<8).map { UInt8(truncatingIfNeeded: block.height >> (56 - 8 * $0)) }
          if !block.block.entries.isEmpty, instances[instance].disk[key] == nil {
            checker.fail("instance \(instance) tells of height \(block.height), whose entries are not durable")
          }
          checker.decided(block, by: instance, isReplay: false, wallMilliseconds: now.wallMilliseconds)
        }
      case .misbehaviour(let proof):
        proofs.append(proof)
        checker.misbehaved(proof)
      case .load(let request):
        let stored = RecoveredRecords(instances[instance].disk.map { (key: $0.key, value: $0.value) })
        let found = try? stored.scan(request.prefix, request.from, request.limit)
        inputs.append((instance, .loaded(request, found ?? [])))
      case .observation: if isHonest(instance) { checker.fail("instance \(instance) observes") }
      case .halted(let error): if isHonest(instance) { checker.fail("instance \(instance) halted: \(error)") }
      }
    }
  }

  /// What a process wants sent, which its adversary may change.
  private mutating func emit(_ bytes: [UInt8], of instance: Int, to peers: [UInt16]) {
    guard let message = try? Message(decoding: bytes), message.encode() == bytes else {
      return checker.fail("instance \(instance) sends what is not the encoding of a message")
    }
    if isHonest(instance) { checker.sent(message, by: instances[instance].index) }
    let sends = peers.map { AdversarySend(to: $0, bytes: bytes) }
    if instances[instance].adversary != nil {
      let context = context(of: instance)
      let changed = instances[instance].adversary?.send(message, as: sends, by: context)
      release(changed ?? sends, of: instance)
    } else {
      release(sends, of: instance)
    }
  }

  private mutating func release(_ sends: [AdversarySend], of instance: Int) {
    for send in sends {
      guard let message = try? Message(decoding: send.bytes) else {
        release(garbage: send, of: instance)
        continue
      }
      checker.saw(message)
      if case .proposal(let proposal) = message.body { name(proposal.block) }
      for to in instances.indices where instances[to].index == send.to && to != instance {
        waiting.append(Envelope(from: instance, to: to, bytes: send.bytes, message: message))
      }
    }
  }

  /// Bytes that are no message have no fate: they arrive.
  private mutating func release(garbage send: AdversarySend, of instance: Int) {
    let from = ReplicaIndex(rawValue: instances[instance].index)
    for to in instances.indices where instances[to].index == send.to && to != instance {
      inputs.append((to, .message(from: from, send.bytes)))
    }
  }

  private mutating func name(_ block: Block) {
    guard names[block.id] == nil else { return }
    var writer = ByteWriter()
    writer.writeRaw((names[block.parent] ?? block.parent).bytes)
    writer.write(block.view)
    for entry in block.entries { writer.write(SHA256.hash(entry)) }
    names[block.id] = SHA256.hash(writer.bytes)
  }

  private func context(of instance: Int) -> AdversaryContext {
    AdversaryContext(
      group: group, own: instances[instance].index, view: instances[instance].replica?.currentView ?? 0,
      wallMilliseconds: now.wallMilliseconds)
  }

  // MARK: The end

  /// Joins everything, hands an honest process one entry, and demands that the group orders them and rests.
  package mutating func heal(milliseconds: UInt64 = 600_000) {
    for instance in instances.indices where instances[instance].replica == nil { start(instance) }
    waiting.removeAll()
    connectAll()
    settle(milliseconds: milliseconds)
    let honest = instances.indices.filter { isHonest($0) }
    let probes = honest.prefix(1).map { submit(at: $0) }
    settle(milliseconds: milliseconds)
    guard checker.failure == nil else { return }
    for probe in probes where !checker.isOrdered(probe) { return checker.fail("no progress after healing") }
    for instance in honest {
      guard let replica = instances[instance].replica else { return checker.fail("instance \(instance) is down") }
      if replica.head.height != checker.height {
        return checker.fail("instance \(instance) stands at \(replica.head.height) of \(checker.height)")
      }
    }
  }
}
