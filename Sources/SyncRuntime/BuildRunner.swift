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

/// Rebuilds ordered jobs, a bounded number at a time, in the order in which they were ordered.
///
/// It knows nothing of the group: it takes a spec and gives an outcome, or `nil` when this host cannot give one: at
/// once where another try cannot help (no such toolchain, another digest), else after a try behind each of the pauses.
actor BuildRunner {
  private let workshop: Workshop
  private let concurrentMax: Int
  private let pauses: [Duration]
  private let logger: Logger
  private let finished: @Sendable (Digest, Outcome?) async -> Void
  private var waiting: [(job: Digest, spec: BuildSpec)] = []
  private var running: [Digest: Task<Void, Never>] = [:]
  private var isStopped = false

  init(
    workshop: Workshop, concurrentMax: Int, pauses: [Duration], logger: Logger,
    finished: @escaping @Sendable (Digest, Outcome?) async -> Void
  ) {
    self.workshop = workshop
    self.concurrentMax = max(1, concurrentMax)
    self.pauses = pauses
    self.logger = logger
    self.finished = finished
  }

  /// Queues a job; one that is queued or running already is left alone.
  func enqueue(_ job: Digest, _ spec: BuildSpec) {
    guard !isStopped, running[job] == nil, !waiting.contains(where: { $0.job == job }) else { return }
    waiting.append((job, spec))
    startNext()
  }

  /// Drops a job whose verdict stands already: nobody would count its outcome any more.
  func drop(_ job: Digest) {
    waiting.removeAll { $0.job == job }
    running[job]?.cancel()
  }

  /// Kills what runs and waits until it is gone.
  func stop() async {
    isStopped = true
    waiting = []
    let tasks = running.keys.sorted().compactMap { running[$0] }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  private func startNext() {
    while running.count < concurrentMax, !waiting.isEmpty {
      let next = waiting.removeFirst()
      running[next.job] = Task { await self.attempt(next.job, next.spec) }
    }
  }

  private func attempt(_ job: Digest, _ spec: BuildSpec) async {
    var log = logger
    log[metadataKey: "job"] = "\(job)"
    let outcome = await outcome(of: job, spec, log)
    if !Task.isCancelled { await finished(job, outcome) }
    running[job] = nil
    startNext()
  }

  private func outcome(of job: Digest, _ spec: BuildSpec, _ log: Logger) async -> Outcome? {
    var pauses = pauses[...]
    while true {
      do throws(PluginError) {
        return try await workshop.build(job, spec, log)
      } catch {
        if Task.isCancelled { return nil }
        let isLasting = [.notFound, .checksumMismatch, .invalid].contains(error.code)
        guard !isLasting, let pause = pauses.popFirst() else {
          log.error("This builder abstains: \(error.message)")
          return nil
        }
        log.warning("Trying again in \(pause): \(error.message)")
        try? await Task.sleep(for: pause)
      }
    }
  }
}
