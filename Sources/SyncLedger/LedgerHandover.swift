import SyncProof

/// A member proposes who the builders of the next epoch are.
public struct SignedProposal: Hashable, Sendable {
  /// The group file of the next epoch, as ``Group/encode()`` writes it. It is not read before the signature is checked.
  public let group: [UInt8]
  /// Name of the member whose builder key signs.
  public let proposer: Text
  /// By the proposer's builder key on ``Entry/proposalSignedBytes(proposal:proposer:chainID:)``.
  public let signature: Signature

  public init(group: [UInt8], proposer: Text, signature: Signature) {
    (self.group, self.proposer, self.signature) = (group, proposer, signature)
  }

  /// SHA-256 of the proposed group file: what approvals name.
  public var digest: Digest { SHA256.hash(group) }
}

/// A member approves of a proposal; it cannot be taken back.
public struct SignedApproval: Hashable, Sendable {
  /// ``SignedProposal/digest``.
  public let proposal: Digest
  public let builder: Text
  /// By the builder's key on ``Handover/signedBytes(group:epoch:policy:builder:)``: it goes into the log's leaf.
  public let signature: Signature
  /// By the builder's key on ``Entry/approvalSignedBytes(proposal:builder:signature:chainID:)``.
  ///
  /// The leaf's signature names the next trust policy, which has no addresses and neither consensus nor transport keys:
  /// this one binds the whole group file.
  public let entrySignature: Signature

  public init(proposal: Digest, builder: Text, signature: Signature, entrySignature: Signature) {
    (self.proposal, self.builder) = (proposal, builder)
    (self.signature, self.entrySignature) = (signature, entrySignature)
  }
}

extension Entry {
  /// - Parameters:
  ///   - proposal: SHA-256 of the proposed group file.
  ///   - chainID: ``Group/chainID`` of the epoch that is to end.
  public static func proposalSignedBytes(proposal: Digest, proposer: Text, chainID: Digest) -> [UInt8] {
    handoverSignedBytes("proposal", proposal, proposer, nil, chainID)
  }

  /// The digest line holds the SHA-256 of the 64 bytes of `signature`, the builder's on the hand-over.
  public static func approvalSignedBytes(proposal: Digest, builder: Text, signature: Signature, chainID: Digest)
    -> [UInt8]
  {
    handoverSignedBytes("approval", proposal, builder, SHA256.hash(signature.bytes), chainID)
  }
}

/// A proposal that was ordered, for people to look at.
public struct HandoverProposal: Hashable, Sendable {
  public let digest: Digest
  public let group: Group
  public let proposer: Text
  /// Names of those who approve of it, ascending.
  public let approvals: [Text]
}

/// How an epoch ends: proposals, approvals by a quorum of its builders, the open jobs' verdicts, one leaf, and no more.
///
/// The leaf is the last of its epoch, so that the next one's beginning follows from the log alone.
extension Ledger {
  struct Proposal: Sendable {
    let digest: Digest
    let group: Group
    let proposer: Int
    /// SHA-256 of the next policy's text.
    let policyDigest: Digest
    /// In the order of the members.
    var approvals: [Signature?]

    var approvalsCount: Int { approvals.reduce(0) { $0 + ($1 == nil ? 0 : 1) } }
  }

  /// Approvals that end the epoch: a quorum decides, and consumers want as many signatures as for evidence.
  public var approvalsWanted: Int { max(group.quorum, group.reproducers) }

  /// Whether a proposal has its approvals: no new jobs are taken, and the epoch ends with the last open one's verdict.
  public var isEnding: Bool { ending != nil }

  /// The group of the next epoch, once this one is over.
  public var successor: Group? { isOver ? ending.map { proposals[$0].group } : nil }

  /// SHA-256 of the next epoch's group file, once this epoch is over: what the consensus' votes then sign.
  public var nextSetHash: Digest? { isOver ? ending.map { proposals[$0].digest } : nil }

  /// All that were ordered in this epoch, in that order.
  public var handoverProposals: [HandoverProposal] {
    proposals.map { proposal in
      HandoverProposal(
        digest: proposal.digest, group: proposal.group, proposer: group.members[proposal.proposer].name,
        approvals: zip(group.members, proposal.approvals).compactMap { $1 == nil ? nil : $0.name })
    }
  }

  // MARK: - Rules

  func step(for signed: SignedProposal) -> Step {
    guard let member = group.position(of: signed.proposer) else { return .refuse(.stranger) }
    guard !isEnding else { return .refuse(.epochEnding) }
    let digest = signed.digest
    guard !proposals.contains(where: { $0.digest == digest }) else { return .refuse(.duplicateProposal) }
    let own = proposals.reduce(0) { $0 + ($1.proposer == member ? 1 : 0) }
    guard own < LedgerLimits.proposalsMax else { return .refuse(.shareUsedUp) }
    let signedBytes = Entry.proposalSignedBytes(proposal: digest, proposer: signed.proposer, chainID: chainID)
    guard acceptsSignature(group.members[member].builderKey, signed.signature, signedBytes) else {
      return .refuse(.invalidSignature)
    }
    do throws(ProofError) {
      let next = try Group(parsing: signed.group)
      let policy = next.policy()
      guard try group.mayHandOver(to: next, policy) else { return .refuse(.impossibleHandover) }
      return .propose(
        Proposal(
          digest: digest, group: next, proposer: member, policyDigest: SHA256.hash(policy.encode()),
          approvals: Array(repeating: nil, count: group.members.count)))
    } catch {
      return .refuse(error.code == .tooLarge ? .tooLarge : .impossibleHandover)
    }
  }

