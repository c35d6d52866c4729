import SyncProof

/// What votes sign about a block: its place in the chain and the log after it.
public struct BlockInfo: Hashable, Sendable, CanonicallyCodable {
  public let epoch: UInt64
  /// 0 for the genesis alone.
  public let view: UInt64
  /// One above the parent's; 0 for the genesis.
  public let height: UInt64
  public let id: Digest
  /// Leaves of the transparency log after the block.
  public let logSize: UInt64
  /// Root of the transparency log after the block.
  public let logRoot: Digest
  /// Names the next epoch's set once a decided entry ends this one; `nil` in all others.
  public let nextSetHash: Digest?

  package init(
    epoch: UInt64, view: UInt64, height: UInt64, id: Digest, logSize: UInt64, logRoot: Digest,
    nextSetHash: Digest? = nil
  ) {
    self.epoch = epoch
    self.view = view
    self.height = height
    self.id = id
    self.logSize = logSize
    self.logRoot = logRoot
    self.nextSetHash = nextSetHash
  }

  /// The block of height 0 that every chain begins with: derived, never signed or sent.
  package static func genesis(chainID: Digest, epoch: UInt64, logSize: UInt64, logRoot: Digest) -> BlockInfo {
    var writer = ByteWriter()
    writer.writeRaw(Domain.genesis)
    writer.write(chainID)
    writer.write(epoch)
    writer.write(logSize)
    writer.write(logRoot)
    return BlockInfo(
      epoch: epoch, view: 0, height: 0, id: SHA256.hash(writer.bytes), logSize: logSize, logRoot: logRoot)
  }

  package func encode(to writer: inout ByteWriter) {
    writer.write(epoch)
    writer.write(view)
    writer.write(height)
    writer.write(id)
    writer.write(logSize)
    writer.write(logRoot)
    writer.write(UInt8(nextSetHash == nil ? 0 : 1))
    if let nextSetHash { writer.write(nextSetHash) }
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    epoch = try reader.read()
    view = try reader.read()
    height = try reader.read()
    id = try reader.readDigest()
    logSize = try reader.read()
    logRoot = try reader.readDigest()
    nextSetHash = try reader.readFlag() ? try reader.readDigest() : nil
  }
}
