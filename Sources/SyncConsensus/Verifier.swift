import SyncProof

/// Checks what peers signed, each signature and each certificate once.
struct Verifier: Sendable {
  private let chainID: Digest
  private let set: ReplicaSet
  private let genesis: Certificate
  private let acceptsSignature: @Sendable (PublicKey, Signature, [UInt8]) -> Bool
  private var certificates = BoundedSet(capacity: 1_024)
  private var signatures = BoundedSet(capacity: 4_096)

  init(configuration: Configuration, genesis: Certificate) {
    (chainID, set, self.genesis) = (configuration.chainID, configuration.set, genesis)
    acceptsSignature = configuration.acceptsSignature
    certificates.insert(genesis.digest)
  }

  /// The QC rules; the genesis certificate is the only one without votes.
  mutating func accepts(_ certificate: Certificate) -> Bool {
    if certificate == genesis || certificates.contains(certificate.digest) { return true }
    let message = certificate.signedBytes(chainID: chainID)
    do {
      try certificate.verify(set: set) { accepts($0, $1, message) }
    } catch {
      return false
    }
    certificates.insert(certificate.digest)
    return true
  }

  /// The TC rules, with those of the QC that it carries.
  mutating func accepts(_ certificate: TimeoutCertificate) -> Bool {
    if certificates.contains(certificate.digest) { return true }
    guard accepts(certificate.highQC) else { return false }
    do {
      try certificate.verify(set: set) { (key, statement, signature) in
        accepts(key, signature, statement.signedBytes(chainID: chainID))
      }
    } catch {
      return false
    }
    certificates.insert(certificate.digest)
    return true
  }

  mutating func accepts(_ vote: Vote) -> Bool {
    guard vote.statement.proposed.epoch == set.epoch, vote.statement.isWellFormed, let key = set.key(of: vote.author)
    else { return false }
    return accepts(key, vote.signature, vote.statement.signedBytes(chainID: chainID))
  }

  /// The signature, the certificates, and that they show how the view was entered.
  mutating func accepts(_ timeout: Timeout) -> Bool {
    let content = timeout.content
    guard content.statement.epoch == set.epoch, content.showsEntry, let key = set.key(of: timeout.author),
      accepts(key, timeout.signature, content.statement.signedBytes(chainID: chainID)), accepts(content.highQC)
    else { return false }
    guard let lastTC = content.lastTC else { return true }
    return accepts(lastTC)
  }

  /// Remembers a certificate that was made here from checked votes, or that a checked certificate's block holds: the
  /// honest among its voters have verified it.
  mutating func trust(_ certificate: Certificate) { certificates.insert(certificate.digest) }

  mutating func trust(_ certificate: TimeoutCertificate) { certificates.insert(certificate.digest) }

  mutating func accepts(_ key: PublicKey, _ signature: Signature, _ message: [UInt8]) -> Bool {
    let identity = SHA256.hash(key.bytes + signature.bytes + message)
    if signatures.contains(identity) { return true }
    guard acceptsSignature(key, signature, message) else { return false }
    signatures.insert(identity)
    return true
  }
}
