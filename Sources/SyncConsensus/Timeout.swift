import SyncProof

/// What a timeout signs: the view that is given up and the view of the highest certificate its signer has seen.
package struct TimeoutStatement: Hashable, Sendable {
  package let epoch: UInt64
  package let view: UInt64
  package let highQCView: UInt64

  package init(epoch: UInt64, view: UInt64, highQCView: UInt64) {
    (self.epoch, self.view, self.highQCView) = (epoch, view, highQCView)
  }

  package func signedBytes(chainID: Digest) -> [UInt8] {
    var writer = ByteWriter()
    writer.writeRaw(Domain.timeout)
    writer.write(chainID)
    writer.write(epoch)
    writer.write(view)
    writer.write(highQCView)
    return writer.bytes
  }
}

/// A timeout before it is signed: what the safety record keeps, so that it is sent again unchanged.
package struct UnsignedTimeout: Hashable, Sendable, CanonicallyCodable {
  package let view: UInt64
  package let highQC: Certificate
  /// The certificate of `view − 1`, present exactly where `highQC` is not what led into the view.
  package let lastTC: TimeoutCertificate?

  package init(view: UInt64, highQC: Certificate, lastTC: TimeoutCertificate?) {
    (self.view, self.highQC, self.lastTC) = (view, highQC, lastTC)
  }

  package var statement: TimeoutStatement {
    TimeoutStatement(epoch: highQC.proposed.epoch, view: view, highQCView: highQC.view)
  }

  /// Whether the certificates show that the view was entered: the QC, or else the TC, is of the view before.
  package var showsEntry: Bool {
    guard highQC.view < view else { return false }
    if highQC.view == view - 1 { return lastTC == nil }
    return lastTC?.view == view - 1
  }

  package func encode(to writer: inout ByteWriter) {
    writer.write(view)
    highQC.encode(to: &writer)
    writer.writeOptional(lastTC)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    view = try reader.read()
    highQC = try Certificate(from: &reader)
    lastTC = try reader.readOptional()
  }
}

/// One replica's signed wish to give up a view.
package struct Timeout: Hashable, Sendable, CanonicallyCodable {
  package let content: UnsignedTimeout
  package let author: ReplicaIndex
  package let signature: Signature

  package init(content: UnsignedTimeout, author: ReplicaIndex, signature: Signature) {
    (self.content, self.author, self.signature) = (content, author, signature)
  }

  package var view: UInt64 { content.view }

  package func encode(to writer: inout ByteWriter) {
    content.encode(to: &writer)
    writer.write(author)
    writer.write(signature)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    content = try UnsignedTimeout(from: &reader)
    author = try reader.readIndex()
    signature = try reader.readSignature()
  }
}

/// A quorum's timeouts of one view, with the highest certificate among theirs in full.
package struct TimeoutCertificate: Hashable, Sendable, CanonicallyCodable {
  package struct Share: Hashable, Sendable {
    package let signer: ReplicaIndex
    package let highQCView: UInt64
    package let signature: Signature
    package init(signer: ReplicaIndex, highQCView: UInt64, signature: Signature) {
      (self.signer, self.highQCView, self.signature) = (signer, highQCView, signature)
    }
  }

  package let epoch: UInt64
  package let view: UInt64
  package let highQC: Certificate
  /// Ascending by signer.
  package let shares: [Share]
  package let digest: Digest

  package init(epoch: UInt64, view: UInt64, highQC: Certificate, shares: [Share]) {
    self.epoch = epoch
    self.view = view
    self.highQC = highQC
    self.shares = shares
    var writer = ByteWriter()
    writer.writeRaw(Domain.timeoutCertificate)
    TimeoutCertificate.encode(epoch, view, highQC, shares, to: &writer)
    digest = SHA256.hash(writer.bytes)
  }

  package static func == (a: TimeoutCertificate, b: TimeoutCertificate) -> Bool { a.digest == b.digest }
  package func hash(into hasher: inout Hasher) { hasher.combine(digest) }

  /// The rules but for `highQC`'s own, which the caller checks: it may have done so before.
  func verify(set: ReplicaSet, accepts: (PublicKey, TimeoutStatement, Signature) -> Bool) throws(ConsensusError) {
    guard epoch == set.epoch, highQC.proposed.epoch == epoch else { throw invalid("mixes epochs") }
    guard highQC.view < view else { throw invalid("carries a certificate that is not older than itself") }
    guard shares.count >= set.quorum else { throw invalid("has \(shares.count) signers; \(set.quorum) are wanted") }
    guard shares.map(\.highQCView).max() == highQC.view else {
      throw invalid("does not carry the highest certificate that its signers have seen")
    }
    for (i, share) in shares.enumerated() {
      guard i == 0 || shares[i - 1].signer < share.signer else { throw invalid("has a signer twice or out of order") }
    }
    for share in shares {
      guard let key = set.key(of: share.signer) else { throw invalid("has a signer outside the set") }
      let statement = TimeoutStatement(epoch: epoch, view: view, highQCView: share.highQCView)
      guard accepts(key, statement, share.signature) else {
        throw invalid("has a signature that replica \(share.signer) did not make")
      }
    }
  }

  private func invalid(_ what: String) -> ConsensusError {
    ConsensusError(.invalidCertificate, "The timeout certificate of view \(view) \(what)")
  }

  private static func encode(
    _ epoch: UInt64, _ view: UInt64, _ highQC: Certificate, _ shares: [Share], to writer: inout ByteWriter
  ) {
    writer.write(epoch)
    writer.write(view)
    highQC.encode(to: &writer)
    writer.write(UInt32(truncatingIfNeeded: shares.count))
    for share in shares {
      writer.write(share.signer)
      writer.write(share.highQCView)
      writer.write(share.signature)
    }
  }

  package func encode(to writer: inout ByteWriter) {
    TimeoutCertificate.encode(epoch, view, highQC, shares, to: &writer)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    let epoch: UInt64 = try reader.read()
    let view: UInt64 = try reader.read()
    let highQC = try Certificate(from: &reader)
    var shares: [Share] = []
    for _ in 0..<(try reader.readCount(max: ConsensusLimits.membersMax)) {
      let signer = try reader.readIndex()
      let highQCView: UInt64 = try reader.read()
      shares.append(Share(signer: signer, highQCView: highQCView, signature: try reader.readSignature()))
    }
    self.init(epoch: epoch, view: view, highQC: highQC, shares: shares)
  }
}
