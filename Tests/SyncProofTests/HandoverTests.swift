import Foundation
import SyncProof
import Testing

/// The leaf and what one policy believes of it.
@Suite struct HandoverTests {
  private func result(_ proof: [UInt8], _ policy: Policy) -> ProofError.Code? {
    code { _ = try Verifier.verifyHandover(proof: proof, policy: policy) }
  }

  @Test func theSampleIsVerified() throws {
    let next = try Epoch.two.policy()
    let handover = try Epoch.one.handover(to: next)
    let proof = try Epoch.one.proof(of: handover.encode(), index: 12)
    let verified = try Verifier.verifyHandover(proof: proof.encode(), policy: Epoch.one.policy())
    #expect(verified.handover == handover && verified.handover.policy == next && verified.handover.epoch == 1)
    #expect(verified.index == 12 && verified.checkpoint.treeSize == 13)
    #expect(verified.approvers == ["bob", "cyd", "dee"])
    #expect(verified.cosigners.map { $0.name } == ["bob-cosigner", "cyd-cosigner", "dee-cosigner"])
    #expect(try Handover(parsing: handover.encode()) == handover)
    #expect(handover.policyDigest == SHA256.hash(next.encode()))
  }

  /// With no signature to spare, every byte of the file is authenticated.
  @Test(arguments: 0..<8) func everyFlippedBitIsRefused(_ position: Int) throws {
    let policy = try Epoch.one.policy()
    let bytes = try Epoch.one.handoverProof(to: Epoch.two.policy())
    #expect(result(bytes, policy) == nil)
    for bit in stride(from: position, to: bytes.count * 8, by: 8) {
      #expect(result(bytes.flipping(bit: bit), policy) != nil, "bit \(bit % 8) of byte \(bit / 8)")
    }
    for end in stride(from: position, to: bytes.count, by: 8) {
      #expect(result(Array(bytes[..<end]), policy) != nil, "cut at \(end)")
    }
  }

  /// The same for the leaf alone, in a log that its quorum signed: nothing but the builders' signatures holds it.
  @Test(arguments: 0..<8) func everyFlippedBitOfALoggedLeafIsRefused(_ position: Int) throws {
    let policy = try Epoch.one.policy()
    let leaf = try Epoch.one.handover(to: Epoch.two.policy()).encode()
    for bit in stride(from: position, to: leaf.count * 8, by: 8) {
      let proof = try Epoch.one.proof(of: leaf.flipping(bit: bit)).encode()
      #expect(result(proof, policy) != nil, "bit \(bit % 8) of byte \(bit / 8)")
    }
  }

  @Test func eachWayToFailHasItsCode() throws {
    let (old, new) = (try Epoch.one.policy(), try Epoch.two.policy())
    let leaf = try Epoch.one.handover(to: new).encode()
    func proof(_ logs: [String], _ cosigners: [String], origin: Text = Sample.origin) throws -> [UInt8] {
      try Sample.proof(leaf: leaf, origin: origin, logs: logs, cosigners: cosigners).encode()
    }
    #expect(result(try proof(["bob"], ["ada", "bob", "dee"]), old) == nil)
    #expect(result(try proof(["cyd"], ["ada", "bob", "dee"]), old) == .untrustedLog)
    #expect(result(try proof([], ["ada", "bob", "dee"]), old) == .untrustedLog)
    #expect(result(try proof(["bob"], ["ada", "bob", "dee"], origin: "other.example"), old) == .untrustedLog)
    #expect(result(try proof(["bob"], ["ada", "bob"]), old) == .quorumMissed)
    #expect(result(try proof(["bob"], []), old) == .quorumMissed)
    // The new set's log and cosigners, however many, are not those of the policy that is replaced.
    #expect(result(try proof(["cyd"], Epoch.two.members), old) == .untrustedLog)
    #expect(result(try proof(["bob"], ["cyd", "dee", "eve"]), old) == .quorumMissed)
    let good = try Epoch.one.proof(of: leaf)
    for (index, path) in [(4, good.path), (5, []), (.max, good.path)] as [(UInt64, [Digest])] {
      let moved = try Proof(leaf: leaf, index: index, path: path, note: good.note)
      #expect(result(moved.encode(), old) == .inclusionMismatch)
    }
    let bare = try Proof(leaf: [], index: 5, path: good.path, note: good.note)
    #expect(result(bare.encode(), old) == .inclusionMismatch)
    #expect(result(try Epoch.one.proof(of: []).encode(), old) == .notHandover)
    #expect(result(good.encode() + [0x0a], old) == .malformed)
  }

