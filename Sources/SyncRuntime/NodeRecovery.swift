import Foundation
import Logging
import SyncConsensus
import SyncLedger
import SyncProof

/// What a node's start makes of its journal.
struct RecoveredNode {
  var followed: FollowedLog
  let replica: Replica<Ledger>
  let past: PastEpoch?
  /// Of the newest snapshot; 0 without one.
  var snapshotHeight: UInt64
  /// Of that.
  var snapshotBytes = 0
  /// Whether the start was from a snapshot.
  let isResumed: Bool
  /// Whether a snapshot that was not used is another than the blocks give.
  var differs = false
}

/// Coming back: from the last snapshot, or from the first block on.
extension Node {
  /// Removes what a killed node left half-done. What was committed to is built again where it is missing.
  static func sweep(_ directory: String) throws(PluginError) {
    Folder.remove(directory + "/attempts")
    Folder.remove(directory + "/resolve")
    for (folder, prefix) in [("artifacts", "incoming."), ("sources", ".partial-")] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(folder)")) ?? []
      for name in names.sorted() where name.hasPrefix(prefix) { Folder.remove("\(directory)/\(folder)/\(name)") }
    }
  }

  /// Removes the records of attempts at jobs that are over.
  func sweepAttempts() throws(PluginError) {
    var batch = StorageBatch()
    for record in try journal.scan(.attempt, limit: .max) {
      guard let job = Digest(bytes: record.key), case .open = replica.state.job(job) else {
        batch.delete(.attempt, record.key)
        continue
      }
    }
    try journal.write(batch, durable: false)
  }

  /// Starts from the last snapshot. Where there is none, where it does not fit the blocks, or where that is wanted,
  /// every decided block is applied to an empty ledger, and the views of the node follow them.
  static func recover(
    _ configuration: NodeConfiguration, _ ownIndex: Int, _ journal: Journal, _ logger: Logger
  ) throws(PluginError) -> RecoveredNode {
    let start = NodeStart(configuration: configuration, ownIndex: ownIndex, journal: journal)
    func tell(_ how: Logger.Message, _ recovered: RecoveredNode, _ more: Logger.Metadata = [:]) {
      let height = recovered.replica.head.height
      if height > 0 { logger.info(how, metadata: more.merging(["height": "\(height)"]) { $1 }) }
    }
    var stored: NodeSnapshot?
    var isUnusable = false
    do throws(PluginError) {
      stored = try NodeSnapshot.read(journal, epoch: configuration.group.epoch)
      if let stored, !configuration.appliesAllBlocks {
        let recovered = try start.resume(from: stored)
        tell("Recovered from the snapshot", recovered, ["snapshot": "\(stored.position.height)"])
        return recovered
      }
    } catch {
      isUnusable = true
      logger.warning("Every decided block is applied again, since the snapshot is of no use: \(error.message)")
    }
    let recovered = try start.replay(comparing: stored, isUnusable: isUnusable)
    tell("Recovered from the first block", recovered)
    if recovered.differs {
      logger.error("The snapshot was not what the decided blocks give; it is replaced. Please report this as a bug")
    }
    return recovered
  }

  static func consensusConfiguration(_ configuration: NodeConfiguration, _ ownIndex: Int)
    throws(ConsensusError) -> Configuration
  {
    let group = configuration.group
    let set = try NodeConfiguration.replicas(of: group)
    var consensus = try Configuration(
      chainID: group.chainID, set: set, own: ReplicaIndex(rawValue: UInt16(ownIndex)),
      timeoutBaseNanoseconds: min(configuration.timeoutBaseMilliseconds, 3_600_000) * 1_000_000)
    consensus.isRestored = configuration.isRestored
    consensus.startNumber = .random(in: 0 ... .max)
    return consensus
  }

  static func records(_ journal: Journal, _ room: ConsensusRoom) -> RecoveredRecords {
    RecoveredRecords { (prefix: [UInt8], from: [UInt8], limit: Int) throws(ConsensusError) -> [StoredRecord] in
      do throws(PluginError) {
        return try room.records(journal, prefix: prefix, from: from, limit: limit)
      } catch {
        throw ConsensusError(.storage, error.message)
      }
    }
  }
}

