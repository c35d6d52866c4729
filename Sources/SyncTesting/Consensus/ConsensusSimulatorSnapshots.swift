import SyncConsensus
import SyncLedger
import SyncProof

/// Starts from snapshots: each is held against one from the first block on, and goes on in its place.
extension ConsensusSimulator {
  private static let snapshotKey = [UInt8(ascii: "N")]
  /// Blocks that say something between two snapshots; small, so that most lives begin with one.
  private static let snapshotHeights: UInt64 = 3

  /// As a node does: not synced, and only behind blocks that say something, whose own records are durable.
  mutating func keepSnapshot(behind block: DecidedBlock<SimulatedLedger>, at instance: Int) {
    guard !block.events.isEmpty, block.height % Self.snapshotHeights == 0 else { return }
    var writer = ByteWriter()
    writer.writeCounted(block.snapshot.position.encoded)
    writer.writeCounted(block.state.ledger.snapshot())
    processes[instance].disk.write([StoredRecord(key: Self.snapshotKey, value: writer.bytes)])
  }

  /// - Returns: The replica that starts from the snapshot, if there is one. It must be the other one to the last bit.
  mutating func resume(
    _ replica: Replica<SimulatedLedger>, _ replayed: [DecidedBlock<SimulatedLedger>], _ configuration: Configuration,
    _ disk: SimulatedDisk, at instance: Int
  ) throws -> Replica<SimulatedLedger>? {
    guard let bytes = disk.current[Self.snapshotKey] else { return nil }
    var reader = ByteReader(bytes)
    let position = try SnapshotPosition(parsing: try reader.readCounted(max: bytes.count))
    let text = try reader.readCounted(max: bytes.count)
    // What a log's index would say.
    var closed = history.closed
    for block in replayed.prefix(while: { $0.height <= position.height }) {
      for case .verdict(let job, let verdict, _, _, let index) in block.events {
        closed[job] = ClosedJob(index: index, verdict: verdict, height: block.height)
      }
    }
    let state = try SimulatedLedger(group: fixture.group, memo: memo, snapshot: text, closed: closed)
    let resumed = try Replica(
      configuration: configuration, genesis: SimulatedLedger(group: fixture.group, history: history, memo: memo),
      recovered: RecoveredRecords { disk.scan(prefix: $0, from: $1, limit: $2) },
      snapshot: Snapshot(position: position, state: state))
    resumes += 1
    if resumed.snapshot.position != replica.snapshot.position
      || resumed.state.ledger.snapshot() != replica.state.ledger.snapshot()
      || resumed.stateDigest(name: { $0 }) != replica.stateDigest(name: { $0 })
    {
      checker.fail("instance \(instance) starts otherwise from its snapshot of height \(position.height)")
    }
    return resumed
  }
}
