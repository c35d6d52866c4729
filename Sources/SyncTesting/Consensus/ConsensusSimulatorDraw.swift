/// Draws a plan of faults from a generator: each kind in some seeds, none in all.
struct ConsensusFaultDrawer {
  let replicas: Int
  /// `nil` leaves it to the seed.
  let hasTwin: Bool?
  /// `nil` leaves it to the seed.
  let hasRestored: Bool?
  /// The phase in which things go wrong.
  let milliseconds: UInt64
  /// Of all writes and effects; `nil` leaves it to the seed.
  let crashesPerMille: UInt64?
  private var random: SeededGenerator
  private var faults: [ConsensusFault] = []
  private var instances: Int

  init(
    replicas: Int, hasTwin: Bool?, hasRestored: Bool?, milliseconds: UInt64, crashesPerMille: UInt64?,
    random: SeededGenerator
  ) {
    (self.replicas, self.hasTwin, self.hasRestored) = (replicas, hasTwin, hasRestored)
    self.milliseconds = milliseconds
    (self.crashesPerMille, self.random) = (crashesPerMille, random)
    instances = replicas
  }

  mutating func draw() -> ConsensusFaultPlan {
    drawReplicas()
    drawCrashes()
    drawCuts()
    drawMessages()
    drawClocks()
    drawRestored()
    return ConsensusFaultPlan(faults)
  }

  private var whole: ConsensusFault.Window { ConsensusFault.Window(from: 0, to: milliseconds) }
  private mutating func instance() -> Int { Int(random.below(UInt64(instances))) }
  private mutating func time() -> UInt64 { random.below(milliseconds) }
  private mutating func down() -> UInt64 { random.below(random.happens(perMille: 200) ? 4_000 : 600) }

  private mutating func window() -> ConsensusFault.Window {
    if random.happens(perMille: 500) { return whole }
    let from = time()
    return ConsensusFault.Window(from: from, to: min(milliseconds, from + 50 + time()))
  }

  /// Replicas that stay faulty or away, as many as the group tolerates.
  private mutating func drawReplicas() {
    var left = (replicas - 1) / 3
    var twin: Int?
    if hasTwin ?? random.happens(perMille: 300), left > 0 {
      let replica = instance()
      faults.append(.twin(replica: replica))
      if random.happens(perMille: 600) { faults.append(.liar(replica: replica)) }
      twin = replica
      left -= 1
    }
    if left > 0, random.happens(perMille: 200) {
      let candidates = (0..<replicas).filter { $0 != twin }
      let replica = candidates[Int(random.below(UInt64(candidates.count)))]
      faults.append(.dead(instance: replica, at: time()))
    }
    if twin != nil { instances += 1 }
  }

  /// Last, so that the rest of a seed's plan is what it is without.
  private mutating func drawRestored() {
    guard hasRestored ?? random.happens(perMille: 250) else { return }
    let plan = ConsensusFaultPlan(faults)
    let lost = plan.faulty.union(plan.dead.filter { $0 < replicas }.map(UInt16.init))
    let candidates = (0..<replicas).filter { !lost.contains(UInt16($0)) }
    guard lost.count < (replicas - 1) / 3, milliseconds > 1 else { return }
    let replica = candidates[Int(random.below(UInt64(candidates.count)))]
    for _ in 0..<1 + random.below(6) {
      let at = 1 + random.below(milliseconds - 1)
      // Mostly a little older and soon back, when the others are still where it was.
      let age = 1 + random.below(random.happens(perMille: 700) ? 300 : at)
      let down = random.happens(perMille: 700) ? random.below(30) : down()
      faults.append(.restored(instance: replica, to: at - min(at, age), at: at, down: down))
    }
  }

  private mutating func drawCrashes() {
    let rate = crashesPerMille ?? [0, 0, 5, 20][Int(random.below(4))]
    if rate > 0 { faults.append(.crashes(perMille: rate, whole)) }
    for _ in 0..<random.below(4) { faults.append(.crash(instance: instance(), at: time(), down: down())) }
    for _ in 0..<random.below(3) { faults.append(.powerCut(instance: instance(), at: time(), down: down())) }
    for _ in 0..<random.below(4) {
      let moment = ConsensusFault.Moment.allCases[Int(random.below(3))]
      faults.append(
        .crashAtWrite(instance: instance(), write: 1 + Int(random.below(60)), moment, down: down()))
    }
    for _ in 0..<random.below(3) {
      faults.append(.crashAtEffect(instance: instance(), effect: 1 + Int(random.below(200)), down: down()))
    }
    if random.happens(perMille: 300) {
      let isKept = random.happens(perMille: 500)
      faults.append(
        .failedSync(instance: instance(), write: 1 + Int(random.below(60)), isKept: isKept, down: down()))
    }
  }

  private mutating func drawCuts() {
    for _ in 0..<random.below(4) where instances > 1 {
      var (a, b): ([Int], [Int]) = ([], [])
      for instance in 0..<instances {
        if random.happens(perMille: 500) { a.append(instance) } else { b.append(instance) }
      }
      guard !a.isEmpty, !b.isEmpty else { continue }
      let from = time()
      let cut = ConsensusFault.Window(from: from, to: min(milliseconds, from + 50 + random.below(1_500)))
      faults.append(random.happens(perMille: 700) ? .partition(a, b, cut) : .oneWay(from: a, to: b, cut))
    }
  }

  private mutating func drawMessages() {
    let drop: UInt64 = [0, 10, 50, 200][Int(random.below(4))]
    if drop > 0 { faults.append(.drop(perMille: drop, window())) }
    if random.happens(perMille: 500) { faults.append(.duplicate(perMille: 30, window())) }
    if random.happens(perMille: 500) { faults.append(.delay(perMille: 50, by: 400, window())) }
    if random.happens(perMille: 300) { faults.append(.reorder(perMille: 100, window())) }
    if random.happens(perMille: 300) { faults.append(.garbage(perMille: 20, window())) }
    if random.happens(perMille: 200) {
      faults.append(.slow(instance: instance(), by: 20 + random.below(400), window()))
    }
  }

  private mutating func drawClocks() {
    for _ in 0..<random.below(3) {
      faults.append(.clock(instance: instance(), by: Int64(random.below(4_000)) - 2_000, at: time()))
    }
    if random.happens(perMille: 200) {
      faults.append(.drift(instance: instance(), partsPerMillion: Int64(random.below(40_000)) - 20_000))
    }
  }
}
