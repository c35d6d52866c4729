import SyncProof

/// A quorum certificate: a quorum's votes for one block.
///
/// Where ``commit`` is set, the certificate alone proves that this block, with its epoch, height, log size and root,
/// is final: no other block and no rule about chains is needed to check it.
public struct Certificate: Hashable, Sendable, CanonicallyCodable {
  /// One signer's share.
  public struct Share: Hashable, Sendable {
    public let signer: ReplicaIndex
    public let signature: Signature
    package init(signer: ReplicaIndex, signature: Signature) { (self.signer, self.signature) = (signer, signature) }
  }

  public let proposed: BlockInfo
  public let parent: BlockInfo
  /// The block that the certificate makes final: the parent where the views are consecutive, else none.
  public let commit: BlockInfo?
  /// Ascending by signer.
  public let shares: [Share]
  /// Identity of exactly these bytes, shares included.
  public let digest: Digest

  package init(proposed: BlockInfo, parent: BlockInfo, commit: BlockInfo?, shares: [Share]) {
    self.proposed = proposed
    self.parent = parent
    self.commit = commit
    self.shares = shares
    var writer = ByteWriter()
    writer.writeRaw(Domain.certificate)
    Certificate.encode(proposed, parent, commit, shares, to: &writer)
    digest = SHA256.hash(writer.bytes)
  }

  /// The certificate of the genesis: no votes, valid because every replica derives the same one.
  package static func genesis(_ info: BlockInfo) -> Certificate {
    Certificate(proposed: info, parent: info, commit: nil, shares: [])
  }

  public static func == (a: Certificate, b: Certificate) -> Bool { a.digest == b.digest }
  public func hash(into hasher: inout Hasher) { hasher.combine(digest) }

  package var view: UInt64 { proposed.view }

  /// The vote that a share is the signature of.
  func vote(of share: Share) -> Vote {
    Vote(
      statement: VoteStatement(proposed: proposed, parent: parent), author: share.signer, signature: share.signature)
  }

  /// Checks the certificate against the set of its epoch, from nothing but its own bytes.
  ///
  /// - Throws: ``ConsensusError/Code/invalidCertificate`` with the first rule that it breaks.
  public func verify(chainID: Digest, set: ReplicaSet) throws(ConsensusError) {
    try verify(set: set) { (key, signature) in
      key.accepts(signature, on: signedBytes(chainID: chainID))
    }
  }

  package func signedBytes(chainID: Digest) -> [UInt8] {
    VoteStatement.signedBytes(chainID: chainID, proposed: proposed, parent: parent, commit: commit)
  }

  /// The rules, with the check of one signature left to the caller, who may remember earlier results.
  func verify(set: ReplicaSet, accepts: (PublicKey, Signature) -> Bool) throws(ConsensusError) {
    guard proposed.epoch == set.epoch else { throw invalid("is of epoch \(proposed.epoch), not \(set.epoch)") }
    let statement = VoteStatement(proposed: proposed, parent: parent)
    guard statement.isWellFormed else { throw invalid("joins two blocks that are not parent and child") }
    guard commit == statement.commit else { throw invalid("names a final block that its views do not give") }
    guard shares.count >= set.quorum else { throw invalid("has \(shares.count) signers; \(set.quorum) are wanted") }
    for (i, share) in shares.enumerated() {
      guard i == 0 || shares[i - 1].signer < share.signer else { throw invalid("has a signer twice or out of order") }
    }
    for share in shares {
      guard let key = set.key(of: share.signer) else { throw invalid("has a signer outside the set") }
      guard accepts(key, share.signature) else {
        throw invalid("has a signature that replica \(share.signer) did not make")
      }
    }
  }

  private func invalid(_ what: String) -> ConsensusError {
    ConsensusError(.invalidCertificate, "The certificate of view \(view) \(what)")
  }

  /// Signers travel as a bitmap, least significant bit first, without trailing zero bytes.
  private static func encode(
    _ proposed: BlockInfo, _ parent: BlockInfo, _ commit: BlockInfo?, _ shares: [Share], to writer: inout ByteWriter
  ) {
    proposed.encode(to: &writer)
    parent.encode(to: &writer)
    writer.writeOptional(commit)
    var bitmap: [UInt8] = []
    for share in shares {
      let byte = Int(share.signer.rawValue >> 3)
      while bitmap.count <= byte { bitmap.append(0) }
      bitmap[byte] |= 1 << UInt8(share.signer.rawValue & 7)
    }
    writer.write(UInt8(truncatingIfNeeded: bitmap.count))
    writer.writeRaw(bitmap)
    for share in shares { writer.write(share.signature) }
  }

  package func encode(to writer: inout ByteWriter) {
    Certificate.encode(proposed, parent, commit, shares, to: &writer)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    let proposed = try BlockInfo(from: &reader)
    let parent = try BlockInfo(from: &reader)
    let commit = try reader.readOptional(BlockInfo.self)
    let start = reader.offset
    let bitmapBytes = Int(try reader.read(UInt8.self))
    guard bitmapBytes <= (ConsensusLimits.membersMax + 7) / 8 else {
      throw ProofError(.tooLarge, "A signer bitmap of \(bitmapBytes) bytes", at: start)
    }
    let bitmap = try reader.readRaw(bitmapBytes)
    guard bitmap.last != 0 else { throw ProofError(.malformed, "A signer bitmap ends in a zero byte", at: start) }
    var shares: [Share] = []
    for bit in 0..<bitmapBytes * 8 where bitmap[bit >> 3] >> UInt8(bit & 7) & 1 == 1 {
      shares.append(Share(signer: ReplicaIndex(rawValue: UInt16(bit)), signature: try reader.readSignature()))
    }
    self.init(proposed: proposed, parent: parent, commit: commit, shares: shares)
  }
}
