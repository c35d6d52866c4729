import SyncConsensus
import SyncProof
import SyncTesting
import Testing

/// A replica that starts from a snapshot is the one that starts from the first block.
@Suite struct SnapshotTests {
  private struct Start {
    let cluster: Cluster
    let snapshots: [Snapshot<AppendLog>]

    /// Some blocks with entries, one with a deadline, and views that were given up.
    init() throws {
      var cluster = try Cluster(replicas: 4)
      for number in 0..<5 as Range<UInt8> { cluster.submit([1, number], at: Int(number % 4)) }
      cluster.stop(2)
      for number in 5..<9 as Range<UInt8> {
        cluster.submit([1, number], at: 0)
        cluster.settle(milliseconds: 2_000)
      }
      cluster.submit([AppendLog.deadlineTag, 0, 9], at: 1)
      cluster.settle()
      var snapshots: [Snapshot<AppendLog>] = []
      _ = try Replica(
        configuration: try cluster.group.configuration(of: 0), genesis: AppendLog(),
        recovered: RecoveredRecords(cluster.disks[0].map { (key: $0.key, value: $0.value) })
      ) { block throws(ConsensusError) in snapshots.append(block.snapshot) }
      (self.cluster, self.snapshots) = (cluster, snapshots)
    }

    func replica(_ snapshot: Snapshot<AppendLog>?, without height: UInt64? = nil) throws -> Replica<AppendLog> {
      var disk = cluster.disks[0]
      if let height { disk[RecordKey.decided(height)] = nil }
      return try Replica(
        configuration: try cluster.group.configuration(of: 0), genesis: AppendLog(),
        recovered: RecoveredRecords(disk.map { (key: $0.key, value: $0.value) }), snapshot: snapshot)
    }
  }

  @Test func everySnapshotLeadsToTheSameReplica() throws {
    let start = try Start()
    let whole = try start.replica(nil)
    #expect(start.snapshots.count > 12)
    #expect(start.snapshots.contains { !$0.position.standing.failed.isEmpty })
    for snapshot in start.snapshots {
      let resumed = try start.replica(snapshot)
      #expect(resumed.stateDigest { $0 } == whole.stateDigest { $0 }, "\(snapshot.position.height)")
      #expect(resumed.head == whole.head && resumed.headCertificate == whole.headCertificate)
      #expect(resumed.snapshot.position == whole.snapshot.position)
      #expect(resumed.state.logRoot == whole.state.logRoot)
      // The blocks before are not needed.
      if snapshot.position.height > 1 { _ = try start.replica(snapshot, without: snapshot.position.height - 1) }
    }
  }

  @Test func positionsHaveOneEncoding() throws {
    let start = try Start()
    for snapshot in start.snapshots {
      let bytes = snapshot.position.encoded
      #expect(try SnapshotPosition(parsing: bytes) == snapshot.position)
      #expect(throws: ProofError.self) { try SnapshotPosition(parsing: bytes + [0]) }
      #expect(throws: ProofError.self) { try SnapshotPosition(parsing: bytes.dropLast()) }
    }
    let twice = SnapshotPosition(
      height: 1, block: .zero, standing: Standing(failed: [ReplicaIndex(rawValue: 1), ReplicaIndex(rawValue: 1)]))
    #expect(throws: ProofError.self) { try SnapshotPosition(parsing: twice.encoded) }
  }

  @Test func aSnapshotThatIsNotOfTheseBlocksIsRefused() throws {
    let start = try Start()
    let (early, late) = (start.snapshots[3], start.snapshots[8])
    func with(
      height: UInt64? = nil, block: Digest? = nil, failed: [UInt16]? = nil, state: AppendLog? = nil
    ) -> Snapshot<AppendLog> {
      let position = late.position
      return Snapshot(
        position: SnapshotPosition(
          height: height ?? position.height, block: block ?? position.block,
          standing: failed.map { Standing(failed: $0.map { ReplicaIndex(rawValue: $0) }) } ?? position.standing),
        state: state ?? late.state)
    }
    #expect(throws: Never.self) { try start.replica(with()) }
    let rows: [(String, Snapshot<AppendLog>)] = [
      ("another block", with(block: early.position.block)),
      ("another height", with(height: early.position.height)),
      ("a height above all", with(height: .max)),
      ("the genesis' height", with(height: 0)),
      ("an earlier state", with(state: early.state)),
      ("nothing was applied", with(state: AppendLog())),
      ("a replica that is none", with(failed: [4])),
    ]
    for (name, snapshot) in rows {
      #expect(throws: ConsensusError.self, Comment(rawValue: name)) { try start.replica(snapshot) }
    }
    let height = late.position.height
    #expect(throws: ConsensusError.self, "its block is missing") { try start.replica(late, without: height) }
    #expect(throws: ConsensusError.self, "a block behind it is missing") {
      try start.replica(late, without: height + 1)
    }
  }
}
