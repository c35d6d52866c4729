import SyncProof

/// Bytes to be signed with the consensus key. Only ``SafetyRules`` makes one.
public struct SigningRequest: Hashable, Sendable {
  package enum Subject: Hashable, Sendable {
    case vote(VoteStatement)
    case timeout(UnsignedTimeout)
  }

  /// Exactly what the signer signs: no prehash, nothing added.
  public let message: [UInt8]
  package let subject: Subject

  fileprivate init(_ subject: Subject, chainID: Digest) {
    self.subject = subject
    switch subject {
    case .vote(let statement): message = statement.signedBytes(chainID: chainID)
    case .timeout(let timeout): message = timeout.statement.signedBytes(chainID: chainID)
    }
  }
}

/// All that a replica must remember so that it never contradicts itself: one durable record, written before each
/// signature is asked for.
package struct SafetyState: Hashable, Sendable, CanonicallyCodable {
  package var epoch: UInt64
  /// No vote in this view or below any more.
  package var lastVotedView: UInt64
  /// View of the newest parent of anything voted for; every timeout must show a certificate at least as new.
  package var oneChainView: UInt64
  package var lastVote: VoteStatement?
  package var lastTimeout: UnsignedTimeout?

  package init(epoch: UInt64) {
    self.epoch = epoch
    lastVotedView = 0
    oneChainView = 0
  }

  package func encode(to writer: inout ByteWriter) {
    writer.write(epoch)
    writer.write(lastVotedView)
    writer.write(oneChainView)
    writer.writeOptional(lastVote)
    writer.writeOptional(lastTimeout)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    epoch = try reader.read()
    lastVotedView = try reader.read()
    oneChainView = try reader.read()
    lastVote = try reader.readOptional()
    lastTimeout = try reader.readOptional()
  }
}

