/// A trust policy and those that took its place by hand-overs, each verified under the one before it.
///
/// A proof holds by the chain if its evidence holds by the policy of the evidence's epoch, and its checkpoint by the
/// same policy or a later one: old proofs stay good, the log's later heads vouch for old leaves too, and who has handed
/// over has no more say in what comes after. Without hand-overs it is the first policy, for every epoch.
public struct PolicyChain: Hashable, Sendable {
  /// The first is the consumer's own.
  public private(set) var policies: [Policy]
  /// The newest policy's epoch; `nil` where nobody has said which one the first is of, and none can be followed.
  public private(set) var epoch: UInt64?
  /// Whose hand-overs these are; `nil` before the first.
  public private(set) var group: Text?

  /// - Parameters:
  ///   - policy: What the consumer trusts, whoever says so.
  ///   - epoch: Its epoch, 0 for a group's first; `nil` for a policy that nothing is followed from. The hand-over of an
  ///     earlier epoch may well hold under a later policy, since most of its builders are still there: only the epoch
  ///     tells that it leads back, to members who have left.
  public init(_ policy: Policy, epoch: UInt64? = nil) { (policies, self.epoch) = ([policy], epoch) }

  /// The policy in force at the end of the chain.
  public var newest: Policy { policies[policies.count - 1] }

  /// Goes one epoch on; after an error the chain is as it was.
  ///
  /// - Parameter proof: A `.tlog-proof` file whose leaf is the hand-over of ``epoch``, at most 1 MiB.
  /// - Throws: What ``Verifier/verifyHandover(proof:policy:)`` throws under ``newest``; ``ProofError/Code/wrongEpoch``
  ///   if it is another epoch's, the policy's epoch is not known, or 1,024 were followed;
  ///   ``ProofError/Code/groupMismatch`` if it is of another group than those before.
  @discardableResult
  public mutating func follow(proof: [UInt8]) throws(ProofError) -> VerifiedHandover {
    guard policies.count <= ProofLimits.handoversMax else { throw PolicyChain.tooMany }
    let inspected = try Verifier.inspectHandover(proof: proof)
    try checkPlace(of: inspected)
    let verified = try Verifier.verify(inspected, policy: newest)
    try append(inspected.handover)
    return verified
  }

  /// The same, where each caller says of which epoch ``newest`` is.
  package mutating func follow(proof: [UInt8], endingEpoch ended: UInt64) throws(ProofError) {
    var next = self
    next.epoch = next.epoch ?? ended
    guard next.epoch == ended else {
      throw ProofError(
        .wrongEpoch, "The policy is of epoch \(next.epoch ?? 0), and a hand-over of epoch \(ended) was asked for")
    }
    try next.follow(proof: proof)
    self = next
  }

  private static var tooMany: ProofError {
    ProofError(
      .wrongEpoch,
      "More than \(ProofLimits.handoversMax) hand-overs; follow those so far, and go on from the policy at their end")
  }

  /// Checks a proof as ``Verifier/verify(inspected:policy:artifact:)`` does.
  public func verify(inspected inspection: Inspection, artifact: Digest) throws(ProofError) -> Verification {
    try check(inspection, artifact: artifact)
  }

  /// The same for a proof that is not taken apart yet.
  public func verify(proof: [UInt8], artifact: Digest) throws(ProofError) -> Verification {
    try check(try Verifier.inspect(proof: proof), artifact: artifact)
  }

  /// Checks everything but which artifact it is about: for showing what a proof proves.
  public func verifyAnyArtifact(inspected inspection: Inspection) throws(ProofError) -> Verification {
    try check(inspection, artifact: nil)
  }

  /// Checks a leaf as ``Verifier/verifyEvidence(leaf:origin:policy:)`` does, by the policy of its epoch.
  package func verifyEvidence(leaf: [UInt8], origin: Text) throws(ProofError) -> VerifiedEvidence {
    let evidence = try Verifier.evidence(in: leaf)
    let policy = group == origin ? policies[place(ofEpoch: evidence.epoch)] : policies[0]
    return try Verifier.verify(evidence: evidence, origin: origin, policy: policy)
  }

  /// Checks a leaf: a canonical hand-over of the group `origin`, approved by the reproducers of its epoch's policy.
  package func verifyHandover(leaf: [UInt8], origin: Text) throws(ProofError) -> Handover {
    let handover = try Verifier.handover(in: leaf)
    let isOwn = group.map { $0 == origin } ?? true
    let policy = isOwn ? policies[place(ofEpoch: handover.epoch)] : policies[0]
    _ = try Verifier.approvers(of: handover, origin: origin, policy: policy)
    return handover
  }

  /// Takes note of a hand-over in a log that is replayed, verified by ``verifyHandover(leaf:origin:)``: beyond the
  /// chain's end it is followed.
  ///
  /// - Throws: ``ProofError/Code/wrongEpoch`` unless it is the next one, or the one of its epoch that was followed.
  package mutating func meet(_ handover: Handover) throws(ProofError) {
    if let group, group != handover.group { return }
    guard let epoch else {
      throw ProofError(
        .wrongEpoch,
        "A hand-over of epoch \(handover.epoch), and nobody has said which epoch the policy is of; say it: --epoch")
    }
    guard handover.epoch != epoch else { return try append(handover) }
    guard handover.epoch < epoch else { throw PolicyChain.tooLate(handover, wanted: epoch) }
    guard let followed = successor(ofEpoch: handover.epoch) else { throw PolicyChain.over(handover, before: epoch) }
    guard followed == handover.policy else { throw PolicyChain.second(handover) }
  }