  func step(for signed: SignedApproval) -> Step {
    guard let member = group.position(of: signed.builder) else { return .refuse(.stranger) }
    guard !isOver else { return .refuse(.epochEnding) }
    guard let place = proposals.firstIndex(where: { $0.digest == signed.proposal }) else {
      return .refuse(.unknownProposal)
    }
    // Further signatures on what ends the epoch go into the leaf; on anything else they are late.
    guard ending.map({ $0 == place }) ?? true else { return .refuse(.epochEnding) }
    guard proposals[place].approvals[member] == nil else { return .refuse(.duplicateApproval) }
    let key = group.members[member].builderKey
    let entryBytes = Entry.approvalSignedBytes(
      proposal: signed.proposal, builder: signed.builder, signature: signed.signature, chainID: chainID)
    let leafBytes = Handover.signedBytes(
      group: group.origin, epoch: group.epoch, policy: proposals[place].policyDigest, builder: signed.builder)
    guard acceptsSignature(key, signed.entrySignature, entryBytes), acceptsSignature(key, signed.signature, leafBytes)
    else { return .refuse(.invalidSignature) }
    return .approve(signed, place: place, member: member)
  }

  // MARK: - Effects

  mutating func propose(_ proposal: Proposal, _ block: inout Block) {
    proposals.append(proposal)
    block.events.append(.proposed(handover: proposal.digest, proposer: group.members[proposal.proposer].name))
  }

  mutating func approve(_ signed: SignedApproval, _ place: Int, _ member: Int, _ block: inout Block) {
    proposals[place].approvals[member] = signed.signature
    block.events.append(.approved(handover: signed.proposal, builder: signed.builder))
    guard ending == nil, proposals[place].approvalsCount >= approvalsWanted else { return }
    ending = place
    block.events.append(.epochEnding(handover: signed.proposal))
  }

  /// Appends the hand-over and closes the epoch, if it is ending and no job is open.
  mutating func endEpochIfDrained(_ block: inout Block) {
    guard let ending, !isOver, open.isEmpty else { return }
    let proposal = proposals[ending]
    let approvals = zip(group.members, proposal.approvals).compactMap { member, signature in
      signature.map { HandoverApproval(builder: member.name, signature: $0) }
    }
    do throws(ProofError) {
      let handover = try Handover(
        group: group.origin, epoch: group.epoch, policy: proposal.group.policy(), approvals: approvals)
      let leaf = handover.encode()
      let index = log.size
      log.append(leafHash: Merkle.leafHash(leaf))
      isOver = true
      block.events.append(.epochEnded(next: proposal.group, leaf: leaf, index: index))
    } catch {
      // It was made once with every member's approval when the proposal was taken.
      preconditionFailure("A proposal that was ordered fits a leaf: \(error.message)")
    }
  }
}

extension Group {
  /// Whether a group file names this group's next epoch.
  ///
  /// - Throws: ``ProofError/Code/tooLarge`` where the hand-over's leaf would not fit with every signature that it may
  /// get.
  func mayHandOver(to next: Group, _ policy: Policy) throws(ProofError) -> Bool {
    let (nextEpoch, isLast) = epoch.addingReportingOverflow(1)
    guard next.origin == origin, next.epoch == nextEpoch, !isLast else { return false }
    guard let signature = Signature(bytes: [UInt8](repeating: 0, count: Signature.byteCount)) else { return false }
    let all = members.map { HandoverApproval(builder: $0.name, signature: signature) }
    _ = try Handover(group: origin, epoch: epoch, policy: policy, approvals: all)
    return true
  }
}

/// What a log's leaves say to an epoch that begins behind them: the tree, and which jobs are closed.
///
/// The ledger at the end of an epoch and the history of its leaves are the same thing: no job is open then, and
/// proposals are the epoch's own.
public struct LedgerHistory: Sendable {
  package private(set) var log = MerkleFrontier()
  package private(set) var closed: [Digest: ClosedJob] = [:]

  /// Before the first leaf.
  public init() {}

  /// Behind the leaves of `log`, of which `closed` are the jobs.
  package init(log: MerkleFrontier, closed: [Digest: ClosedJob]) { (self.log, self.closed) = (log, closed) }

  public var logSize: UInt64 { log.size }
  public var logRoot: Digest { log.root }

  /// What a leaf is.
  public enum Leaf: Sendable {
    case evidence(Evidence)
    case handover(Handover)
    case misbehaviour(MisbehaviourRecord)
  }

  /// Takes the next leaf; whether somebody vouches for it, the root of the tree says.
  ///
  /// - Throws: What ``Evidence/init(parsing:)``, ``Handover/init(parsing:)`` and ``MisbehaviourRecord/init(parsing:)``
  ///   throw; then nothing has changed.
  @discardableResult
  public mutating func append(_ leaf: [UInt8]) throws(ProofError) -> Leaf {
    if Handover.isNamed(by: leaf) {
      let handover = try Handover(parsing: leaf)
      log.append(leafHash: Merkle.leafHash(leaf))
      return .handover(handover)
    }
    if MisbehaviourRecord.isNamed(by: leaf) {
      let record = try MisbehaviourRecord(parsing: leaf)
      log.append(leafHash: Merkle.leafHash(leaf))
      return .misbehaviour(record)
    }
    let evidence = try Evidence(parsing: leaf)
    // Of a job that is in the log twice the later leaf would stand; no ledger makes one.
    closed[evidence.jobID] = ClosedJob(index: log.size, verdict: evidence.verdict, height: evidence.height)
    log.append(leafHash: Merkle.leafHash(leaf))
    return .evidence(evidence)
  }
}
