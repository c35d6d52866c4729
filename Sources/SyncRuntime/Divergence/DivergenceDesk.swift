import Foundation
import Logging
import NIOCore
import SyncProof

/// Makes this node's reports on jobs whose builders differ, one after the other: has the bytes fetched, compares them,
/// lets diffoscope look at them, and keeps all within its bounds.
///
/// It only reads what the group has decided; nothing here reaches the consensus. Thread: any.
actor DivergenceDesk {
  /// Jobs that wait; beyond it a job's report is left for the next start of the node.
  static let waitingMax = 1_000
  /// The front of a file that is compared; what is behind is not looked at, and the report says so.
  static let examinedBytesMax = 64 << 20
  /// An outcome's text that the evidence lists by digest alone.
  private static let outcomeTextBytesMax: UInt64 = 1 << 20
  private static let sweepInterval = TimeAmount.hours(1)

  private let name: String
  private let workshop: Workshop
  private let store: DivergenceStore
  private let policy: DivergencePolicy
  private let exchange: ArtifactExchange
  private let evidence: @Sendable (Digest) async -> Evidence?
  private let logger: Logger
  private let eventLoop: any EventLoop

  private var waiting: [Digest] = []
  private var current: Digest?
  private var working: Task<Void, Never>?
  /// On the event loop, which forgets it when it is cancelled; a task's sleep stays in memory until it would have
  /// ended.
  private var sweeping: RepeatedTask?
  private var isStopped = false

  init(
    name: String, workshop: Workshop, store: DivergenceStore, policy: DivergencePolicy, exchange: ArtifactExchange,
    evidence: @escaping @Sendable (Digest) async -> Evidence?, logger: Logger, eventLoop: any EventLoop
  ) {
    (self.name, self.workshop, self.store, self.policy) = (name, workshop, store, policy)
    (self.exchange, self.evidence, self.logger, self.eventLoop) = (exchange, evidence, logger, eventLoop)
  }

  /// Goes on with what a stopped node left, and keeps within the bounds from here on.
  func start() {
    // A node may end before it comes to this.
    guard !isStopped else { return }
    for job in store.unfinished { begin(job) }
    sweeping = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: DivergenceDesk.sweepInterval) {
      [weak self] _ in
      Task { await self?.sweep() }
    }
  }

  func begin(_ job: Digest) {
    guard !isStopped, job != current, !waiting.contains(job), waiting.count < DivergenceDesk.waitingMax else { return }
    waiting.append(job)
    if working == nil { working = Task { await work() } }
  }

  func stop() async {
    isStopped = true
    waiting = []
    sweeping?.cancel()
    working?.cancel()
    await exchange.stop()
    await working?.value
  }

  private func sweep() {
    let kept = Set(waiting + (current.map { [$0] } ?? []))
    store.sweep(keeping: kept)
    workshop.transcripts.sweep(keeping: kept)
  }

  private func work() async {
    while !isStopped, !waiting.isEmpty {
      let job = waiting.removeFirst()
      current = job
      do throws(PluginError) {
        try await report(on: job)
      } catch {
        logger.error("No report on a divergence: \(error.message)", metadata: ["job": "\(job)"])
      }
      current = nil
      if !isStopped { sweep() }
    }
    working = nil
  }

  private func report(on job: Digest) async throws(PluginError) {
    guard let evidence = await evidence(job) else {
      store.set(.done, of: job)
      return
    }
    try store.begin(job)
    store.set(.fetching, of: job)
    var failures: [DivergenceSummary.FetchFailure] = []
    let texts = await outcomes(of: evidence, &failures)
    let plan = DivergencePlan(evidence, texts: texts)
    await fetch(plan, &failures)
    guard !isStopped else { return }
    store.set(.comparing, of: job)
    let (summary, sides) = await DivergenceDesk.compare(plan, name: name, store: store, failures: failures)
    let diffoscope = await look(job, sides)
    // A report that was cut off by the node's end is made again.
    guard !isStopped else { return }
    try write(summary, diffoscope, job)
    store.removePartials(of: job)
    store.set(.done, of: job)
    logger.info(
      "Reported a divergence",
      metadata: [
        "job": "\(job)", "causes": "\(summary.causes.map(\.rawValue).joined(separator: ","))",
        "diffoscope": "\(diffoscope.status.state.rawValue)",
      ])
  }

  private func write(
    _ found: DivergenceSummary, _ diffoscope: Diffoscope.Report, _ job: Digest
  ) throws(PluginError) {
    var summary = found
    summary.diffoscope = diffoscope.status
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let json = try? encoder.encode(summary) else {
      throw PluginError(.io, "The report cannot be written as JSON")
    }
    if let text = diffoscope.text { try store.write(text, DivergenceStore.text, reportOn: job) }
    if let html = diffoscope.html { try store.write(html, DivergenceStore.html, reportOn: job) }
    try store.write([UInt8](json) + [0x0A], DivergenceStore.summary, reportOn: job)
  }

  // MARK: Fetching

  /// Outcomes that the evidence had no room for, from those who revealed them; an outcome is its digest's text.
  private func outcomes(
    of evidence: Evidence, _ failures: inout [DivergenceSummary.FetchFailure]
  ) async -> [Digest: Outcome] {
    var texts: [Digest: Outcome] = [:]
    let job = evidence.jobID
    for (index, listed) in evidence.outcomes.enumerated().prefix(DivergencePlan.outcomesMax)
    where listed.outcome == nil {
      let wanted = DivergencePlan.Wanted(sha256: listed.digest, size: 0, builders: evidence.names(behind: index))
      failures += await fetch(wanted, .atMost(DivergenceDesk.outcomeTextBytesMax), of: job)
      guard let path = store.path(listed.digest, of: job),
        let bytes = Folder.read(path, bytesMax: Int(DivergenceDesk.outcomeTextBytesMax)),
        let outcome = try? Outcome(parsing: bytes), outcome.digest == listed.digest, outcome.answers(evidence.spec)
      else { continue }
      texts[listed.digest] = outcome
    }
    return texts
  }

  /// Asks for everything that is not here, in rounds: a builder that is away now may be back.
  private func fetch(_ plan: DivergencePlan, _ failures: inout [DivergenceSummary.FetchFailure]) async {
    let job = plan.evidence.jobID
    var missing = plan.wanted
    var last: [DivergenceSummary.FetchFailure] = []
    for pause in [.zero] + policy.roundPauses where !missing.isEmpty && !isStopped {
      if pause > .zero { try? await Task.sleep(for: pause) }
      last = []
      for wanted in missing where !isStopped {
        last += await fetch(wanted, .exactly(wanted.size), of: job)
      }
      missing.removeAll { store.path($0.sha256, of: job) != nil }
      // What cannot come out otherwise another time is not asked for again.
      let lasting: Set<String> = [ExchangeError.Code.noRoom.rawValue]
      missing.removeAll { wanted in last.contains { $0.sha256 == wanted.sha256.hex && lasting.contains($0.error) } }
    }
    failures += last
  }

  /// Until one builder has given it.
  private func fetch(
    _ wanted: DivergencePlan.Wanted, _ size: ArtifactFetch.Size, of job: Digest
  ) async -> [DivergenceSummary.FetchFailure] {
    let digest = wanted.sha256
    func failure(_ builder: String, _ error: ExchangeError) -> DivergenceSummary.FetchFailure {
      logger.warning("An artifact was not had: \(error.message)", metadata: ["job": "\(job)", "peer": "\(builder)"])
      return .init(builder: builder, sha256: digest.hex, error: error.code.rawValue)
    }
    if store.path(digest, of: job) != nil { return [] }
    if let own = workshop.artifacts.path(of: digest) {
      do throws(PluginError) {
        try store.adopt(own, as: digest, of: job)
        return []
      } catch {
        return [failure(name, ExchangeError(.io, error.message))]
      }
    }
    var failures: [DivergenceSummary.FetchFailure] = []
    for builder in wanted.builders where builder != name && !isStopped {
      do throws(ExchangeError) {
        try makeRoom(for: wanted, job)
        try await ArtifactFetch(exchange: exchange, job: job, digest: digest, size: size, peer: builder)
          .run(partial: store.partial(digest, of: job, from: builder), to: store.location(digest, of: job))
        return failures
      } catch {
        failures.append(failure(builder, error))
      }
    }
    return failures
  }

  private func makeRoom(for wanted: DivergencePlan.Wanted, _ job: Digest) throws(ExchangeError) {
    let now = Int64(Clock.now().wallMilliseconds / 1_000)
    let kept = Set(waiting + [job])
    let used = store.diverged.sweep(now: now, room: wanted.size, keeping: kept)
    guard used <= store.diverged.bytesMax, wanted.size <= store.diverged.bytesMax - used else {
      throw ExchangeError(
        .noRoom,
        "\(wanted.sha256) has \(wanted.size) bytes, more than the retention for divergences leaves; raise"
          + " retention.diverged-megabytes to have it")
    }
  }

  // MARK: Comparing

  /// Pure but for reading the files; off the actor, since it may take a while.
  private static func compare(
    _ plan: DivergencePlan, name: String, store: DivergenceStore, failures: [DivergenceSummary.FetchFailure]
  ) async -> (DivergenceSummary, [(first: Diffoscope.Side, second: Diffoscope.Side)]) {
    let evidence = plan.evidence
    let job = evidence.jobID
    let clock = BuildClock(seconds: Int64(clamping: evidence.timeMilliseconds / 1_000))
    var artifacts: [ArtifactDivergence] = []
    var budget = DivergencePlan.comparisonsMax
    var omitted = 0
    for (index, path) in evidence.spec.artifacts.enumerated() {
      let variants = plan.variants(at: index) { store.path($0, of: job) != nil }
      var comparisons: [ArtifactComparison] = []
      for pair in plan.compared.isEmpty ? [] : plan.pairs(at: index) {
        guard budget > 0 else {
          omitted += 1
          continue
        }
        budget -= 1
        guard let first = bytes(pair.first, job, store), let second = bytes(pair.second, job, store) else { continue }
        comparisons.append(
          ArtifactComparison(first: pair.first, second: pair.second, ByteComparison(first, second), clock: clock))
      }
      artifacts.append(
        ArtifactDivergence(
          path: path.string, difference: DivergencePlan.difference(variants), variants: variants,
          comparisons: comparisons))
    }
    let causes = Set(artifacts.flatMap { $0.comparisons.flatMap { $0.causes.map(\.code) } })
    let summary = DivergenceSummary(
      version: DivergenceSummary.formatVersion, statement: DivergenceSummary.statement, node: name, job: job.hex,
      package: evidence.spec.package.string, verdict: evidence.verdict.text.string, outcomes: evidence.outcomeStatus,
      absent: evidence.absentBuilders, outcomesOmitted: plan.outcomesOmitted, artifacts: artifacts,
      comparisonsOmitted: omitted, causes: causes.sorted { $0.rawValue < $1.rawValue }, fetchFailures: failures,
      diffoscope: DiffoscopeStatus(state: .nothingToCompare, detail: ""))
    return (summary, sides(plan, store))
  }

  private static func bytes(_ digest: Digest, _ job: Digest, _ store: DivergenceStore) -> [UInt8]? {
    store.path(digest, of: job).flatMap { Folder.read($0, bytesMax: examinedBytesMax, isCut: true) }
  }

  /// The first side with each other one, with the files that differ and are here.
  private static func sides(
    _ plan: DivergencePlan, _ store: DivergenceStore
  ) -> [(first: Diffoscope.Side, second: Diffoscope.Side)] {
    let job = plan.evidence.jobID
    guard let first = plan.compared.first else { return [] }
    return plan.compared.dropFirst().compactMap { second in
      var files: (first: [(String, String)], second: [(String, String)]) = ([], [])
      for (a, b) in zip(first.artifacts, second.artifacts) where a.sha256 != b.sha256 {
        guard let x = store.path(a.sha256, of: job), let y = store.path(b.sha256, of: job) else { continue }
        files.first.append((a.path.string, x))
        files.second.append((b.path.string, y))
      }
      guard !files.first.isEmpty else { return nil }
      return (
        Diffoscope.Side(label: first.builders[0], files: files.first),
        Diffoscope.Side(label: second.builders[0], files: files.second)
      )
    }
  }

  /// Each pair's text behind the other; the page is the first pair's.
  private func look(
    _ job: Digest, _ pairs: [(first: Diffoscope.Side, second: Diffoscope.Side)]
  ) async -> Diffoscope.Report {
    var whole = Diffoscope.Report(
      status: DiffoscopeStatus(state: .nothingToCompare, detail: "No two variants of an artifact are here"))
    let diffoscope = Diffoscope(workshop: workshop, policy: policy)
    for (number, pair) in pairs.enumerated() where !isStopped {
      let report = await diffoscope.run(job, pair.first, pair.second)
      let isWorse = number == 0 || report.status.state != .done
      whole = Diffoscope.Report(
        status: isWorse ? report.status : whole.status, text: whole.text, html: number == 0 ? report.html : whole.html)
      if let text = report.text {
        let title = "# \(pair.first.label) and \(pair.second.label)\n"
        whole.text = (whole.text ?? []) + [UInt8](title.utf8) + text + [0x0A]
      }
      if report.status.state == .noToolchain { break }
    }
    return whole
  }
}
