/// A witness of the policy whose cosignature on the checkpoint has been verified.
public struct VerifiedCosigner: Hashable, Sendable {
  /// The policy's name for it.
  public let name: Text
  /// Unix seconds at which it says it signed.
  public let timestamp: UInt64
  /// Which of the note's ``SignedNote/signatures``.
  public let signatureIndex: Int
}

/// A checkpoint that a log of the policy signed and that its quorum cosigned.
public struct VerifiedCheckpoint: Hashable, Sendable {
  public let checkpoint: Checkpoint
  /// In the order of the signature lines.
  public let cosigners: [VerifiedCosigner]
}

/// Evidence whose form, verdict and signatures by the policy's builders have been verified.
public struct VerifiedEvidence: Hashable, Sendable {
  public let evidence: Evidence
  /// The policy's builders whose signed reveals are of the first outcome, by the policy's names.
  public let agreeing: [Text]
  /// The places of the same builders in ``Evidence/builders``.
  public let agreeingIndices: [Int]
}

/// What a proof proves.
public struct Verification: Hashable, Sendable {
  public let evidence: Evidence
  public let checkpoint: Checkpoint
  /// The leaf's place in the log.
  public let index: UInt64
  public let cosigners: [VerifiedCosigner]
  /// The policy's builders that agree, by the policy's names.
  public let reproducers: [Text]
  /// The places of the same builders in ``Evidence/builders``.
  public let reproducerIndices: [Int]
  /// The artifact that was asked about; `nil` where none was.
  public let artifact: Artifact?
}

/// A proof as it stands, taken apart and verified by nobody.
public struct Inspection: Hashable, Sendable {
  public let proof: Proof
  public let evidence: Evidence
}

/// The offline check of a proof against a trust policy: pure functions of their arguments, callable from any thread.
public enum Verifier {
  /// Checks that `artifact` was rebuilt alike by the policy's reproducers and that this is in the log that the
  /// policy's quorum sees.
  ///
  /// - Parameters:
  ///   - proof: A `.tlog-proof` file, at most 1 MiB.
  ///   - artifact: SHA-256 of the artifact's bytes, computed by the caller.
  /// - Throws: A code of its own for each way to fail: of the input's form ``ProofError/Code/malformed``,
  ///   ``ProofError/Code/tooLarge``, ``ProofError/Code/unsupportedVersion``, ``ProofError/Code/notEvidence``; of
  ///   what it shows ``ProofError/Code/invalidSignature``, ``ProofError/Code/untrustedLog``,
  ///   ``ProofError/Code/inclusionMismatch``, ``ProofError/Code/quorumMissed``, ``ProofError/Code/groupMismatch``,
  ///   ``ProofError/Code/verdictMismatch``, ``ProofError/Code/invalidReveal``, ``ProofError/Code/notReproduced``,
  ///   ``ProofError/Code/artifactMismatch``, ``ProofError/Code/reproducersMissed``.
  public static func verify(
    proof: [UInt8], policy: Policy, artifact: Digest
  ) throws(ProofError) -> Verification {
    try verify(inspected: inspect(proof: proof), policy: policy, artifact: artifact)
  }

  /// The same for a proof that is parsed already.
  public static func verify(proof: Proof, policy: Policy, artifact: Digest) throws(ProofError) -> Verification {
    try verify(inspected: inspect(proof), policy: policy, artifact: artifact)
  }

  /// The same for a proof that is taken apart already.
  public static func verify(
    inspected: Inspection, policy: Policy, artifact: Digest
  ) throws(ProofError) -> Verification {
    try check(inspected, policy: policy, artifact: artifact)
  }

  /// Checks everything but which artifact it is about: for showing what a proof proves.
  ///
  /// A caller that has an artifact must use ``verify(proof:policy:artifact:)-(Proof,_,_)`` instead.
  public static func verifyAnyArtifact(proof: Proof, policy: Policy) throws(ProofError) -> Verification {
    try check(inspect(proof), policy: policy, artifact: nil)
  }

