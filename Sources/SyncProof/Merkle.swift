/// The hash tree of a transparency log and the checks of its paths.
///
/// Source: RFC 6962 §2.1 for the hashes; RFC 9162 §2.1.3.2 and §2.1.4.2 for the checks;
/// draft-ietf-plants-merkle-tree-certs §4 for subtrees.
public enum Merkle {
  /// The root of a tree without leaves: SHA-256 of nothing.
  public static var emptyRoot: Digest { SHA256.hash([]) }

  /// SHA-256(0x00 ‖ leaf).
  public static func leafHash(_ leaf: [UInt8]) -> Digest {
    var stream = SHA256.Stream()
    stream.update(byte: 0)
    stream.update(leaf[...])
    return stream.finish()
  }

  /// SHA-256(0x01 ‖ left ‖ right).
  public static func nodeHash(_ left: Digest, _ right: Digest) -> Digest {
    var stream = SHA256.Stream()
    stream.update(byte: 1)
    stream.update(left)
    stream.update(right)
    return stream.finish()
  }

  /// Checks that the leaf at `index` is in the tree of `treeSize` leaves that `root` names.
  ///
  /// - Parameter path: Sibling hashes, leaf to root, exactly as many as the tree's shape asks for.
  /// - Throws: ``ProofError/Code/inclusionMismatch``.
  public static func verifyInclusion(
    leafHash: Digest, index: UInt64, treeSize: UInt64, path: [Digest], root: Digest
  ) throws(ProofError) {
    try verifySubtreeInclusion(leafHash: leafHash, index: index, start: 0, end: treeSize, path: path, root: root)
  }

  /// Checks that the leaf at `index` of the log is in the subtree of the leaves `start..<end` that `root` names.
  ///
  /// - Throws: ``ProofError/Code/inclusionMismatch``.
  public static func verifySubtreeInclusion(
    leafHash: Digest, index: UInt64, start: UInt64, end: UInt64, path: [Digest], root: Digest
  ) throws(ProofError) {
    guard start < end, end <= ProofLimits.treeSizeMax, isSubtree(start: start, end: end) else {
      throw ProofError(.inclusionMismatch, "The leaves \(start)..<\(end) are no tree; wanted an aligned range of some")
    }
    guard index >= start, index < end else {
      throw ProofError(.inclusionMismatch, "Leaf \(index) is outside of the tree of the leaves \(start)..<\(end)")
    }
    var node = index - start
    var last = end - start - 1
    var hash = leafHash
    for sibling in path {
      guard last > 0 else { throw wrongLength(path.count) }
      if node & 1 == 1 || node == last {
        hash = nodeHash(sibling, hash)
        // A node without a right sibling climbs unhashed.
        while node & 1 == 0, node != 0 {
          node >>= 1
          last >>= 1
        }
      } else {
        hash = nodeHash(hash, sibling)
      }
      node >>= 1
      last >>= 1
    }
    guard last == 0 else { throw wrongLength(path.count) }
    guard hash == root else {
      throw ProofError(
        .inclusionMismatch, "The path leads to the root \(hash), not to the checkpoint's \(root)")
    }
  }

  /// Checks that the tree of `newSize` leaves begins with the leaves of the tree of `oldSize`.
  ///
  /// An old size of 0 is refused: every tree extends the empty one, so there is nothing to check.
  /// - Throws: ``ProofError/Code/consistencyMismatch``.
  public static func verifyConsistency(
    oldSize: UInt64, oldRoot: Digest, newSize: UInt64, newRoot: Digest, path: [Digest]
  ) throws(ProofError) {
    guard oldSize > 0 else {
      throw ProofError(.consistencyMismatch, "The old tree is empty: there is nothing to prove, so ask for no proof")
    }
    try verifySubtreeConsistency(
      start: 0, end: oldSize, subtreeRoot: oldRoot, treeSize: newSize, treeRoot: newRoot, path: path)
  }

  /// Checks that the leaves `start..<end`, whose root is `subtreeRoot`, are those of the tree at these places.
  ///
  /// - Throws: ``ProofError/Code/consistencyMismatch``.
  public static func verifySubtreeConsistency(
    start: UInt64, end: UInt64, subtreeRoot: Digest, treeSize: UInt64, treeRoot: Digest, path: [Digest]
  ) throws(ProofError) {
    guard start <= end, end <= treeSize, treeSize <= ProofLimits.treeSizeMax, isSubtree(start: start, end: end) else {
      throw ProofError(
        .consistencyMismatch,
        "The leaves \(start)..<\(end) are no subtree of a tree of \(treeSize); wanted an aligned range within it")
    }
    if start == end {
      guard path.isEmpty, subtreeRoot == emptyRoot else {
        throw ProofError(.consistencyMismatch, "A range of no leaves has the empty root and an empty path")
      }
      return
    }
    var node = start
    var last = end - 1
    var treeLast = treeSize - 1
    // Climb to where the path begins: the largest whole node on the subtree's right edge.
    if last == treeLast {
      while node != last { shift(&node, &last, &treeLast) }
    } else {
      while node != last, last & 1 == 1 { shift(&node, &last, &treeLast) }
    }
    var rest = path[...]
    var seed = subtreeRoot
    if node != last {
      guard let first = rest.popFirst() else { throw inconsistentLength(path.count) }
      seed = first
    }
    var (subtree, tree) = (seed, seed)
    for sibling in rest {
      guard treeLast > 0 else { throw inconsistentLength(path.count) }
      if last & 1 == 1 || last == treeLast {
        if node < last { subtree = nodeHash(sibling, subtree) }
        tree = nodeHash(sibling, tree)
        while last & 1 == 0, last != 0 { shift(&node, &last, &treeLast) }
      } else {
        tree = nodeHash(tree, sibling)
      }
      shift(&node, &last, &treeLast)
    }
    guard treeLast == 0 else { throw inconsistentLength(path.count) }
    guard subtree == subtreeRoot else {
      throw ProofError(
        .consistencyMismatch, "The path leads to the old root \(subtree), wanted \(subtreeRoot)")
    }
    guard tree == treeRoot else {
      throw ProofError(.consistencyMismatch, "The path leads to the new root \(tree), wanted \(treeRoot)")
    }
  }

  /// Whether `start` is a multiple of the smallest power of two that holds the range.
  private static func isSubtree(start: UInt64, end: UInt64) -> Bool {
    guard start < end else { return start == end }
    let count = end - start
    let log = UInt64.bitWidth - (count - 1).leadingZeroBitCount
    return log >= 64 ? start == 0 : start & (1 << UInt64(log) - 1) == 0
  }

  private static func shift(_ a: inout UInt64, _ b: inout UInt64, _ c: inout UInt64) {
    a >>= 1
    b >>= 1
    c >>= 1
  }

  private static func wrongLength(_ count: Int) -> ProofError {
    ProofError(.inclusionMismatch, "A path of \(count) hashes does not fit the tree's shape")
  }

  private static func inconsistentLength(_ count: Int) -> ProofError {
    ProofError(.consistencyMismatch, "A path of \(count) hashes does not fit the two trees' shapes")
  }
}
