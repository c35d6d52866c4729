import SyncProof

/// The append-only log of evidence: an RFC 6962 tree, kept as C2SP tlog-tiles in the node's storage.
///
/// A tile at level L, index N holds up to 256 hashes, those of the complete subtrees of height 8·L. Leaves are stored
/// one by one, and joined to an entry bundle, each behind its 16-bit length, when one is asked for. Everything here can
/// be made again from the decided blocks, so its writes need no sync of their own. Owned by the node; not for other
/// threads.
struct TransparencyLog {
  private static let tileHeight = 8

  private let journal: Journal
  private(set) var frontier = MerkleFrontier()
  /// Right-most tiles, one for each level: what the next append extends.
  private var edge: [[UInt8]] = []

  init(journal: Journal) { self.journal = journal }

  /// The log of the first `size` leaves, from their tiles.
  ///
  /// - Throws: ``PluginError/Code/io`` where leaves are missing of which a missing tile is to be made.
  init(journal: Journal, size: UInt64) throws(PluginError) {
    self.journal = journal
    var subtrees: [Digest] = []
    var level = 0
    while size >> UInt64(TransparencyLog.tileHeight * level) > 0 {
      let hashes = size >> UInt64(TransparencyLog.tileHeight * level)
      let width = Int(hashes % 256)
      var tile: [UInt8] = []
      if width > 0 { tile = try self.hashes(level: level, index: hashes / 256, count: width) }
      edge.append(tile)
      // The subtrees of this level, the largest first; those of the levels above are larger still.
      var own: [Digest] = []
      var start = 0
      for bit in (0..<TransparencyLog.tileHeight).reversed() where width >> bit & 1 == 1 {
        let end = start + (Digest.byteCount << bit)
        own.append(TransparencyLog.tileRoot(Array(tile[start..<end])))
        start = end
      }
      subtrees = own + subtrees
      level += 1
    }
    frontier = try PluginError.refusing { () throws(ProofError) in try MerkleFrontier(size: size, subtrees: subtrees) }
  }

  var size: UInt64 { frontier.size }
  var root: Digest { frontier.root }

  /// Adds a leaf and collects what changes into `batch`.
  mutating func append(_ leaf: [UInt8], into batch: inout StorageBatch) {
    let index = size
    batch.put(.leaf, TransparencyLog.bigEndian(index), leaf)

    let hash = Merkle.leafHash(leaf)
    frontier.append(leafHash: hash)
    var level = 0
    var carried: Digest? = hash
    var position = index
    while let digest = carried {
      if edge.count == level { edge.append([]) }
      if position % 256 == 0 { edge[level] = [] }
      edge[level].append(contentsOf: digest.bytes)
      batch.put(.tile, TransparencyLog.tileKey(level, position / 256), edge[level])
      // A full tile is one hash of the level above.
      carried = position % 256 == 255 ? TransparencyLog.tileRoot(edge[level]) : nil
      position /= 256
      level += 1
    }
  }

  /// Collects the tiles that still grow into `batch`.
  func putEdge(into batch: inout StorageBatch) {
    for (level, tile) in edge.enumerated() where !tile.isEmpty {
      let hashes = size >> UInt64(TransparencyLog.tileHeight * level)
      batch.put(.tile, TransparencyLog.tileKey(level, (hashes - 1) / 256), tile)
    }
  }

  /// The batch without tiles that are not full.
  func withoutEdge(_ batch: StorageBatch) -> StorageBatch {
    StorageBatch(
      batch.changes.filter { change in
        guard case .put(let key, let value) = change, key.first == Keyspace.tile.rawValue else { return true }
        return value.count == 256 * Digest.byteCount
      })
  }

  /// The first `width` hashes of a tile, or `nil` when the tree of `treeSize` leaves has no such tile.
  func tile(level: Int, index: UInt64, width: Int, treeSize: UInt64) throws(PluginError) -> [UInt8]? {
    guard (0...5).contains(level), (1...256).contains(width), index < 1 << 40 else { return nil }
    let hashes = treeSize >> UInt64(TransparencyLog.tileHeight * level)
    guard index * 256 + UInt64(width) <= hashes else { return nil }
    return try self.hashes(level: level, index: index, count: width)
  }

