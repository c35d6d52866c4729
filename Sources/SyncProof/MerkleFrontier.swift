/// What of a tree is needed to append to it and to know its root: the roots of its complete subtrees, largest first.
///
/// Memory: at most 63 hashes. Appending costs one node hash on average.
public struct MerkleFrontier: Hashable, Sendable {
  /// Number of leaves.
  public private(set) var size: UInt64
  /// One for each bit that is set in `size`, most significant first.
  private var subtrees: [Digest]

  /// The tree without leaves.
  public init() { (size, subtrees) = (0, []) }

  /// The tree of `size` leaves whose largest complete subtrees have these hashes, the largest first.
  ///
  /// - Throws: ``ProofError/Code/malformed`` if there is not one for each bit that is set in `size`, or the tree would
  /// be
  ///   too large.
  public init(size: UInt64, subtrees: [Digest]) throws(ProofError) {
    guard size <= ProofLimits.treeSizeMax, subtrees.count == size.nonzeroBitCount else {
      throw ProofError(.malformed, "A tree of \(size) leaves does not have \(UInt64(subtrees.count)) subtrees")
    }
    (self.size, self.subtrees) = (size, subtrees)
  }

  /// Hash of the tree. Complexity: one node hash for each set bit of `size`.
  public var root: Digest {
    guard var root = subtrees.last else { return Merkle.emptyRoot }
    for subtree in subtrees.dropLast().reversed() { root = Merkle.nodeHash(subtree, root) }
    return root
  }

  /// Adds a leaf at the right. Precondition: the tree has fewer than 2^63 - 1.
  public mutating func append(leafHash: Digest) {
    precondition(size < ProofLimits.treeSizeMax, "A tree has at most 2^63 - 1 leaves")
    var hash = leafHash
    var bit = size
    while bit & 1 == 1 {
      hash = Merkle.nodeHash(subtrees.removeLast(), hash)
      bit >>= 1
    }
    subtrees.append(hash)
    size += 1
  }

  /// The size, big-endian in 8 bytes, then the hashes.
  public func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(size)
    for subtree in subtrees { writer.write(subtree) }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed`` unless the bytes are what ``encode()`` writes.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    size = try reader.read()
    guard size <= ProofLimits.treeSizeMax else {
      throw ProofError(.malformed, "A tree of \(size) leaves; at most 2^63 - 1 are possible", at: 0)
    }
    subtrees = []
    for _ in 0..<size.nonzeroBitCount { subtrees.append(try reader.readDigest()) }
    try reader.expectEnd()
  }
}
