import Foundation
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

struct TransparencyLogTests {
  private func leaf(_ number: Int) -> [UInt8] { [UInt8]("leaf \(number)".utf8) }

  private func log(of count: Int) throws -> (log: TransparencyLog, roots: [Digest]) {
    let journal = Journal(FaultyStorage())
    var log = TransparencyLog(journal: journal)
    var roots = [log.root]
    for number in 0..<count {
      var batch = StorageBatch()
      log.append(leaf(number), into: &batch)
      try journal.write(batch, durable: false)
      roots.append(log.root)
    }
    return (log, roots)
  }

  @Test func `every leaf has a path in every tree around the borders of tiles`() throws {
    let (log, roots) = try log(of: 600)
    for size in [1, 2, 3, 255, 256, 257, 511, 512, 513, 600] {
      for index in Set([0, 1, size / 3, size / 2, size - 1]).filter({ $0 < size }).sorted() {
        let path = try log.inclusionPath(index: UInt64(index), treeSize: UInt64(size))
        let hash = Merkle.leafHash(leaf(index))
        try Merkle.verifyInclusion(
          leafHash: hash, index: UInt64(index), treeSize: UInt64(size), path: path, root: roots[size])
        #expect(throws: ProofError.self) {
          try Merkle.verifyInclusion(
            leafHash: Merkle.leafHash(leaf(index + 1)), index: UInt64(index), treeSize: UInt64(size), path: path,
            root: roots[size])
        }
      }
    }
  }

  @Test func `tiles and bundles hold what the published tree has, and no more`() throws {
    let (log, _) = try log(of: 300)
    #expect(try log.tile(level: 0, index: 0, width: 256, treeSize: 300)?.count == 256 * 32)
    #expect(try log.tile(level: 0, index: 1, width: 44, treeSize: 300)?.count == 44 * 32)
    #expect(try log.tile(level: 0, index: 1, width: 45, treeSize: 300) == nil)
    #expect(try log.tile(level: 0, index: 1, width: 44, treeSize: 299) == nil)
    #expect(try log.tile(level: 1, index: 0, width: 1, treeSize: 300)?.count == 32)
    #expect(try log.tile(level: 1, index: 0, width: 2, treeSize: 300) == nil)
    #expect(try log.tile(level: 6, index: 0, width: 1, treeSize: 300) == nil)
    #expect(try log.tile(level: 0, index: UInt64.max, width: 1, treeSize: 300) == nil)
    let bundle = try #require(try log.entryBundle(index: 1, width: 2, treeSize: 300))
    #expect(bundle == [0, 8] + leaf(256) + [0, 8] + leaf(257))
    #expect(try log.entryBundle(index: 1, width: 45, treeSize: 300) == nil)
    #expect(try log.leaf(at: 299) == leaf(299))
    #expect(try log.leaf(at: 300) == nil)
  }
}

/// What becomes of a log whose tiles are not all there.
struct LostTileTests {
  private func tiles(_ storage: FaultyStorage) throws -> [(key: [UInt8], value: [UInt8])] {
    try storage.scan(prefix: [Keyspace.tile.rawValue], from: [Keyspace.tile.rawValue], limit: .max)
  }

  private func grow(_ log: inout TransparencyLog, by leaves: Range<Int>, _ storage: FaultyStorage) throws {
    for number in leaves {
      var batch = StorageBatch()
      log.append([UInt8]("leaf \(number)".utf8), into: &batch)
      try storage.apply(batch, durable: false)
    }
  }

  @Test func `they are made again from the leaves, and without those a sentence says so`() throws {
    let storage = FaultyStorage()
    var log = TransparencyLog(journal: Journal(storage))
    try grow(&log, by: 0..<600, storage)
    for tile in try tiles(storage) { storage.forget(tile.key) }
    for index in [0, 255, 256, 511, 512, 599] as [UInt64] {
      let path = try log.inclusionPath(index: index, treeSize: 600)
      try Merkle.verifyInclusion(
        leafHash: Merkle.leafHash([UInt8]("leaf \(index)".utf8)), index: index, treeSize: 600, path: path,
        root: log.root)
    }
    #expect(try log.tile(level: 1, index: 0, width: 2, treeSize: 600)?.count == 64)
    #expect(try TransparencyLog(journal: Journal(storage), size: 600).frontier == log.frontier)
    storage.forget(Journal.key(.leaf, [0, 0, 0, 0, 0, 0, 0, 9]))
    let error = #expect(throws: PluginError.self) { try log.inclusionPath(index: 1, treeSize: 600) }
    #expect(error?.message.contains("lost leaves of the log") == true)
    #expect(throws: PluginError.self) { try TransparencyLog(journal: Journal(storage), size: 600) }
  }

  /// As where a log is joined that the journal has a longer one of already, and the join does not come to its end.
  @Test func `nothing that grows is written before it is known to be right`() throws {
    let storage = FaultyStorage()
    var long = TransparencyLog(journal: Journal(storage))
    try grow(&long, by: 0..<600, storage)
    let before = try tiles(storage)
    var again = TransparencyLog(journal: Journal(storage))
    for number in 0..<300 {
      var batch = StorageBatch()
      again.append([UInt8]("leaf \(number)".utf8), into: &batch)
      try storage.apply(again.withoutEdge(batch), durable: false)
    }
    #expect(try tiles(storage).map(\.value) == before.map(\.value))
    #expect(try TransparencyLog(journal: Journal(storage), size: 600).root == long.root)
    // At its end it writes the edge, from which the log goes on.
    let fresh = FaultyStorage()
    var joined = TransparencyLog(journal: Journal(fresh))
    for number in 0..<300 {
      var batch = StorageBatch()
      joined.append([UInt8]("leaf \(number)".utf8), into: &batch)
      try fresh.apply(joined.withoutEdge(batch), durable: false)
    }
    var edge = StorageBatch()
    joined.putEdge(into: &edge)
    try fresh.apply(edge, durable: true)
    var goes = try TransparencyLog(journal: Journal(fresh), size: 300)
    try grow(&goes, by: 300..<600, fresh)
    #expect(goes.root == long.root && goes.frontier == long.frontier)
  }
}

