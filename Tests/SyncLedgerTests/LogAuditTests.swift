import SyncLedger
import SyncProof
import Testing

@Suite struct LogAuditTests {
  /// A log of real evidence, as a folder of files would have it.
  struct Log {
    let builders: Builders
    let leaves: [[UInt8]]

    /// - Parameter count: Leaves; from the fifth on they are the first four's over again, which is enough for a tree.
    init(_ count: Int, builders: Builders = Builders()) {
      self.builders = builders
      var world = World(builders)
      var made: [[UInt8]] = []
      for number in 0..<min(4, count) {
        let spec = BuildSpec.sample(rebuild: UInt64(100 + number))
        let good = Outcome.sample("good", of: spec)
        let answers = [good, good, good, .failed(.wallTime)]
        let job = world.committed(spec, answers)
        let openings = zip(builders.names, answers).map { builders.opening(job, by: $0, of: $1) }
        made.append(world.block(of: openings).leaf ?? [])
      }
      leaves = (0..<count).map { made[$0 % 4] }
    }

    init(builders: Builders, leaves: [[UInt8]]) { (self.builders, self.leaves) = (builders, leaves) }

    func note(size: Int? = nil, cosigners: Int = 3) throws -> SignedNote {
      var tree = MerkleFrontier()
      for leaf in leaves.prefix(size ?? leaves.count) { tree.append(leafHash: Merkle.leafHash(leaf)) }
      return try builders.note(size: tree.size, root: tree.root, cosigners: cosigners)
    }

    func bundle(_ tile: Tile) -> [UInt8] {
      leaves[Int(tile.index) * 256..<Int(tile.index) * 256 + tile.width].flatMap {
        [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0
      }
    }

    /// The hashes of a tile, from the leaves up: another way than the audit's.
    func hashes(_ tile: Tile) -> [UInt8] {
      guard case .hashes(let level) = tile.kind else { return [] }
      var row = leaves.map(Merkle.leafHash)
      for _ in 0..<8 * level {
        row = stride(from: 0, to: row.count - 1, by: 2).map { Merkle.nodeHash(row[$0], row[$0 + 1]) }
      }
      return row[Int(tile.index) * 256..<Int(tile.index) * 256 + tile.width].flatMap(\.bytes)
    }
  }

  private func replay(_ log: Log, _ audit: inout LogAudit) throws -> [LogAudit.ExpectedTile] {
    var tiles: [LogAudit.ExpectedTile] = []
    while let bundle = audit.nextBundle { tiles += try audit.take(bundle: log.bundle(bundle)) }
    return tiles
  }

  @Test(arguments: [0, 1, 2, 255, 256, 257, 300, 700])
  func `a log of any size is replayed with every tile that it has`(size: Int) throws {
    let log = Log(size)
    var audit = try LogAudit(note: try log.note(), earlier: nil, policy: log.builders.group.policy())
    let tiles = try replay(log, &audit)
    #expect(audit.replayed == UInt64(size) && audit.findingsCount == 0)
    #expect(audit.verdicts == (size == 0 ? [:] : [.reproduced: UInt64(size)]))
    #expect(Set(tiles.map(\.tile)) == Set(Tile.tiles(from: 0, to: UInt64(size))))
    for tile in tiles { #expect(tile.bytes == log.hashes(tile.tile), "\(tile.tile.path)") }
  }

  @Test func `a tree of three levels has the tiles of its second level`() throws {
    // Leaves that are no evidence: 65,537 of them are checked quickly, and each is found to be none.
    let leaves = (0..<65_537).map { (number: Int) -> [UInt8] in
      [UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)]
    }
    let log = Log(builders: Builders(), leaves: leaves)
    var audit = try LogAudit(note: try log.note(), earlier: nil, policy: log.builders.group.policy())
    let tiles = try replay(log, &audit)
    #expect(Set(tiles.map(\.tile)) == Set(Tile.tiles(from: 0, to: 65_537)))
    for tile in tiles where tile.tile.kind != .hashes(level: 0) { #expect(tile.bytes == log.hashes(tile.tile)) }
    #expect(audit.findingsCount == 65_537 && audit.findings.count == LogAudit.findingsMax)
    #expect(audit.findings.allSatisfy { $0.error.code == .notEvidence })
  }

  @Test func `a log continues the checkpoints that it had, and no other`() throws {
    let log = Log(300)
    let policy = log.builders.group.policy()
    for size in [0, 1, 256, 299, 300] {
      var audit = try LogAudit(note: try log.note(), earlier: try log.note(size: size), policy: policy)
      _ = try replay(log, &audit)
      #expect(audit.earlier?.checkpoint.treeSize == UInt64(size))
    }
    // Rewritten: the same size, another leaf among them.
    var leaves = log.leaves
    leaves.swapAt(0, 1)
    let rewritten = Log(builders: log.builders, leaves: leaves)
    var audit = try LogAudit(note: try rewritten.note(), earlier: try log.note(size: 256), policy: policy)
    let error = #expect(throws: ProofError.self) { _ = try replay(rewritten, &audit) }
    #expect(error?.code == .consistencyMismatch && error?.message.contains("rewritten") == true)
    // Shorter than it was.
    let shorter = #expect(throws: ProofError.self) {
      _ = try LogAudit(note: try log.note(size: 200), earlier: try log.note(), policy: policy)
    }
    #expect(shorter?.code == .consistencyMismatch)
  }

