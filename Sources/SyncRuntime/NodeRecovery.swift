import Foundation
import SyncConsensus
import SyncLedger
import SyncProof

/// Coming back: the decided blocks are replayed onto an empty ledger, and every view of the node follows them.
extension Node {
  /// Changes that replay holds before it writes them.
  private static let changesMax = 512

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

  static func recover(
    _ configuration: NodeConfiguration, _ ownIndex: Int, _ journal: Journal, _ beginning: EpochBeginning,
    _ board: inout JobBoard, _ log: inout TransparencyLog
  ) throws(PluginError) -> Replica<Ledger> {
    var configuration = configuration
    if beginning.observes { configuration.isRestored = true }
    // The views travel in one box: the replay's callback keeps the first error there.
    let views = Views(board: board, log: log)
    defer { (board, log) = (views.board, views.log) }
    do throws(ConsensusError) {
      let replica = try Replica(
        configuration: try consensusConfiguration(configuration, ownIndex),
        genesis: Ledger(ofNode: configuration.group, history: beginning.history),
        recovered: records(journal, ConsensusRoom(epoch: configuration.group.epoch))
      ) { block in
        guard views.failure == nil else { return }
        apply(block, to: &views.board, &views.log, &views.batch)
        if views.batch.changes.count >= changesMax { views.flush(journal) }
      }
      views.flush(journal)
      if let failure = views.failure { throw ConsensusError(.storage, failure.message) }
      guard isFollowed(views, replica.state) else {
        throw ConsensusError(.diverged, "The replayed log is not the one that the group decided")
      }
      return replica
    } catch {
      throw PluginError(.io, error.message)
    }
  }

  private final class Views {
    var board: JobBoard
    var log: TransparencyLog
    var batch = StorageBatch()
    var failure: PluginError?
    init(board: JobBoard, log: TransparencyLog) { (self.board, self.log) = (board, log) }

    /// Of several puts of one key, as a growing tile has, only the last is written.
    func flush(_ journal: Journal) {
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

  private static func isFollowed(_ views: Views, _ ledger: Ledger) -> Bool {
    views.log.size == ledger.logSize && views.log.root == ledger.logRoot
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
