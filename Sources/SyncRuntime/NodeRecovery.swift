import SyncConsensus
import SyncLedger
import SyncProof

/// Coming back: the decided blocks are replayed onto an empty ledger, and every view of the node follows them.
extension Node {
  static func recover(
    _ configuration: NodeConfiguration, _ ownIndex: Int, _ journal: Journal, _ board: inout JobBoard,
    _ log: inout TransparencyLog
  ) throws(PluginError) -> Replica<Ledger> {
    // The views travel in one box: the replay's callback keeps the first error there.
    let views = Views(board: board, log: log)
    defer { (board, log) = (views.board, views.log) }
    do throws(ConsensusError) {
      let replica = try Replica(
        configuration: try consensusConfiguration(configuration, ownIndex),
        genesis: Ledger(group: configuration.group), recovered: records(journal)
      ) { block in
        guard views.failure == nil else { return }
        do throws(PluginError) {
          try apply(block, to: &views.board, &views.log, journal)
        } catch {
          views.failure = error
        }
      }
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
    var failure: PluginError?
    init(board: JobBoard, log: TransparencyLog) { (self.board, self.log) = (board, log) }
  }

  private static func isFollowed(_ views: Views, _ ledger: Ledger) -> Bool {
    views.log.size == ledger.logSize && views.log.root == ledger.logRoot
  }

  private static func consensusConfiguration(_ configuration: NodeConfiguration, _ ownIndex: Int)
    throws(ConsensusError) -> Configuration
  {
    let group = configuration.group
    let set = try ReplicaSet(
      epoch: group.epoch, members: group.members.map { .init(name: $0.name, key: $0.consensusKey) })
    return try Configuration(
      chainID: group.chainID, set: set, own: ReplicaIndex(rawValue: UInt16(ownIndex)),
      timeoutBaseNanoseconds: configuration.timeoutBaseMilliseconds * 1_000_000)
  }

  private static func records(_ journal: Journal) -> RecoveredRecords {
    RecoveredRecords { (prefix: [UInt8], from: [UInt8], limit: Int) throws(ConsensusError) -> [StoredRecord] in
      do throws(PluginError) {
        return try consensusRecords(journal, prefix: prefix, from: from, limit: limit)
      } catch {
        throw ConsensusError(.storage, error.message)
      }
    }
  }

  static func consensusRecords(_ journal: Journal, prefix: [UInt8], from: [UInt8], limit: Int) throws(PluginError)
    -> [StoredRecord]
  {
    try journal.scan(.consensus, prefix: prefix, from: from, limit: limit).map {
      StoredRecord(key: $0.key, value: $0.value)
    }
  }
}
