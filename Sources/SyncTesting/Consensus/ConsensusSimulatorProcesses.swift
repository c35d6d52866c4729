import SyncConsensus
import SyncProof

/// Processes, their disks and the network between them.
extension ConsensusSimulator {
  // MARK: Processes

  mutating func start(_ instance: Int) {
    processes[instance].life += 1
    processes[instance].monotonicOffset = random.below(1 << 40)
    processes[instance].isWriting = false
    processes[instance].inbox = []
    processes[instance].wakeUp = nil
    checker.restarted(instance)
    let records = processes[instance].disk.map { (key: $0.key, value: $0.value) }
    var replayed: [DecidedBlock<AppendLog>] = []
    do {
      processes[instance].replica = try Replica(
        configuration: try group.configuration(of: Int(processes[instance].index)), genesis: AppendLog(),
        recovered: RecoveredRecords(records)
      ) { block throws(ConsensusError) in replayed.append(block) }
    } catch {
      return checker.fail("instance \(instance) does not start: \(error)")
    }
    if processes[instance].index != twin {
      for block in replayed { checker.decided(block, by: instance, isReplay: true) }
    }
    put(.start, into: instance)
    for other in processes.indices where processes[other].index != processes[instance].index {
      let at = time + random.below(50 * Self.millisecond)
      queue.push(.connect(instance: instance, peer: processes[other].index), at: at)
      queue.push(.connect(instance: other, peer: processes[instance].index), at: at)
    }
  }

  /// Ends the process: what was not written is lost.
  mutating func crash(_ instance: Int) {
    guard processes[instance].replica != nil else { return }
    crashes += 1
    processes[instance].replica = nil
    let seldomLong = random.happens(perMille: 200)
    queue.push(
      .restart(instance: instance), at: time + random.below((seldomLong ? 4_000 : 600) * Self.millisecond))
  }

  mutating func heal() {
    isHealed = true
    for instance in processes.indices where processes[instance].replica == nil { start(instance) }
    change(to: [Int](repeating: 0, count: processes.count))
  }

  /// Connections across the old border stand again.
  mutating func change(to sides: [Int]) {
    for a in processes.indices {
      for b in processes.indices where processes[a].index != processes[b].index {
        guard side[a] != side[b] || isHealed, sides[a] == sides[b] else { continue }
        queue.push(.connect(instance: a, peer: processes[b].index), at: time + random.below(20 * Self.millisecond))
      }
    }
    side = sides
  }

  mutating func put(_ input: Input, into instance: Int) {
    processes[instance].inbox.append(input)
    pump(instance)
  }

  private func now(of instance: Int) -> Instant {
    Instant(
      monotonicNanoseconds: time + processes[instance].monotonicOffset,
      wallMilliseconds: Self.wallStart + time / Self.millisecond + processes[instance].wallOffset)
  }

  /// Steps a process through its inbox as the node's driver does: all inputs, one write, then the rest.
  mutating func pump(_ instance: Int) {
    while !processes[instance].isWriting, !processes[instance].inbox.isEmpty, checker.failure == nil {
      guard processes[instance].replica != nil else { return }
      let inputs = processes[instance].inbox
      processes[instance].inbox = []
      let now = now(of: instance)
      var effects: [Effect<AppendLog>] = []
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
    let offset = processes[instance].monotonicOffset
    let at = max(time, next > offset ? next - offset : 0)
    guard processes[instance].wakeUp != at else { return }
    processes[instance].wakeUp = at
    queue.push(.wake(instance: instance, life: processes[instance].life), at: at)
  }

  // MARK: Effects

  mutating func perform(_ effects: [Effect<AppendLog>], for instance: Int) {
    var records: [StoredRecord] = []
    var held: [Effect<AppendLog>] = []
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
      }
    }
    guard isHeld, processes[instance].replica != nil else { return }
    if !isHealed, random.happens(perMille: crashPerMille) {
      // "Failed", and "failed but was written anyway": the two ways in which a crash meets a write.
      if random.happens(perMille: 500) { store(records, in: instance) }
      return crash(instance)
    }
    processes[instance].isWriting = true
    let delay = random.below(3 * Self.millisecond)
    queue.push(.written(instance: instance, life: processes[instance].life, records, held), at: time + delay)
  }

  private mutating func perform(_ effect: Effect<AppendLog>, for instance: Int) {
    let index = processes[instance].index
    switch effect {
    case .persist: checker.fail("a write stands where it was gathered already")
    case .sign(let request):
      checker.signing(request, index: index, durableSafety: processes[instance].disk[[UInt8(ascii: "s")]])
      processes[instance].inbox.append(.signed(request, group.keys[Int(index)].sign(request.message)))
    case .send(let peer, let bytes):
      checkEncoding(bytes, of: instance)
      transmit(bytes, from: instance, to: peer.rawValue)
    case .broadcast(let bytes):
      checkEncoding(bytes, of: instance)
      for peer in 0..<UInt16(group.set.count) where peer != index { transmit(bytes, from: instance, to: peer) }
    case .decided(let block): if index != twin { checker.decided(block, by: instance, isReplay: false) }
    case .misbehaviour(let proof):
      proofs += 1
      checker.misbehaved(proof)
    case .load(let request):
      let keys = processes[instance].disk.keys.filter {
        $0.starts(with: request.prefix) && !$0.lexicographicallyPrecedes(request.from)
      }
      let sorted = keys.sorted { $0.lexicographicallyPrecedes($1) }.prefix(request.limit)
      let records = sorted.map { StoredRecord(key: $0, value: processes[instance].disk[$0]) }
      processes[instance].inbox.append(.loaded(request, records))
    case .halted(let error): if index != twin { checker.fail("instance \(instance) halted: \(error)") }
    }
  }

  mutating func store(_ records: [StoredRecord], in instance: Int) {
    for record in records { processes[instance].disk[record.key] = record.value }
  }

  // MARK: Network

  /// Lets the faulty replica answer a message with what it should not send.
  mutating func lie(_ instance: Int, _ bytes: [UInt8]) {
    guard let message = try? Message(decoding: bytes) else { return }
    let wall = Self.wallStart + time / Self.millisecond
    guard let lies = liar?.lies(on: message, wallMilliseconds: wall, random: &random) else { return }
    for message in lies {
      for peer in 0..<UInt16(group.set.count) where peer != twin {
        transmit(message.encode(), from: instance, to: peer)
      }
    }
  }

  private mutating func checkEncoding(_ bytes: [UInt8], of sender: Int) {
    guard (try? Message(decoding: bytes))?.encode() == bytes else {
      return checker.fail("instance \(sender) sends what is not the encoding of a message")
    }
  }

  private mutating func transmit(_ bytes: [UInt8], from sender: Int, to index: UInt16) {
    for instance in processes.indices where processes[instance].index == index {
      guard side[sender] == side[instance] else { continue }
      if !isHealed, random.happens(perMille: dropPerMille) { continue }
      let copies = !isHealed && random.happens(perMille: 30) ? 2 : 1
      for _ in 0..<copies {
        let isSlow = !isHealed && random.happens(perMille: 50)
        let delay = 1 + random.below((isSlow ? 400 : 8) * Self.millisecond)
        queue.push(.deliver(instance: instance, from: processes[sender].index, bytes), at: time + delay)
      }
    }
  }
}