/// One start of a node.
private struct NodeStart {
  /// Leaves that are read at once when a log is followed again.
  private static let leavesAtOnce = 512
  /// Changes that are held before they are written.
  private static let changesMax = 512

  let configuration: NodeConfiguration
  let ownIndex: Int
  let journal: Journal

  private var group: Group { configuration.group }
  private var room: ConsensusRoom { ConsensusRoom(epoch: group.epoch) }

  // MARK: - From a snapshot

  func resume(from stored: NodeSnapshot) throws(PluginError) -> RecoveredNode {
    let epochs = try EpochRecord.readAll(journal)
    var followed = FollowedLog(group, journal)
    guard let closed = try followed.restore(journal, size: stored.logSize), followed.index.digest == stored.lines else {
      throw PluginError(.io, "The lines of the log's leaves are not all there, or are others")
    }
    let (ledger, open) = try PluginError.refusing { () throws(ProofError) in
      (try Ledger(ofNode: group, snapshot: stored.ledger, closed: closed), try stored.openState())
    }
    guard followed.log.size == ledger.logSize, followed.log.root == ledger.logRoot else {
      throw PluginError(.io, "The log's tiles and the ledger are not of the same leaves")
    }
    followed.board.restore(
      open: ledger.openJobs.compactMap { id in
        guard case .open(let job) = ledger.job(id) else { return nil }
        return (id, job, ledger.submitter(of: job))
      }, open)
    // Of the epoch's beginning only the log's size and root count.
    let first = try TransparencyLog(journal: journal, size: epochs.last?.logSize ?? 0)
    let genesis = Ledger(ofNode: group, history: LedgerHistory(log: first.frontier, closed: [:]))
    let replica = try follow(
      configuration, genesis, Snapshot(position: stored.position, state: ledger), &followed, nil)
    let past = try pastEpoch(epochs) { (size: UInt64) throws(PluginError) -> LedgerHistory in
      LedgerHistory(
        log: try TransparencyLog(journal: journal, size: size).frontier, closed: closed.filter { $0.value.index < size }
      )
    }
    return try keep(
      RecoveredNode(
        followed: followed, replica: replica, past: past, snapshotHeight: stored.position.height,
        snapshotBytes: stored.byteCount, isResumed: true),
      isForced: false)
  }

  // MARK: - From the first block

  /// - Parameter stored: A snapshot that is not used; whether it is what the blocks give is told.
  func replay(comparing stored: NodeSnapshot?, isUnusable: Bool) throws(PluginError) -> RecoveredNode {
    let epochs = try EpochRecord.readAll(journal)
    var followed = FollowedLog(group, journal)
    var history = LedgerHistory()
    if let latest = epochs.last {
      history = try beginning(latest, &followed)
      guard history.logRoot == latest.logRoot else {
        throw PluginError(
          .io,
          "The journal's leaves before epoch \(group.epoch) are not the ones that the epoch began with: it is not whole"
        )
      }
    }
    var configuration = configuration
    if epochs.last?.observes == true, try room.isEmpty(journal) { configuration.isRestored = true }
    let comparison = Comparison(stored, withLines: epochs.isEmpty)
    let replica = try follow(
      configuration, Ledger(ofNode: group, history: history), nil, &followed, comparison)
    let past = try pastEpoch(epochs) { (size: UInt64) throws(PluginError) -> LedgerHistory in
      if let log = try? TransparencyLog(journal: journal, size: size) {
        return LedgerHistory(log: log.frontier, closed: history.closed.filter { $0.value.index < size })
      }
      return try leaves(size) { _, _ in }
    }
    let recovered = RecoveredNode(
      followed: followed, replica: replica, past: past, snapshotHeight: 0, isResumed: false,
      differs: comparison.differs)
    // What was of no use, or another, is not what the next start is to find.
    return try keep(recovered, isForced: isUnusable || configuration.appliesAllBlocks)
  }

