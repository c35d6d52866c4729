import SyncProof

/// Replays a log from its entries: the root, every tile of hashes, and every leaf, evidence, hand-over or proof of
/// misbehaviour, with its signatures.
///
/// Evidence is held against the policy of its epoch: those of the chain that is given, and of the hand-overs that the
/// log holds beyond it.
///
/// The caller fetches; this says what it must get. Bundle after bundle goes to ``take(bundle:)``, from the first leaf
/// on; the tiles that are then complete are compared by the caller, byte for byte, with what the log serves. Memory: a
/// tile of hashes for each of at most eight levels, and ``findingsMax`` sentences.
public struct LogAudit: Sendable {
  /// A leaf that is in the log and does not check.
  public struct Finding: Sendable {
    public let index: UInt64
    public let error: ProofError
  }

  /// What a tile of hashes must be.
  public struct ExpectedTile: Hashable, Sendable {
    public let tile: Tile
    public let bytes: [UInt8]
  }

  /// Leaves that are told of one by one; the others are counted.
  public static let findingsMax = 20
  /// The most that a bundle of 256 leaves has.
  public static let bundleBytesMax = Tile.fullWidth * (2 + ProofLimits.leafBytesMax)

  public let head: VerifiedCheckpoint
  /// An earlier state of the same log, of which this one must be the continuation.
  public let earlier: VerifiedCheckpoint?
  public private(set) var findings: [Finding] = []
  public private(set) var findingsCount: UInt64 = 0
  /// Leaves by verdict.
  public private(set) var verdicts: [Verdict: UInt64] = [:]
  /// Leaves by which builders handed over to others.
  public private(set) var handovers: UInt64 = 0
  /// Leaves that show that a member signed what an honest one does not, checked by the group file of their epoch.
  public private(set) var misbehaviours: UInt64 = 0
  /// Such leaves of epochs whose group file was not given: the lines are in order, the signatures were not looked at.
  public private(set) var uncheckedMisbehaviours: UInt64 = 0

  private let groups: [Group]
  private let judge: @Sendable (MisbehaviourRecord, Group) -> Bool
  private var chain: PolicyChain
  /// Hand-overs that were followed before and are not met in the log yet; they come in order.
  private var unmet: Int
  private var frontier = MerkleFrontier()
  /// Hashes of the tile that each level is filling.
  private var levels: [[Digest]] = []
  private var nextIndex: [UInt64] = []

  /// - Parameters:
  ///   - note: The checkpoint of the log as it is now, a signed note.
  ///   - earlier: One that was seen before.
  ///   - policies: The policy that is trusted, with the hand-overs that lead from it to whoever signed the checkpoint.
  ///   - groups: Group files, for the leaves about misbehaviour: a policy has no keys of replicas.
  ///   - judge: Whether a record of a replica's misbehaviour proves what it says.
  /// - Throws: What ``Verifier/verifyCheckpoint(_:policy:)`` throws; ``ProofError/Code/consistencyMismatch`` if the
  ///   earlier checkpoint is of another log or has more leaves.
  public init(
    note: SignedNote, earlier: SignedNote?, policies: PolicyChain, groups: [Group] = [],
    judge: @escaping @Sendable (MisbehaviourRecord, Group) -> Bool = { _, _ in false }
  ) throws(ProofError) {
    (self.groups, self.judge) = (groups, judge)
    // Who has handed over has no say in what the log is now.
    head = try policies.verifyCheckpoint(note, from: policies.policies.count - 1)
    if let earlier {
      let before = try policies.verifyCheckpoint(earlier)
      guard before.checkpoint.origin == head.checkpoint.origin else {
        throw ProofError(
          .consistencyMismatch,
          "The earlier checkpoint is of the log `\(before.checkpoint.origin)`, not of `\(head.checkpoint.origin)`")
      }
      guard before.checkpoint.treeSize <= head.checkpoint.treeSize else {
        throw ProofError(
          .consistencyMismatch,
          "The log has \(head.checkpoint.treeSize) leaves and had \(before.checkpoint.treeSize): it has lost some; "
            + "keep both checkpoints, which prove it")
      }
      self.earlier = before
    } else {
      self.earlier = nil
    }
    chain = policies
    unmet = policies.policies.count - 1
    try checkEarlier()
  }

  /// The same by one policy alone.
  public init(note: SignedNote, earlier: SignedNote?, policy: Policy) throws(ProofError) {
    try self.init(note: note, earlier: earlier, policies: PolicyChain(policy))
  }

  public var size: UInt64 { head.checkpoint.treeSize }
  /// Leaves that have been replayed.
  public var replayed: UInt64 { frontier.size }

  /// The entries that ``take(bundle:)`` wants next; `nil` at the end.
  public var nextBundle: Tile? {
    guard frontier.size < size else { return nil }
    let index = frontier.size >> 8
    return Tile(.entries, index: index, width: Tile.width(level: 0, index: index, treeSize: size))
  }

