import SyncProof
import Testing

@Suite struct VerifierTests {
  private func result(_ proof: Proof, _ policy: Policy, _ artifact: Digest = Sample.artifact) -> ProofError.Code? {
    code { _ = try Verifier.verify(proof: proof.encode(), policy: policy, artifact: artifact) }
  }

  @Test func theSampleIsVerified() throws {
    let proof = try Sample.proof()
    let verification = try Verifier.verify(proof: proof.encode(), policy: Sample.policy(), artifact: Sample.artifact)
    #expect(verification.evidence == (try Sample.evidence()))
    #expect(verification.index == 5 && verification.checkpoint.treeSize == 13)
    #expect(verification.cosigners.map { $0.name } == ["ada-cosigner", "bob-cosigner", "dee-cosigner"])
    #expect(verification.cosigners.map { $0.timestamp } == [1_790_000_001, 1_790_000_002, 1_790_000_003])
    #expect(verification.reproducers == ["ada", "bob", "dee"])
    #expect(verification.artifact?.path == "libitoa.rlib")
    #expect(try Proof(parsing: proof.encode()) == proof)
    let any = try Verifier.verifyAnyArtifact(proof: proof, policy: Sample.policy())
    #expect(any.artifact == nil && any.evidence == verification.evidence)
    #expect(try Verifier.inspect(proof: proof.encode()).evidence == verification.evidence)
  }

  /// With no signature to spare, every byte of the file is authenticated: there is no bit that may be turned over.
  @Test(arguments: 0..<8) func everyFlippedBitIsRefused(_ position: Int) throws {
    let policy = try Sample.policy()
    let bytes = try Sample.proof().encode()
    for bit in stride(from: position, to: bytes.count * 8, by: 8) {
      let got = code {
        _ = try Verifier.verify(proof: bytes.flipping(bit: bit), policy: policy, artifact: Sample.artifact)
      }
      #expect(got != nil, "bit \(bit) of byte \(bit / 8)")
    }
  }

  /// Signatures beyond what the policy asks for may be renamed, which makes them unknown and skipped; no more than
  /// that: the rest of what is proved stays the same.
  @Test func spareSignaturesMayOnlyBecomeUnknown() throws {
    let policy = try Sample.policy()
    let proof = try Sample.proof(leaf: Sample.evidence().encode(), logs: ["ada", "bob"], cosigners: Sample.members)
    let bytes = proof.encode()
    let whole = try Verifier.verify(proof: proof, policy: policy, artifact: Sample.artifact)
    let signaturesStart = bytes.count - proof.note.encode().count + proof.note.text.count + 1
    var accepted = 0
    for bit in (signaturesStart - 1) * 8..<bytes.count * 8 {
      let flipped = bytes.flipping(bit: bit)
      guard let got = try? Verifier.verify(proof: flipped, policy: policy, artifact: Sample.artifact) else { continue }
      accepted += 1
      #expect(got.evidence == whole.evidence && got.checkpoint == whole.checkpoint && got.index == whole.index)
      #expect(got.reproducers == whole.reproducers && got.artifact == whole.artifact)
      #expect(got.cosigners.allSatisfy { whole.cosigners.contains($0) } && got.cosigners.count >= 3)
      // What was turned over is in a key name or a key ID: a known key's signature is never skipped.
      let note = try Proof(parsing: flipped).note
      for (a, b) in zip(proof.note.signatures, note.signatures) where a != b {
        #expect((a.name, a.keyID) != (b.name, b.keyID), "bit \(bit)")
      }
    }
    #expect(accepted > 0)
  }