struct CheckpointAssemblerTests {
  private let checkpoint = Checkpoint(origin: "test.example", treeSize: 1, root: Merkle.leafHash([1]))

  @Test func `a quorum makes a note that the group's policy accepts`() throws {
    let keys = try Keys()
    var assembler = CheckpointAssembler(group: keys.group, ownName: "alder", published: nil)
    #expect(try assembler.begin(checkpoint, own: keys.share(0, checkpoint)) == nil)
    #expect(try assembler.add(keys.share(1, checkpoint), from: "birch") == nil)
    #expect(assembler.isWaiting)
    let note = try #require(try assembler.add(keys.share(2, checkpoint), from: "cedar"))
    #expect(!assembler.isWaiting)
    let verified = try Verifier.verifyCheckpoint(SignedNote(parsing: note), policy: keys.group.policy())
    #expect(verified.cosigners.count == 3)
    #expect(verified.checkpoint == checkpoint)
  }

  @Test func `shares that are wrong, repeated or a stranger's do not count`() throws {
    let keys = try Keys()
    var assembler = CheckpointAssembler(group: keys.group, ownName: "alder", published: nil)
    _ = try assembler.begin(checkpoint, own: keys.share(0, checkpoint))
    let other = Checkpoint(origin: "test.example", treeSize: 1, root: Merkle.leafHash([2]))
    for (share, name) in [
      (try keys.share(1, other), "birch"), (try keys.share(2, checkpoint), "birch"),
      (try keys.share(1, checkpoint), "oak"), (try keys.share(0, checkpoint), "alder"),
    ] {
      #expect(try assembler.add(share, from: Text(name)) == nil)
    }
    #expect(try assembler.add(keys.share(1, checkpoint), from: "birch") == nil)
    #expect(try assembler.add(keys.share(1, checkpoint), from: "birch") == nil)
    #expect(assembler.isWaiting)
  }

  @Test func `a share that comes early counts once its tree is reached`() throws {
    let keys = try Keys()
    var assembler = CheckpointAssembler(group: keys.group, ownName: "alder", published: nil)
    #expect(try assembler.add(keys.share(1, checkpoint), from: "birch") == nil)
    #expect(try assembler.add(keys.share(2, checkpoint), from: "cedar") == nil)
    #expect(try assembler.begin(checkpoint, own: keys.share(0, checkpoint)) != nil)
  }

  @Test func `under load an older tree head is published while newer ones wait, and never goes back`() throws {
    let keys = try Keys()
    var assembler = CheckpointAssembler(group: keys.group, ownName: "alder", published: nil)
    let heads = (1...12).map { size in
      Checkpoint(origin: "test.example", treeSize: UInt64(size), root: Merkle.leafHash([UInt8(size)]))
    }
    for head in heads { #expect(try assembler.begin(head, own: keys.share(0, head)) == nil) }
    func vote(_ size: Int) throws -> [UInt8]? {
      _ = try assembler.add(keys.share(1, heads[size - 1]), from: "birch")
      return try assembler.add(keys.share(2, heads[size - 1]), from: "cedar")
    }
    // The oldest four were let go of.
    #expect(try vote(4) == nil)
    #expect(try vote(6) != nil)
    #expect(assembler.published?.treeSize == 6)
    #expect(assembler.isWaiting)
    #expect(try vote(5) == nil)
    #expect(try vote(12) != nil)
    #expect(!assembler.isWaiting)
    #expect(try vote(11) == nil)
    #expect(assembler.published?.treeSize == 12)
  }

  @Test func `a share round-trips, and every cut or flipped flag is refused`() throws {
    let keys = try Keys()
    let bytes = try keys.share(1, checkpoint).encode()
    #expect(try CheckpointShare(parsing: bytes).encode() == bytes)
    for count in 0..<bytes.count {
      #expect(throws: ProofError.self) { try CheckpointShare(parsing: Array(bytes[..<count])) }
    }
    #expect(throws: ProofError.self) { try CheckpointShare(parsing: bytes + [0]) }
    #expect(throws: ProofError.self) { try CheckpointShare(parsing: [2] + bytes.dropFirst()) }
  }
}

struct MailboxTests {
  @Test func `a flooding sender loses its own messages and nobody else's, and empty ones count`() {
    let mailbox = Mailbox<Int>(bytesMaxPerSender: 300)
    #expect(mailbox.put(0, from: "quiet", bytes: 172))
    for number in 1...100 { #expect(!mailbox.put(number, from: "loud", bytes: 0)) }
    #expect(!mailbox.put(-1, from: nil, bytes: 0))
    #expect(mailbox.takeAll() == [0, 1, 2, -1])
    #expect(mailbox.takeAll().isEmpty)
    #expect(mailbox.put(1, from: "loud", bytes: 1))
  }
}
