import SyncProof

/// A proposed piece of the order: entries behind a parent, with the certificates that allow it.
public struct Block: Hashable, Sendable, CanonicallyCodable {
  public let epoch: UInt64
  public let view: UInt64
  public let height: UInt64
  /// The replica that proposed it, leader of ``view`` on top of the parent.
  public let author: ReplicaIndex
  /// Unix milliseconds, above the parent's.
  public let timeMilliseconds: UInt64
  /// Opaque to the consensus; distinct, each 1 to ``ConsensusLimits/entryBytesMax`` bytes.
  public let entries: [[UInt8]]
  /// SHA-256 of each entry.
  package let entryDigests: [Digest]
  /// SHA-256 over the digests of the entries.
  package let payload: Digest
  /// SHA-256 of the header, which holds everything above, the parent and the digests of both certificates.
  public let id: Digest
  /// Certifies the parent.
  public let parentCertificate: Certificate
  /// Shows that the view before was given up, where the parent is not of that view.
  package let timeoutCertificate: TimeoutCertificate?

  public var parent: Digest { parentCertificate.proposed.id }

  package init(
    epoch: UInt64, view: UInt64, height: UInt64, author: ReplicaIndex, timeMilliseconds: UInt64, entries: [[UInt8]],
    parentCertificate: Certificate, timeoutCertificate: TimeoutCertificate?
  ) {
    self.epoch = epoch
    self.view = view
    self.height = height
    self.author = author
    self.timeMilliseconds = timeMilliseconds
    self.entries = entries
    self.parentCertificate = parentCertificate
    self.timeoutCertificate = timeoutCertificate

    entryDigests = entries.map { SHA256.hash($0) }

    payload = Block.payload(entryDigests)
    id = BlockHeader.id(
      epoch: epoch, view: view, height: height, author: author, timeMilliseconds: timeMilliseconds, payload: payload,
      parentCertificate: parentCertificate, timeoutCertificate: timeoutCertificate)
  }

  private static func payload(_ entryDigests: [Digest]) -> Digest {
    var writer = ByteWriter()
    writer.writeRaw(Domain.payload)
    writer.write(UInt32(truncatingIfNeeded: entryDigests.count))
    for digest in entryDigests { writer.write(digest) }
    return SHA256.hash(writer.bytes)
  }

  public static func == (a: Block, b: Block) -> Bool { a.id == b.id }
  public func hash(into hasher: inout Hasher) { hasher.combine(id) }

  /// What is wrong with the block whatever its ancestors are; `nil` for nothing. Whether the author leads the view,
  /// they tell: ``Replica/leader(of:on:)``.
  package func fault(in set: ReplicaSet) -> String? {
    if epoch != set.epoch { return "epoch \(epoch) is not \(set.epoch)" }
    if !set.mayLead(author, view) { return "replica \(author) cannot lead view \(view)" }
    let parentInfo = parentCertificate.proposed
    if view <= parentInfo.view { return "the view is not above the parent's" }
    if parentInfo.height == .max || height != parentInfo.height + 1 { return "the height is not the parent's plus one" }
    if entries.count > ConsensusLimits.blockEntriesMax { return "too many entries" }
    var bytes = 0
    for entry in entries {
      if entry.isEmpty || entry.count > ConsensusLimits.entryBytesMax { return "an entry is empty or too long" }
      bytes += entry.count
    }
    if bytes > ConsensusLimits.blockBytesMax { return "too many bytes" }
    if Set(entryDigests).count != entries.count { return "an entry stands twice" }
    return nil
  }

  /// The time rules: above the parent's, and at most `skew` ahead of the voter's clock; the smallest step is always
  /// taken, else clocks that were set back would stall the group until they have caught up.
  package func timeIsAcceptable(parentTime: UInt64, wallMilliseconds: UInt64, skewMilliseconds: UInt64) -> Bool {
    guard timeMilliseconds > parentTime else { return false }
    return timeMilliseconds == parentTime + 1 || timeMilliseconds <= wallMilliseconds
      || timeMilliseconds - wallMilliseconds <= skewMilliseconds
  }

  package func encode(to writer: inout ByteWriter) {
    // With what stands around the entries here, and around the block in a message or a record.
    writer.makeRoom(for: entries.reduce(4_096) { $0 + 4 + $1.count })
    writer.write(epoch)
    writer.write(view)
    writer.write(height)
    writer.write(author)
    writer.write(timeMilliseconds)
    parentCertificate.encode(to: &writer)
    writer.writeOptional(timeoutCertificate)
    writer.write(UInt32(truncatingIfNeeded: entries.count))
    for entry in entries { writer.writeCounted(entry) }
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    let epoch: UInt64 = try reader.read()
    let view: UInt64 = try reader.read()
    let height: UInt64 = try reader.read()
    let author = try reader.readIndex()
    let time: UInt64 = try reader.read()
    let parentCertificate = try Certificate(from: &reader)
    let timeoutCertificate = try reader.readOptional(TimeoutCertificate.self)
    var entries: [[UInt8]] = []
    for _ in 0..<(try reader.readCount(max: ConsensusLimits.blockEntriesMax)) {
      entries.append(try reader.readCounted(max: ConsensusLimits.entryBytesMax))
    }
    self.init(
      epoch: epoch, view: view, height: height, author: author, timeMilliseconds: time, entries: entries,
      parentCertificate: parentCertificate, timeoutCertificate: timeoutCertificate)
  }
}