  /// Takes a proof apart without believing any of it.
  ///
  /// Verifying begins with this, so that a proof is refused with one code whether it is opened first or not.
  public static func inspect(proof bytes: [UInt8]) throws(ProofError) -> Inspection {
    try inspect(try Proof(parsing: bytes))
  }

  private static func inspect(_ proof: Proof) throws(ProofError) -> Inspection {
    do {
      return Inspection(proof: proof, evidence: try evidence(in: proof.leaf))
    } catch {
      // If these are not the bytes that are in the log, that is what is wrong with them.
      try verifyInclusion(of: proof)
      throw ProofError(error.code, error.sentence, at: error.offset.map { proof.fileOffset(ofLeafByte: $0) })
    }
  }

  /// Checks a checkpoint: signed by a log of the policy that bears its origin, cosigned by the quorum.
  public static func verifyCheckpoint(_ note: SignedNote, policy: Policy) throws(ProofError) -> VerifiedCheckpoint {
    let checkpoint = try Checkpoint(parsingBody: note.text)
    var keys: [NoteKey] = []
    keys.reserveCapacity(policy.logs.count + policy.witnesses.count)
    for log in policy.logs where log.key.name == checkpoint.origin { keys.append(log.key) }
    for witness in policy.witnesses { keys.append(witness.key) }
    var isSignedByLog = false
    var cosigners: [VerifiedCosigner] = []
    for signature in try note.verifiedSignatures(by: keys) {
      guard let timestamp = signature.timestamp else {
        isSignedByLog = true
        continue
      }
      guard let i = policy.witnesses.firstIndex(where: { $0.key == signature.key }) else { continue }
      cosigners.append(
        VerifiedCosigner(name: policy.witnesses[i].name, timestamp: timestamp, signatureIndex: signature.index))
    }
    guard isSignedByLog else {
      throw ProofError(
        .untrustedLog,
        "No log of the policy signed the checkpoint of `\(Naming.printable(checkpoint.origin.utf8))`; "
          + "use the policy of the group that made the proof")
    }
    guard policy.meetsQuorum(cosigners.map { $0.name }) else {
      throw ProofError(
        .quorumMissed,
        "\(cosigners.count) of the policy's \(policy.witnesses.count) witnesses cosigned the checkpoint, which is less "
          + "than its quorum; fetch the proof again when more have")
    }
    return VerifiedCheckpoint(checkpoint: checkpoint, cosigners: cosigners)
  }

  /// Checks a leaf: canonical evidence of the group `origin`, its verdict the one that its lines give, every reveal
  /// by a builder of the policy signed by that builder.
  public static func verifyEvidence(
    leaf: [UInt8], origin: Text, policy: Policy
  ) throws(ProofError) -> VerifiedEvidence {
    try verify(evidence: try evidence(in: leaf), origin: origin, policy: policy)
  }

  static func verify(
    evidence: Evidence, origin: Text, policy: Policy
  ) throws(ProofError) -> VerifiedEvidence {
    guard evidence.group == origin else {
      throw ProofError(
        .groupMismatch,
        "The evidence is of the group `\(evidence.group)`, the log is `\(Naming.printable(origin.utf8))`; "
          + "do not trust a log that holds another group's evidence")
    }
    var agreeing: [Text] = []
    var agreeingIndices: [Int] = []
    for (i, line) in evidence.builders.enumerated() {
      guard case .revealed(let name, let outcome, let nonce, let statement, let signature) = line else { continue }
      var isKnown = false
      var signer: Int?
      // A builder that changed its key may stand in the policy with both.
      for j in policy.builders.indices where signer == nil && policy.builders[j].key.isNamed(name, at: origin) {
        isKnown = true
        let message = Reveal.signedBytes(
          group: origin, job: evidence.jobID, builder: name, outcome: evidence.outcomes[outcome].digest, nonce: nonce,
          statement: statement)
        if policy.builders[j].key.key.accepts(signature, on: message) { signer = j }
      }
      guard !isKnown || signer != nil else {
        throw ProofError(
          .invalidReveal,
          "The reveal by `\(name).\(Naming.printable(origin.utf8))` is not signed with the key that the policy has for "
            + "it; if the builder changed its key, get a newer policy")
      }
      if let signer, outcome == 0 {
        agreeing.append(policy.builders[signer].name)
        agreeingIndices.append(i)
      }
    }
    return VerifiedEvidence(evidence: evidence, agreeing: agreeing, agreeingIndices: agreeingIndices)
  }

