import SyncConsensus
import SyncLedger
import SyncProof

/// A place where a process can end: in a write, or between two effects.
struct CrashPoint: Hashable, Sendable {
  enum Place: Hashable, Sendable {
    case write(Int, ConsensusFault.Moment)
    case effect(Int)
  }

  let instance: Int
  let place: Place

  func fault(down: UInt64) -> ConsensusFault {
    switch place {
    case .write(let number, let moment): .crashAtWrite(instance: instance, write: number, moment, down: down)
    case .effect(let number): .crashAtEffect(instance: instance, effect: number, down: down)
    }
  }
}

/// Processes and their disks.
extension ConsensusSimulator {
  private static let observationKey = [UInt8(ascii: "o")]

  // MARK: Lives

  mutating func start(_ instance: Int) {
    guard !processes[instance].isDead else { return }
    processes[instance].life += 1
    processes[instance].monotonicOffset = random.below(1 << 40)
    processes[instance].isWriting = false
    processes[instance].inbox = []
    processes[instance].wakeUp = nil
    processes[instance].building = []
    processes[instance].log = history.log
    let isHonest = !faulty.contains(processes[instance].index)
    checker.restarted(instance)
    let disk = processes[instance].disk
    // A write may have come through although the process ended in it.
    let attempts: [UInt8] = [UInt8(ascii: "A"), UInt8(ascii: "/")]
    noteAttempts(disk.scan(prefix: attempts, from: attempts, limit: .max), of: instance)
    var replayed: [DecidedBlock<SimulatedLedger>] = []
    do {
      var configuration = try group.configuration(of: Int(processes[instance].index))
      configuration.noticesUnknownSignatures = isHonest
      configuration.isRestored = processes[instance].isRestored
      configuration.startNumber = UInt64(processes[instance].life)
      configuration.acceptsSignature = { [memo] in memo.accepts($0, $1, $2) }
      let replica = try Replica(
        configuration: configuration, genesis: SimulatedLedger(group: fixture.group, history: history, memo: memo),
        recovered: RecoveredRecords { disk.scan(prefix: $0, from: $1, limit: $2) }
      ) { block throws(ConsensusError) in replayed.append(block) }
      processes[instance].replica = try resume(replica, replayed, configuration, disk, at: instance) ?? replica
    } catch {
      return checker.fail("instance \(instance) does not start: \(error)")
    }
    for block in replayed {
      if isHonest { checker.decided(block, by: instance, isReplay: true) }
      follow(block, at: instance)
    }
    for other in processes.indices where processes[other].index != processes[instance].index {
      let at = time + random.below(50 * Self.millisecond)
      queue.push(.connect(instance: instance, peer: processes[other].index), at: at)
      queue.push(.connect(instance: other, peer: processes[instance].index), at: at)
    }
    for job in processes[instance].replica?.state.ledger.openJobs ?? [] { resume(job, at: instance) }
    accuse(at: instance)
    // Last: the process may end in it.
    processes[instance].inbox.insert(.start, at: 0)
    pump(instance)
  }

  /// Ends the process: what it had in memory is lost.
  mutating func crash(_ instance: Int, down: UInt64) {
    guard processes[instance].replica != nil else { return }
    crashes += 1
    processes[instance].replica = nil
    queue.push(.restart(instance: instance), at: time + down * Self.millisecond)
  }

  mutating func losePower(_ instance: Int) {
    // The number is a matter of the place alone, so that a crash is the same by rate and by itself.
    let number = seed ^ UInt64(processes[instance].writes) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(instance)
    processes[instance].disk.losePower(number >> 7)
    if options.defect == .diskForgetsSafety { processes[instance].disk.forget([UInt8(ascii: "s")]) }
  }

  /// A fault whose time has come.
  mutating func suffer(_ fault: ConsensusFault) {
    switch fault {
    case .crash(let instance, _, let down): crash(instance, down: down)
    case .powerCut(let instance, _, let down):
      if processes[instance].replica != nil { losePower(instance) }
      crash(instance, down: down)
    case .restored(let instance, let copied, _, let down):
      guard let copy = processes[instance].copies[copied], options.defect != .diskForgetsSafety else { return }
      crash(instance, down: down)
      processes[instance].disk = copy
      processes[instance].isRestored = true
    case .dead(let instance, _):
      processes[instance].isDead = true
      processes[instance].replica = nil
    case .clock(let instance, let by, _): processes[instance].wallJump += by
    default: break
    }
  }

