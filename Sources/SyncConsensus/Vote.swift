import SyncProof

/// What a vote says: the proposed block, its parent, and hence which block becomes final if a quorum says the same.
package struct VoteStatement: Hashable, Sendable, CanonicallyCodable {
  package let proposed: BlockInfo
  package let parent: BlockInfo

  package init(proposed: BlockInfo, parent: BlockInfo) { (self.proposed, self.parent) = (proposed, parent) }

  /// The parent if the views are consecutive, else nothing: a direct parent alone is not enough.
  package var commit: BlockInfo? { VoteStatement.commit(proposed: proposed, parent: parent) }

  /// The two-chain rule. Source: DiemBFT v4, Safety module.
  package static func commit(proposed: BlockInfo, parent: BlockInfo) -> BlockInfo? {
    parent.view < .max && proposed.view == parent.view + 1 ? parent : nil
  }

  /// Whether the two blocks can be parent and child at all.
  package var isWellFormed: Bool {
    proposed.epoch == parent.epoch && proposed.view > parent.view && parent.height < .max
      && proposed.height == parent.height + 1
  }

  /// The bytes under the signature: domain, group, epoch, then CommitInfo{commit, vote hash}.
  package func signedBytes(chainID: Digest) -> [UInt8] {
    VoteStatement.signedBytes(chainID: chainID, proposed: proposed, parent: parent, commit: commit)
  }

  static func signedBytes(chainID: Digest, proposed: BlockInfo, parent: BlockInfo, commit: BlockInfo?) -> [UInt8] {
    var hashed = ByteWriter()
    hashed.writeRaw(Domain.voteHash)
    proposed.encode(to: &hashed)
    parent.encode(to: &hashed)
    var writer = ByteWriter()
    writer.writeRaw(Domain.vote)
    writer.write(chainID)
    writer.write(proposed.epoch)
    writer.writeOptional(commit)
    writer.write(SHA256.hash(hashed.bytes))
    return writer.bytes
  }

  package func encode(to writer: inout ByteWriter) {
    proposed.encode(to: &writer)
    parent.encode(to: &writer)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    proposed = try BlockInfo(from: &reader)
    parent = try BlockInfo(from: &reader)
  }
}

/// One replica's signed vote; a leader's own is the signature of its proposal.
package struct Vote: Hashable, Sendable, CanonicallyCodable {
  package let statement: VoteStatement
  package let author: ReplicaIndex
  package let signature: Signature

  package init(statement: VoteStatement, author: ReplicaIndex, signature: Signature) {
    (self.statement, self.author, self.signature) = (statement, author, signature)
  }

  package var view: UInt64 { statement.proposed.view }

  package func encode(to writer: inout ByteWriter) {
    statement.encode(to: &writer)
    writer.write(author)
    writer.write(signature)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    statement = try VoteStatement(from: &reader)
    author = try reader.readIndex()
    signature = try reader.readSignature()
  }
}
