import SyncProof
import Testing

@Suite struct MerkleTests {
  /// RFC 6962 §2.1 word by word.
  private func referenceRoot(_ leaves: ArraySlice<[UInt8]>) -> Digest {
    switch leaves.count {
    case 0: return SHA256.hash([])
    case 1: return SHA256.hash([0] + leaves.first!)
    default:
      var k = 1
      while k * 2 < leaves.count { k *= 2 }
      let middle = leaves.startIndex + k
      return SHA256.hash([1] + referenceRoot(leaves[..<middle]).bytes + referenceRoot(leaves[middle...]).bytes)
    }
  }

  private let leaves = (0..<70).map { [UInt8]("leaf \($0)") }

  @Test func rootsAreThoseOfTheRecursion() throws {
    var frontier = MerkleFrontier()
    var tree = SampleTree()
    #expect(frontier.root == referenceRoot([]) && frontier.root == Merkle.emptyRoot)
    for (i, leaf) in leaves.enumerated() {
      frontier.append(leafHash: Merkle.leafHash(leaf))
      tree.append(leaf)
      #expect(frontier.root == referenceRoot(leaves[...i]))
      #expect(tree.root == frontier.root)
      #expect(frontier.size == UInt64(i + 1))
      #expect(try MerkleFrontier(parsing: frontier.encode()) == frontier)
    }
  }

  @Test func frontierRefusesOtherBytes() {
    var frontier = MerkleFrontier()
    for leaf in leaves.prefix(5) { frontier.append(leafHash: Merkle.leafHash(leaf)) }
    let bytes = frontier.encode()
    #expect(code { _ = try MerkleFrontier(parsing: bytes + [0]) } == .malformed)
    #expect(code { _ = try MerkleFrontier(parsing: Array(bytes.dropLast())) } == .malformed)
    #expect(code { _ = try MerkleFrontier(parsing: []) } == .malformed)
    #expect(code { _ = try MerkleFrontier(parsing: [UInt8](repeating: 0xff, count: 8 + 64 * 32)) } == .malformed)
  }

  @Test func everyLeafOfEveryTreeIsProved() throws {
    var tree = SampleTree()
    for size in 1...40 as ClosedRange<UInt64> {
      tree.append(leaves[Int(size) - 1])
      for index in 0..<size {
        let path = tree.inclusionPath(index, size)
        let leaf = Merkle.leafHash(leaves[Int(index)])
        func check(_ index: UInt64, _ size: UInt64, _ path: [Digest], _ leaf: Digest) -> ProofError.Code? {
          code {
            try Merkle.verifyInclusion(leafHash: leaf, index: index, treeSize: size, path: path, root: tree.root)
          }
        }
        #expect(check(index, size, path, leaf) == nil)
        #expect(check(index, size, path + [leaf], leaf) == .inclusionMismatch)
        #expect(check(index + size, size, path, leaf) == .inclusionMismatch)
        #expect(check(index, 0, path, leaf) == .inclusionMismatch)
        #expect(check(index, size, path, Merkle.leafHash([UInt8]("another"))) == .inclusionMismatch)
        guard size > 1 else { continue }
        #expect(check(index ^ 1, size, path, leaf) == .inclusionMismatch)
        #expect(check(index, size, path.dropLast(), leaf) == .inclusionMismatch)
        for i in path.indices {
          var flipped = path
          flipped[i] = Digest(bytes: path[i].bytes.flipping(bit: i))!
          #expect(check(index, size, flipped, leaf) == .inclusionMismatch)
        }
      }
    }
  }

  @Test func everyTreeExtendsEveryOlderOne() throws {
    var tree = SampleTree()
    for leaf in leaves.prefix(40) { tree.append(leaf) }
    for new in 1...40 as ClosedRange<UInt64> {
      for old in 1...new {
        let path = tree.consistencyPath(old, new)
        func check(_ old: UInt64, _ oldRoot: Digest, _ newRoot: Digest, _ path: [Digest]) -> ProofError.Code? {
          code {
            try Merkle.verifyConsistency(oldSize: old, oldRoot: oldRoot, newSize: new, newRoot: newRoot, path: path)
          }
        }
        let (oldRoot, newRoot) = (tree.root(at: old), tree.root(at: new))
        #expect(check(old, oldRoot, newRoot, path) == nil)
        #expect(check(old, oldRoot, newRoot, path + [oldRoot]) == .consistencyMismatch)
        #expect(check(old, Merkle.emptyRoot, newRoot, path) == .consistencyMismatch)
        #expect(check(0, Merkle.emptyRoot, newRoot, []) == .consistencyMismatch)
        #expect(check(new + 1, oldRoot, newRoot, path) == .consistencyMismatch)
        if old < new {
          #expect(check(old, oldRoot, Merkle.emptyRoot, path) == .consistencyMismatch)
          #expect(check(old, oldRoot, newRoot, Array(path.dropLast())) == .consistencyMismatch)
        }
        for i in path.indices {
          var flipped = path
          flipped[i] = Digest(bytes: path[i].bytes.flipping(bit: 7 * i))!
          #expect(check(old, oldRoot, newRoot, flipped) == .consistencyMismatch)
        }
      }
    }
  }

  /// The largest tree: every arithmetic step at its bound.
  @Test func theLargestTreeDoesNotTrap() throws {
    let size = ProofLimits.treeSizeMax
    let path = MerkleProver.inclusionPath(index: size - 1, treeSize: size) { level, index in
      Merkle.leafHash([UInt8]("\(level) \(index)"))
    }
    #expect(path.count <= ProofLimits.pathHashesMax)
    for size in [size, .max] {
      for index in [0, size - 1, .max] {
        #expect(
          code {
            try Merkle.verifyInclusion(
              leafHash: .zero, index: index, treeSize: size, path: path, root: .zero)
          } == .inclusionMismatch)
        #expect(
          code {
            try Merkle.verifyConsistency(
              oldSize: index, oldRoot: .zero, newSize: size, newRoot: .zero, path: path)
          } == .consistencyMismatch)
      }
    }
  }
}
