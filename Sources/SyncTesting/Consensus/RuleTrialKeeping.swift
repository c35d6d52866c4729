import SyncConsensus
import SyncProof

/// What a replica keeps for the others: blocks that it has voted for, and entries that nobody else may have; what it
/// says again; and that time goes on.
extension RuleTrial {
  /// A block that was voted for is there when its certificate shows itself, however many views have ended since.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func shelf() throws -> String? {
    var stage = try Stage()
    var disk: [[UInt8]: [UInt8]] = [:]
    var first: Certificate?
    var tc: TimeoutCertificate?
    for view in 1...120 as ClosedRange<UInt64> {
      let leader = stage.group.set.turn(of: view)
      if leader != stage.own {
        let (proposal, certificate) = stage.propose(view, on: stage.oracle.genesis, after: tc)
        first = first ?? certificate
        let effects = stage.hear(.proposal(proposal), from: leader.rawValue)
        guard try obey(effects, &disk, &stage) else { return "view \(view) gets no vote" }
      }
      tc = stage.timeoutCertificate(view)
    }
    let shown = stage.hear(.status, from: 1, highQC: first)
    let requests = shown.compactMap { if case .load(let request) = $0 { request } else { nil } }
    guard let request = requests.first else { return "a block that was voted for is not looked for on the disk" }
    let keys = disk.keys.filter { $0.starts(with: request.prefix) && !$0.lexicographicallyPrecedes(request.from) }
    let records = keys.sorted { $0.lexicographicallyPrecedes($1) }.prefix(request.limit).map {
      StoredRecord(key: $0, value: disk[$0])
    }
    if asksForBlocks(stage.replica.step(.loaded(request, records), now: start)) {
      return "a block that was voted for is on the disk no more"
    }
    return nil
  }

  private struct Restless: Error, CustomStringConvertible {
    let description = "a replica that hears nothing signs again and again"
  }

  /// Does what the effects ask of the disk and of the signer, until nothing is left.
  ///
  /// - Returns: Whether something was signed.
  private static func obey(_ effects: [Effect<AppendLog>], _ disk: inout [[UInt8]: [UInt8]], _ stage: inout Stage)
    throws -> Bool
  {
    var signed = 0
    var left = effects
    while !left.isEmpty {
      switch left.removeFirst() {
      case .persist(let records, let then):
        for record in records { disk[record.key] = record.value }
        left = then + left
      case .sign(let request):
        signed += 1
        guard signed < 100 else { throw Restless() }
        let signature = stage.group.keys[Int(stage.own.rawValue)].sign(request.message)
        left = stage.replica.step(.signed(request, signature), now: start) + left
      default: break
      }
    }
    return signed > 0
  }

  private static func asksForBlocks(_ effects: [Effect<AppendLog>]) -> Bool {
    effects.contains { effect in
      guard case .send(_, let bytes) = effect, case .fetch = (try? Message(decoding: bytes))?.body else { return false }
      return true
    }
  }

  /// An entry of a peer that ended may be held by one replica alone, which sends it on once the view brings nothing.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func sendsOn() throws -> String? {
    var stage = try Stage()
    let entry: [UInt8] = [7]
    _ = stage.hear(.entries([entry]), from: 1)
    var now = start
    for _ in 0..<4 {
      guard let at = stage.replica.nextWakeUp else { return "an entry that waits has no timer" }
      now = Instant(monotonicNanoseconds: at, wallMilliseconds: now.wallMilliseconds + 1_000)
      var disk: [[UInt8]: [UInt8]] = [:]
      let effects = stage.replica.step(.wakeUp, now: now)
      if sends(entry, effects) { return nil }
      _ = try obey(effects, &disk, &stage)
    }
    return "an entry of a peer is never sent on"
  }

  /// What is submitted goes to everybody at once, and a timeout again and again until the view ends.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func repeats() throws -> String? {
    var stage = try Stage()
    let entry: [UInt8] = [7]
    guard sends(entry, stage.replica.step(.submit([entry]), now: start)) else { return "an entry is sent to nobody" }
    var now = start
    var disk: [[UInt8]: [UInt8]] = [:]
    var said: [Bool] = []
    for _ in 0..<4 {
      guard let at = stage.replica.nextWakeUp else { return "a view that does not end has no timer" }
      now = Instant(monotonicNanoseconds: at, wallMilliseconds: now.wallMilliseconds + 1_000)
      let effects = stage.replica.step(.wakeUp, now: now)
      said.append(effects.contains(where: saysTimeout))
      _ = try obey(effects, &disk, &stage)
    }
    // The first is signed before it is said.
    return said.dropFirst() == [true, true, true] ? nil : "a timeout is not said again: \(said)"
  }

  private static func saysTimeout(_ effect: Effect<AppendLog>) -> Bool {
    guard case .broadcast(let bytes) = effect, case .timeout = (try? Message(decoding: bytes))?.body else {
      return false
    }
    return true
  }

  /// A block is later than the one below it, by a millisecond at least.
  ///
  /// - Returns: What is not so; `nil` for nothing.
  package static func time() throws -> String? {
    for (time, isVotedFor) in [(101, true), (100, false), (99, false)] as [(UInt64, Bool)] {
      var stage = try Stage()
      var disk: [[UInt8]: [UInt8]] = [:]
      let (first, certificate) = stage.propose(1, on: stage.oracle.genesis, time: 100)
      _ = try obey(stage.hear(.proposal(first), from: first.block.author.rawValue), &disk, &stage)
      let (second, _) = stage.propose(2, on: certificate, time: time)
      let effects = stage.hear(.proposal(second), from: second.block.author.rawValue, highQC: certificate)
      guard try obey(effects, &disk, &stage) == isVotedFor else {
        return "a block at \(time) ms on one at 100 gets \(isVotedFor ? "no" : "a") vote"
      }
    }
    return nil
  }

  private static func sends(_ entry: [UInt8], _ effects: [Effect<AppendLog>]) -> Bool {
    effects.contains { effect in
      switch effect {
      case .persist(_, let then): return sends(entry, then)
      case .broadcast(let bytes):
        guard case .entries(let entries) = (try? Message(decoding: bytes))?.body else { return false }
        return entries.contains(entry)
      default: return false
      }
    }
  }
}
