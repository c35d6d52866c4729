import SyncLedger
import SyncProof

/// Brings the log of the epochs before to a builder that was no member of them, or was away for their ends.
///
/// What is taken is held against the root that the hand-over's proof has; whoever gives the leaves is not trusted. Not
/// for several threads at once.
public struct EpochJoin {
  private let journal: Journal
  private let group: Group
  private let proof: Proof
  private let bytes: [UInt8]
  private var history = LedgerHistory()
  private var board = JobBoard(builders: [])
  private var index = LeafIndex()
  private var log: TransparencyLog
  private var batch = StorageBatch()

  /// - Parameters:
  ///   - storage: The builder's own, that has not been in this epoch yet. If the builder has, with a disk that is lost,
  ///     its node must be started as restored.
  ///   - group: The epoch that is joined.
  ///   - handover: The proof of the hand-over that led to it, as a node keeps it.
  ///   - policy: The trust policy of the epoch that ended.
  /// - Throws: ``PluginError/Code/invalid`` if the hand-over does not hold under the policy or leads elsewhere, and if
  ///   the storage is in use.
  public init(storage: any Storage, group: Group, handover: [UInt8], policy: Policy) throws(PluginError) {
    let journal = Journal(storage)
    let (verified, proof) = try PluginError.refusing { () throws(ProofError) in
      (try Verifier.verifyHandover(proof: handover, policy: policy), try Proof(parsing: handover))
    }
    guard verified.handover.group == group.origin, verified.handover.epoch < group.epoch,
      group.epoch - verified.handover.epoch == 1, verified.handover.policy == group.policy()
    else {
      throw PluginError(
        .invalid, "The hand-over of epoch \(verified.handover.epoch) does not lead to the group file's builders")
    }
    guard verified.index + 1 == verified.checkpoint.treeSize else {
      throw PluginError(
        .invalid,
        "The hand-over is proven under a later head; take the proof that a node keeps: /v1/handovers/"
          + "\(verified.handover.epoch)")
    }
    // A journal of earlier epochs goes on too, where its node was away for their ends: in this one it has never signed.
    let latest = try EpochRecord.readAll(journal).last?.group.epoch ?? 0
    guard latest < group.epoch, try ConsensusRoom(epoch: group.epoch).isEmpty(journal) else {
      throw PluginError(
        .invalid, "This journal is of epoch \(max(latest, group.epoch)) already; the node goes on with 'node run'")
    }
    (self.journal, self.group, self.proof, bytes) = (journal, group, proof, handover)
    log = TransparencyLog(journal: journal)
  }

  /// Leaves taken so far, and how many there are.
  public var progress: (taken: UInt64, of: UInt64) { (history.logSize, proof.checkpoint.treeSize) }

  /// The entries that ``take(bundle:)`` wants next; `nil` at the end.
  public var nextBundle: Tile? {
    let (taken, size) = progress
    guard taken < size else { return nil }
    let full = UInt64(Tile.fullWidth)
    return Tile(.entries, index: taken / full, width: Int(min(full, size - taken)))
  }

  /// - Parameter bundle: The next one: each leaf behind its length, 16 bits, big-endian.
  /// - Throws: ``PluginError/Code/invalid`` for what is no bundle of such a log.
  public mutating func take(bundle: [UInt8]) throws(PluginError) {
    guard let tile = nextBundle else { throw PluginError(.invalid, "More leaves than the epoch began with") }
    let leaves = try PluginError.refusing { () throws(ProofError) in
      try LogAudit.split(bundle, width: tile.width)
    }
    for leaf in leaves { try take(leaf) }
  }

  private mutating func take(_ leaf: [UInt8]) throws(PluginError) {
    let place = history.logSize
    if let own = try TransparencyLog.leaves(journal, from: place, limit: 1).first, own != leaf {
      throw PluginError(
        .invalid, "Leaf \(place) is not the one that this journal has: take the log from another node")
    }
    do throws(ProofError) {
      let content = try history.append(leaf)
      index.append(board.restore(content, index: place))
    } catch {
      throw PluginError(.invalid, "Leaf \(place) is none of this log: \(error.message)")
    }
    log.append(leaf, into: &batch)
    if batch.changes.count >= 512 { try flush(durable: false) }
  }

  /// Checks that all leaves are those of the epoch's beginning; from then on the node can be run.
  public mutating func finish() throws(PluginError) {
    guard history.logSize == proof.checkpoint.treeSize, history.logRoot == proof.checkpoint.root else {
      throw PluginError(
        .invalid,
        "The \(history.logSize) leaves are not those that the old builders have cosigned; take them from another node")
    }
    batch.put(.value, EpochRecord.handoverKey(group.epoch - 1), bytes)
    EpochRecord.write(
      [EpochRecord(group: group, logSize: history.logSize, logRoot: history.logRoot, observes: false)], to: &batch)
    try flush(durable: true)
  }

  /// Until all is there and checked, what is not full is held back: the journal's own may be longer.
  private mutating func flush(durable isEnd: Bool) throws(PluginError) {
    index.flush(into: &batch, isWhole: isEnd)
    if isEnd { log.putEdge(into: &batch) } else { batch = log.withoutEdge(batch) }
    try journal.write(batch, durable: isEnd)
    batch = StorageBatch()
  }
}
