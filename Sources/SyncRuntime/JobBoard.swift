import SyncLedger
import SyncProof

/// What people may see of the jobs, as the decided blocks tell it.
///
/// A value without I/O, made again at start from the index of the log's leaves and from decided blocks. It keeps the
/// newest ``jobsMax`` jobs; older ones are in the log.
struct JobBoard {
  static let jobsMax = 10_000

  struct Entry {
    /// Counts the jobs that were ordered, over all epochs that this node knows.
    var ordinal: UInt64
    var package: Text
    var submitter: Text
    /// Of the job's epoch.
    var builders: [Text]
    var steps: [BuilderProgress.Step]
    var isRevealing = false
    var verdict: Verdict?
    var agreeing: Int?
    var outcomes = 0
    var index: UInt64?
    var artifacts: [Artifact] = []
    var orderedMilliseconds: UInt64
    var verdictMilliseconds: UInt64?
  }

  let builders: [Text]
  var entries: [Digest: Entry] = [:]
  /// Keys of `entries` in the order in which the jobs were ordered.
  var order: [Digest] = []
  /// Of the next job that is ordered.
  var nextOrdinal: UInt64 = 0
  /// Builders' proofs of misbehaviour, the first of each kind against each: more would not prove more.
  private(set) var misbehaviours: [BuilderMisbehaviour] = []
  /// Records of misbehaviour that stand in the log, of this epoch and those before.
  private(set) var loggedMisbehaviours: [(record: MisbehaviourRecord, index: UInt64)] = []
  /// Which job's evidence stands at which index: for proofs by job, all jobs ever closed.
  var indexes: [Digest: UInt64] = [:]
  /// Artifacts of all jobs that were ever reproduced: what proofs name.
  var proven: Set<Digest> = []
  /// Height of the block that ended the epoch.
  var endHeight: UInt64?

  init(builders: [Text]) { self.builders = builders }

  /// - Returns: For a job that is closed, its line of the log's index.
  @discardableResult
  mutating func apply(_ event: LedgerEvent, timeMilliseconds: UInt64) -> [UInt8]? {
    switch event {
    case .ordered(let job, let spec, let submitter):
      entries[job] = Entry(
        ordinal: takeOrdinal(), package: spec.package, submitter: submitter, builders: builders,
        steps: builders.map { _ in .waiting },
        orderedMilliseconds: timeMilliseconds)
      keep(job)
    case .committed(let job, let builder): set(.committed, job, builder)
    case .abstained(let job, let builder): set(.abstained, job, builder)
    case .revealPhase(let job): entries[job]?.isRevealing = true
    case .revealed(let job, let builder, _): set(.revealed, job, builder)
    case .wrongOpening(let job, let builder): set(.wrongOpening, job, builder)
    case .verdict(let job, _, let evidence, _, let index):
      // Of a job that so many were ordered behind that it is no longer here, the evidence says enough.
      var entry = entries[job] ?? Entry(evidence, ordinal: 0)
      entry.verdictMilliseconds = timeMilliseconds
      return close(job, &entry, evidence, index)
    case .misbehaviour(let proof): note(proof)
    case .misbehaviourLogged(let record, _, let index): restore(record, index: index)
    case .doubleCommitment, .proposed, .approved, .epochEnding, .epochEnded, .refused: break
    }
    return nil
  }

  private mutating func takeOrdinal() -> UInt64 {
    defer { nextOrdinal &+= 1 }
    return nextOrdinal
  }

  /// Takes what a leaf says against a member: of each epoch the first of each kind against each.
  mutating func restore(_ record: MisbehaviourRecord, index: UInt64) { loggedMisbehaviours.append((record, index)) }

  /// Takes the proof that a leaf has against a builder of this epoch, whoever brought it.
  mutating func note(_ record: MisbehaviourRecord, of group: Group) {
    guard record.chainID == group.chainID, !record.kind.isOfReplica,
      let proof = try? BuilderMisbehaviour(record, origin: group.origin)
    else { return }
    note(proof)
  }

  private mutating func note(_ proof: BuilderMisbehaviour) {
    let isFirst = !misbehaviours.contains { $0.builder == proof.builder && $0.kind == proof.kind }
    if isFirst { misbehaviours.append(proof) }
  }

  /// Where the log has a record of this kind against the member, in any epoch.
  func index(ofMisbehaviour kind: MisbehaviourRecord.Kind, by member: Text) -> UInt64? {
    loggedMisbehaviours.first { $0.record.kind == kind && $0.record.member == member }?.index
  }

  /// Takes a job of an earlier epoch from its evidence; when it was ordered is not told there.
  ///
  /// - Returns: Its line of the log's index.
  @discardableResult
  mutating func restore(_ evidence: Evidence, index: UInt64) -> [UInt8] {
    let job = evidence.jobID
    var entry = Entry(evidence, ordinal: takeOrdinal())
    entries[job] = entry
    keep(job)
    return close(job, &entry, evidence, index)
  }

  private mutating func keep(_ job: Digest) {
    order.append(job)
    if order.count > JobBoard.jobsMax { entries[order.removeFirst()] = nil }
  }

  private mutating func close(_ job: Digest, _ entry: inout Entry, _ evidence: Evidence, _ index: UInt64) -> [UInt8] {
    entry.verdict = evidence.verdict
    entry.index = index
    entry.agreeing = evidence.agreeing
    entry.outcomes = evidence.outcomes.count
    entry.artifacts = evidence.artifacts
    if entries[job] != nil { entries[job] = entry }
    indexes[job] = index
    for artifact in evidence.artifacts { proven.insert(artifact.sha256) }
    return ClosedLine.encode(job, height: evidence.height, entry)
  }

  private mutating func set(_ step: BuilderProgress.Step, _ job: Digest, _ builder: Text) {
    guard let position = builders.firstIndex(of: builder) else { return }
    entries[job]?.steps[position] = step
  }

  /// Jobs with different outcomes whose verdict fell since then, oldest first.
  func diverged(since milliseconds: UInt64) -> [Digest] {
    order.filter { job in
      guard let entry = entries[job], let time = entry.verdictMilliseconds else { return false }
      return entry.outcomes > 1 && time >= milliseconds
    }
  }

  func status(of job: Digest, publishedSize: UInt64) -> JobStatus? {
    guard let entry = entries[job] else { return nil }
    let phase: JobPhase =
      if let index = entry.index { index < publishedSize ? .cosigned : .logged } else if entry.isRevealing {
        .reveal
      } else { .commit }
    return JobStatus(
      id: job.hex, package: entry.package.string, submitter: entry.submitter.string, phase: phase,
      builders: zip(entry.builders, entry.steps).map { BuilderProgress(builder: $0.string, step: $1) },
      verdict: entry.verdict?.text.string, agreeing: entry.agreeing, index: entry.index,
      artifacts: entry.artifacts.map { .init(path: $0.path.string, sha256: $0.sha256.hex, size: $0.size) },
      orderedMilliseconds: entry.orderedMilliseconds, verdictMilliseconds: entry.verdictMilliseconds)
  }

  /// Newest first, those ordered before `before` where it is known.
  func list(limit: Int, before: Digest?, publishedSize: UInt64) -> [JobStatus] {
    let end = before.flatMap { order.firstIndex(of: $0) } ?? order.count
    return order[..<end].suffix(max(0, limit)).reversed().compactMap {
      status(of: $0, publishedSize: publishedSize)
    }
  }
}
