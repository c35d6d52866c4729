/// A trust policy and those that took its place by hand-overs, each verified under the one before it.
///
/// A proof holds by the chain if its evidence holds by the policy of the evidence's epoch, and its checkpoint by the
/// same policy or a later one: old proofs stay good, the log's later heads vouch for old leaves too, and who has handed
/// over has no more say in what comes after. Without hand-overs it is the first policy, for every epoch.
public struct PolicyChain: Hashable, Sendable {
  /// The first is the consumer's own.
  public private(set) var policies: [Policy]
  /// The newest policy's epoch; `nil` where nobody has said which one the first is of.
  public private(set) var epoch: UInt64?
  /// Whose hand-overs these are; `nil` before the first.
  public private(set) var group: Text?

  /// - Parameters:
  ///   - policy: What the consumer trusts, whoever says so.
  ///   - epoch: Its epoch. Known, it keeps a group that has gone back to an earlier membership from being led astray by
  ///     the hand-over that once followed that one; `nil` takes the first hand-over's.
  public init(_ policy: Policy, epoch: UInt64? = nil) { (policies, self.epoch) = ([policy], epoch) }

  /// The policy in force at the end of the chain.
  public var newest: Policy { policies[policies.count - 1] }

  /// Goes one epoch on; after an error the chain is as it was.
  ///
  /// - Parameter proof: A `.tlog-proof` file whose leaf is the hand-over of ``epoch``, at most 1 MiB.
  /// - Throws: What ``Verifier/verifyHandover(proof:policy:)`` throws under ``newest``; ``ProofError/Code/wrongEpoch``
  ///   if it is another epoch's; ``ProofError/Code/groupMismatch`` if it is of another group than those before;
  ///   ``ProofError/Code/tooLarge`` behind 1,024 hand-overs.
  @discardableResult
  public mutating func follow(proof: [UInt8]) throws(ProofError) -> VerifiedHandover {
    guard policies.count <= ProofLimits.handoversMax else {
      throw ProofError(
        .tooLarge,
        "More than \(ProofLimits.handoversMax) hand-overs; follow those so far, and go on from the policy at their end")
    }
    let inspected = try Verifier.inspectHandover(proof: proof)
    try checkPlace(of: inspected)
    let verified = try Verifier.verify(inspected, policy: newest)
    append(inspected.handover)
    return verified
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
    let policy = policies[place(ofEpoch: handover.epoch)]
    _ = try Verifier.approvers(of: handover, origin: origin, policy: policy)
    return handover
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
  package mutating func append(_ handover: Handover) {
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
    guard let epoch, handover.epoch != epoch else { return }
    guard handover.epoch < epoch else {
      throw ProofError(
        .wrongEpoch,
        "The hand-over is the one of epoch \(handover.epoch), wanted is that of \(epoch); give those between before it")
    }
    guard let followed = successor(ofEpoch: handover.epoch) else {
      throw ProofError(
        .wrongEpoch,
        "The hand-over is the one of epoch \(handover.epoch), which was over before the policy's epoch \(epoch); "
          + "leave it out")
    }
    guard followed != handover.policy else {
      throw ProofError(
        .wrongEpoch, "The hand-over of epoch \(handover.epoch) was followed before; give each once, in order")
    }
    _ = try Verifier.verify(inspected, policy: policies[place(ofEpoch: handover.epoch)])
    throw ProofError(
      .wrongEpoch,
      "This is a second hand-over of epoch \(handover.epoch), to another policy, and it holds as the first does: the "
        + "builders that signed both deceive somebody; trust neither, and keep both, which prove it")
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