  @Test func onlyBuildersOfThePolicyThatIsReplacedCount() throws {
    let (old, new) = (try Epoch.one.policy(), try Epoch.two.policy())
    func signed(_ approvals: [HandoverApproval]) throws -> ProofError.Code? {
      let leaf = try Handover(group: Sample.origin, epoch: 1, policy: new, approvals: approvals).encode()
      return result(try Epoch.one.proof(of: leaf).encode(), old)
    }
    func approvals(_ members: [String]) -> [HandoverApproval] { members.map { Epoch.one.approval($0, of: new) } }
    #expect(try signed(approvals(["ada", "bob", "dee"])) == nil)
    #expect(try signed(approvals(["ada", "bob"])) == .reproducersMissed)
    // Two of the old set and all of the new: eve is nobody to the policy that is replaced.
    #expect(try signed(approvals(["bob", "cyd", "eve"])) == .reproducersMissed)
    #expect(try signed(approvals(Epoch.four.members)) == .reproducersMissed)
    // A stranger's line says nothing, whatever is in it.
    #expect(try signed(approvals(["ada", "bob", "dee", "zoe"])) == nil)
    let odd = HandoverApproval(builder: "zoe", signature: Signature(bytes: [UInt8](repeating: 0, count: 64))!)
    #expect(try signed(approvals(["ada", "bob", "dee"]) + [odd]) == nil)
    // A false line by somebody known spoils the whole, also where enough others signed.
    for (name, forged) in [
      ("another's key", Epoch.one.approval("cyd", of: new, key: "dee")),
      ("another epoch", Epoch.one.approval("cyd", of: new, epoch: 2)),
      ("another group", Epoch.one.approval("cyd", of: new, group: "other.example")),
      ("another policy", Epoch.one.approval("cyd", of: old)),
      ("another member's text", HandoverApproval(builder: "cyd", signature: approvals(["ada"])[0].signature)),
    ] {
      #expect(try signed(approvals(["ada", "bob", "dee"]) + [forged]) == .invalidSignature, "\(name)")
    }
    // A reveal is signed with the same key, and is no approval; nor is the text of another version.
    let reveal = try Sample.reveal("cyd", Sample.built()).signedBytes()
    for text in [reveal, new.encode(), SHA256.hash(new.encode()).bytes] {
      let forged = HandoverApproval(builder: "cyd", signature: Sample.key("cyd", "builder").sign(text))
      #expect(try signed(approvals(["ada", "bob", "dee"]) + [forged]) == .invalidSignature)
    }
    #expect(code { _ = try signed(approvals(["ada", "bob", "bob"])) } == .malformed)
    #expect(code { _ = try signed([]) } == .malformed)
  }

  /// A builder that changed its key stands in the policy with both, and still counts once.
  @Test func aBuilderWithTwoKeysCountsOnce() throws {
    let base = try Epoch.one.policy()
    let newer = try NoteKey(
      name: "ada.demo.synchronicity.example", kind: .ed25519, publicKey: SampleKey("a newer key").publicKey)
    func policy(_ threshold: Int) throws -> Policy {
      try Policy(
        logs: base.logs, witnesses: base.witnesses,
        builders: [PolicyBuilder(name: "ada-2", key: newer)] + base.builders,
        groups: [
          base.groups[0],
          PolicyGroup(name: "rebuilders", threshold: threshold, members: ["ada-2"] + base.builders.map { $0.name }),
        ], quorum: base.quorum, reproducers: "rebuilders")
    }
    let proof = try Epoch.one.handoverProof(to: Epoch.two.policy(), by: ["ada", "bob", "cyd"])
    #expect(result(proof, try policy(3)) == nil)
    #expect(result(proof, try policy(4)) == .reproducersMissed)
  }

  @Test func evidenceAndHandoversAreNotTakenForEachOther() throws {
    let policy = try Epoch.one.policy()
    let evidence = try Epoch.one.proof(of: Sample.evidence().encode()).encode()
    let handover = try Epoch.one.handoverProof(to: Epoch.two.policy())
    #expect(code { _ = try Verifier.verify(proof: evidence, policy: policy, artifact: Sample.artifact) } == nil)
    #expect(result(evidence, policy) == .notHandover)
    #expect(result(handover, policy) == nil)
    for digest in [Sample.artifact, SHA256.hash(try Epoch.two.policy().encode()), .zero] {
      #expect(code { _ = try Verifier.verify(proof: handover, policy: policy, artifact: digest) } == .notEvidence)
    }
    #expect(code { _ = try Verifier.inspect(proof: handover) } == .notEvidence)
    #expect(code { _ = try Evidence(parsing: Epoch.one.handover(to: policy).encode()) } == .unsupportedVersion)
    #expect(code { _ = try Handover(parsing: Sample.evidence().encode()) } == .unsupportedVersion)
  }

