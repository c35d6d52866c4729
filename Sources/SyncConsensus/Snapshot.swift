import SyncProof

/// One decided block and the state behind it: where a replica starts without the blocks before.
///
/// It is made of what decided blocks have given and is no part of what a replica must remember: without it the blocks
/// are applied from the first on, to the same end. What a quorum has signed of the state, the log's size and root, is
/// held against the certificates when a replica starts from it; the rest is as good as the storage that kept it.
public struct Snapshot<State: StateMachine>: Sendable {
  public let position: SnapshotPosition
  /// After the block at ``position``.
  public let state: State

  public init(position: SnapshotPosition, state: State) { (self.position, self.state) = (position, state) }
}

/// Which decided block a ``Snapshot`` stands behind, and what its chain says of the leaders.
public struct SnapshotPosition: Hashable, Sendable, CanonicallyCodable {
  public let height: UInt64
  /// ``Block/id`` of the decided block at that height.
  public let block: Digest
  package let standing: Standing

  package init(height: UInt64, block: Digest, standing: Standing) {
    (self.height, self.block, self.standing) = (height, block, standing)
  }

  /// Height, block, then the standing: a 16-bit count and the indexes of who has failed, the oldest failure first.
  package func encode(to writer: inout ByteWriter) {
    writer.write(height)
    writer.write(block)
    writer.write(UInt16(truncatingIfNeeded: standing.failed.count))
    for index in standing.failed { writer.write(index) }
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    height = try reader.read()
    block = try reader.readDigest()
    let start = reader.offset
    var failed: [ReplicaIndex] = []
    for _ in 0..<(try reader.read(UInt16.self)) { failed.append(try reader.readIndex()) }
    guard failed.count <= ConsensusLimits.membersMax, Set(failed).count == failed.count else {
      throw ProofError(.malformed, "A replica that has failed is named twice, or too many are", at: start)
    }
    standing = Standing(failed: failed)
  }

  /// - Throws: ``ProofError/Code/malformed`` unless the bytes are what ``encoded`` gives.
  public init(parsing bytes: [UInt8]) throws(ProofError) { try self.init(decoding: bytes) }

  public var encoded: [UInt8] { encode() }
}