  /// What the epochs before this one leave to it, for the ledger and for the views: by the lines of their leaves, where
  /// the snapshot at the last one's end, or the leaves themselves, say the same; else by the leaves.
  private func beginning(_ latest: EpochRecord, _ followed: inout FollowedLog) throws(PluginError) -> LedgerHistory {
    if let closed = try? followed.restore(journal, size: latest.logSize), followed.log.root == latest.logRoot {
      let history = LedgerHistory(log: followed.log.frontier, closed: closed)
      if !configuration.appliesAllBlocks, group.epoch > 0,
        let end = try? NodeSnapshot.read(journal, epoch: group.epoch - 1), end.logSize == latest.logSize,
        end.lines == followed.index.digest
      {
        return history
      }
      if let read = try? leaves(latest.logSize, { _, _ in }), read.closed == closed, read.logRoot == latest.logRoot {
        return history
      }
    }
    followed = FollowedLog(group, journal)
    return try leaves(latest.logSize) { leaf, content in followed.apply(leaf, content) }
  }

  /// Reads the first leaves of the log.
  private func leaves(
    _ size: UInt64, _ visit: (_ leaf: [UInt8], _ content: LedgerHistory.Leaf) -> Void
  ) throws(PluginError) -> LedgerHistory {
    var history = LedgerHistory()
    while history.logSize < size {
      let from = history.logSize
      let leaves = try TransparencyLog.leaves(
        journal, from: from, limit: Int(min(UInt64(NodeStart.leavesAtOnce), size - from)))
      guard !leaves.isEmpty else {
        throw PluginError(
          .io, "The journal holds \(from) of the \(size) leaves with which an epoch began: it is not whole")
      }
      for leaf in leaves {
        visit(leaf, try PluginError.refusing { () throws(ProofError) in try history.append(leaf) })
      }
    }
    return history
  }

  // MARK: - Both

  /// Finds out, while blocks are applied, whether a snapshot is what they give.
  private final class Comparison {
    private let stored: NodeSnapshot?
    /// Of earlier epochs the leaves alone say less of a job than was seen of it.
    private let withLines: Bool
    private(set) var differs = false

    init(_ stored: NodeSnapshot?, withLines: Bool) { (self.stored, self.withLines) = (stored, withLines) }

    func see(_ block: DecidedBlock<Ledger>, _ followed: FollowedLog) {
      guard let stored, block.height == stored.position.height else { return }
      let given = NodeSnapshot(block.snapshot, followed)
      differs =
        given.position != stored.position || given.logSize != stored.logSize || given.ledger != stored.ledger
        || given.board != stored.board || withLines && given.lines != stored.lines
    }
  }

  /// The replica, and the views brought up to it.
  private func follow(
    _ configuration: NodeConfiguration, _ genesis: Ledger, _ snapshot: Snapshot<Ledger>?, _ followed: inout FollowedLog,
    _ comparison: Comparison?
  ) throws(PluginError) -> Replica<Ledger> {
    // They travel in one box: the callback keeps the first error there.
    let views = Views(followed)
    defer { followed = views.followed }
    do throws(ConsensusError) {
      let replica = try Replica(
        configuration: try Node.consensusConfiguration(configuration, ownIndex), genesis: genesis,
        recovered: Node.records(journal, room), snapshot: snapshot
      ) { block in
        guard views.failure == nil else { return }
        views.followed.apply(block, into: &views.batch)
        comparison?.see(block, views.followed)
        if views.batch.changes.count >= NodeStart.changesMax { views.flush(journal) }
      }
      views.flush(journal)
      if let failure = views.failure { throw ConsensusError(.storage, failure.message) }
      guard views.followed.log.size == replica.state.logSize, views.followed.log.root == replica.state.logRoot else {
        throw ConsensusError(.diverged, "The log that the blocks give is not the one that the group decided")
      }
      return replica
    } catch {
      throw PluginError(.io, error.message)
    }
  }

  private final class Views {
    var followed: FollowedLog
    var batch = StorageBatch()
    var failure: PluginError?
    init(_ followed: FollowedLog) { self.followed = followed }

