import Glibc
import Logging
import SyncLedger
import SyncProof

/// What a finished attempt gave: everything that the commitment hides and the reveal opens.
struct AttemptRecord: Sendable, Equatable {
  let reveal: Reveal

  private static let version: UInt8 = 1
  private static let revealBytesMax = 1 << 20

  /// One byte of version, then the reveal's own text; nothing behind the version stands for an abstention: the
  /// builder's own sandbox failed for good.
  static func encode(_ record: AttemptRecord?) -> [UInt8] { [version] + (record?.reveal.encode() ?? []) }

  static func decode(_ bytes: [UInt8]) throws(ProofError) -> AttemptRecord? {
    guard bytes.first == version else {
      throw ProofError(
        .unsupportedVersion, "An attempt record of another version; run the version of the node that wrote it", at: 0)
    }
    return bytes.count == 1 ? nil : AttemptRecord(reveal: try Reveal(parsing: Array(bytes.dropFirst())))
  }
}

/// Rebuilds ordered jobs as ``BuildQueue`` decides, which it feeds and performs.
///
/// It knows nothing of the group: it takes a spec and gives an outcome, or `nil` when this host cannot give one: at
/// once where another try cannot help (no such toolchain, another digest), else after a try behind each of the pauses.
actor BuildRunner {
  private let workshop: Workshop
  private let logger: Logger
  private let finished: @Sendable (Digest, Outcome?) async -> Void
  private var queue: BuildQueue
  /// Of every job in the queue.
  private var specs: [Digest: BuildSpec] = [:]
  private var running: [Digest: (task: Task<Void, Never>, sinceSeconds: Int)] = [:]
  private var alarm: (at: UInt64, task: Task<Void, Never>)?
  private var isStopped = false

  init(
    workshop: Workshop, capacity: BuildCapacity, pauses: [Duration], logger: Logger,
    finished: @escaping @Sendable (Digest, Outcome?) async -> Void
  ) {
    self.workshop = workshop
    self.logger = logger
    self.finished = finished
    queue = BuildQueue(capacity: capacity, pauses: pauses)
  }

  /// Queues a job; one that is queued or running already is left alone.
  func enqueue(_ job: BuildQueue.Job, _ spec: BuildSpec) {
    guard !isStopped else { return }
    specs[job.id] = spec
    perform(queue.enqueue(job, now: Clock.now()))
  }

  func setPriority(_ priority: Int, of job: Digest) { queue.setPriority(priority, of: job) }

  /// Drops a job whose outcome nobody would count any more.
  func drop(_ job: Digest) {
    let actions = queue.drop(job, now: Clock.now())
    if !queue.holds(job) { specs[job] = nil }
    perform(actions)
  }

  /// When the oldest of the running attempts began, Unix seconds: what is younger on disk may be one's own.
  var oldestStartSeconds: Int? { running.values.map(\.sinceSeconds).min() }

  /// Kills what runs and waits until it is gone.
  func stop() async {
    isStopped = true
    alarm?.task.cancel()
    let tasks = running.keys.sorted().compactMap { running[$0]?.task }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  private func perform(_ actions: [BuildQueue.Action]) {
    for action in actions where !isStopped {
      switch action {
      case .start(let job): start(job)
      case .cancel(let job): running[job]?.task.cancel()
      case .expired(let job): log(job).notice("Not started: its commit phase is over by this host's clock")
      case .pause(let job, let pause, let reason): log(job).warning("Trying again in \(pause): \(reason)")
      case .abstain(let job, let reason):
        specs[job] = nil
        log(job).error("This builder abstains: \(reason)")
        Task { [finished] in await finished(job, nil) }
      }
    }
    setAlarm()
  }

  private func start(_ job: Digest) {
    guard let spec = specs[job] else { preconditionFailure("Every job in the queue has its spec here") }
    let since = Int(Clock.now().wallMilliseconds / 1_000)
    running[job] = (Task { await self.attempt(job, spec) }, since)
  }

  private func attempt(_ job: Digest, _ spec: BuildSpec) async {
    let ending: BuildQueue.Ending
    do throws(PluginError) {
      let outcome = try await workshop.build(job, spec, log(job))
      if !Task.isCancelled { await finished(job, outcome) }
      ending = .finished
    } catch {
      let isLasting = [.notFound, .checksumMismatch, .invalid].contains(error.code)
      ending = Task.isCancelled ? .cancelled : .fault(error.message, isLasting: isLasting)
    }
    running[job] = nil
    guard !isStopped else { return }
    let actions = queue.ended(job, ending, now: Clock.now())
    if !queue.holds(job) { specs[job] = nil }
    perform(actions)
  }

  /// One timer, for the end of the first pause.
  private func setAlarm() {
    let now = Clock.now()
    let wanted = isStopped ? nil : queue.nextWakeUp(now: now)
    guard wanted != alarm?.at else { return }
    alarm?.task.cancel()
    alarm = wanted.map { at in
      let pause = Duration.nanoseconds(Int64(clamping: at - now.monotonicNanoseconds))
      return (
        at,
        Task { [weak self] in
          guard (try? await Task.sleep(for: pause)) != nil else { return }
          await self?.wake()
        }
      )
    }
  }

  private func wake() {
    alarm = nil
    if !isStopped { perform(queue.step(now: Clock.now())) }
  }

  private func log(_ job: Digest) -> Logger {
    var log = logger
    log[metadataKey: "job"] = "\(job)"
    return log
  }
}
