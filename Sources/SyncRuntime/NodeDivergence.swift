import Logging
import SyncLedger
import SyncProof

/// The node's part when builders differ, and what it shows of attempts.
extension Node {
  /// What the group has logged about a job, read from the log each time: nothing of it is kept in memory.
  private func leaf(of job: Digest) -> [UInt8]? { board.indexes[job].flatMap { try? log.leaf(at: $0) } }

  /// The same, taken apart on the caller's thread: whoever asks often must not hold up the consensus.
  nonisolated func evidence(of job: Digest) async -> Evidence? {
    await leaf(of: job).flatMap { try? Evidence(parsing: $0) }
  }

  /// Makes the exchange and the desk; called once, at the start.
  func openDesk() -> ArtifactExchange {
    var limits = ArtifactExchange.Limits()
    limits.answerTimeout = configuration.divergence.answerTimeout
    let transport = plugins.transport
    let evidence: @Sendable (Digest) async -> Evidence? = { [weak self] job in await self?.evidence(of: job) }
    let shelf = ArtifactShelf(store: divergences, artifacts: workshop.artifacts, evidence: evidence)
    let exchange = ArtifactExchange(
      limits: limits, send: { bytes, peer in transport.send(bytes, to: peer) },
      holding: { job, digest in await shelf.holding(job, digest) }, logger: logger)
    let desk = DivergenceDesk(
      name: configuration.name.string, workshop: workshop, store: divergences, policy: configuration.divergence,
      exchange: exchange, evidence: evidence, logger: logger, eventLoop: plugins.eventLoop)
    self.desk = desk
    let now = Clock.now().wallMilliseconds
    let oldest = now - min(now, UInt64(configuration.retention.divergedDays) * 86_400_000)
    for job in board.diverged(since: oldest) where divergences.status(of: job) == nil {
      noteDivergence(job, leaf(of: job).flatMap { try? Evidence(parsing: $0) })
    }
    Task { await desk.start() }
    return exchange
  }

  /// Begins a report, unless there is one or the operator wants none.
  func noteDivergence(_ job: Digest, _ evidence: Evidence?) {
    guard let evidence, evidence.outcomes.count > 1, let desk, divergences.status(of: job) == nil else { return }
    let isWanted =
      switch configuration.divergence.comparing {
      case .all: true
      case .submitted: evidence.submitter == configuration.name
      case .none: false
      }
    do throws(PluginError) {
      // Others may want it, whether or not this node compares.
      try keepOwnText(job, evidence)
      guard isWanted else { return }
      try divergences.begin(job)
      try keepOwnArtifacts(job)
    } catch {
      return logger.error("No report on a divergence: \(error.message)", metadata: ["job": "\(job)"])
    }
    divergences.set(.waiting, of: job)
    Task { await desk.begin(job) }
  }

  /// The outcome of this builder, where the evidence had no room for it: others want to know what it is.
  private func keepOwnText(_ job: Digest, _ evidence: Evidence) throws(PluginError) {
    guard let stored = try journal.get(.attempt, job.bytes),
      let record = try? AttemptRecord.decode(stored)
    else { return }
    let digest = record.reveal.outcome.digest
    guard evidence.outcomes.contains(where: { $0.digest == digest && $0.outcome == nil }) else { return }
    try divergences.put(record.reveal.outcome.encode(), as: digest, of: job)
  }

  /// Gives this builder's artifacts a second name before a sweep may take the first.
  private func keepOwnArtifacts(_ job: Digest) throws(PluginError) {
    guard let stored = try journal.get(.attempt, job.bytes),
      let record = try? AttemptRecord.decode(stored)
    else { return }
    for artifact in record.reveal.outcome.artifacts {
      guard let path = workshop.artifacts.path(of: artifact.sha256) else { continue }
      try divergences.adopt(path, as: artifact.sha256, of: job)
    }
  }

  // MARK: What is shown

  /// How far a job is, without what its evidence and this node's folders say of it.
  public func outline(_ job: Digest) -> JobStatus? {
    board.status(of: job, publishedSize: assembler.published?.treeSize ?? 0)
  }

  private func brief(_ job: Digest) -> (status: JobStatus, leaf: [UInt8]?)? { outline(job).map { ($0, leaf(of: job)) } }

  nonisolated public func job(_ id: Digest) async -> JobStatus? {
    guard let (found, leaf) = await brief(id) else { return nil }
    var status = found
    if let evidence = leaf.flatMap({ try? Evidence(parsing: $0) }) {
      status.outcomes = evidence.outcomeStatus
      status.absent = evidence.absentBuilders
    }
    let attempts = workshop.transcripts.attempts(of: id)
    status.attempts = attempts.isEmpty ? nil : attempts
    status.divergence = divergences.status(of: id)
    return status
  }

  nonisolated public func transcriptPath(job: Digest, attempt: Int?) async -> String? {
    workshop.transcripts.path(of: job, attempt: attempt)
  }

  nonisolated public func reportPath(job: Digest, _ file: ReportFile) async -> String? {
    guard divergences.status(of: job)?.state == .done else { return nil }
    return switch file {
    case .summary: divergences.path(DivergenceStore.summary, reportOn: job)
    case .text: divergences.path(DivergenceStore.text, reportOn: job)
    case .html: divergences.path(DivergenceStore.html, reportOn: job)
    }
  }
}

/// The files of a report on a divergence.
public enum ReportFile: Sendable, CaseIterable {
  case summary, text, html
}

/// Decides what peers may have: digests that the evidence of the job in question names, and nothing else.
actor ArtifactShelf {
  private static let jobsMax = 16

  private let store: DivergenceStore
  private let artifacts: ArtifactStore
  /// Of the jobs asked for last: a fetch comes as many requests.
  private var named: [(job: Digest, digests: Set<Digest>)] = []

  private let evidence: @Sendable (Digest) async -> Evidence?

  init(store: DivergenceStore, artifacts: ArtifactStore, evidence: @escaping @Sendable (Digest) async -> Evidence?) {
    (self.store, self.artifacts, self.evidence) = (store, artifacts, evidence)
  }

  func holding(_ job: Digest, _ digest: Digest) async -> ArtifactExchange.Holding {
    var digests = named.first { $0.job == job }?.digests
    if digests == nil {
      guard let evidence = await evidence(job) else { return .unnamed }
      digests = note(evidence, job)
    }
    guard digests?.contains(digest) == true else { return .unnamed }
    return (store.path(digest, of: job) ?? artifacts.path(of: digest)).map { .file($0) } ?? .missing
  }

  private func note(_ evidence: Evidence, _ job: Digest) -> Set<Digest> {
    var isWhole = true
    var digests = Set(evidence.outcomes.flatMap { ($0.outcome?.artifacts ?? []).map(\.sha256) })
    // An outcome that is listed by digest alone is had by that digest, and then says what else may be asked for.
    for listed in evidence.outcomes where listed.outcome == nil {
      digests.insert(listed.digest)
      guard let path = store.path(listed.digest, of: job), let bytes = Folder.read(path, bytesMax: 1 << 20),
        let outcome = try? Outcome(parsing: bytes), outcome.digest == listed.digest
      else {
        isWhole = false
        continue
      }
      digests.formUnion(outcome.artifacts.map(\.sha256))
    }
    if isWhole { named.append((job, digests)) }
    if named.count > ArtifactShelf.jobsMax { named.removeFirst() }
    return digests
  }
}
