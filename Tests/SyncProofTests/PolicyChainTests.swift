import SyncProof
import Testing

/// Following hand-overs, and what proofs hold by the chain.
@Suite struct PolicyChainTests {
  private func result(_ proof: Proof, _ chain: PolicyChain, _ artifact: Digest = Sample.artifact) -> ProofError.Code? {
    code { _ = try chain.verify(proof: proof.encode(), artifact: artifact) }
  }

  private func followed(_ proof: [UInt8], _ chain: PolicyChain) -> ProofError.Code? {
    var copy = chain
    let got = code { try copy.follow(proof: proof) }
    if got != nil { #expect(copy == chain, "a refused hand-over left something behind") }
    return got
  }

  @Test func proofsOfEveryEpochHoldForWhoTrustsTheFirstPolicyAlone() throws {
    let chain = try Epoch.chain()
    #expect(chain.epoch == 4 && chain.group == Sample.origin)
    #expect(chain.policies == (try Epoch.all.map { try $0.policy() }))
    #expect(chain.newest == (try Epoch.four.policy()))
    for epoch in Epoch.all {
      let proof = try epoch.proof(of: epoch.evidence().encode())
      let verification = try chain.verify(proof: proof.encode(), artifact: Sample.artifact)
      #expect(verification.reproducers == epoch.signers.map { Text($0) })
      #expect(verification.cosigners.map { $0.name } == epoch.signers.map { Text("\($0)-cosigner") })
      #expect(verification == (try Verifier.verify(proof: proof, policy: epoch.policy(), artifact: Sample.artifact)))
      #expect(try chain.verifyAnyArtifact(inspected: Verifier.inspect(proof: proof.encode())).artifact == nil)
      // Beside each that is accepted: another artifact, and who follows less far.
      #expect(result(proof, chain, .zero) == .artifactMismatch)
      for shorter in 1..<epoch.number {
        let refused = result(proof, try Epoch.chain(Array(Epoch.all.prefix(Int(shorter)))))
        #expect(refused == .untrustedLog || refused == .quorumMissed, "epoch \(epoch.number) by \(shorter) policies")
      }
    }
  }

  @Test func withoutHandoversItIsThePolicy() throws {
    for anchor in [nil, 1, 7] as [UInt64?] {
      let chain = PolicyChain(try Sample.policy(), epoch: anchor)
      #expect(result(try Sample.proof(), chain) == nil)
      #expect(result(try Sample.proof(cosigners: ["ada", "bob"]), chain) == .quorumMissed)
      let later = try Epoch.one.proof(of: Epoch.one.evidence(epoch: 9).encode())
      #expect(result(later, chain) == nil)
    }
  }

  /// The log goes on, and its heads are the later epochs' alone: they vouch for its older leaves too.
  @Test func anOldLeafHoldsUnderALaterHead() throws {
    let chain = try Epoch.chain()
    for (i, epoch) in Epoch.all.enumerated() {
      let leaf = try epoch.evidence().encode()
      for (j, head) in Epoch.all.enumerated() {
        let got = result(try head.proof(of: leaf), chain)
        // Not under an earlier one: who has handed over does not say what comes after.
        #expect(j >= i ? got == nil : got != nil, "evidence of \(epoch.number) under a head of \(head.number)")
      }
    }
  }

  @Test func whoHasHandedOverHasNoSayInLaterEpochs() throws {
    let chain = try Epoch.chain()
    // The first epoch's builders rebuild in the name of the third, under their own head and under the third's.
    let usurped = try Epoch.one.evidence(epoch: 3).encode()
    #expect(result(try Epoch.one.proof(of: usurped), chain) != nil)
    #expect(result(try Epoch.three.proof(of: usurped), chain) == .reproducersMissed)
    // And the new ones none in earlier epochs.
    let backdated = try Epoch.four.evidence(epoch: 1).encode()
    #expect(result(try Epoch.four.proof(of: backdated), chain) == .reproducersMissed)
    #expect(result(try Epoch.one.proof(of: backdated), chain) == .reproducersMissed)
    // Epochs that no hand-over speaks of are the nearest policy's.
    #expect(result(try Epoch.one.proof(of: Epoch.one.evidence(epoch: 0).encode()), chain) == nil)
    #expect(result(try Epoch.four.proof(of: Epoch.four.evidence(epoch: 9).encode()), chain) == nil)
    #expect(result(try Epoch.four.proof(of: Epoch.three.evidence(epoch: 9).encode()), chain) == .reproducersMissed)
  }

  @Test func signaturesUnderAChainAreThoseUnderItsPolicies() throws {
    let chain = try Epoch.chain([.one, .two])
    let proof = try Epoch.two.proof(of: Epoch.two.evidence().encode())
    for i in proof.note.signatures.indices {
      var signatures = proof.note.signatures
      let line = signatures[i]
      signatures[i] = NoteSignature(
        name: line.name, keyID: line.keyID, blob: line.blob.flipping(bit: 8 * line.blob.count - 9))
      let note = try SignedNote(text: proof.note.text, signatures: signatures)
      let changed = try Proof(leaf: proof.leaf, index: proof.index, path: proof.path, note: note)
      #expect(result(changed, chain) == .invalidSignature, "line \(i)")
    }
    let forged = try Epoch.two.evidence(by: ["bob", "cyd", "eve"]).encode()
    #expect(result(try Epoch.two.proof(of: forged), chain) == nil)
    #expect(result(try Epoch.two.proof(of: forged.replacing("builder bob", with: "builder dee")), chain) != nil)
    let bytes = proof.encode()
    for bit in stride(from: 0, to: bytes.count * 8, by: 7) {
      let flipped = bytes.flipping(bit: bit)
      #expect(code { _ = try chain.verify(proof: flipped, artifact: Sample.artifact) } != nil, "bit \(bit)")
    }
  }

  @Test func epochsComeOneAfterAnother() throws {
    let proofs = try Epoch.handovers()
    let start = PolicyChain(try Epoch.one.policy(), epoch: 1)
    var chain = start
    #expect(followed(proofs[1], start) == .wrongEpoch)
    #expect(followed(proofs[0], start) == nil)
    try chain.follow(proof: proofs[0])
    #expect(followed(proofs[0], chain) == .wrongEpoch)
    #expect(followed(proofs[2], chain) == .wrongEpoch)
    #expect(followed(proofs[1], chain) == nil)
    try chain.follow(proof: proofs[1])
    #expect(followed(proofs[0], chain) == .wrongEpoch && followed(proofs[1], chain) == .wrongEpoch)
    #expect(followed(proofs[2], chain) == nil)
    // One epoch left out, by those who had the say then: the number alone stands against it.
    var second = PolicyChain(try Epoch.one.policy(), epoch: 1)
    try second.follow(proof: proofs[0])
    let skipping = try Epoch.two.handoverProof(to: Epoch.four.policy(), epoch: 3)
    #expect(followed(skipping, second) == .wrongEpoch)
    #expect(followed(try Epoch.two.handoverProof(to: Epoch.four.policy()), second) == nil)
    // The first is held to its epoch as well, and who does not know it follows none.
    for wrong in [nil, 0, 2, .max] as [UInt64?] {
      #expect(followed(proofs[0], PolicyChain(try Epoch.one.policy(), epoch: wrong)) == .wrongEpoch)
    }
    var told = PolicyChain(try Epoch.one.policy())
    #expect(code { try told.follow(proof: proofs[0], endingEpoch: 0) } == .wrongEpoch && told.epoch == nil)
    try told.follow(proof: proofs[0], endingEpoch: 1)
    #expect(code { try told.follow(proof: proofs[1], endingEpoch: 1) } == .wrongEpoch && told.epoch == 2)
    try told.follow(proof: proofs[1], endingEpoch: 2)
    #expect(told.policies == Array(try Epoch.chain().policies.prefix(3)) && told.epoch == 3)
  }

  /// Each is checked by the policy before it. The next one's builders and cosigners may be as many as they like.
  @Test func theNextSetCannotHandOverToItself() throws {
    let start = PolicyChain(try Epoch.one.policy(), epoch: 1)
    let next = try Epoch.four.policy()
    let byNext = try Epoch.four.handover(to: next, by: Epoch.four.members, epoch: 1).encode()
    #expect(followed(try Epoch.four.proof(of: byNext).encode(), start) == .untrustedLog)
    #expect(followed(try Epoch.one.proof(of: byNext).encode(), start) == .reproducersMissed)
    let byOld = try Epoch.one.handover(to: next).encode()
    #expect(followed(try Epoch.four.proof(of: byOld).encode(), start) == .untrustedLog)
    #expect(followed(try Epoch.one.proof(of: byOld).encode(), start) == nil)
    // The same in the middle of a chain, with a set that shares members with the one before.
    let chain = try Epoch.chain([.one, .two])
    let third = try Epoch.three.policy()
    let early = try Epoch.three.handover(to: third, epoch: 2).encode()
    #expect(followed(try Epoch.two.proof(of: early).encode(), chain) == .reproducersMissed)
    let late = try Epoch.one.handover(to: third, by: ["ada", "bob", "cyd"], epoch: 2).encode()
    #expect(followed(try Epoch.two.proof(of: late).encode(), chain) == .reproducersMissed)
    let leaf = try Epoch.two.handover(to: third).encode()
    #expect(followed(try Epoch.one.proof(of: leaf).encode(), chain) == .untrustedLog)
    let halfOld = try Sample.proof(leaf: leaf, logs: ["cyd"], cosigners: ["ada", "bob", "cyd"])
    #expect(followed(halfOld.encode(), chain) == .quorumMissed)
    #expect(followed(try Epoch.two.handoverProof(to: third), chain) == nil)
  }

  /// A group that goes back to an earlier membership: the hand-over that followed it then does not follow it now, for
  /// who knows the epoch.
  @Test func anOldHandoverIsNotReplayed() throws {
    let back = Epoch(number: 3, members: Epoch.one.members)
    let chain = try Epoch.chain([.one, .two, back])
    #expect(chain.newest == (try Epoch.one.policy()) && chain.epoch == 3)
    let old = try Epoch.one.handoverProof(to: Epoch.two.policy())
    #expect(followed(old, chain) == .wrongEpoch)
    #expect(followed(old, PolicyChain(chain.newest, epoch: chain.epoch)) == .wrongEpoch)
    #expect(followed(try back.handoverProof(to: Epoch.four.policy()), chain) == nil)
    // Nothing in the policy itself tells its third epoch from its first.
    #expect(followed(old, PolicyChain(chain.newest)) == .wrongEpoch)
    #expect(followed(old, PolicyChain(chain.newest, epoch: 1)) == nil)
  }

  /// Most builders stay from epoch to epoch: under a later policy the hand-over to one who was expelled holds by its
  /// signatures. Its epoch alone refuses it.
  @Test func anExpelledMemberDoesNotComeBack() throws {
    let expelled = Epoch(number: 2, members: ["ada", "bob", "cyd", "eve"])
    let now = Epoch(number: 3, members: ["ada", "bob", "cyd", "fay"])
    let leaf = try Epoch.one.handover(to: expelled.policy(), by: ["ada", "bob", "cyd"]).encode()
    let old = try now.proof(of: leaf).encode()
    #expect(followed(old, PolicyChain(try now.policy(), epoch: 1)) == nil, "the attack is none without the epoch")
    #expect(followed(old, PolicyChain(try now.policy(), epoch: 3)) == .wrongEpoch)
    #expect(followed(old, PolicyChain(try now.policy())) == .wrongEpoch)
  }

  @Test func twoHandoversOfOneEpochAreToldOf() throws {
    let chain = try Epoch.chain([.one, .two, .three])
    func message(_ proof: [UInt8]) -> String {
      var copy = chain
      do throws(ProofError) { try copy.follow(proof: proof) } catch { return error.message }
      return ""
    }
    let fork = try Epoch.one.handoverProof(to: Epoch.four.policy())
    #expect(followed(fork, chain) == .wrongEpoch && message(fork).contains("a second hand-over of epoch 1"))
    // The same one again, and one to the same policy by others, are nothing of that kind.
    let again = try Epoch.one.handoverProof(to: Epoch.two.policy(), by: ["ada", "bob", "dee"])
    #expect(followed(again, chain) == .wrongEpoch && message(again).contains("followed before"))
    // Nor is one that the builders of that epoch did not sign: an accusation must hold.
    let slander = try Epoch.one.proof(of: Epoch.four.handover(to: Epoch.four.policy(), epoch: 1).encode()).encode()
    #expect(followed(slander, chain) == .reproducersMissed)
  }

  /// Who trusts two groups: each group's hand-overs are its own, and the other's proofs go on as they did.
  @Test func anotherGroupsProofsHoldByTheFirstPolicy() throws {
    let base = try Epoch.one.policy()
    let other: Text = "other.example"
    let logKey = try NoteKey(name: other, kind: .ed25519, publicKey: SampleKey("other log").publicKey)
    let builderKey = try NoteKey(
      name: "ada.other.example", kind: .ed25519, publicKey: SampleKey("other builder").publicKey)
    let both = try Policy(
      logs: base.logs + [PolicyLog(key: logKey)], witnesses: base.witnesses,
      builders: base.builders + [PolicyBuilder(name: "other", key: builderKey)],
      groups: base.groups + [PolicyGroup(name: "either", threshold: 1, members: ["rebuilders", "other"])],
      quorum: base.quorum, reproducers: "either")
    let reveal = try Reveal(
      group: other, job: Sample.spec().jobID, builder: "ada", outcome: Sample.built(),
      nonce: [UInt8](repeating: 1, count: 32),
      statement: BuilderStatement(sandbox: "chroot/0.1", processor: "A CPU", kernel: "Linux 6.1.0"))
    let evidence = try Evidence(
      group: other, epoch: 900, height: 1, timeMilliseconds: 1, submitter: "ada", reproducers: 1, spec: Sample.spec(),
      reports: [.revealed(reveal, SampleKey("other builder").sign(reveal.signedBytes()))])
    let body = try Sample.proof(leaf: evidence.encode(), origin: other, logs: [])
    let note = try SignedNote(
      text: body.note.text,
      signatures: [NoteSignature(key: logKey, signature: SampleKey("other log").sign(body.note.text))]
        + body.note.signatures)
    let proof = try Proof(leaf: body.leaf, index: body.index, path: body.path, note: note)

    var chain = PolicyChain(both, epoch: 1)
    #expect(result(proof, chain) == nil)
    for handover in try Epoch.handovers() { try chain.follow(proof: handover) }
    #expect(result(proof, chain) == nil)
    #expect(result(proof, chain, .zero) == .artifactMismatch)
    // The group's own proofs are by its chain, the other group's policies know nothing of it.
    #expect(result(try Epoch.four.proof(of: Epoch.four.evidence().encode()), chain) == nil)
    #expect(result(proof, PolicyChain(chain.newest)) == .untrustedLog)
  }

  @Test func aChainIsBounded() throws {
    // Two memberships in turn, so that each hand-over is made once for its epoch.
    let sets = [Epoch.one.members, Epoch.two.members]
    func epoch(_ number: Int) -> Epoch { Epoch(number: UInt64(number), members: sets[number % 2]) }
    var chain = PolicyChain(try epoch(0).policy(), epoch: 0)
    for number in 0..<ProofLimits.handoversMax {
      try chain.follow(proof: epoch(number).handoverProof(to: epoch(number + 1).policy()))
    }
    #expect(chain.epoch == 1_024 && chain.policies.count == 1_025)
    let more = try epoch(1_024).handoverProof(to: epoch(1_025).policy())
    #expect(followed(more, chain) == .wrongEpoch)
    #expect(followed(more, PolicyChain(chain.newest, epoch: chain.epoch)) == nil)
    let padded = [UInt8](repeating: 0x0a, count: ProofLimits.proofBytesMax + 1)
    #expect(followed(padded, PolicyChain(chain.newest)) == .tooLarge)
    // The ends of the numbers: no epoch comes after the last.
    let last = Epoch(number: .max - 1, members: Epoch.one.members)
    var ending = PolicyChain(try last.policy(), epoch: .max - 1)
    try ending.follow(proof: last.handoverProof(to: Epoch.two.policy()))
    #expect(ending.epoch == .max)
    #expect(result(try Epoch.two.proof(of: Epoch.two.evidence(epoch: .max).encode()), ending) == nil)
    #expect(result(try Epoch.one.proof(of: Epoch.one.evidence(epoch: 0).encode()), ending) == nil)
    #expect(code { _ = try Epoch.one.handover(to: Epoch.two.policy(), epoch: .max) } == .malformed)
  }
}