  @Test func lineCutsAndRepeatsAreRefusedOrHarmless() throws {
    let policy = try Sample.policy()
    let bytes = try Sample.proof().encode()
    for end in 0..<bytes.count {
      #expect(
        code {
          _ = try Verifier.verify(proof: Array(bytes[..<end]), policy: policy, artifact: Sample.artifact)
        } != nil, "cut at \(end)")
    }
    #expect(code { _ = try Proof(parsing: bytes + [0x0a]) } == .malformed)
    #expect(code { _ = try Proof(parsing: bytes + bytes) } == .malformed)
    // A cosigner that stands twice counts once.
    let proof = try Sample.proof(cosigners: ["ada", "bob", "bob", "bob"])
    #expect(result(proof, policy) == .quorumMissed)
  }

  @Test func eachWayToFailHasItsCode() throws {
    let policy = try Sample.policy()
    let good = try Sample.proof()
    let leaf = try Sample.evidence().encode()
    #expect(result(good, policy) == nil)
    #expect(result(good, policy, .zero) == .artifactMismatch)
    #expect(result(try Sample.proof(leaf: leaf, logs: ["cyd"]), policy) == .untrustedLog)
    #expect(result(try Sample.proof(leaf: leaf, logs: []), policy) == .untrustedLog)
    #expect(result(try Sample.proof(leaf: leaf, origin: "other.example"), policy) == .untrustedLog)
    #expect(result(try Sample.proof(cosigners: ["ada", "bob"]), policy) == .quorumMissed)
    #expect(result(try Sample.proof(cosigners: []), policy) == .quorumMissed)
    #expect(result(good, try Sample.policy(quorum: 4)) == .quorumMissed)
    #expect(result(good, try Sample.policy(reproducers: 4)) == .reproducersMissed)
    #expect(result(good, try Sample.policy(reproducers: 3, builders: ["ada", "bob", "cyd"])) == .reproducersMissed)
    #expect(result(good, try Sample.policy(reproducers: 2, builders: ["ada", "bob", "cyd"])) == nil)
    func changed(leaf: [UInt8]? = nil, index: UInt64? = nil, path: [Digest]? = nil) throws -> Proof {
      try Proof(leaf: leaf ?? good.leaf, index: index ?? good.index, path: path ?? good.path, note: good.note)
    }
    #expect(result(try changed(leaf: [1]), policy) == .inclusionMismatch)
    #expect(result(try changed(leaf: []), policy) == .inclusionMismatch)
    #expect(result(try changed(index: 4), policy) == .inclusionMismatch)
    #expect(result(try changed(index: .max), policy) == .inclusionMismatch)
    #expect(result(try changed(path: []), policy) == .inclusionMismatch)
    #expect(result(try Sample.proof(leaf: [UInt8]("no evidence\n")), policy) == .notEvidence)
    #expect(result(try Sample.proof(leaf: []), policy) == .notEvidence)
    let lie = leaf.replacing("agreeing 3", with: "agreeing 4")
    #expect(result(try Sample.proof(leaf: lie), policy) == .verdictMismatch)
    #expect(code { _ = try Verifier.inspect(proof: Sample.proof(leaf: []).encode()) } == .notEvidence)
  }

  @Test func anotherGroupsEvidenceIsRefused() throws {
    let leaf = try Sample.evidence().encode().replacing("group demo", with: "group demo2")
    #expect(result(try Sample.proof(leaf: leaf), try Sample.policy()) == .groupMismatch)
  }

  @Test func revealsAreCheckedOneByOne() throws {
    let policy = try Sample.policy()
    let outcome = Sample.built()
    let reveal = try Sample.reveal("dee", outcome)
    let forged = BuilderReport.revealed(reveal, Sample.key("cyd", "builder").sign(reveal.signedBytes()))
    let reports = try [Sample.report("ada", outcome), Sample.report("bob", outcome), Sample.report("cyd", outcome)]
    let proof = try Sample.proof(leaf: Sample.evidence(reports + [forged]).encode())
    #expect(result(proof, policy) == .invalidReveal)
    // To a policy that does not know dee the line says nothing, and nothing is wrong with it.
    #expect(result(proof, try Sample.policy(builders: ["ada", "bob", "cyd"])) == nil)
    // Who disagreed is not counted, however good the signature is.
    let apart = try reports + [Sample.report("dee", Sample.built("other"))]
    let divided = try Sample.proof(leaf: Sample.evidence(apart).encode())
    #expect(result(divided, policy) == nil)
    #expect(result(divided, try Sample.policy(reproducers: 4)) == .reproducersMissed)
    #expect(result(divided, try Sample.policy(reproducers: 1, builders: ["dee"])) == .reproducersMissed)
    // The artifact of the one who disagreed is not what was reproduced.
    #expect(result(divided, policy, Sample.built("other").artifacts[0].sha256) == .artifactMismatch)
    // A disagreeing builder's signature must be good as well.
    let odd = try Sample.reveal("dee", Sample.built("other"))
    let liar = BuilderReport.revealed(odd, Sample.key("cyd", "builder").sign(odd.signedBytes()))
    #expect(result(try Sample.proof(leaf: Sample.evidence(reports + [liar]).encode()), policy) == .invalidReveal)
  }

  /// A builder of another group with the same name and signature is not this group's builder.
  @Test func builderKeysAreTiedToTheirGroup() throws {
    let key = try NoteKey(name: "ada.other.example", kind: .ed25519, publicKey: Sample.key("ada", "builder").publicKey)
    let base = try Sample.policy()
    let policy = try Policy(
      logs: base.logs, witnesses: base.witnesses, builders: [PolicyBuilder(name: "ada", key: key)],
      groups: [base.groups[0]], quorum: base.quorum, reproducers: "ada")
    #expect(result(try Sample.proof(), policy) == .reproducersMissed)
  }

  /// A builder that changed its key stands in the policy with both.
  @Test func anOldKeyStillVerifiesOldProofs() throws {
    let base = try Sample.policy(reproducers: 1, builders: ["ada"])
    let newer = try NoteKey(
      name: "ada.demo.synchronicity.example", kind: .ed25519, publicKey: SampleKey("a newer key").publicKey)
    let policy = try Policy(
      logs: base.logs, witnesses: base.witnesses,
      builders: [PolicyBuilder(name: "ada-2", key: newer)] + base.builders, groups: base.groups, quorum: base.quorum,
      reproducers: "rebuilders")
    #expect(
      try Verifier.verify(proof: Sample.proof(), policy: policy, artifact: Sample.artifact).reproducers == ["ada"])
    let swapped = try Policy(
      logs: base.logs, witnesses: base.witnesses, builders: [PolicyBuilder(name: "ada", key: newer)],
      groups: base.groups, quorum: base.quorum, reproducers: "rebuilders")
    #expect(result(try Sample.proof(), swapped) == .invalidReveal)
  }

  @Test func otherVerdictsProveNothing() throws {
    let policy = try Sample.policy(reproducers: 1)
    let (a, b, f) = (Sample.built(), Sample.built("b"), Outcome.failed(.memory))
    for (name, outcomes) in [("failed", [f, f, f]), ("diverged", [a, b, f]), ("inconclusive", [a, a])] {
      var reports: [BuilderReport] = []
      for (member, outcome) in zip(Sample.members, outcomes) { reports.append(try Sample.report(member, outcome)) }
      for member in Sample.members.dropFirst(outcomes.count) {
        reports.append(.absent(name: Text(member), .noCommitment))
      }
      let evidence = try Sample.evidence(reports)
      #expect(evidence.verdict.text == Text(name))
      #expect(result(try Sample.proof(leaf: evidence.encode()), policy) == .notReproduced, "\(name)")
      // It is in the log all the same, and whoever audits the log can see that.
      let leaf = evidence.encode()
      #expect(try Verifier.verifyEvidence(leaf: leaf, origin: Sample.origin, policy: policy).evidence == evidence)
    }
  }

  @Test func aKnownKeysBadSignatureSpoilsTheNote() throws {
    let proof = try Sample.proof(cosigners: Sample.members)
    for (i, signature) in proof.note.signatures.enumerated() {
      var signatures = proof.note.signatures
      signatures[i] = NoteSignature(
        name: signature.name, keyID: signature.keyID, blob: signature.blob.flipping(bit: 8 * signature.blob.count - 9))
      let note = try SignedNote(text: proof.note.text, signatures: signatures)
      let changed = try Proof(leaf: proof.leaf, index: proof.index, path: proof.path, note: note)
      #expect(result(changed, try Sample.policy()) == .invalidSignature, "signature \(i)")
    }
  }

  @Test func unknownSignaturesAreSkipped() throws {
    let proof = try Sample.proof()
    let unknown = [
      NoteSignature(name: "someone.example", keyID: 1, blob: [6]),
      NoteSignature(name: "demo.synchronicity.example", keyID: 2, blob: [UInt8](repeating: 0, count: 64)),
      NoteSignature(name: "w\u{ed}tness.example", keyID: 3, blob: [UInt8](repeating: 0, count: 2_428)),
    ]
    let note = try SignedNote(text: proof.note.text, signatures: unknown + proof.note.signatures)
    let changed = try Proof(leaf: proof.leaf, index: proof.index, path: proof.path, note: note)
    #expect(result(changed, try Sample.policy()) == nil)
  }

  private static let texts: [(String, ProofError.Code, @Sendable (String) -> String)] = [
    ("another version", .unsupportedVersion, { $0.changing("proof@v1", to: "proof@v2") }),
    ("leading zero", .malformed, { $0.changing("index 5", to: "index 05") }),
    ("no index", .malformed, { $0.changing("index 5\n", to: "") }),
    ("index with sign", .malformed, { $0.changing("index 5", to: "index +5") }),
    ("index too large", .malformed, { $0.changing("index 5", to: "index 18446744073709551616") }),
    ("two extras", .malformed, { $0.changing("index 5", to: "extra AA==\nindex 5") }),
    (
      "empty extra", .malformed,
      { "c2sp.org/tlog-proof@v1\nextra \nindex" + $0.split(separator: "index", maxSplits: 1)[1] }
    ),
    ("extra without padding", .malformed, { $0.changing("=\nindex", to: "\nindex") }),
    ("extra with other alphabet", .malformed, { $0.changing("extra c", to: "extra -") }),
    ("carriage return", .malformed, { $0.changing("index 5\n", to: "index 5\r\n") }),
    ("leading line", .unsupportedVersion, { "\n" + $0 }),
    ("hash cut", .malformed, { $0.changing("index 5\n", to: "index 5\nAAAA\n") }),
    ("64 hashes", .tooLarge, { $0.changing("index 5\n", to: "index 5\n" + String(repeating: hash, count: 64)) }),
    ("no empty line", .malformed, { $0.changing("\n\ndemo", to: "\ndemo") }),
    ("two empty lines", .malformed, { $0.changing("\n\ndemo", to: "\n\n\ndemo") }),
    ("no signatures", .malformed, { String($0.prefix { $0 != "\u{2014}" }) }),
    ("empty", .malformed, { _ in "" }),
  ]

  private static let hash = String(repeating: "A", count: 43) + "=\n"

  @Test(arguments: texts.indices) func textIsStrict(_ row: Int) throws {
    let (name, wanted, change) = Self.texts[row]
    let bytes = try Sample.proof().encode()
    let changed = [UInt8](change(bytes.text))
    #expect(changed != bytes, "\(name)")
    #expect(code { _ = try Proof(parsing: changed) } == wanted, "\(name)")
  }

  @Test func pathsOfSixtyThreeAreRead() throws {
    let bytes = [UInt8](
      "c2sp.org/tlog-proof@v1\nindex 0\n" + String(repeating: Self.hash, count: 63)
        + "\no\n1\n\(Self.hash)\n\u{2014} a AAAAAAA=\n")
    let proof = try Proof(parsing: bytes)
    #expect(proof.path.count == 63 && proof.leaf.isEmpty && proof.encode() == bytes)
    #expect(code { _ = try Proof(parsing: bytes + [UInt8](repeating: 10, count: 1 << 20)) } == .tooLarge)
  }

  /// The messages are for people: one sentence or two, and never a raw control character.
  @Test func messagesArePrintable() throws {
    let origin = "evil\u{1b}[31m"
    #expect(code { _ = try SignedNote(parsing: [UInt8]("\(origin)\n\n\u{2014} a AAAAAAA=\n")) } == .malformed)
    let proof = try Sample.proof(leaf: Sample.evidence().encode(), origin: "caf\u{e9}.example")
    do {
      _ = try Verifier.verify(proof: proof, policy: Sample.policy(), artifact: Sample.artifact)
      Issue.record("It must be refused")
    } catch let error as ProofError {
      #expect(error.message.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f } && error.message.contains("caf??.example"))
    }
  }
}

extension String {
  fileprivate func changing(_ old: String, to new: String) -> String { [UInt8](self).replacing(old, with: new).text }
}
