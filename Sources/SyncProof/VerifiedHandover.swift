/// A hand-over that a policy believes.
public struct VerifiedHandover: Hashable, Sendable {
  public let handover: Handover
  public let checkpoint: Checkpoint
  /// The leaf's place in the log.
  public let index: UInt64
  public let cosigners: [VerifiedCosigner]
  /// The policy's builders that approved, by the policy's names.
  public let approvers: [Text]
}

/// A hand-over's proof as it stands, taken apart and verified by nobody.
public struct InspectedHandover: Hashable, Sendable {
  public let proof: Proof
  public let handover: Handover
}

extension Verifier {
  /// Checks that the builders of `policy` handed over to others, and that this is in the log that its quorum sees.
  ///
  /// The grounds are those on which ``verify(proof:policy:artifact:)-([UInt8],_,_)`` believes evidence, and nothing of
  /// the new policy is among them.
  /// - Parameter proof: A `.tlog-proof` file whose leaf is a hand-over, at most 1 MiB.
  /// - Throws: Of the input's form ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge``,
  ///   ``ProofError/Code/unsupportedVersion``, ``ProofError/Code/notHandover``; of what it shows
  ///   ``ProofError/Code/inclusionMismatch``, ``ProofError/Code/invalidSignature``, ``ProofError/Code/untrustedLog``,
  ///   ``ProofError/Code/quorumMissed``, ``ProofError/Code/groupMismatch``, ``ProofError/Code/reproducersMissed``.
  public static func verifyHandover(proof: [UInt8], policy: Policy) throws(ProofError) -> VerifiedHandover {
    try verify(try inspectHandover(proof: proof), policy: policy)
  }

  /// Takes the proof apart and checks what needs no key: that the leaf is in the tree of the checkpoint.
  ///
  /// - Parameter bytes: A `.tlog-proof` file whose leaf is a hand-over, at most 1 MiB.
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge``, ``ProofError/Code/unsupportedVersion``,
  ///   ``ProofError/Code/inclusionMismatch``, ``ProofError/Code/notHandover``.
  public static func inspectHandover(proof bytes: [UInt8]) throws(ProofError) -> InspectedHandover {
    let proof = try Proof(parsing: bytes)
    // If these are not the bytes that are in the log, that is what is wrong with them.
    try verifyInclusion(of: proof)
    do {
      return InspectedHandover(proof: proof, handover: try handover(in: proof.leaf))
    } catch {
      throw ProofError(error.code, error.sentence, at: error.offset.map { proof.fileOffset(ofLeafByte: $0) })
    }
  }

  static func verify(_ inspected: InspectedHandover, policy: Policy) throws(ProofError) -> VerifiedHandover {
    let head = try verifyCheckpoint(inspected.proof.note, policy: policy)
    let approvers = try approvers(of: inspected.handover, origin: head.checkpoint.origin, policy: policy)
    return VerifiedHandover(
      handover: inspected.handover, checkpoint: head.checkpoint, index: inspected.proof.index,
      cosigners: head.cosigners, approvers: approvers)
  }

  /// - Parameter policy: The one that is replaced.
  static func approvers(
    of handover: Handover, origin: Text, policy: Policy
  ) throws(ProofError) -> [Text] {
    guard handover.group == origin else {
      throw ProofError(
        .groupMismatch,
        "The hand-over is of the group `\(handover.group)`, the log is `\(Naming.printable(origin.utf8))`; do not "
          + "trust a log that holds another group's hand-over")
    }
    var approvers: [Text] = []
    for approval in handover.approvals {
      let message = Handover.signedBytes(
        group: origin, epoch: handover.epoch, policy: handover.policyDigest, builder: approval.builder)
      var isKnown = false
      var signer: Text?
      // A builder that changed its key may stand in the policy with both.
      for builder in policy.builders where signer == nil && builder.key.isNamed(approval.builder, at: origin) {
        isKnown = true
        if builder.key.key.accepts(approval.signature, on: message) { signer = builder.name }
      }
      if let signer {
        approvers.append(signer)
      } else if isKnown {
        throw ProofError(
          .invalidSignature,
          "The approval by `\(approval.builder).\(origin)` is not signed with the key that the policy has for it; the "
            + "hand-over was changed, or is one to follow from another policy")
      }
    }
    guard policy.meetsReproducers(approvers) else {
      throw ProofError(
        .reproducersMissed,
        "\(approvers.count) builders of the policy approved the hand-over, which is less than its reproducers ask for; "
          + "only those of the epoch that ends can hand over")
    }
    return approvers
  }

  static func handover(in leaf: [UInt8]) throws(ProofError) -> Handover {
    do {
      return try Handover(parsing: leaf)
    } catch {
      throw ProofError(
        .notHandover, leaf.isEmpty ? "The proof carries no leaf" : "The leaf is no hand-over: \(error.sentence)",
        at: error.offset)
    }
  }
}