    /// Of several puts of one key, as a growing tile has, only the last is written.
    func flush(_ journal: Journal) {
      followed.index.flush(into: &batch)
      var last: [[UInt8]: Int] = [:]
      for (number, change) in batch.changes.enumerated() {
        switch change {
        case .put(let key, _), .delete(let key): last[key] = number
        }
      }
      let kept = last.values.sorted().map { batch.changes[$0] }
      do throws(PluginError) {
        try journal.write(StorageBatch(kept), durable: false)
      } catch {
        failure = error
      }
      batch = StorageBatch()
    }
  }

  /// Writes a snapshot where the next start would be longer than need be, and at an epoch's end, behind which nobody
  /// else does.
  private func keep(_ recovered: RecoveredNode, isForced: Bool) throws(PluginError) -> RecoveredNode {
    var recovered = recovered
    let (height, before) = (recovered.replica.head.height, recovered.snapshotHeight)
    let isOver = recovered.replica.nextSetHash != nil && height > before
    guard height > 0, isForced || isOver || height - min(before, height) >= configuration.snapshotBlocks else {
      return recovered
    }
    var batch = StorageBatch()
    recovered.followed.index.flush(into: &batch)
    let snapshot = NodeSnapshot(recovered.replica.snapshot, recovered.followed)
    snapshot.put(epoch: group.epoch, into: &batch)
    try journal.write(batch, durable: false)
    (recovered.snapshotHeight, recovered.snapshotBytes) = (height, snapshot.byteCount)
    return recovered
  }

  /// The epoch before, as its blocks tell it, or `nil` where this node was no member of it.
  ///
  /// - Parameter history: What the first leaves say, by their number.
  private func pastEpoch(
    _ epochs: [EpochRecord], _ history: (UInt64) throws(PluginError) -> LedgerHistory
  ) throws(PluginError) -> PastEpoch? {
    guard epochs.count > 1 else { return nil }
    let record = epochs[epochs.count - 2]
    guard let place = record.group.members.firstIndex(where: { $0.name == configuration.name }) else { return nil }
    let room = ConsensusRoom(epoch: record.group.epoch)
    var past = configuration
    past.group = record.group
    past.isRestored = false
    if !configuration.appliesAllBlocks, let replica = try? endedReplica(record, past, place, room) {
      return PastEpoch(group: record.group, replica: replica, room: room)
    }
    let genesis = Ledger(ofNode: record.group, history: try history(record.logSize))
    do throws(ConsensusError) {
      let replica = try Replica(
        configuration: try Node.consensusConfiguration(past, place), genesis: genesis,
        recovered: Node.records(journal, room))
      guard replica.nextSetHash != nil else { return nil }
      keepEnd(replica, record.group)
      return PastEpoch(group: record.group, replica: replica, room: room)
    } catch {
      throw PluginError(.io, error.message)
    }
  }

  /// The replica of an epoch that is over, from a snapshot behind its end, where nobody asks any more which jobs are
  /// closed; `nil` without one.
  private func endedReplica(
    _ record: EpochRecord, _ past: NodeConfiguration, _ place: Int, _ room: ConsensusRoom
  ) throws -> Replica<Ledger>? {
    guard let stored = try NodeSnapshot.read(journal, epoch: record.group.epoch) else { return nil }
    let ledger = try Ledger(ofNode: record.group, snapshot: stored.ledger, closed: [:])
    guard ledger.nextSetHash != nil else { return nil }
    let first = try TransparencyLog(journal: journal, size: record.logSize)
    return try Replica(
      configuration: try Node.consensusConfiguration(past, place),
      genesis: Ledger(ofNode: record.group, history: LedgerHistory(log: first.frontier, closed: [:])),
      recovered: Node.records(journal, room), snapshot: Snapshot(position: stored.position, state: ledger))
  }

  /// Of an epoch whose end was reached by another version, or just before its node was killed. Only its ledger counts.
  private func keepEnd(_ replica: Replica<Ledger>, _ group: Group) {
    var batch = StorageBatch()
    NodeSnapshot(replica.snapshot, FollowedLog(group, journal)).put(epoch: group.epoch, into: &batch)
    try? journal.write(batch, durable: false)
  }
}