  /// The first `count` hashes of a tile, which the tree has. What the storage has lost is made again from the leaves.
  private func hashes(level: Int, index: UInt64, count: Int) throws(PluginError) -> [UInt8] {
    if let tile = try journal.get(.tile, TransparencyLog.tileKey(level, index)), tile.count >= count * 32 {
      return Array(tile[..<(count * 32)])
    }
    var tile: [UInt8] = []
    if level == 0 {
      for leaf in try TransparencyLog.leaves(journal, from: index * 256, limit: count) {
        tile += Merkle.leafHash(leaf).bytes
      }
    } else {
      for place in index * 256..<index * 256 + UInt64(count) {
        tile += TransparencyLog.tileRoot(try hashes(level: level - 1, index: place, count: 256)).bytes
      }
    }
    guard tile.count == count * 32 else {
      throw PluginError(.io, "The storage has lost leaves of the log, of those from \(index * 256) on: it is not whole")
    }
    return tile
  }

  /// The first `width` leaves of an entry bundle, or `nil` when the tree of `treeSize` leaves has fewer.
  func entryBundle(index: UInt64, width: Int, treeSize: UInt64) throws(PluginError) -> [UInt8]? {
    guard (1...256).contains(width), index < 1 << 40, index * 256 + UInt64(width) <= treeSize else { return nil }
    var bundle: [UInt8] = []
    for number in index * 256..<index * 256 + UInt64(width) {
      guard let leaf = try leaf(at: number) else { return nil }
      bundle.append(UInt8(truncatingIfNeeded: leaf.count >> 8))
      bundle.append(UInt8(truncatingIfNeeded: leaf.count))
      bundle.append(contentsOf: leaf)
    }
    return bundle
  }

  /// Leaves in order, at most `limit`, none behind one that is missing.
  static func leaves(_ journal: Journal, from index: UInt64, limit: Int) throws(PluginError) -> [[UInt8]] {
    var leaves: [[UInt8]] = []
    for entry in try journal.scan(.leaf, from: bigEndian(index), limit: limit) {
      guard entry.key == bigEndian(index + UInt64(leaves.count)) else { break }
      leaves.append(entry.value)
    }
    return leaves
  }

  /// The `.tlog-proof` of a leaf under a published head; `nil` where that does not cover it.
  func proof(index: UInt64, _ published: (note: [UInt8], treeSize: UInt64)) throws(PluginError) -> [UInt8]? {
    guard index < published.treeSize, let leaf = try leaf(at: index) else { return nil }
    let path = try inclusionPath(index: index, treeSize: published.treeSize)
    return try PluginError.refusing { () throws(ProofError) in
      try Proof(leaf: leaf, index: index, path: path, note: try SignedNote(parsing: published.note)).encode()
    }
  }

  func leaf(at index: UInt64) throws(PluginError) -> [UInt8]? {
    index < size ? try journal.get(.leaf, TransparencyLog.bigEndian(index)) : nil
  }

  /// RFC 6962 §2.1.1: the path of leaf `index` in the tree of the first `treeSize` leaves.
  func inclusionPath(index: UInt64, treeSize: UInt64) throws(PluginError) -> [Digest] {
    try MerkleProver.inclusionPath(index: index, treeSize: treeSize) { level, position throws(PluginError) in
      try hash(level: level, index: position)
    }
  }

  /// The hash of the complete subtree over leaves `index·2^level ..< (index+1)·2^level`.
  private func hash(level: Int, index: UInt64) throws(PluginError) -> Digest {
    let tileLevel = level / TransparencyLog.tileHeight
    let below = level % TransparencyLog.tileHeight
    let first = index << UInt64(below)
    let count = 1 << below
    let start = Int(first % 256) * 32
    let tile = try hashes(level: tileLevel, index: first / 256, count: Int(first % 256) + count)
    return TransparencyLog.tileRoot(Array(tile[start..<(start + count * 32)]))
  }

  /// Root over 2^k hashes that stand one behind another.
  private static func tileRoot(_ bytes: [UInt8]) -> Digest {
    var hashes: [Digest] = []
    for start in stride(from: 0, to: bytes.count, by: 32) {
      guard let digest = Digest(bytes: bytes[start..<(start + 32)]) else {
        preconditionFailure("32 bytes are a digest")
      }
      hashes.append(digest)
    }
    while hashes.count > 1 {
      hashes = stride(from: 0, to: hashes.count, by: 2).map { Merkle.nodeHash(hashes[$0], hashes[$0 + 1]) }
    }
    return hashes[0]
  }

  private static func tileKey(_ level: Int, _ index: UInt64) -> [UInt8] {
    [UInt8(truncatingIfNeeded: level)] + bigEndian(index)
  }

  private static func bigEndian(_ value: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(value)
    return writer.bytes
  }
}
