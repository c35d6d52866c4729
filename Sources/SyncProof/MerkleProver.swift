/// Makes the paths that ``Merkle`` checks, from hashes that the caller stores.
///
/// `hash(level, index)` gives the root of the complete subtree of the leaves `index << level ..< (index + 1) << level`;
/// only subtrees that are complete in the tree are asked for.
public enum MerkleProver {
  /// The sibling hashes from the leaf to the root.
  ///
  /// - Precondition: `index < treeSize ≤ 2^63 - 1`.
  /// Source: RFC 6962 §2.1.1.
  public static func inclusionPath<E: Error>(
    index: UInt64, treeSize: UInt64, hash: (_ level: Int, _ index: UInt64) throws(E) -> Digest
  ) throws(E) -> [Digest] {
    precondition(index < treeSize && treeSize <= ProofLimits.treeSizeMax, "A leaf has an index below the tree's size")
    var path: [Digest] = []
    var (start, end) = (UInt64(0), treeSize)
    while end - start > 1 {
      let middle = start + split(end - start)
      if index < middle {
        path.append(try root(start: middle, end: end, hash: hash))
        end = middle
      } else {
        path.append(try root(start: start, end: middle, hash: hash))
        start = middle
      }
    }
    path.reverse()
    return path
  }

  /// The hashes that show that the tree of `newSize` leaves extends the one of `oldSize`.
  ///
  /// - Precondition: `1 ≤ oldSize ≤ newSize ≤ 2^63 - 1`.
  /// Source: RFC 6962 §2.1.2.
  public static func consistencyPath<E: Error>(
    oldSize: UInt64, newSize: UInt64, hash: (_ level: Int, _ index: UInt64) throws(E) -> Digest
  ) throws(E) -> [Digest] {
    precondition(
      oldSize >= 1 && oldSize <= newSize && newSize <= ProofLimits.treeSizeMax, "The old tree has 1...newSize leaves")
    var path: [Digest] = []
    var (start, end) = (UInt64(0), newSize)
    // Whether the range up to the old size is one that the verifier knows: the whole old tree.
    var isKnown = true
    while oldSize != end {
      let middle = start + split(end - start)
      if oldSize <= middle {
        path.append(try root(start: middle, end: end, hash: hash))
        end = middle
      } else {
        path.append(try root(start: start, end: middle, hash: hash))
        start = middle
        isKnown = false
      }
    }
    if !isKnown { path.append(try root(start: start, end: end, hash: hash)) }
    path.reverse()
    return path
  }

  /// The root of the leaves `start..<end`, folded from complete subtrees.
  ///
  /// - Precondition: `start < end ≤ 2^63 - 1`, `start` a multiple of the least power of two that holds the range.
  public static func root<E: Error>(
    start: UInt64, end: UInt64, hash: (_ level: Int, _ index: UInt64) throws(E) -> Digest
  ) throws(E) -> Digest {
    precondition(start < end && end <= ProofLimits.treeSizeMax, "A root is of at least one leaf")
    var subtrees: [Digest] = []
    var position = start
    while position < end {
      let level = UInt64.bitWidth - 1 - (end - position).leadingZeroBitCount
      subtrees.append(try hash(level, position >> UInt64(level)))
      position += 1 << UInt64(level)
    }
    var root = subtrees.removeLast()
    while let subtree = subtrees.popLast() { root = Merkle.nodeHash(subtree, root) }
    return root
  }

  /// The largest power of two below `count`, for `count` above 1.
  private static func split(_ count: UInt64) -> UInt64 {
    1 << UInt64(UInt64.bitWidth - 1 - (count - 1).leadingZeroBitCount)
  }
}
