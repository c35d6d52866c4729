import SyncConsensus
import SyncProof

/// What must hold in every simulation, written apart from the production code's predicates.
struct ConsensusChecker {
  private let group: FixtureGroup
  /// Replicas that lie, whose signatures prove nothing about the rules.
  private let faulty: Set<UInt16>
  private var chain: [(id: Digest, root: Digest, next: Digest?)] = []
  /// Who has failed behind the chain's last block.
  private var failed: [UInt16] = []
  private var orderedEntries: [Digest: UInt64] = [:]
  private var decidedHeight: [Int: UInt64] = [:]
  private var signedVotes: [UInt16: [UInt64: [UInt8]]] = [:]
  private var signedTimeouts: [UInt16: [UInt64: [UInt8]]] = [:]
  private(set) var failure: String?
  /// Pairs of a certificate and what it makes final that were checked already, whole.
  private var checked: Set<Finality> = []

  private struct Finality: Hashable {
    let certificate: Certificate
    let info: BlockInfo
  }

  init(group: FixtureGroup, faulty: Set<UInt16>) { (self.group, self.faulty) = (group, faulty) }

  var height: Int { chain.count }
  func isOrdered(_ entry: [UInt8]) -> Bool { orderedEntries[SHA256.hash(entry)] != nil }

  mutating func fail(_ message: String) {
    if failure == nil { failure = message }
  }

  /// A process begins: it will replay from height 1.
  mutating func restarted(_ instance: Int) { decidedHeight[instance] = 0 }

  /// Heights in order, gap-free, exactly once in each life; one chain; each entry once; certificates hold.
  mutating func decided<State>(_ decided: DecidedBlock<State>, by instance: Int, isReplay: Bool) {
    let height = decided.height
    guard height == (decidedHeight[instance] ?? 0) + 1 else {
      return fail("instance \(instance) decided height \(height) after \(decidedHeight[instance] ?? 0)")
    }
    decidedHeight[instance] = height
    if height <= UInt64(chain.count) {
      let known = chain[Int(height) - 1]
      guard known.id == decided.info.id, known.root == decided.info.logRoot else {
        return fail("two chains at height \(height): \(known.id) and \(decided.info.id) by instance \(instance)")
      }
      if isReplay { return }
    } else {
      guard height == UInt64(chain.count) + 1 else { return fail("height \(height) came before \(chain.count + 1)") }
      if let below = chain.last, decided.block.parent != below.id { return fail("height \(height) is on no chain") }
      if let below = chain.last, below.next != nil {
        guard decided.block.entries.isEmpty, decided.info.logRoot == below.root, decided.info.nextSetHash == below.next
        else { return fail("height \(height) is behind the epoch's end and changes something") }
      }
      let leaders = LeaderOracle(count: group.set.count)
      guard decided.block.author.rawValue == leaders.leader(of: decided.info.view, failed: failed) else {
        return fail("height \(height) was proposed by replica \(decided.block.author), whose turn it was not")
      }
      failed = leaders.failed(behind: (decided.info.view, decided.block.parentCertificate), failed: failed)
      chain.append((decided.info.id, decided.info.logRoot, decided.info.nextSetHash))
      for entry in decided.block.entries {
        guard orderedEntries.updateValue(height, forKey: SHA256.hash(entry)) == nil else {
          return fail("an entry was ordered twice, the second time at height \(height)")
        }
      }
    }
    guard decided.state.logRoot == decided.info.logRoot, decided.state.logSize == decided.info.logSize,
      decided.state.nextSetHash == decided.info.nextSetHash
    else {
      return fail("the state after height \(height) is not what was voted for")
    }
    guard checked.insert(Finality(certificate: decided.certificate, info: decided.info)).inserted else { return }
    if let problem = problem(of: decided.certificate, deciding: decided.info) {
      fail("the certificate of height \(height) at instance \(instance): \(problem)")
    }
  }

  /// The certificate, checked from its published definition.
  private func problem(of certificate: Certificate, deciding info: BlockInfo) -> String? {
    guard let commit = certificate.commit else { return "it makes nothing final" }
    guard commit.height > info.height || commit == info else { return "it makes another block final" }
    guard certificate.proposed.view == commit.view + 1, certificate.parent == commit else {
      return "views are not consecutive"
    }
    guard Set(certificate.shares.map(\.signer)).count >= group.set.count - (group.set.count - 1) / 3 else {
      return "too few signers"
    }
    var hashed = Array("synchronicity-consensus-vote-hash/v1\n".utf8)
    hashed += bytes(of: certificate.proposed) + bytes(of: certificate.parent)
    var message = Array("synchronicity-consensus-vote/v1\n".utf8) + group.chainID.bytes
    message += bigEndian(certificate.proposed.epoch) + [1] + bytes(of: commit) + SHA256.hash(hashed).bytes
    for share in certificate.shares {
      guard group.set.members[Int(share.signer.rawValue)].key.accepts(share.signature, on: message) else {
        return "replica \(share.signer) did not sign it"
      }
    }
    return nil
  }

  private func bytes(of info: BlockInfo) -> [UInt8] {
    bigEndian(info.epoch) + bigEndian(info.view) + bigEndian(info.height) + info.id.bytes + bigEndian(info.logSize)
      + info.logRoot.bytes + (info.nextSetHash.map { [1] + $0.bytes } ?? [0])
  }

  private func bigEndian(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }

  /// At most one vote and one timeout for a view and key over all lives, no vote in a view that was given up, and the
  /// durable record names what is signed.
  mutating func signing(_ request: SigningRequest, index: UInt16, durableSafety: [UInt8]?) {
    guard let durableSafety, let durable = try? SafetyState(decoding: durableSafety) else {
      return fail("replica \(index) signs without a durable safety record")
    }
    guard !faulty.contains(index) else { return }
    switch request.subject {
    case .vote(let statement):
      let view = statement.proposed.view
      guard durable.lastVotedView >= view else { return fail("replica \(index)'s vote in view \(view) is not durable") }
      let known = signedVotes[index, default: [:]].updateValue(request.message, forKey: view)
      if let known, known != request.message { return fail("replica \(index) signed two votes in view \(view)") }
      if known == nil, let given = signedTimeouts[index]?.keys.max(), given >= view {
        return fail("replica \(index) voted in view \(view) after it gave up view \(given)")
      }
    case .timeout(let content):
      guard durable.lastVotedView >= content.view else {
        return fail("replica \(index)'s timeout of view \(content.view) is not durable")
      }
      let known = signedTimeouts[index, default: [:]].updateValue(request.message, forKey: content.view)
      if let known, known != request.message {
        return fail("replica \(index) signed two timeouts of view \(content.view)")
      }
    }
  }

  mutating func misbehaved(_ proof: Misbehaviour) {
    guard faulty.contains(proof.offender.rawValue) else { return fail("honest replica \(proof.offender) was accused") }
    guard proof.isProven(chainID: group.chainID, set: group.set) else { return fail("a proof of misbehaviour is none") }
    let isTurn = proof.view % UInt64(group.set.count) == UInt64(proof.offender.rawValue)
    switch proof.kind {
    case .votes where isTurn, .proposals where !isTurn:
      return fail("two votes of view \(proof.view) by \(proof.offender) are called \(proof.kind)")
    case .votes, .proposals, .timeouts, .forgedCertificate: break
    }
    guard let again = try? Misbehaviour(decoding: proof.encode(), set: group.set), again == proof else {
      return fail("a proof of misbehaviour does not travel")
    }
  }
}
