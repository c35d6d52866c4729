import SyncConsensus
import SyncProof

/// Which of the ordered jobs this builder rebuilds next, and when.
///
/// A value without I/O: what happened goes in, what is to be done comes out. The rules, in this order:
///
/// 1. A job waits while its limits do not fit beside what runs: its memory, and as many cores as its processor time
///    is of its wall time. A job that would not fit beside nothing at all is abstained from.
/// 2. **Between submitters** the one goes first that has had the least: each start counts as one, and who comes back
///    after a pause has no credit for it. A thousand jobs of one member delay another's one by one build.
/// 3. **Among the jobs of one submitter** the higher priority goes first, then the order in which the group ordered
///    them. Priorities are this host's own: no spec has one, and they cannot hold up another member's jobs.
/// 4. Jobs that fit may overtake one that does not, ``overtakesMax`` times; then nothing starts before it.
/// 5. After a fault of this host a job waits for the next of the pauses, and others have its place meanwhile. After
///    the last, or where the pause would pass the job's deadline, the builder abstains.
/// 6. A job whose commit phase is over by this host's clock does not start: nobody would count its outcome any more. It
///    waits until the group says so too, for the clock may be wrong, and set right again.
///
/// Complexity: a step costs O(waiting jobs), of which the ledger's bounds allow ``LedgerLimits/openJobsMax``.
struct BuildQueue: Sendable {
  static let overtakesMax = 8
  /// How often the clock is looked at for those that are late by it.
  static let lateLookNanoseconds: UInt64 = 5_000_000_000

  struct Job: Sendable, Equatable {
    let id: Digest
    let submitter: Text
    /// Decided time at which the commit phase ends, Unix milliseconds.
    let deadlineMilliseconds: UInt64
    let cores: Int
    let memoryBytes: UInt64
    var priority = 0
  }

  enum Action: Equatable, Sendable {
    case start(Digest)
    /// Ends a running attempt; ``BuildQueue/ended(_:_:now:)`` follows once it is gone.
    case cancel(Digest)
    /// Tells the group that this builder has no outcome, and its operator why.
    case abstain(Digest, reason: String)
    /// The commit phase is over by this host's clock; told once.
    case expired(Digest)
    /// After a fault the job waits for so long.
    case pause(Digest, Duration, reason: String)
  }

  /// How an attempt ended.
  enum Ending: Equatable, Sendable {
    /// With an outcome, which the runner has handed over already.
    case finished
    /// By a fault of this host.
    case fault(String, isLasting: Bool)
    /// It was told to.
    case cancelled
  }

  private struct Entry {
    var job: Job
    /// Place in the order of arrival, which is the decided order.
    let sequence: UInt64
    var isCancelled = false
    var isLate = false
    var faults = 0
    var notBeforeNanoseconds: UInt64 = 0
    var overtakes = 0
  }

  private let capacity: BuildCapacity
  private let pauses: [Duration]
  private var waiting: [Digest: Entry] = [:]
  private var active: [Digest: Entry] = [:]
  private var nextSequence: UInt64 = 0
  /// Not above the first deadline of those that wait and are not known to be late.
  private var earliestDeadline = UInt64.max
  private var accounts: [Text: Account] = [:]
  private var startCount: UInt64 = 0

  /// What a submitter has here. Its starts are a virtual time: the one with the least goes first, of equals the one
  /// that has waited for longer.
  private struct Account {
    var jobs = 0
    var served: UInt64
    var lastStart: UInt64 = 0
  }

  init(capacity: BuildCapacity, pauses: [Duration]) {
    (self.capacity, self.pauses) = (capacity, pauses)
  }

  /// Jobs that run, in the order of their arrival.
  var running: [Digest] { active.values.sorted { $0.sequence < $1.sequence }.map(\.job.id) }
  var waitingCount: Int { waiting.count }
  func holds(_ id: Digest) -> Bool { waiting[id] != nil || active[id] != nil }

  /// When ``step(now:)`` wants to be called again although nothing happens, in monotonic nanoseconds.
  func nextWakeUp(now: Instant) -> UInt64? {
    let look = now.monotonicNanoseconds + BuildQueue.lateLookNanoseconds
    return waiting.values.lazy.map { $0.isLate ? look : $0.notBeforeNanoseconds }
      .filter { $0 > now.monotonicNanoseconds }.min()
  }

  /// Takes a job; one that waits or runs here already keeps its place.
  mutating func enqueue(_ job: Job, now: Instant) -> [Action] {
    guard waiting[job.id] == nil, active[job.id] == nil else { return step(now: now) }
    guard job.memoryBytes <= capacity.memoryBytes else {
      let reason =
        "The job may use \(ByteCount(job.memoryBytes)) of memory and this host gives builds "
        + "\(ByteCount(capacity.memoryBytes)); raise build.memory in the configuration if it has more"
      return [.abstain(job.id, reason: reason)]
    }
    let least = accounts.values.map(\.served).min() ?? 0
    accounts[job.submitter, default: Account(served: least)].jobs += 1
    waiting[job.id] = Entry(job: job, sequence: nextSequence)
    earliestDeadline = min(earliestDeadline, job.deadlineMilliseconds)
    nextSequence += 1
    return step(now: now)
  }

  /// Moves a waiting job among those of its submitter.
  mutating func setPriority(_ priority: Int, of id: Digest) { waiting[id]?.job.priority = priority }