  static func verifyInclusion(of proof: Proof) throws(ProofError) {
    try Merkle.verifyInclusion(
      leafHash: Merkle.leafHash(proof.leaf), index: proof.index, treeSize: proof.checkpoint.treeSize,
      path: proof.path, root: proof.checkpoint.root)
  }

  static func check(
    _ inspection: Inspection, policy: Policy, artifact: Digest?
  ) throws(ProofError) -> Verification {
    // A few hashes before some signatures: what does not fit together costs next to nothing.
    try verifyInclusion(of: inspection.proof)
    let head = try verifyCheckpoint(inspection.proof.note, policy: policy)
    return try check(inspection, head: head, policy: policy, artifact: artifact)
  }

  /// - Parameters:
  ///   - head: The proof's checkpoint, in whose tree the leaf has been found.
  ///   - policy: Whose builders count.
  static func check(
    _ inspection: Inspection, head: VerifiedCheckpoint, policy: Policy, artifact: Digest?
  ) throws(ProofError) -> Verification {
    let evidence = inspection.evidence
    let verified = try verify(evidence: evidence, origin: head.checkpoint.origin, policy: policy)
    guard evidence.verdict == .reproduced else {
      throw ProofError(
        .notReproduced,
        "The builders' verdict on `\(evidence.spec.package)` is `\(evidence.verdict.text)`, not "
          + "`reproduced`; do not use the artifact")
    }
    var found: Artifact?
    if let artifact {
      found = evidence.artifacts.first { $0.sha256 == artifact }
      guard found != nil else {
        let count = evidence.artifacts.count
        let which: Text = count == 1 ? "not the one" : "none of the \(count)"
        throw ProofError(
          .artifactMismatch,
          "The artifact's SHA-256 \(artifact) is \(which) that the builders of `\(evidence.spec.package)` agree on; it "
            + "is another file or was changed")
      }
    }
    guard policy.meetsReproducers(verified.agreeing) else {
      throw ProofError(
        .reproducersMissed,
        "\(verified.agreeing.count) builders of the policy rebuilt the artifact alike, which is less than its "
          + "reproducers ask for; ask more builders for a rebuild")
    }
    return Verification(
      evidence: evidence, checkpoint: head.checkpoint, index: inspection.proof.index, cosigners: head.cosigners,
      reproducers: verified.agreeing, reproducerIndices: verified.agreeingIndices, artifact: found)
  }

  static func evidence(in leaf: [UInt8]) throws(ProofError) -> Evidence {
    do {
      return try Evidence(parsing: leaf)
    } catch {
      // A verdict that is not its lines' keeps its own code: the bytes are evidence, and false.
      guard error.code != .verdictMismatch else { throw error }
      guard !Handover.isNamed(by: leaf) else {
        throw ProofError(
          .notEvidence, "The leaf is a hand-over, which proves no artifact; follow it from the policy before it", at: 0)
      }
      guard !leaf[...].holds("synchronicity-misbehaviour/", at: 0) else {
        throw ProofError(
          .notEvidence, "The leaf is a proof of misbehaviour, which proves no artifact; check it with the group file",
          at: 0)
      }
      throw ProofError(
        .notEvidence, leaf.isEmpty ? "The proof carries no leaf" : "The leaf is not evidence: \(error.sentence)",
        at: error.offset)
    }
  }
}
