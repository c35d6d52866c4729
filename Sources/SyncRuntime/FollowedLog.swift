import SyncConsensus
import SyncLedger
import SyncProof

/// What follows the decided blocks: the log, the lines of its leaves, and what people see of the jobs.
struct FollowedLog {
  var board: JobBoard
  var log: TransparencyLog
  var index = LeafIndex()
  private let group: Group

  init(_ group: Group, _ journal: Journal) {
    self.group = group
    board = JobBoard(builders: group.members.map(\.name))
    log = TransparencyLog(journal: journal)
  }

  /// Follows a decided block, at a start as in life. What the log stores goes to `batch`.
  mutating func apply(_ block: DecidedBlock<Ledger>, into batch: inout StorageBatch) {
    for event in block.events {
      let line = board.apply(event, timeMilliseconds: block.block.timeMilliseconds)
      if case .misbehaviourLogged(let record, _, _) = event { board.note(record, of: group) }
      switch event {
      case .verdict(_, _, _, let leaf, _), .misbehaviourLogged(_, let leaf, _):
        log.append(leaf, into: &batch)
        index.append(line)
      case .epochEnded(_, let leaf, _):
        board.endHeight = block.height
        log.append(leaf, into: &batch)
        index.append(nil)
      default: break
      }
    }
  }

  /// Follows one leaf of an epoch that is over.
  mutating func apply(_ leaf: [UInt8], _ content: LedgerHistory.Leaf) {
    index.append(board.restore(content, index: log.size))
    // Stored already, and its tiles with it; those that still grow are written again with the next leaf.
    var stored = StorageBatch()
    log.append(leaf, into: &stored)
  }

  /// Follows the first `size` leaves by their lines and tiles, without the open jobs.
  ///
  /// - Returns: The jobs that those leaves close; `nil` where not all lines are there.
  mutating func restore(_ journal: Journal, size: UInt64) throws(PluginError) -> [Digest: ClosedJob]? {
    var closed: [Digest: ClosedJob] = [:]
    var others: [UInt64] = []
    var board = self.board
    let index = try LeafIndex.read(journal, size: size) { (index, bytes) throws(ProofError) in
      guard !bytes.isEmpty else { return others.append(index) }
      let line = try ClosedLine(parsing: bytes)
      let job = ClosedJob(index: index, verdict: line.verdict, height: line.height)
      guard closed.updateValue(job, forKey: line.job) == nil else {
        throw ProofError(.malformed, "A job that two leaves close")
      }
      try board.restore(line, index: index, logSize: size)
    }
    guard let index else { return nil }
    let log = try TransparencyLog(journal: journal, size: size)
    for place in others {
      guard let leaf = try log.leaf(at: place) else { throw PluginError(.io, "Leaf \(place) of the log is missing") }
      try PluginError.refusing { () throws(ProofError) in
        guard MisbehaviourRecord.isNamed(by: leaf) else {
          guard Handover.isNamed(by: leaf) else { throw ProofError(.malformed, "An evidence has an empty line") }
          return
        }
        let record = try MisbehaviourRecord(parsing: leaf)
        board.restore(record, index: place)
        board.note(record, of: group)
      }
    }
    board.sort()
    (self.board, self.log, self.index) = (board, log, index)
    return closed
  }
}
