import SyncProof
import Testing

@Suite struct TileTests {
  @Test(arguments: [
    "tile/0/000", "tile/63/x001/x234/067", "tile/entries/000.p/1", "tile/2/x123/456.p/255", "tile/1/999",
    "tile/entries/x036/x028/x797/x018/x963/967",
  ])
  func pathsAreReadBack(_ path: String) throws {
    #expect(try Tile(path: Text(path)).path == Text(path))
  }

  @Test(arguments: [
    "", "tile", "tile/0", "tile/64/000", "tile/00/000", "tile/0/0", "tile/0/0000", "tile/0/x000/001", "tile/0/001/002",
    "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p", "tile/0/000.p/1/2", "/tile/0/000",
    "tile/0/000/", "tile/-1/000", "tile/0/x01a/000", "tile/0/001/x000", "tile/data/000", "tile/0/\u{e9}00",
    "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/x036/x028/x797/x018/x963/968", "tile/0/.p/1", "tile/0/000.p/",
  ])
  func otherPathsAreRefused(_ path: String) {
    #expect(code { _ = try Tile(path: Text(path)) } == .malformed)
  }

  @Test func tilesOutOfBoundsAreNone() {
    #expect(Tile(.hashes(level: 64), index: 0) == nil)
    #expect(Tile(.hashes(level: -1), index: 0) == nil)
    #expect(Tile(.entries, index: .max) == nil)
    #expect(Tile(.entries, index: 0, width: 0) == nil)
    #expect(Tile(.entries, index: 0, width: 257) == nil)
  }

  /// The example of the spec: 70,000 leaves, and how they came about.
  @Test func growthWritesEachTileOnce() throws {
    let steps: [UInt64] = [0, 1, 255, 256, 257, 65_535, 65_536, 70_000]
    var written: Set<Text> = []
    for (old, new) in zip(steps, steps.dropFirst()) {
      for tile in Tile.tiles(from: old, to: new) + Tile.bundles(from: old, to: new) {
        #expect(written.insert(tile.path).inserted, "\(tile.path.string)")
      }
    }
    for tile in Tile.tiles(from: 0, to: 70_000) + Tile.bundles(from: 0, to: 70_000) {
      #expect(written.contains(tile.path))
    }
    #expect(Tile.tiles(from: 70_000, to: 70_000).isEmpty)
    #expect(Tile.bundles(from: 0, to: 70_000).count == 274)
    #expect(Tile.width(level: 0, index: 273, treeSize: 70_000) == 112)
    #expect(Tile.width(level: 0, index: 274, treeSize: 70_000) == 0)
    #expect(Tile.width(level: 2, index: 0, treeSize: 70_000) == 1)
    #expect(Tile.width(level: 9, index: 0, treeSize: .max) == 0)
    #expect(Tile.width(level: 0, index: 1, treeSize: 256) == 0)
  }

  /// Paths made from tiles alone are those made from the whole tree.
  @Test func proofsComeOutOfTiles() throws {
    var tree = SampleTree()
    let size: UInt64 = 700
    for i in 0..<size { tree.append([UInt8]("leaf \(i)")) }
    var tiles: [Text: [UInt8]] = [:]
    for tile in Tile.tiles(from: 0, to: size) {
      guard case .hashes(let level) = tile.kind else { continue }
      let hashes = (0..<tile.width).map { tree.hash(8 * level, tile.index * 256 + UInt64($0)) }
      tiles[tile.path] = Tile.encode(hashes: hashes)
    }
    func read(_ tile: Tile) throws(ProofError) -> [Digest] { try tile.decodeHashes(tiles[tile.path] ?? []) }
    for index in [0, 1, 255, 256, 511, 512, 600, 699] as [UInt64] {
      let path = try MerkleProver.inclusionPath(index: index, treeSize: size) { level, at throws(ProofError) in
        try Tile.subtreeRoot(level: level, index: at, treeSize: size, read: read)
      }
      #expect(path == tree.inclusionPath(index, size))
    }
    for old in [1, 255, 256, 300, 512, 699, 700] as [UInt64] {
      let path = try MerkleProver.consistencyPath(oldSize: old, newSize: size) { level, at throws(ProofError) in
        try Tile.subtreeRoot(level: level, index: at, treeSize: size, read: read)
      }
      #expect(path == tree.consistencyPath(old, size))
    }
  }

  @Test func bundlesAreReadBack() throws {
    let entries: [[UInt8]] = [[], [1], [UInt8](repeating: 7, count: 65_535)]
    let tile = try #require(Tile(.entries, index: 0, width: 3))
    let bytes = Tile.encode(entries: entries)
    #expect(try tile.decodeEntries(bytes) == entries)
    #expect(code { _ = try tile.decodeEntries(bytes + [0]) } == .malformed)
    #expect(code { _ = try tile.decodeEntries(bytes.dropLast()) } == .malformed)
    #expect(code { _ = try Tile(.entries, index: 0, width: 2)?.decodeEntries(bytes) } == .malformed)
    let hashes = [Merkle.leafHash([]), Merkle.leafHash([1])]
    let two = try #require(Tile(.hashes(level: 0), index: 0, width: 2))
    #expect(try two.decodeHashes(Tile.encode(hashes: hashes)) == hashes)
    #expect(code { _ = try two.decodeHashes(Tile.encode(hashes: hashes) + [0]) } == .malformed)
    #expect(code { _ = try two.decodeHashes([]) } == .malformed)
  }
}