  /// The policy that the hand-over of this epoch led to; `nil` where the chain has none.
  package func successor(ofEpoch ended: UInt64) -> Policy? {
    guard let epoch, ended < epoch, epoch - ended < UInt64(policies.count) else { return nil }
    return policies[place(ofEpoch: ended) + 1]
  }

  /// Checks a checkpoint by any policy of the chain.
  ///
  /// - Throws: What ``Verifier/verifyCheckpoint(_:policy:)`` throws under a policy whose log and quorum the note names;
  ///   where there is none, under the newest.
  package func verifyCheckpoint(_ note: SignedNote, from place: Int = 0) throws(ProofError) -> VerifiedCheckpoint {
    var refusal: ProofError?
    // What the note does not name costs no signature: a chain is about as fast as one policy.
    for policy in policies[place...] where PolicyChain.names(note, all: policy) {
      do throws(ProofError) {
        return try Verifier.verifyCheckpoint(note, policy: policy)
      } catch {
        if refusal == nil { refusal = error }
      }
    }
    if let refusal { throw refusal }
    return try Verifier.verifyCheckpoint(note, policy: newest)
  }

  /// Takes a hand-over that has been verified under ``newest``, in its epoch and group.
  private mutating func append(_ handover: Handover) throws(ProofError) {
    guard policies.count <= ProofLimits.handoversMax else { throw PolicyChain.tooMany }
    policies.append(handover.policy)
    epoch = handover.epoch + 1
    group = handover.group
  }

  private func check(_ inspection: Inspection, artifact: Digest?) throws(ProofError) -> Verification {
    let proof = inspection.proof
    // Epochs are a group's own: of another group's the hand-overs say nothing.
    guard let group, group == proof.checkpoint.origin else {
      return try Verifier.check(inspection, policy: policies[0], artifact: artifact)
    }
    try Verifier.verifyInclusion(of: proof)
    let place = place(ofEpoch: inspection.evidence.epoch)
    let head = try verifyCheckpoint(proof.note, from: place)
    return try Verifier.check(inspection, head: head, policy: policies[place], artifact: artifact)
  }

  /// The first policy is of the epoch ``epoch`` - (policies - 1).
  private func place(ofEpoch wanted: UInt64) -> Int {
    guard let epoch, wanted < epoch else { return policies.count - 1 }
    return policies.count - 1 - Int(min(epoch - wanted, UInt64(policies.count - 1)))
  }

  /// Refuses what is not the next hand-over of this group, and says what it is instead.
  private func checkPlace(of inspected: InspectedHandover) throws(ProofError) {
    let handover = inspected.handover
    if let group, group != handover.group {
      throw ProofError(
        .groupMismatch, "The hand-over is of the group `\(handover.group)`, those before it are of `\(group)`")
    }
    guard let epoch else {
      throw ProofError(
        .wrongEpoch, "Nobody has said which epoch the policy is of; say it: the one that the first hand-over must end")
    }
    guard handover.epoch != epoch else { return }
    guard handover.epoch < epoch else { throw PolicyChain.tooLate(handover, wanted: epoch) }
    guard let followed = successor(ofEpoch: handover.epoch) else { throw PolicyChain.over(handover, before: epoch) }
    guard followed != handover.policy else {
      throw ProofError(
        .wrongEpoch, "The hand-over of epoch \(handover.epoch) was followed before; give each once, in order")
    }
    _ = try Verifier.verify(inspected, policy: policies[place(ofEpoch: handover.epoch)])
    throw PolicyChain.second(handover)
  }

  private static func tooLate(_ handover: Handover, wanted epoch: UInt64) -> ProofError {
    ProofError(
      .wrongEpoch,
      "The hand-over is the one of epoch \(handover.epoch), wanted is that of \(epoch); give those between before it")
  }

  private static func over(_ handover: Handover, before epoch: UInt64) -> ProofError {
    ProofError(
      .wrongEpoch,
      "The hand-over is the one of epoch \(handover.epoch), which was over before the policy's epoch \(epoch); "
        + "leave it out")
  }

  private static func second(_ handover: Handover) -> ProofError {
    ProofError(
      .wrongEpoch,
      "This is a second hand-over of epoch \(handover.epoch), to another policy, and it holds as the first does: who "
        + "signed both deceives somebody, or the policy is content with too few; trust neither, and keep both")
  }

  /// Whether the note has lines that name a log of the policy and enough of its witnesses.
  private static func names(_ note: SignedNote, all policy: Policy) -> Bool {
    func names(_ key: NoteKey) -> Bool {
      note.signatures.contains { $0.keyID == key.keyID && $0.name == key.name }
    }
    guard policy.logs.contains(where: { names($0.key) }) else { return false }
    var witnesses: [Text] = []
    for witness in policy.witnesses where names(witness.key) { witnesses.append(witness.name) }
    return policy.meetsQuorum(witnesses)
  }
}