  private static let texts: [(String, ProofError.Code, @Sendable (String) -> String)] = [
    ("another version", .unsupportedVersion, { $0.changing("handover/v1", to: "handover/v2") }),
    ("a line before", .unsupportedVersion, { "\n" + $0 }),
    ("empty", .malformed, { _ in "" }),
    ("no group", .malformed, { $0.changing("group demo.synchronicity.example\nepoch", to: "epoch") }),
    ("a group that is no host", .malformed, { $0.changing("group demo.", to: "group Demo.") }),
    ("no epoch", .malformed, { $0.changing("epoch 1\n", to: "") }),
    ("epoch with a leading zero", .malformed, { $0.changing("epoch 1\n", to: "epoch 01\n") }),
    ("epoch with a sign", .malformed, { $0.changing("epoch 1\n", to: "epoch +1\n") }),
    ("the last epoch of all", .malformed, { $0.changing("epoch 1\n", to: "epoch 18446744073709551615\n") }),
    ("epoch of 65 bits", .malformed, { $0.changing("epoch 1\n", to: "epoch 18446744073709551616\n") }),
    ("carriage return", .malformed, { $0.changing("epoch 1\n", to: "epoch 1\r\n") }),
    ("two spaces", .malformed, { $0.changing("epoch 1\n", to: "epoch  1\n") }),
    ("one line fewer in the policy", .malformed, { $0.changing(" 14\nlog", to: " 13\nlog") }),
    ("one line more in the policy", .malformed, { $0.changing(" 14\nlog", to: " 15\nlog") }),
    ("no line in the policy", .malformed, { $0.changing(" 14\nlog", to: " 0\nlog") }),
    ("more lines than there can be", .malformed, { $0.changing(" 14\nlog", to: " 65536\nlog") }),
    ("lines with a leading zero", .malformed, { $0.changing(" 14\nlog", to: " 014\nlog") }),
    ("a field more", .malformed, { $0.changing(" 14\nlog", to: " 14 0\nlog") }),
    ("digest in upper case", .malformed, { uppercased($0) }),
    ("policy changed under its digest", .malformed, { $0.changing("group cosigners 3", to: "group cosigners 2") }),
    ("builder in two spaces", .malformed, { $0.changing("builder bob ", to: "builder  bob ", last: true) }),
    ("builder without signature", .malformed, { $0 + "builder zoe\n" }),
    ("builder with a field more", .malformed, { $0.dropLast() + " x\n" }),
    ("signature cut", .malformed, { $0.dropLast(5) + "\n" }),
    ("signature of 63 bytes", .malformed, { $0 + "builder zoe \(base64(63))\n" }),
    ("signature of 65 bytes", .malformed, { $0 + "builder zoe \(base64(65))\n" }),
    ("name that is none", .malformed, { $0 + "builder z.e \(base64(64))\n" }),
    ("out of order", .malformed, { $0 + "builder abe \(base64(64))\n" }),
    ("a builder twice", .malformed, { $0 + "builder dee \(base64(64))\n" }),
    ("no newline at the end", .malformed, { String($0.dropLast()) }),
    ("an empty line at the end", .malformed, { $0 + "\n" }),
    ("an absent builder", .malformed, { $0 + "absent zoe no-reveal\n" }),
    ("101 builders", .tooLarge, { $0 + (0..<98).map { "builder z\(100 + $0) \(base64(64))\n" }.joined() }),
    ("as large as no leaf", .tooLarge, { $0 + String(repeating: "builder\n", count: 8_192) }),
  ]

  private static func base64(_ count: Int) -> String { Data(repeating: 7, count: count).base64EncodedString() }

