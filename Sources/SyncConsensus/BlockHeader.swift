import SyncProof

/// A block with its entries' digest in the place of the entries: what the block's ID is made of.
package struct BlockHeader: Hashable, Sendable, CanonicallyCodable {
  package let epoch: UInt64
  package let view: UInt64
  package let height: UInt64
  package let author: ReplicaIndex
  package let timeMilliseconds: UInt64
  /// ``Block/payload``.
  package let payload: Digest
  package let parentCertificate: Certificate
  package let timeoutCertificate: TimeoutCertificate?

  package init(of block: Block) {
    (epoch, view, height, author) = (block.epoch, block.view, block.height, block.author)
    (timeMilliseconds, payload) = (block.timeMilliseconds, block.payload)
    (parentCertificate, timeoutCertificate) = (block.parentCertificate, block.timeoutCertificate)
  }

  package var id: Digest {
    BlockHeader.id(
      epoch: epoch, view: view, height: height, author: author, timeMilliseconds: timeMilliseconds, payload: payload,
      parentCertificate: parentCertificate, timeoutCertificate: timeoutCertificate)
  }

  static func id(
    epoch: UInt64, view: UInt64, height: UInt64, author: ReplicaIndex, timeMilliseconds: UInt64, payload: Digest,
    parentCertificate: Certificate, timeoutCertificate: TimeoutCertificate?
  ) -> Digest {
    var header = ByteWriter()
    header.writeRaw(Domain.block)
    header.write(epoch)
    header.write(view)
    header.write(height)
    header.write(parentCertificate.proposed.id)
    header.write(parentCertificate.digest)
    header.write(UInt8(timeoutCertificate == nil ? 0 : 1))
    if let timeoutCertificate { header.write(timeoutCertificate.digest) }
    header.write(author)
    header.write(payload)
    header.write(timeMilliseconds)
    return SHA256.hash(header.bytes)
  }

  package func encode(to writer: inout ByteWriter) {
    writer.write(epoch)
    writer.write(view)
    writer.write(height)
    writer.write(author)
    writer.write(timeMilliseconds)
    writer.write(payload)
    parentCertificate.encode(to: &writer)
    writer.writeOptional(timeoutCertificate)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    epoch = try reader.read()
    view = try reader.read()
    height = try reader.read()
    author = try reader.readIndex()
    timeMilliseconds = try reader.read()
    payload = try reader.readDigest()
    parentCertificate = try Certificate(from: &reader)
    timeoutCertificate = try reader.readOptional()
  }
}
