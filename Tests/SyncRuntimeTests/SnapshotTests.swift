import Foundation
import Logging
import SyncConsensus
import SyncLedger
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

/// A node's start from its last snapshot, held against one that applies every block.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct SnapshotTests {
  private static let logger: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
  }()

  private static func recover(_ world: World, appliesAllBlocks: Bool = false) throws -> RecoveredNode {
    var configuration = NodeConfiguration(
      name: "alder", group: world.keys.group, dataDirectory: world.scratch.path + "/alder", snapshotBlocks: 4)
    configuration.appliesAllBlocks = appliesAllBlocks
    return try Node.recover(configuration, 0, Journal(world.storages[0]), logger)
  }

  /// Jobs with each kind of verdict, two that are open, and a builder that has committed twice to one of these.
  private static func world() async throws -> World {
    let world = try World(recipes: [
      "a": "echo out same", "b": "who out", "c": "exit 3", "d": "echo out other", "slow": "sleep 8000",
    ])
    try world.start()
    for name in ["a", "b", "c", "d"] {
      let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/\(name)@1"))
      _ = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    }
    for rebuild in 0..<2 as Range<UInt64> {
      let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/slow@1", rebuild: rebuild))
      _ = try await world.wait(job, on: 0) { $0.phase == .commit }
      guard rebuild == 0 else { continue }
      for number in 0..<2 as Range<UInt8> {
        let digest = SHA256.hash([number])
        let message = Entry.commitmentSignedBytes(
          job: job, builder: "birch", commitment: digest, chainID: world.keys.group.chainID)
        let signature = try world.keys.signers[1].sign(message, as: .builder)
        await (try world.node(0)).submit(
          .commitment(SignedCommitment(job: job, builder: "birch", commitment: digest, signature: signature)))
      }
      let deadline = ContinuousClock.now + .seconds(60)
      while await (try world.node(0)).board.loggedMisbehaviours.isEmpty, ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    await world.stop()
    return world
  }

  static func expectSame(_ a: RecoveredNode, _ b: RecoveredNode, _ what: Comment? = nil) {
    #expect(a.replica.stateDigest { $0 } == b.replica.stateDigest { $0 }, what)
    #expect(a.replica.state.snapshot() == b.replica.state.snapshot(), what)
    #expect(a.followed.log.frontier == b.followed.log.frontier, what)
    let (x, y) = (a.followed.board, b.followed.board)
    #expect(
      x.list(limit: 100, before: nil, publishedSize: 3) == y.list(limit: 100, before: nil, publishedSize: 3), what)
    #expect(x.order == y.order && x.nextOrdinal == y.nextOrdinal && x.endHeight == y.endHeight, what)
    #expect(x.indexes == y.indexes && x.proven == y.proven, what)
    #expect(x.diverged(since: 0) == y.diverged(since: 0), what)
    #expect(x.misbehaviours == y.misbehaviours, what)
    #expect(x.loggedMisbehaviours.map(\.record) == y.loggedMisbehaviours.map(\.record), what)
    #expect(x.loggedMisbehaviours.map(\.index) == y.loggedMisbehaviours.map(\.index), what)
    #expect(a.past?.replica.stateDigest { $0 } == b.past?.replica.stateDigest { $0 }, what)
    #expect(a.followed.index.size == b.followed.index.size && a.followed.index.digest == b.followed.index.digest, what)
  }

  @Test func `a start from a snapshot is the same as one from the first block`() async throws {
    let world = try await Self.world()
    // From the snapshot that the node wrote while it lived, first.
    let resumed = try Self.recover(world)
    let whole = try Self.recover(world, appliesAllBlocks: true)
    #expect(resumed.isResumed && !whole.isResumed && !whole.differs)
    #expect(whole.followed.log.size == 5 && whole.replica.state.openJobs.count == 2)
    #expect(whole.followed.board.order.count == 6 && whole.followed.board.diverged(since: 0).count == 1)
    #expect(whole.followed.board.misbehaviours.count == 1 && whole.followed.board.loggedMisbehaviours.count == 1)
    #expect(resumed.snapshotHeight > 0 && resumed.snapshotHeight + 12 > resumed.replica.head.height)
    Self.expectSame(resumed, whole)

    // Without the first block only the snapshot leads anywhere.
    let storage = world.storages[0]
    let first = Journal.key(.consensus, RecordKey.decided(1))
    let kept = try #require(try storage.get(first))
    try storage.apply(StorageBatch([.delete(key: first)]), durable: true)
    Self.expectSame(try Self.recover(world), whole)
    #expect(throws: PluginError.self) { try Self.recover(world, appliesAllBlocks: true) }
    try storage.apply(StorageBatch([.put(key: first, value: kept)]), durable: true)

    // It goes on as if nothing had been.
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/a@1", rebuild: 1))
    _ = try await world.wait(job, on: 3) { $0.phase == .cosigned }
    await world.stop()
    let again = try Self.recover(world)
    let wholeAgain = try Self.recover(world, appliesAllBlocks: true)
    #expect(again.isResumed && !wholeAgain.differs && wholeAgain.replica.head.height > whole.replica.head.height)
    Self.expectSame(again, wholeAgain)
  }

  @Test func `a snapshot that is not whole is left aside and replaced`() async throws {
    let world = try await Self.world()
    let whole = try Self.recover(world, appliesAllBlocks: true)
    let storage = world.storages[0]
    let head = try #require(try NodeSnapshot.read(Journal(storage), epoch: 0))
    func first(_ space: Keyspace) throws -> (key: [UInt8], value: [UInt8]) {
      try #require(try storage.scan(prefix: [space.rawValue], from: [space.rawValue], limit: 1).first)
    }
    func flipped(_ record: (key: [UInt8], value: [UInt8]), _ place: Int) -> StorageChange {
      var value = record.value
      value[place] ^= 1
      return .put(key: record.key, value: value)
    }
    let (top, lines, tile) = (try first(.snapshot), try first(.leafLines), try first(.tile))
    let piece = try #require(
      try storage.scan(prefix: [Keyspace.snapshot.rawValue], from: top.key + [0], limit: 1).first)
    // Another moment's open jobs, whole in itself.
    var early = StorageBatch()
    NodeSnapshot(
      Snapshot(position: head.position, state: Ledger(ofNode: world.keys.group)),
      FollowedLog(world.keys.group, Journal(storage))
    ).put(epoch: 0, into: &early)
    // A line that the leaf does not have: another verdict.
    var verdict = lines
    verdict.value[3 + 4 + 32 + 8] ^= 1
    let rows: [(String, [StorageChange])] = [
      ("a flipped bit in its digest", [flipped(top, 10)]),
      ("a flipped bit in its bytes", [flipped(piece, piece.value.count / 2)]),
      ("a piece is missing", [.delete(key: piece.key)]),
      ("no lines", [.delete(key: lines.key)]),
      ("lines that do not parse", [.put(key: lines.key, value: Array(lines.value.dropLast()))]),
      ("fewer lines than leaves", [.put(key: lines.key, value: [1, 0, 1, 0, 0, 0, 0])]),
      ("another tile", [flipped(tile, 40)]),
      ("another verdict in a line", [.put(key: verdict.key, value: verdict.value)]),
      ("the state of another moment", early.changes),
    ]
    for (name, changes) in rows {
      try storage.apply(StorageBatch(changes), durable: true)
      let healed = try Self.recover(world)
      #expect(!healed.isResumed, Comment(rawValue: name))
      Self.expectSame(healed, whole, Comment(rawValue: name))
      // What was not whole is written again, and is of use.
      let resumed = try Self.recover(world)
      #expect(resumed.isResumed, Comment(rawValue: name))
      Self.expectSame(resumed, whole, Comment(rawValue: name))
    }
    // A tile is made of its leaves.
    storage.forget(tile.key)
    let made = try Self.recover(world)
    #expect(made.isResumed)
    Self.expectSame(made, whole, "a tile is missing")
    // A snapshot that is whole and of this block, and yet not what the blocks give, is told of where all are applied.
    var wrong = StorageBatch()
    var followed = whole.followed
    followed.board.nextOrdinal += 1
    NodeSnapshot(whole.replica.snapshot, followed).put(epoch: 0, into: &wrong)
    try storage.apply(wrong, durable: true)
    #expect(try Self.recover(world, appliesAllBlocks: true).differs)
    #expect(try !Self.recover(world, appliesAllBlocks: true).differs)
  }

  /// 300 leaves go over a record of 256 lines, and their tiles over two levels.
  @Test func `the lines and tiles of a long log`() throws {
    let keys = try Keys()
    let storage = FaultyStorage()
    var history = try DecidedHistory(group: keys.group, signers: keys.signers)
    let spec = EchoSource.spec(name: "x", recipe: "echo out same", toolchain: World.toolchain)
    var batch = StorageBatch()
    for _ in 0..<300 {
      for record in try history.append(spec) {
        guard let value = record.value else { continue }
        batch.changes.append(.put(key: Journal.key(.consensus, record.key), value: value))
      }
    }
    try storage.apply(batch, durable: true)
    let scratch = try Scratch()
    let configuration = NodeConfiguration(name: "alder", group: keys.group, dataDirectory: scratch.path)
    let whole = try Node.recover(configuration, 0, Journal(storage), Self.logger)
    #expect(whole.followed.log.size == 300 && whole.snapshotHeight == whole.replica.head.height)
    let resumed = try Node.recover(configuration, 0, Journal(storage), Self.logger)
    Self.expectSame(resumed, whole)
    for size in [0, 1, 255, 256, 257, 300] as [UInt64] {
      var frontier = MerkleFrontier()
      for leaf in try TransparencyLog.leaves(Journal(storage), from: 0, limit: Int(size)) {
        frontier.append(leafHash: Merkle.leafHash(leaf))
      }
      #expect(try TransparencyLog(journal: Journal(storage), size: size).frontier == frontier, "\(size)")
      var (seen, isOwn) = ([UInt64](), true)
      let index = try LeafIndex.read(Journal(storage), size: size) { (index, line) throws(ProofError) in
        seen.append(index)
        let entry = try ClosedLine(parsing: line).entry(index: index)
        isOwn = isOwn && entry.index == index
      }
      #expect(index?.size == size && seen == Array(0..<size) && isOwn)
    }
    #expect(try LeafIndex.read(Journal(storage), size: 301) { _, _ in } == nil)
  }
}