  mutating func heal() {
    isHealed = true
    for instance in processes.indices where processes[instance].replica == nil { start(instance) }
    reconnect()
  }

  mutating func put(_ input: Input, into instance: Int) {
    processes[instance].inbox.append(input)
    pump(instance)
  }

  // MARK: Clocks

  private func now(of instance: Int) -> Instant {
    let process = processes[instance]
    let elapsed = Int64(time) + Int64(time) / 1_000_000 * process.partsPerMillion
    let wall = Int64(Self.wallStart) + elapsed / Int64(Self.millisecond) + process.wallJump
    return Instant(
      monotonicNanoseconds: UInt64(elapsed) + process.monotonicOffset, wallMilliseconds: UInt64(max(0, wall)))
  }

  /// When a process's monotonic clock shows `instant`, or a moment later.
  private func time(of instant: UInt64, at instance: Int) -> UInt64 {
    let process = processes[instance]
    let elapsed = instant > process.monotonicOffset ? instant - process.monotonicOffset : 0
    guard process.partsPerMillion != 0 else { return max(time, elapsed) }
    let rate = UInt64(1_000_000 + process.partsPerMillion)
    return max(time + 1, elapsed / rate * 1_000_000 + elapsed % rate * 1_000_000 / rate + 1_000_000)
  }

  // MARK: Steps

  /// Steps a process through its inbox as the node's driver does: all inputs, one write, then the rest.
  mutating func pump(_ instance: Int) {
    while !processes[instance].isWriting, !processes[instance].inbox.isEmpty, checker.failure == nil {
      guard processes[instance].replica != nil else { return }
      let inputs = processes[instance].inbox
      processes[instance].inbox = []
      let now = now(of: instance)
      var effects: [Effect<SimulatedLedger>] = []
      for input in inputs { effects += processes[instance].replica?.step(input, now: now) ?? [] }
      perform(effects, for: instance)
    }
    scheduleWakeUp(of: instance)
  }

  private mutating func scheduleWakeUp(of instance: Int) {
    guard let replica = processes[instance].replica, !processes[instance].isWriting else { return }
    guard let next = replica.nextWakeUp else {
      processes[instance].wakeUp = nil
      return
    }
    let at = time(of: next, at: instance)
    guard processes[instance].wakeUp != at else { return }
    processes[instance].wakeUp = at
    queue.push(.wake(instance: instance, life: processes[instance].life), at: at)
  }

  // MARK: Writes

  /// Begins a write that is to be synced; while it lasts, the process does nothing else.
  mutating func write(_ records: [StoredRecord], for instance: Int, then: AfterWrite) {
    processes[instance].writes += 1
    let number = processes[instance].writes
    if ends(CrashPoint(instance: instance, place: .write(number, .before))) { return }
    if !isHealed, let failed = faults.failedSyncs[instance]?[number] {
      // The driver's part: whatever the disk holds now, nothing may be signed any more.
      if failed.isKept { processes[instance].disk.write(records) }
      crashPoints += 1
      return crash(instance, down: failed.down)
    }
    let inside = CrashPoint(instance: instance, place: .write(number, .inside))
    if !isHealed, let visitor {
      var copy = self
      copy.processes[instance].disk.write(records)
      visitor(copy, inside)
    }
    if !isHealed, let down = down(at: inside) {
      processes[instance].disk.write(records)
      return end(at: inside, down: down)
    }
    processes[instance].isWriting = true
    let delay = random.below(3 * Self.millisecond) + slowness(of: instance)
    queue.push(
      .written(instance: instance, life: processes[instance].life, records, then), at: time + delay)
  }