  private static func uppercased(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.hasPrefix("policy ") ? "policy " + $0.dropFirst(7).uppercased() : String($0) }.joined(separator: "\n")
  }

  @Test(arguments: texts.indices) func textIsStrict(_ row: Int) throws {
    let (name, wanted, change) = Self.texts[row]
    let bytes = try Epoch.one.handover(to: Epoch.two.policy()).encode()
    let changed = [UInt8](change(bytes.text))
    #expect(changed != bytes, "\(name)")
    #expect(code { _ = try Handover(parsing: changed) } == wanted, "\(name)")
    // Whatever is wrong, in a log it is no hand-over, and the byte at which reading stopped is one of the file.
    guard changed.count <= ProofLimits.leafBytesMax, !changed.isEmpty else { return }
    let proof = try Epoch.one.proof(of: changed).encode()
    do {
      _ = try Verifier.verifyHandover(proof: proof, policy: Epoch.one.policy())
      Issue.record("\(name) is accepted")
    } catch let error as ProofError {
      #expect(error.code == .notHandover, "\(name)")
      #expect((error.offset ?? 0) < proof.count, "\(name)")
      #expect(error.message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "\(name)")
    }
  }

  /// One value has one encoding: a policy in another form than the canonical one is refused, under its true digest.
  @Test func thePolicyIsCanonical() throws {
    let good = try Epoch.one.handover(to: Epoch.two.policy())
    func leaf(_ policy: String) -> [UInt8] {
      let lines = policy.utf8.filter { $0 == 0x0a }.count
      let head = "synchronicity-handover/v1\ngroup \(Sample.origin.string)\nepoch 1\n"
      let digest = SHA256.hash([UInt8](policy.utf8))
      return [UInt8]("\(head)policy \(digest) \(lines)\n\(policy)builder ada \(Self.base64(64))\n")
    }
    let text = good.policy.encode().text
    #expect(code { _ = try Handover(parsing: leaf(text)) } == nil)
    for (name, changed) in [
      ("a comment", "# a comment\n" + text), ("an empty line", text + "\n"),
      ("a tab", text.changing("quorum ", to: "quorum\t")), ("a space", text.changing("quorum ", to: "quorum  ")),
      ("another order", text.split(separator: "\n").sorted().map { "\($0)\n" }.joined()),
      ("a threshold in digits", text.changing("group rebuilders 3", to: "group rebuilders 4")),
    ] {
      #expect(code { _ = try Policy(parsing: [UInt8](changed)) } == nil || name == "another order", "\(name)")
      #expect(code { _ = try Handover(parsing: leaf(changed)) } != nil, "\(name)")
    }
    for (name, changed, wanted) in [
      ("no reproducers", text.changing("reproducers rebuilders\n", to: ""), ProofError.Code.invalidPolicy),
      ("a line of another kind", text + "epoch 2\n", .malformed),
      ("a key ID that is not the key's", text.changing("+8f34c01c+", to: "+8f34c01d+"), .invalidKey),
    ] where changed != text {
      #expect(code { _ = try Handover(parsing: leaf(changed)) } == wanted, "\(name)")
    }
  }

  /// Who trusts two groups gives neither a say in what the other's log or builders are.
  @Test func aGroupHandsOverItsOwnTrustAlone() throws {
    let base = try Epoch.two.policy()
    let foreignLog = try NoteKey(
      name: "other.example", kind: .ed25519, publicKey: Sample.key("ada", "log").publicKey)
    func foreignBuilder(_ name: String) throws -> NoteKey {
      try NoteKey(name: Text(name), kind: .ed25519, publicKey: Sample.key("ada", "builder").publicKey)
    }
    func handover(logs: [NoteKey] = [], builders: [NoteKey] = []) throws -> ProofError.Code? {
      let policy = try Policy(
        logs: base.logs + logs.map { PolicyLog(key: $0) }, witnesses: base.witnesses,
        builders: base.builders + builders.map { PolicyBuilder(name: "other", key: $0) }, groups: base.groups,
        quorum: base.quorum, reproducers: base.reproducers)
      return code { _ = try Epoch.one.handover(to: policy) }
    }
    #expect(try handover() == nil)
    #expect(try handover(builders: [foreignBuilder("ada.demo.synchronicity.example")]) == nil)
    #expect(try handover(logs: [foreignLog]) == .malformed)
    for name in [
      "ada.other.example", "demo.synchronicity.example", ".demo.synchronicity.example",
      "a.b.demo.synchronicity.example", "ada_demo.synchronicity.example", "ada.demo.synchronicity.example.evil",
    ] {
      #expect(try handover(builders: [foreignBuilder(name)]) == .malformed, "\(name)")
    }
  }

  /// A group of a hundred with names and addresses of ordinary length fits a leaf, all approvals included.
  @Test func aHundredMembersFit() throws {
    let members = (100..<200).map { "member\($0)" }
    let policy = try Epoch(number: 1, members: members).policy(quorum: 67, reproducers: 67)
    let leaf = try Epoch.one.handover(to: policy, by: members).encode()
    #expect(leaf.count <= ProofLimits.leafBytesMax)
    #expect(try Handover(parsing: leaf).approvals.count == 100)
    let long = (100..<200).map { String(repeating: "m", count: 61) + "\($0)" }
    let larger = try Epoch(number: 1, members: long).policy(quorum: 67, reproducers: 67)
    #expect(code { _ = try Epoch.one.handover(to: larger, by: long) } == .tooLarge)
  }
}

extension String {
  fileprivate func changing(_ old: String, to new: String, last: Bool = false) -> String {
    guard last, let range = range(of: old, options: .backwards) else {
      return [UInt8](utf8).replacing(old, with: new).text
    }
    return replacingCharacters(in: range, with: new)
  }
}