  /// Replays the next bundle: each leaf behind its length, 16 bits, big-endian.
  ///
  /// - Returns: The tiles of hashes that are complete by it; behind the last bundle the partial ones too.
  /// - Throws: ``ProofError/Code/malformed`` if it is no such bundle, and nothing has happened;
  ///   ``ProofError/Code/consistencyMismatch`` if the leaves are not those of a checkpoint.
  public mutating func take(bundle bytes: [UInt8]) throws(ProofError) -> [ExpectedTile] {
    guard let bundle = nextBundle else {
      throw ProofError(.malformed, "A bundle behind the last of the log's \(size) leaves")
    }
    let leaves = try LogAudit.split(bytes, width: bundle.width)
    var tiles: [ExpectedTile] = []
    for leaf in leaves {
      check(leaf)
      let hash = Merkle.leafHash(leaf)
      frontier.append(leafHash: hash)
      append(hash, level: 0, to: &tiles)
      try checkEarlier()
    }
    guard frontier.size == size else { return tiles }
    for level in levels.indices where !levels[level].isEmpty { tiles += [finish(level)] }
    guard unmet == 0 || chain.group != head.checkpoint.origin else {
      throw ProofError(
        .consistencyMismatch,
        "The log of \(size) leaves lacks \(unmet) of the hand-overs that were followed: it ends before them, or is not "
          + "the log that they are in")
    }
    guard frontier.root == head.checkpoint.root else {
      throw ProofError(
        .consistencyMismatch,
        "The \(size) leaves have the root \(frontier.root), the checkpoint says \(head.checkpoint.root); what is "
          + "served is not what was signed")
    }
    return tiles
  }

  /// The leaves of a bundle, each behind its length, 16 bits, big-endian.
  ///
  /// - Throws: ``ProofError/Code/malformed`` unless there are exactly `width`.
  public static func split(_ bytes: [UInt8], width: Int) throws(ProofError) -> [[UInt8]] {
    var leaves: [[UInt8]] = []
    leaves.reserveCapacity(width)
    var at = 0
    while leaves.count < width {
      guard bytes.count - at >= 2 else {
        throw ProofError(.malformed, "A bundle of \(leaves.count) leaves; wanted \(width)", at: at)
      }
      let count = Int(bytes[at]) << 8 | Int(bytes[at + 1])
      guard bytes.count - at - 2 >= count else {
        throw ProofError(
          .malformed, "A leaf of \(count) bytes where the bundle has \(bytes.count - at - 2) more", at: at)
      }
      leaves.append(Array(bytes[at + 2..<at + 2 + count]))
      at += 2 + count
    }
    guard at == bytes.count else {
      throw ProofError(.malformed, "\(bytes.count - at) bytes behind the last of \(width) leaves", at: at)
    }
    return leaves
  }

  private mutating func check(_ leaf: [UInt8]) {
    do throws(ProofError) {
      guard !Handover.isNamed(by: leaf) else { return try check(handover: leaf) }
      guard !MisbehaviourRecord.isNamed(by: leaf) else { return try check(misbehaviour: leaf) }
      let verified = try chain.verifyEvidence(leaf: leaf, origin: head.checkpoint.origin)
      verdicts[verified.evidence.verdict, default: 0] += 1
    } catch {
      findingsCount += 1
      if findings.count < LogAudit.findingsMax { findings.append(Finding(index: frontier.size, error: error)) }
    }
  }

  /// A hand-over by the builders of its epoch, to the policy that the chain has for the next. Beyond the chain's end it
  /// is followed: it is in the tree of a checkpoint that was verified, which is what a proof of it would show.
  private mutating func check(handover leaf: [UInt8]) throws(ProofError) {
    let handover = try chain.verifyHandover(leaf: leaf, origin: head.checkpoint.origin)
    let epochBefore = chain.epoch
    try chain.meet(handover)
    // Without a sum: the epoch is the leaf's to choose.
    if unmet > 0, chain.group == handover.group, let epoch = chain.epoch, epoch == epochBefore,
      handover.epoch < epoch, epoch - handover.epoch == UInt64(unmet)
    {
      unmet -= 1
    }
    handovers += 1
  }

  private mutating func check(misbehaviour leaf: [UInt8]) throws(ProofError) {
    let record = try MisbehaviourRecord(parsing: leaf)
    guard let group = groups.first(where: { $0.chainID == record.chainID }) else {
      uncheckedMisbehaviours += 1
      return
    }
    var isProven = false
    if record.kind.isOfReplica {
      isProven = judge(record, group)
    } else {
      let proof = try BuilderMisbehaviour(record, origin: group.origin)
      isProven = proof.record(chainID: record.chainID) == record && proof.isProven(in: group)
    }
    guard isProven else {
      throw ProofError(
        .invalidSignature, "The leaf accuses `\(record.member)` of `\(Text(record.kind.rawValue))` and proves nothing")
    }
    misbehaviours += 1
  }

  private func checkEarlier() throws(ProofError) {
    guard let earlier, frontier.size == earlier.checkpoint.treeSize else { return }
    guard frontier.root == earlier.checkpoint.root else {
      throw ProofError(
        .consistencyMismatch,
        "The first \(frontier.size) leaves have the root \(frontier.root), the earlier checkpoint says "
          + "\(earlier.checkpoint.root): the log was rewritten; keep both checkpoints, which prove it")
    }
  }

  private mutating func append(_ hash: Digest, level: Int, to tiles: inout [ExpectedTile]) {
    if levels.count == level {
      levels.append([])
      nextIndex.append(0)
    }
    levels[level].append(hash)
    guard levels[level].count == Tile.fullWidth else { return }
    let full = levels[level]
    tiles.append(finish(level))
    append(LogAudit.root(of: full), level: level + 1, to: &tiles)
  }

  private mutating func finish(_ level: Int) -> ExpectedTile {
    let hashes = levels[level]
    levels[level] = []
    defer { nextIndex[level] += 1 }
    // A tree has fewer leaves than would make an index or a level too large.
    let tile = Tile(.hashes(level: level), index: nextIndex[level], width: hashes.count)!
    return ExpectedTile(tile: tile, bytes: hashes.flatMap(\.bytes))
  }

  /// Of a full tile.
  private static func root(of hashes: [Digest]) -> Digest {
    var row = hashes
    while row.count > 1 { row = stride(from: 0, to: row.count, by: 2).map { Merkle.nodeHash(row[$0], row[$0 + 1]) } }
    return row[0]
  }
}
