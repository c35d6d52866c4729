extension Tile {
  /// Hashes that a level has in a tree of `treeSize` leaves: floor(treeSize / 256 ** level).
  public static func hashCount(level: Int, treeSize: UInt64) -> UInt64 {
    level >= 8 ? 0 : treeSize >> UInt64(8 * level)
  }

  /// How wide the tile is in a tree of `treeSize` leaves: 1...256, or 0 if the tree has no such tile.
  ///
  /// - Parameter level: 0 for entry bundles too.
  public static func width(level: Int, index: UInt64, treeSize: UInt64) -> Int {
    let count = hashCount(level: level, treeSize: treeSize)
    guard index <= count >> 8 else { return 0 }
    return Int(min(count - index << 8, UInt64(fullWidth)))
  }

  /// The tiles of hashes, level by level, that a tree of `newSize` leaves has and one of `oldSize` had not: what is
  /// to be written when a log has grown. `from: 0` gives all tiles of a tree.
  ///
  /// Memory: one element for each 256 new leaves.
  public static func tiles(from oldSize: UInt64, to newSize: UInt64) -> [Tile] {
    var tiles: [Tile] = []
    var level = 0
    while hashCount(level: level, treeSize: newSize) > 0 {
      append(.hashes(level: level), level: level, from: oldSize, to: newSize, to: &tiles)
      level += 1
    }
    return tiles
  }

  /// The same for entry bundles.
  public static func bundles(from oldSize: UInt64, to newSize: UInt64) -> [Tile] {
    var tiles: [Tile] = []
    append(.entries, level: 0, from: oldSize, to: newSize, to: &tiles)
    return tiles
  }

  private static func append(
    _ kind: Kind, level: Int, from oldSize: UInt64, to newSize: UInt64, to tiles: inout [Tile]
  ) {
    let old = hashCount(level: level, treeSize: oldSize)
    let new = hashCount(level: level, treeSize: newSize)
    guard new > old else { return }
    var index = old >> 8
    while index << 8 < new {
      if let tile = Tile(kind, index: index, width: width(level: level, index: index, treeSize: newSize)) {
        tiles.append(tile)
      }
      index += 1
    }
  }

  /// Finds the root of a complete subtree in the tiles: what ``MerkleProver`` asks for.
  ///
  /// - Parameters:
  ///   - level: Log2 of the subtree's leaves.
  ///   - index: Place among the subtrees of that size.
  ///   - treeSize: Leaves of the tree whose tiles are read; the subtree lies inside.
  ///   - read: Gives the tile's hashes, exactly `width` of them.
  public static func subtreeRoot<E: Error>(
    level: Int, index: UInt64, treeSize: UInt64, read: (Tile) throws(E) -> [Digest]
  ) throws(E) -> Digest {
    let tileLevel = level / 8
    let height = level % 8
    // The subtree's hashes at the tile's level: `count` of them, aligned, so all in one tile.
    let count = 1 << height
    let first = index << UInt64(height)
    let width = width(level: tileLevel, index: first >> 8, treeSize: treeSize)
    let offset = Int(first & 255)
    guard offset + count <= width, let tile = Tile(.hashes(level: tileLevel), index: first >> 8, width: width) else {
      preconditionFailure("A complete subtree of the tree is asked for")
    }
    let hashes = try read(tile)
    precondition(hashes.count == width, "A tile has as many hashes as its width says")
    var row = Array(hashes[offset..<offset + count])
    while row.count > 1 {
      var next: [Digest] = []
      for i in 0..<row.count / 2 { next.append(Merkle.nodeHash(row[2 * i], row[2 * i + 1])) }
      row = next
    }
    return row[0]
  }

  /// A tile's bytes: its hashes one after the other.
  public static func encode(hashes: [Digest]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(hashes.count * Digest.byteCount)
    for hash in hashes { out.append(contentsOf: hash.bytes) }
    return out
  }

  /// - Throws: ``ProofError/Code/malformed`` unless the bytes are exactly ``width`` hashes.
  public func decodeHashes(_ bytes: [UInt8]) throws(ProofError) -> [Digest] {
    guard bytes.count == width * Digest.byteCount else {
      throw ProofError(
        .malformed, "A tile of \(bytes.count) bytes; one of width \(width) has \(width * Digest.byteCount)")
    }
    var reader = ByteReader(bytes)
    var hashes: [Digest] = []
    for _ in 0..<width { hashes.append(try reader.readDigest()) }
    return hashes
  }

  /// An entry bundle's bytes: each leaf behind its 16-bit length, big-endian.
  ///
  /// - Precondition: Each leaf has at most 65,535 bytes.
  public static func encode(entries: [[UInt8]]) -> [UInt8] {
    var writer = ByteWriter()
    for entry in entries {
      precondition(entry.count <= ProofLimits.leafBytesMax, "A leaf has at most 65,535 bytes")
      writer.write(UInt16(entry.count))
      writer.writeRaw(entry)
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed`` unless the bytes are exactly ``width`` entries.
  public func decodeEntries(_ bytes: [UInt8]) throws(ProofError) -> [[UInt8]] {
    var reader = ByteReader(bytes)
    var entries: [[UInt8]] = []
    for _ in 0..<width {
      let count = try reader.read(UInt16.self)
      entries.append(try reader.readRaw(Int(count)))
    }
    try reader.expectEnd()
    return entries
  }
}
