import SyncConsensus
import SyncProof

/// The rules for certificates, from their published definition and apart from the production code.
package struct CertificateOracle {
  /// Digests of what was found to hold.
  package struct Cache {
    fileprivate var known: Set<Digest> = []
    package init() {}
  }

  private let group: FixtureGroup
  let genesis: Certificate

  package init(group: FixtureGroup) {
    self.group = group
    genesis = .genesis(group.genesis)
  }

  private var quorum: Int { group.set.count - (group.set.count - 1) / 3 }

  /// - Returns: What is wrong with the certificate; `nil` for nothing.
  package func problem(of certificate: Certificate, _ cache: inout Cache) -> String? {
    if certificate == genesis || cache.known.contains(certificate.digest) { return nil }
    let (proposed, parent) = (certificate.proposed, certificate.parent)
    guard proposed.epoch == group.set.epoch, parent.epoch == group.set.epoch else {
      return "is of epoch \(proposed.epoch)"
    }
    guard parent.view < proposed.view, parent.height &+ 1 == proposed.height, proposed.height > 0 else {
      return "joins strangers"
    }
    guard certificate.commit == commit(proposed, parent) else { return "names the wrong final block" }
    let message = voteBytes(proposed, parent, certificate.commit)
    guard let problem = problem(of: certificate.shares.map { ($0.signer, message, $0.signature) }) else {
      cache.known.insert(certificate.digest)
      return nil
    }
    return problem
  }

  /// - Returns: What is wrong with the certificate; `nil` for nothing.
  package func problem(of certificate: TimeoutCertificate, _ cache: inout Cache) -> String? {
    if cache.known.contains(certificate.digest) { return nil }
    guard certificate.epoch == group.set.epoch else { return "is of epoch \(certificate.epoch)" }
    let highest = certificate.highQC.proposed.view
    guard highest < certificate.view else { return "carries a certificate of a later view" }
    guard certificate.shares.contains(where: { $0.highQCView == highest }),
      certificate.shares.allSatisfy({ $0.highQCView <= highest })
    else { return "does not carry its signers' highest certificate" }
    if let problem = problem(of: certificate.highQC, &cache) { return "carries a certificate that \(problem)" }
    let signed = certificate.shares.map { share in
      (share.signer, timeoutBytes(certificate.view, highQCView: share.highQCView), share.signature)
    }
    if let problem = problem(of: signed) { return problem }
    cache.known.insert(certificate.digest)
    return nil
  }

  private func problem(of shares: [(signer: ReplicaIndex, message: [UInt8], signature: Signature)]) -> String? {
    guard Set(shares.map(\.signer)).count == shares.count else { return "has a signer twice" }
    guard shares.count >= quorum else { return "has \(shares.count) signers" }
    for share in shares {
      guard Int(share.signer.rawValue) < group.keys.count,
        group.keys[Int(share.signer.rawValue)].publicKey.accepts(share.signature, on: share.message)
      else { return "has a signature that replica \(share.signer) did not make" }
    }
    return nil
  }

  /// The block that a vote makes final.
  package func commit(_ proposed: BlockInfo, _ parent: BlockInfo) -> BlockInfo? {
    proposed.view &- parent.view == 1 ? parent : nil
  }

  /// The bytes under a vote.
  package func voteBytes(_ proposed: BlockInfo, _ parent: BlockInfo, _ commit: BlockInfo?) -> [UInt8] {
    let hashed = Array("synchronicity-consensus-vote-hash/v1\n".utf8) + bytes(of: proposed) + bytes(of: parent)
    let head = Array("synchronicity-consensus-vote/v1\n".utf8) + group.chainID.bytes + bigEndian(proposed.epoch)
    return head + (commit.map { [1] + bytes(of: $0) } ?? [0]) + SHA256.hash(hashed).bytes
  }

  /// The bytes under a timeout, of the group's epoch where no other is given.
  package func timeoutBytes(_ view: UInt64, highQCView: UInt64, epoch: UInt64? = nil) -> [UInt8] {
    Array("synchronicity-consensus-timeout/v1\n".utf8) + group.chainID.bytes + bigEndian(epoch ?? group.set.epoch)
      + bigEndian(view) + bigEndian(highQCView)
  }

  private func bytes(of info: BlockInfo) -> [UInt8] {
    bigEndian(info.epoch) + bigEndian(info.view) + bigEndian(info.height) + info.id.bytes + bigEndian(info.logSize)
      + info.logRoot.bytes + (info.nextSetHash.map { [1] + $0.bytes } ?? [0])
  }

  private func bigEndian(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }
}
