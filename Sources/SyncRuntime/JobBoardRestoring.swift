import SyncLedger
import SyncProof

/// Putting the board together without the blocks that it followed.
extension JobBoard {
  /// A job with a line below this is not among those that are kept: whatever was open when it was closed, the jobs
  /// behind it are more.
  private static let linesKept = UInt64(jobsMax + LedgerLimits.openJobsMax)

  /// Takes a closed job from the log's index; call in the order of the leaves, then ``restore(open:state:)``.
  mutating func restore(_ line: ClosedLine, index: UInt64, logSize: UInt64) throws(ProofError) {
    indexes[line.job] = index
    for artifact in line.artifacts { proven.insert(artifact) }
    guard index + JobBoard.linesKept >= logSize else { return }
    let entry = try line.entry(index: index)
    entries[line.job] = entry
    nextOrdinal = max(nextOrdinal, entry.ordinal == .max ? .max : entry.ordinal + 1)
  }

  /// Takes the open jobs and puts all in order.
  mutating func restore(open jobs: [(id: Digest, job: OpenJob, submitter: Text)], _ state: OpenState) {
    for (id, job, submitter) in jobs {
      entries[id] = Entry(
        ordinal: state.ordinals[id] ?? 0, package: job.spec.package, submitter: submitter, builders: builders,
        steps: job.steps.map(BuilderProgress.Step.init), isRevealing: job.phase == .reveal,
        orderedMilliseconds: job.orderedMilliseconds)
    }
    (nextOrdinal, endHeight) = (state.nextOrdinal, state.endHeight)
    sort()
  }

  /// Puts the entries in the order in which the jobs were ordered, and lets go of the oldest beyond the bound.
  mutating func sort() {
    order = entries.sorted { ($0.value.ordinal, $0.value.index ?? .max) < ($1.value.ordinal, $1.value.index ?? .max) }
      .map(\.key)
    for job in order.prefix(max(0, order.count - JobBoard.jobsMax)) { entries[job] = nil }
    order = order.suffix(JobBoard.jobsMax)
  }

  /// Takes what a leaf of an earlier epoch says, by its number.
  ///
  /// - Returns: Its line of the log's index.
  mutating func restore(_ leaf: LedgerHistory.Leaf, index: UInt64) -> [UInt8]? {
    switch leaf {
    case .evidence(let evidence): return restore(evidence, index: index)
    case .misbehaviour(let record): restore(record, index: index)
    case .handover: break
    }
    return nil
  }

  /// What neither the log's index nor the ledger says of a board.
  ///
  /// By ``ByteWriter``: the next number; 0, or 1 and the height of the epoch's end; the open jobs behind their 32-bit
  /// count, by their digests, each with its number.
  struct OpenState {
    var nextOrdinal: UInt64
    var endHeight: UInt64?
    var ordinals: [Digest: UInt64]

    func encode(to writer: inout ByteWriter) {
      writer.write(nextOrdinal)
      writer.write(UInt8(endHeight == nil ? 0 : 1))
      if let endHeight { writer.write(endHeight) }
      writer.write(UInt32(truncatingIfNeeded: ordinals.count))
      for (job, ordinal) in ordinals.sorted(by: { $0.key < $1.key }) {
        writer.write(job)
        writer.write(ordinal)
      }
    }

    init(_ board: JobBoard) {
      (nextOrdinal, endHeight) = (board.nextOrdinal, board.endHeight)
      ordinals = board.entries.filter { $0.value.verdict == nil }.mapValues(\.ordinal)
    }

    init(from reader: inout ByteReader) throws(ProofError) {
      let start = reader.offset
      nextOrdinal = try reader.read()
      guard nextOrdinal < 1 << 62 else {
        throw ProofError(.malformed, "No board has numbered so many jobs", at: start)
      }
      switch try reader.read(UInt8.self) {
      case 0: endHeight = nil
      case 1: endHeight = try reader.read()
      default: throw ProofError(.malformed, "Wanted 0 or 1", at: reader.offset)
      }
      ordinals = [:]
      for _ in 0..<(try reader.readCount(max: LedgerLimits.openJobsMax)) {
        ordinals[try reader.readDigest()] = try reader.read()
      }
    }
  }
}

extension JobBoard.Entry {
  /// Of a job in the log; when it was ordered is not told there.
  init(_ evidence: Evidence, ordinal: UInt64) {
    self.init(
      ordinal: ordinal, package: evidence.spec.package, submitter: evidence.submitter,
      builders: evidence.builders.map(\.name),
      steps: evidence.builders.map { line in
        switch line {
        case .revealed: .revealed
        case .absent(_, .sandboxFault): .abstained
        case .absent(_, .wrongOpening): .wrongOpening
        case .absent(_, .noReveal): .committed
        case .absent(_, .noCommitment): .waiting
        }
      }, orderedMilliseconds: evidence.timeMilliseconds, verdictMilliseconds: evidence.timeMilliseconds)
  }
}

extension BuilderProgress.Step {
  init(_ step: OpenJob.Step) {
    self =
      switch step {
      case .waiting: .waiting
      case .committed: .committed
      case .abstained: .abstained
      case .revealed: .revealed
      case .wrongOpening: .wrongOpening
      }
  }
}
