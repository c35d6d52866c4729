import SyncProof
import Testing

/// Where an error says that reading stopped: always a byte of the file that was given, however deep the text stands
/// in which the fault is.
@Suite struct OffsetTests {
  private func error(of body: () throws -> Void) -> ProofError? {
    do { try body() } catch { return error as? ProofError }
    return nil
  }

  private func place(of text: String, in bytes: [UInt8]) throws -> Int {
    let wanted = [UInt8](text.utf8)
    return try #require((0...bytes.count - wanted.count).first { bytes[$0...].starts(with: wanted) }, "\(text)")
  }

  /// What is changed in the file, and the text at which the changed file is refused.
  private static let files: [(name: String, old: String, new: String, stop: String)] = [
    ("the proof's own line", "index 5", "index 05", "index 05"),
    ("the first line", "proof@v1", "proof@v2", "c2sp"),
    ("the base64 of the leaf", "extra c", "extra -", "extra -"),
    ("the checkpoint's origin", "\n\ndemo", "\n\n\ndemo", "\ndemo.synchronicity.example\n13"),
    ("the checkpoint's size", "\n13\n", "\n013\n", "013\n"),
    ("the checkpoint's root", "\n13\n", "\n13\nA\n", "A\n"),
    ("an extension line", "\n\n\u{2014} demo", "\n\n\n\u{2014} demo", "\n\n\u{2014} demo"),
    ("a signature line", "\u{2014} bob", "- bob", "- bob"),
    ("a control character in the note", "\u{2014} bob", "\u{2014} b\u{1}ob", "\u{1}ob"),
  ]

  @Test(arguments: files.indices) func textsInTheFile(_ row: Int) throws {
    let (name, old, new, stop) = Self.files[row]
    let good = try Sample.proof().encode()
    let bad = good.replacing(old, with: new)
    #expect(bad != good, "\(name)")
    let refusal = error { _ = try Verifier.inspect(proof: bad) }
    #expect(refusal?.offset == (try place(of: stop, in: bad)), "\(name): \(refusal?.message ?? "accepted")")
  }

  /// What is changed in the leaf, and the text at which the changed leaf is refused; the proof is made anew over it.
  private static let leaves: [(name: String, old: String, new: String, stop: String)] = [
    ("the first line", "evidence/v1", "evidence/v2", "synchronicity-evidence/v2"),
    ("a line of the evidence", "epoch 1", "epoch 01", "epoch 01"),
    ("the spec's first line", "spec/v1", "spec/v2", "synchronicity-spec/v2"),
    ("a line of the spec", "profile release", "profil release", "profil "),
    ("a source of the spec", "pkg:cargo/ryu@1.0.2 ", "pkg:cargo/ryu@1.0.2 0", "source pkg:cargo/ryu"),
    ("the outcome's first line", "outcome/v1", "outcome/v2", "synchronicity-outcome/v2"),
    ("a line of the outcome", "artifact 0644 4096 ", "artifact 0644 04096 ", "artifact 0644 04096 "),
    ("an absent builder", "absent cyd no-reveal", "absent cyd no-revel", "absent"),
    ("a builder", "builder dee 0", "builder dee 1", "builder dee"),
    ("a builder's statement", "CPU of dee", "CPU | dee", "builder dee"),
  ]

  @Test(arguments: leaves.indices) func textsInTheLeaf(_ row: Int) throws {
    let (name, old, new, stop) = Self.leaves[row]
    let good = try Sample.evidence().encode()
    let leaf = good.replacing(old, with: new)
    #expect(leaf != good, "\(name)")
    let file = try Sample.proof(leaf: leaf).encode()
    let refusal = error { _ = try Verifier.inspect(proof: file) }
    #expect(refusal?.code == .notEvidence, "\(name)")
    let offset = try #require(refusal?.offset, "\(name): \(refusal?.message ?? "accepted")")
    let group = try #require(Base64.decode(Array(file[offset..<offset + 4])))
    let byte = try place(of: stop, in: leaf)
    #expect(group == Array(leaf[byte / 3 * 3..<min(byte / 3 * 3 + 3, leaf.count)]), "\(name): \(offset)")
    #expect(offset == 29 + byte / 3 * 4, "\(name)")
    let verified = error {
      _ = try Verifier.verify(proof: file, policy: Sample.policy(), artifact: Sample.artifact)
    }
    #expect(verified?.offset == offset, "\(name)")
  }

  @Test func aMissingLeafIsMissedBehindTheFirstLine() throws {
    let file = try Sample.proof(leaf: []).encode()
    let refusal = error { _ = try Verifier.inspect(proof: file) }
    #expect(refusal?.code == .notEvidence)
    #expect(refusal?.offset == (try place(of: "index 5", in: file)))
  }

  /// What is wrong with no byte in particular has no offset.
  @Test func refusalsOfTheWholeHaveNone() throws {
    let good = try Sample.proof()
    let moved = try Proof(leaf: good.leaf, index: 4, path: good.path, note: good.note)
    let refusal = error { _ = try Verifier.verify(proof: moved, policy: Sample.policy(), artifact: Sample.artifact) }
    #expect(refusal?.code == .inclusionMismatch && refusal?.offset == nil)
  }

  @Test func aPolicysKeysHaveTheirLines() throws {
    let policy = try Sample.policy().encode()
    let bad = policy.replacing("builder dee dee", with: "builder dee +dee")
    let refusal = error { _ = try Policy(parsing: bad) }
    #expect(refusal?.code == .invalidKey)
    #expect(refusal?.offset == (try place(of: "builder dee +", in: bad)))
  }

  /// A leaf that the path does not lead to is not the log's, whatever it says: the same code with and without looking
  /// into it first.
  @Test func openingAndVerifyingRefuseAlike() throws {
    let good = try Sample.proof()
    let policy = try Sample.policy()
    for bit in stride(from: 0, to: good.leaf.count * 8, by: 37) {
      let changed = try Proof(
        leaf: good.leaf.flipping(bit: bit), index: good.index, path: good.path, note: good.note
      )
      .encode()
      let wanted = code { _ = try Verifier.verify(proof: changed, policy: policy, artifact: Sample.artifact) }
      #expect(wanted == .inclusionMismatch)
      let got = code {
        let opened = try Verifier.inspect(proof: changed)
        _ = try Verifier.verify(inspected: opened, policy: policy, artifact: Sample.artifact)
      }
      #expect(got == wanted, "bit \(bit)")
    }
  }

  @Test func indicesNameTheLinesThatCount() throws {
    let proof = try Sample.proof(leaf: Sample.evidence().encode(), logs: ["cyd", "ada"], cosigners: Sample.members)
    let got = try Verifier.verify(proof: proof, policy: Sample.policy(), artifact: Sample.artifact)
    #expect(got.reproducerIndices == [0, 1, 3])
    #expect(got.reproducerIndices.map { got.evidence.builders[$0].name } == ["ada", "bob", "dee"])
    #expect(got.cosigners.map { $0.signatureIndex } == [2, 3, 4, 5])
    for cosigner in got.cosigners {
      let line = proof.note.signatures[cosigner.signatureIndex]
      #expect(cosigner.name == Text("\(line.name.string.prefix(3))-cosigner"))
    }
  }
}