  struct Forgery: CustomTestStringConvertible, Sendable {
    let name: String
    let code: ProofError.Code
    let bundle: @Sendable ([UInt8]) -> [UInt8]
    var testDescription: String { name }
  }

  @Test(arguments: [
    Forgery(name: "empty", code: .malformed) { _ in [] },
    Forgery(name: "cut within a length", code: .malformed) { Array($0.prefix(1)) },
    Forgery(name: "cut within a leaf", code: .malformed) { $0.dropLast() },
    Forgery(name: "a byte more", code: .malformed) { $0 + [0] },
    Forgery(name: "a leaf more", code: .malformed) { $0 + [0, 0] },
    Forgery(name: "a flipped bit", code: .consistencyMismatch) { bytes in
      var bytes = bytes
      bytes[bytes.count - 1] ^= 1
      return bytes
    },
  ])
  func `a bundle that is not the log's is refused`(row: Forgery) throws {
    let log = Log(3)
    var audit = try LogAudit(note: try log.note(), earlier: nil, policy: log.builders.group.policy())
    let bundle = log.bundle(try #require(audit.nextBundle))
    let error = #expect(throws: ProofError.self) { _ = try audit.take(bundle: row.bundle(bundle)) }
    #expect(error?.code == row.code)
    if row.code == .malformed {
      // Nothing has happened: the right one is still taken.
      _ = try audit.take(bundle: bundle)
      #expect(audit.nextBundle == nil && audit.findingsCount == 0)
    }
  }

  @Test func `a leaf that its builders did not sign is found, and told by its index`() throws {
    let log = Log(4)
    // Evidence of the same origin, signed with other keys: a log that holds it is cosigned all the same.
    let stranger = Log(4, builders: Builders(salt: "other"))
    let mixed = Log(builders: log.builders, leaves: [log.leaves[0], stranger.leaves[1], log.leaves[2]])
    var audit = try LogAudit(note: try mixed.note(), earlier: nil, policy: log.builders.group.policy())
    _ = try replay(mixed, &audit)
    #expect(audit.findings.map(\.index) == [1] && audit.findings.map(\.error.code) == [.invalidReveal])
    #expect(audit.verdicts == [.reproduced: 2])
  }

  // MARK: - Hand-overs

  /// A hand-over of the group's epoch to another set, approved by so many of the old.
  private func handover(
    from old: Builders, to new: Builders, approvals: Int = 3, signedAs signers: [Text]? = nil
  ) throws -> [UInt8] {
    let policy = new.group.policy()
    let digest = SHA256.hash(policy.encode())
    let approvals = old.names.prefix(approvals).enumerated().map { i, name in
      let text = Handover.signedBytes(
        group: old.group.origin, epoch: old.group.epoch, policy: digest, builder: name)
      return HandoverApproval(builder: name, signature: old.key(signers?[i] ?? name, .builder).sign(text))
    }
    return try Handover(group: old.group.origin, epoch: old.group.epoch, policy: policy, approvals: approvals).encode()
  }

  private func proof(of index: Int, in log: Log, size: Int) throws -> [UInt8] {
    let hashes = log.leaves.prefix(size).map(Merkle.leafHash)
    let path = MerkleProver.inclusionPath(index: UInt64(index), treeSize: UInt64(size)) { level, index in
      var row = Array(hashes[Int(index) << level..<Int(index + 1) << level])
      while row.count > 1 { row = stride(from: 0, to: row.count, by: 2).map { Merkle.nodeHash(row[$0], row[$0 + 1]) } }
      return row[0]
    }
    return try Proof(leaf: log.leaves[index], index: UInt64(index), path: path, note: log.note(size: size)).encode()
  }

  @Test func `a log of two epochs is audited by the first policy, with the hand-over or without`() throws {
    let old = Builders(epoch: 0)
    let new = Builders(epoch: 1, salt: "new")
    let (before, after) = (Log(4, builders: old), Log(4, builders: new))
    let leaves = before.leaves + [try handover(from: old, to: new)] + after.leaves
    let (first, whole) = (Log(builders: old, leaves: leaves), Log(builders: new, leaves: leaves))

    // By the chain, to the head that the new set alone signed; the old set's head is an earlier one.
    let start = PolicyChain(old.group.policy(), epoch: 0)
    var chain = start
    #expect(throws: ProofError.self) { try LogAudit(note: whole.note(), earlier: nil, policies: chain) }
    try chain.follow(proof: proof(of: 4, in: first, size: 5))
    var audit = try LogAudit(note: whole.note(), earlier: first.note(size: 5), policies: chain)
    _ = try replay(whole, &audit)
    #expect(audit.findingsCount == 0 && audit.handovers == 1 && audit.verdicts == [.reproduced: 8])

    // Who has handed over does not say what the log is now, nor can the hand-over be missing from it.
    #expect(throws: ProofError.self) { try LogAudit(note: first.note(), earlier: nil, policies: chain) }
    let without = Log(builders: new, leaves: before.leaves + after.leaves)
    var lacking = try LogAudit(note: without.note(), earlier: nil, policies: chain)
    let missing = #expect(throws: ProofError.self) { _ = try replay(without, &lacking) }
    #expect(missing?.code == .consistencyMismatch)

    // By the first policy alone, under a head that its own cosigners signed: the log holds the hand-over, and the
    // evidence behind it is the new set's.
    var following = try LogAudit(note: first.note(), earlier: nil, policies: start)
    _ = try replay(first, &following)
    #expect(following.findingsCount == 0 && following.handovers == 1 && following.verdicts == [.reproduced: 8])

    // Without an epoch nothing is followed; by a later policy the hand-over is one that was over, and no deceit.
    var unanchored = try LogAudit(note: first.note(), earlier: nil, policy: old.group.policy())
    _ = try replay(first, &unanchored)
    #expect(unanchored.findings.map(\.index) == [4, 5, 6, 7, 8] && unanchored.findings[0].error.code == .wrongEpoch)
    let later = PolicyChain(old.group.policy(), epoch: 1)
    var behind = try LogAudit(note: first.note(size: 5), earlier: nil, policies: later)
    _ = try replay(Log(builders: old, leaves: Array(leaves.prefix(5))), &behind)
    #expect(behind.findings.map(\.error.message).allSatisfy { $0.contains("was over before") })
    #expect(behind.findings.map(\.index) == [4])

    // The same leaves in another order: evidence of an epoch that has not begun is by strangers' keys.
    let early = Log(builders: old, leaves: after.leaves + before.leaves)
    var refusing = try LogAudit(note: early.note(), earlier: nil, policy: old.group.policy())
    _ = try replay(early, &refusing)
    #expect(refusing.findings.map(\.index) == [0, 1, 2, 3])
    #expect(refusing.findings.allSatisfy { $0.error.code == .invalidReveal })
  }

  @Test func `a hand-over that its builders did not sign is found, and not followed`() throws {
    let old = Builders(epoch: 0)
    let (new, other) = (Builders(epoch: 1, salt: "new"), Builders(epoch: 1, salt: "other"))
    let good = try handover(from: old, to: new)
    let rows: [(String, [UInt8], ProofError.Code)] = [
      ("too few", try handover(from: old, to: new, approvals: 2), .reproducersMissed),
      ("by the new set", try handover(from: Builders(epoch: 0, salt: "new"), to: new), .invalidSignature),
      ("signed crosswise", try handover(from: old, to: new, signedAs: ["bob", "ada", "cyd"]), .invalidSignature),
      (
        "of another group",
        try handover(
          from: Builders(origin: "other.example"), to: Builders(origin: "other.example", salt: "new")), .groupMismatch
      ),
      ("a bit", good.dropLast(2) + [good[good.count - 2] ^ 1, 0x0a], .notHandover),
      ("a version that nobody knows", Array("synchronicity-handover/v9\n".utf8), .notHandover),
    ]
    for (name, leaf, code) in rows {
      let log = Log(builders: old, leaves: Log(2, builders: old).leaves + [leaf] + Log(1, builders: old).leaves)
      var audit = try LogAudit(note: log.note(), earlier: nil, policy: old.group.policy())
      _ = try replay(log, &audit)
      #expect(audit.findings.map(\.index) == [2] && audit.findings.map(\.error.code) == [code], "\(name)")
      #expect(audit.handovers == 0 && audit.verdicts == [.reproduced: 3], "\(name)")
    }
    // Two that both hold: whoever signed them deceives somebody.
    let fork = Log(builders: old, leaves: [good, try handover(from: old, to: other), good])
    let anchored = PolicyChain(old.group.policy(), epoch: 0)
    var audit = try LogAudit(note: fork.note(), earlier: nil, policies: anchored)
    _ = try replay(fork, &audit)
    #expect(audit.findings.map(\.index) == [1] && audit.findings.map(\.error.code) == [.wrongEpoch])
  }

  @Test func `a checkpoint without its quorum is no log's head`() throws {
    let log = Log(1)
    let error = #expect(throws: ProofError.self) {
      _ = try LogAudit(note: try log.note(cosigners: 2), earlier: nil, policy: log.builders.group.policy())
    }
    #expect(error?.code == .quorumMissed)
  }
}