  /// Forgets a job whose outcome nobody counts any more; a running one is ended.
  mutating func drop(_ id: Digest, now: Instant) -> [Action] {
    if let entry = waiting.removeValue(forKey: id) {
      leave(entry)
      return step(now: now)
    }
    guard active[id]?.isCancelled == false else { return [] }
    active[id]?.isCancelled = true
    return [.cancel(id)]
  }

  /// An attempt is over, and its place is free.
  mutating func ended(_ id: Digest, _ ending: Ending, now: Instant) -> [Action] {
    guard var entry = active.removeValue(forKey: id) else { return [] }
    guard !entry.isCancelled, case .fault(let message, let isLasting) = ending else {
      leave(entry)
      return step(now: now)
    }
    let pause = entry.faults < pauses.count ? pauses[entry.faults].nanosecondsClamped : nil
    guard !isLasting, let pause, now.wallMilliseconds + pause / 1_000_000 < entry.job.deadlineMilliseconds else {
      leave(entry)
      return [.abstain(id, reason: message)] + step(now: now)
    }
    entry.faults += 1
    entry.notBeforeNanoseconds = now.monotonicNanoseconds + pause
    waiting[id] = entry
    earliestDeadline = min(earliestDeadline, entry.job.deadlineMilliseconds)
    return [.pause(id, pauses[entry.faults - 1], reason: message)] + step(now: now)
  }

  /// Starts what may start, and tells what is too late.
  mutating func step(now: Instant) -> [Action] {
    var actions = noteLate(now)
    while let next = chooseNext(now), let entry = waiting.removeValue(forKey: next) {
      active[next] = entry
      startCount += 1
      accounts[entry.job.submitter]?.served += 1
      accounts[entry.job.submitter]?.lastStart = startCount
      actions.append(.start(next))
    }
    return actions
  }

  private mutating func noteLate(_ now: Instant) -> [Action] {
    guard earliestDeadline <= now.wallMilliseconds else { return [] }
    let late = waiting.values.filter { !$0.isLate && $0.job.deadlineMilliseconds <= now.wallMilliseconds }
    for entry in late { waiting[entry.job.id]?.isLate = true }
    earliestDeadline = waiting.values.lazy.filter { !$0.isLate }.map(\.job.deadlineMilliseconds).min() ?? .max
    return late.sorted { $0.sequence < $1.sequence }.map { .expired($0.job.id) }
  }

  private mutating func leave(_ entry: Entry) {
    accounts[entry.job.submitter]?.jobs -= 1
    if accounts[entry.job.submitter]?.jobs == 0 { accounts[entry.job.submitter] = nil }
  }

  /// The first in the order of the rules that fits; whom it overtakes is counted.
  private mutating func chooseNext(_ now: Instant) -> Digest? {
    let cores = capacity.cores - active.values.reduce(0) { $0 + min($1.job.cores, capacity.cores) }
    let memory = capacity.memoryBytes - active.values.reduce(0) { $0 + $1.job.memoryBytes }
    guard active.count < capacity.concurrentMax, cores > 0 else { return nil }
    let ready = waiting.values.filter {
      $0.notBeforeNanoseconds <= now.monotonicNanoseconds && $0.job.deadlineMilliseconds > now.wallMilliseconds
    }
    let fitting = ready.filter { min($0.job.cores, capacity.cores) <= cores && $0.job.memoryBytes <= memory }
    guard let next = fitting.min(by: goesBefore) else { return nil }
    let overtaken = ready.filter { goesBefore($0, next) }
    guard overtaken.allSatisfy({ $0.overtakes < BuildQueue.overtakesMax }) else { return nil }
    for entry in overtaken { waiting[entry.job.id]?.overtakes += 1 }
    return next.job.id
  }

  private func goesBefore(_ a: Entry, _ b: Entry) -> Bool {
    if a.job.submitter == b.job.submitter {
      return a.job.priority != b.job.priority ? a.job.priority > b.job.priority : a.sequence < b.sequence
    }
    guard let first = accounts[a.job.submitter], let second = accounts[b.job.submitter] else { return false }
    // Not by the jobs' own places, which priorities change: an order has to be one for all of them.
    return (first.served, first.lastStart, a.job.submitter) < (second.served, second.lastStart, b.job.submitter)
  }
}

extension BuildQueue.Job {
  /// What the spec's limits ask for: memory as they say, and the processors that its processor time keeps busy for all
  /// of its wall time.
  init(id: Digest, spec: BuildSpec, submitter: Text, deadlineMilliseconds: UInt64, priority: Int = 0) {
    let (limits, most) = (spec.limits, UInt64(Int32.max))
    let cores = min(most, (limits.cpuSeconds + limits.wallSeconds - 1) / max(1, limits.wallSeconds))
    self.init(
      id: id, submitter: submitter, deadlineMilliseconds: deadlineMilliseconds, cores: max(1, Int(cores)),
      memoryBytes: limits.memoryBytes, priority: priority)
  }
}

extension Duration {
  /// `0` for a negative one; never more than a century.
  var nanosecondsClamped: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(min(seconds, 3_155_760_000)) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
  }
}

extension [Duration] {
  /// Pauses that grow by `factor`, from `first` to at most `longest`: a fixed schedule, alike at every run.
  public static func backOff(first: Duration, factor: Int, longest: Duration, count: Int) -> [Duration] {
    var pauses: [Duration] = []
    for _ in 0..<Swift.max(0, count) { pauses.append(Swift.min(longest, pauses.last.map { $0 * factor } ?? first)) }
    return pauses
  }
}