  mutating func written(_ records: [StoredRecord], _ then: AfterWrite, by instance: Int) {
    processes[instance].disk.write(records)
    processes[instance].disk.sync()
    noteAttempts(records, of: instance)
    processes[instance].isWriting = false
    if records.contains(where: { $0.key == Self.observationKey }) { processes[instance].isRestored = false }
    if ends(CrashPoint(instance: instance, place: .write(processes[instance].writes, .after))) { return }
    switch then {
    case .perform(let effects): perform(effects, for: instance)
    case .resume(let job): resume(job, at: instance)
    }
    pump(instance)
  }

  /// Whether the process ends here; then it has.
  private mutating func ends(_ point: CrashPoint) -> Bool {
    guard !isHealed else { return false }
    visitor?(self, point)
    guard let down = down(at: point) else { return false }
    end(at: point, down: down)
    return true
  }

  mutating func end(at point: CrashPoint, down: UInt64) {
    crashPoints += 1
    if case .write(_, .inside) = point.place { losePower(point.instance) }
    crash(point.instance, down: down)
  }

  /// How long the process stays away that ends at this point; `nil` where it goes on.
  private mutating func down(at point: CrashPoint) -> UInt64? {
    switch point.place {
    case .write(let number, let moment):
      if let crash = faults.crashesAtWrite[point.instance]?[number]?[moment] { return crash }
    case .effect(let number):
      if let crash = faults.crashesAtEffect[point.instance]?[number] { return crash }
    }
    let rate = faults.crashRate(at: time)
    guard rate > 0, dice.happens(perMille: rate) else { return nil }
    let down = dice.below(dice.happens(perMille: 30) ? 2_000 : 100)
    injected.append(point.fault(down: down))
    return down
  }

  // MARK: Effects

  mutating func perform(_ effects: [Effect<SimulatedLedger>], for instance: Int) {
    var records: [StoredRecord] = []
    var held: [Effect<SimulatedLedger>] = []
    var isHeld = false
    for effect in effects {
      if case .persist(let some, let then) = effect {
        isHeld = true
        records += some
        held += then
      } else if isHeld {
        held.append(effect)
      } else {
        perform(effect, for: instance)
        guard checker.failure == nil else { return }
        processes[instance].effects += 1
        if ends(CrashPoint(instance: instance, place: .effect(processes[instance].effects))) { return }
      }
    }
    if isHeld { write(records, for: instance, then: .perform(held)) }
  }

  private mutating func perform(_ effect: Effect<SimulatedLedger>, for instance: Int) {
    let index = processes[instance].index
    switch effect {
    case .persist: checker.fail("a write stands where it was gathered already")
    case .sign(let request):
      checker.signing(request, index: index, durableSafety: processes[instance].disk.synced[[UInt8(ascii: "s")]])
      if case .vote(let statement) = request.subject { check(statement, by: index) }
      processes[instance].inbox.append(.signed(request, group.keys[Int(index)].sign(request.message)))
    case .send(let peer, let bytes):
      checkMessage(bytes, of: instance)
      transmit(bytes, from: instance, to: peer.rawValue)
    case .broadcast(let bytes):
      checkMessage(bytes, of: instance)
      for peer in 0..<UInt16(group.set.count) where peer != index { transmit(bytes, from: instance, to: peer) }
    case .decided(let block):
      if !faulty.contains(index) { checker.decided(block, by: instance, isReplay: false) }
      follow(block, at: instance)
      keepSnapshot(behind: block, at: instance)
      answer(block.events, at: instance)
    case .misbehaviour(let proof):
      proofs += 1
      checker.misbehaved(proof)
      accuse(at: instance)
    case .load(let request):
      let records = processes[instance].disk.scan(prefix: request.prefix, from: request.from, limit: request.limit)
      processes[instance].inbox.append(.loaded(request, records))
    case .observation(.began(let reason)):
      if reason != .restored { checker.fail("instance \(instance) has not signed what it sees: \(reason)") }
    case .observation(.ended):
      for job in processes[instance].replica?.state.ledger.openJobs ?? [] { resume(job, at: instance) }
    case .halted(let error):
      if !faulty.contains(index) { checker.fail("instance \(instance) halted: \(error)") }
    }
  }
}