/// The rules that keep two conflicting blocks from becoming final, and the only code that asks for signatures.
///
/// The caller has verified every certificate and executed the block and its ancestors.
/// Source: DiemBFT v4, Safety module; Jolteon (arXiv 2106.10362), figure 3.
package struct SafetyRules: Sendable {
  package private(set) var state: SafetyState
  /// Nothing is permitted: the state may be older than what was signed.
  package var isSilent = false
  private let chainID: Digest

  package init(state: SafetyState, chainID: Digest) { (self.state, self.chainID) = (state, chainID) }

  /// A record that must be durable before its request is signed.
  package struct Permit: Sendable {
    package let record: StoredRecord
    package let request: SigningRequest
  }

  // MARK: The predicates, one for each rule

  /// V1: at most one vote for a view, in ascending order.
  static func viewIsNew(_ view: UInt64, lastVotedView: UInt64) -> Bool { view > lastVotedView }

  /// V2, first arm: the parent is of the view just before, and nothing else explains the view.
  static func extendsPreviousView(_ view: UInt64, qcView: UInt64, tc: TimeoutCertificate?) -> Bool {
    tc == nil && qcView < view && qcView + 1 == view
  }

  /// V2, second arm: the view before was given up, and the parent is as new as anything its quorum had seen.
  static func extendsAfterTimeout(_ view: UInt64, qcView: UInt64, tc: TimeoutCertificate?) -> Bool {
    guard let tc, tc.view < view, tc.view + 1 == view, let newest = tc.shares.map(\.highQCView).max() else {
      return false
    }
    return qcView >= newest && qcView < tc.view
  }

  /// Timeout, first clause: never for a view below the last vote.
  static func timeoutIsNotBehind(_ view: UInt64, lastVotedView: UInt64) -> Bool { view >= lastVotedView }

  /// Timeout, second clause: reveals a certificate as new as the parent of anything voted for.
  static func timeoutRevealsLock(highQCView: UInt64, oneChainView: UInt64) -> Bool { highQCView >= oneChainView }

  // MARK: Signatures

  /// Permits the vote for `block`, or the leader's proposal of it, which is the same.
  ///
  /// - Parameter currentView: The view after the block's certificates were processed.
  /// - Throws: ``ConsensusError/Code/unsafe`` with the rule.
  package mutating func vote(
    for block: Block, info: BlockInfo, parent: BlockInfo, leader: ReplicaIndex, currentView: UInt64
  ) throws(ConsensusError) -> Permit {
    guard !isSilent else { throw unsafe("a vote with records that may be an older copy") }
    let statement = VoteStatement(proposed: info, parent: parent)
    guard block.epoch == state.epoch, info.epoch == state.epoch, parent.epoch == state.epoch else {
      throw unsafe("a block of epoch \(block.epoch) in epoch \(state.epoch)")
    }
    guard block.id == info.id, block.view == info.view, block.parentCertificate.proposed == parent else {
      throw unsafe("a statement about another block")
    }
    guard block.view == currentView else { throw unsafe("view \(block.view) in view \(currentView)") }
    guard block.author == leader else { throw unsafe("a block by replica \(block.author), not the leader") }
    guard SafetyRules.viewIsNew(block.view, lastVotedView: state.lastVotedView) else {
      throw unsafe("view \(block.view) after view \(state.lastVotedView)")
    }
    let (view, qcView, tc) = (block.view, parent.view, block.timeoutCertificate)
    guard
      SafetyRules.extendsPreviousView(view, qcView: qcView, tc: tc)
        || SafetyRules.extendsAfterTimeout(view, qcView: qcView, tc: tc)
    else { throw unsafe("a parent of view \(qcView) in view \(view)") }
    state.lastVotedView = view
    state.oneChainView = max(state.oneChainView, qcView)
    state.lastVote = statement
    return permit(.vote(statement))
  }

  /// Permits giving up `view`.
  ///
  /// - Throws: ``ConsensusError/Code/unsafe`` with the clause.
  package mutating func timeout(
    view: UInt64, currentView: UInt64, highQC: Certificate, lastTC: TimeoutCertificate?
  ) throws(ConsensusError) -> Permit {
    guard !isSilent else { throw unsafe("a timeout with records that may be an older copy") }
    let isEnteredByQC = highQC.view < view && highQC.view == view - 1
    let content = UnsignedTimeout(view: view, highQC: highQC, lastTC: isEnteredByQC ? nil : lastTC)
    guard content.statement.epoch == state.epoch else { throw unsafe("a timeout of another epoch") }
    guard view == currentView else { throw unsafe("a timeout of view \(view) in view \(currentView)") }
    if let last = state.lastTimeout, last.view == view {
      guard last == content else { throw unsafe("a second timeout of view \(view)") }
      return permit(.timeout(last))
    }
    guard SafetyRules.timeoutIsNotBehind(view, lastVotedView: state.lastVotedView) else {
      throw unsafe("a timeout of view \(view) after a vote in view \(state.lastVotedView)")
    }
    guard SafetyRules.timeoutRevealsLock(highQCView: highQC.view, oneChainView: state.oneChainView) else {
      throw unsafe("a timeout that hides the certificate of view \(state.oneChainView)")
    }
    guard content.showsEntry else { throw unsafe("a timeout of a view that was not entered") }
    state.lastVotedView = max(state.lastVotedView, view)
    state.lastTimeout = content
    return permit(.timeout(content))
  }

  /// Permits signing the last vote once more: the same bytes give the same signature.
  package func lastVoteAgain() -> Permit? { isSilent ? nil : state.lastVote.map { permit(.vote($0)) } }

  /// Permits signing the last timeout once more.
  package func lastTimeoutAgain() -> Permit? { isSilent ? nil : state.lastTimeout.map { permit(.timeout($0)) } }

  /// Signs again after an observation.
  ///
  /// - Parameter view: Of a certificate: in no later view was ever signed, and nothing that was voted for has a parent
  ///   of a later one.
  package mutating func resume(after view: UInt64) {
    (state.lastVotedView, state.oneChainView) = (max(state.lastVotedView, view), max(state.oneChainView, view))
    (state.lastVote, state.lastTimeout) = (nil, nil)
    isSilent = false
  }

  package var record: StoredRecord { StoredRecord(key: RecordKey.safety, value: state.encode()) }

  private func permit(_ subject: SigningRequest.Subject) -> Permit {
    Permit(record: record, request: SigningRequest(subject, chainID: chainID))
  }

  private func unsafe(_ what: String) -> ConsensusError {
    ConsensusError(.unsafe, "The safety rules forbid signing \(what)")
  }
}
