import Foundation
import SyncProof
import Testing

/// Tests/Vectors through the Swift product. Other forms of the verifier run the same in `scripts/check-forms`.
@Suite struct CorpusTests {
  private static let folder = Vectors.packageRoot.appending(path: "Tests/Vectors")

  private struct Row: CustomTestStringConvertible {
    let fields: [String]
    var testDescription: String { fields[0] }
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: path)))
  }

  /// The rows of a table, whose fields tabs divide; the first line names the columns.
  private static func rows(_ table: String, fields count: Int) throws -> [Row] {
    let lines = try bytes(table).text.split(separator: "\n", omittingEmptySubsequences: false)
    try #require(lines.first?.hasPrefix("# ") == true && lines.last == "")
    return try lines.dropFirst().dropLast().map { line in
      let row = Row(fields: line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
      try #require(row.fields.count == count, "\(line)")
      return row
    }
  }

  @Test func everyCaseHasItsStatus() throws {
    var accepted = 0
    var refused: Set<String> = []
    var statuses: Set<Int32> = []
    var policies: [String: [UInt8]] = [:]
    for row in try Self.rows("cases.tsv", fields: 6) {
      let (name, policyPath, proofPath) = (row.fields[0], row.fields[1], row.fields[2])
      let policy = try policies[policyPath] ?? Self.bytes(policyPath)
      policies[policyPath] = policy
      let proof = try Self.bytes(proofPath)
      let digest = try #require(Digest(hex: row.fields[3]))
      let wanted = try #require(Int32(row.fields[4]))
      let got = code {
        let result = try Verifier.verify(proof: proof, policy: Policy(parsing: policy), artifact: digest)
        #expect(result.artifact?.sha256 == digest, "\(name)")
      }
      #expect((got?.rawValue ?? 0) == wanted, "\(name): \(row.fields[5])")
      statuses.insert(wanted)
      if wanted == 0 {
        accepted += 1
        #expect(try Proof(parsing: proof).encode() == proof, "\(name)")
        let parsed = try Policy(parsing: policy)
        #expect(try Policy(parsing: parsed.encode()) == parsed, "\(name)")
      } else {
        refused.insert(proofPath)
      }
    }
    #expect(accepted >= 50 && refused.count >= 200)
    // Every code that a verification can end with: 5 is of consistency proofs, 18 of specs outside of evidence.
    #expect(statuses == Set((0...17).filter { $0 != 5 }))
  }

  /// Whatever can be read, accepted or not, is written back byte by byte.
  @Test func whatIsReadIsCanonical() throws {
    let paths = try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: "proofs").path)
    for path in paths {
      let bytes = try Self.bytes("proofs/\(path)")
      guard let proof = try? Proof(parsing: bytes) else { continue }
      #expect(proof.encode() == bytes, "\(path)")
      guard let evidence = try? Evidence(parsing: proof.leaf) else { continue }
      #expect(evidence.encode() == proof.leaf, "\(path)")
    }
  }

  @Test func everyAcceptedProofIsDescribed() throws {
    let accepted = try Self.rows("cases.tsv", fields: 6).filter { $0.fields[4] == "0" }
    let proofs = Set(accepted.map { $0.fields[2] })
    for path in proofs.sorted() {
      let name = String(path.dropFirst("proofs/".count).dropLast(".tlog-proof".count))
      let inspection = try Verifier.inspect(proof: Self.bytes(path))
      #expect(CorpusDescription(inspection).text == (try Self.bytes("described/\(name).txt").text), "\(name)")
    }
    let described = try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: "described").path)
    #expect(described.count == proofs.count && proofs.count >= 40)
  }

  @Test func everyEmbeddedProofIsFound() throws {
    let rows = try Self.rows("embedded.tsv", fields: 7)
    #expect(rows.count >= 40)
    for row in rows {
      let file = try Self.bytes(row.fields[1])
      let numbers = try row.fields[2...].map { try #require(UInt64($0)) }
      var found: EmbeddedProof?
      let got = code {
        found = try EmbeddedProof.find(
          head: file.prefix(EmbeddedProof.headBytes), tail: file.suffix(EmbeddedProof.tailBytes),
          fileSize: UInt64(file.count))
      }
      #expect((got?.rawValue ?? 0) == Int32(numbers[4]), "\(row.fields[0])")
      guard let found else { continue }
      #expect(UInt64(found.form.rawValue) == numbers[0] && found.contentSize == numbers[1], "\(row.fields[0])")
      #expect(found.proofOffset == numbers[2] && UInt64(found.proofSize) == numbers[3], "\(row.fields[0])")
      guard found.form != .none else { continue }
      let content = Array(file[..<Int(found.contentSize)])
      let proof = Array(file[Int(found.proofOffset)...].prefix(found.proofSize))
      _ = try Verifier.verify(
        proof: proof, policy: Policy(parsing: Self.bytes("policies/four.policy")), artifact: SHA256.hash(content))
      let region = try EmbeddedProof.region(
        for: proof, contentHead: Array(content.prefix(EmbeddedProof.headBytes)), contentEnd: Array(content.suffix(16)),
        contentSize: found.contentSize)
      #expect(content + region == file, "\(row.fields[0])")
    }
  }

  /// A policy is followed through hand-overs, and a proof is verified by what they lead to.
  @Test func everyRowOfHandoversHasItsStatus() throws {
    var accepted = 0
    var statuses: Set<Int32> = []
    let rows = try Self.rows("handovers.tsv", fields: 8)
    for row in rows {
      let name = row.fields[0]
      let wanted = try #require(Int32(row.fields[6]))
      let paths = row.fields[3] == "-" ? [] : row.fields[3].split(separator: " ").map(String.init)
      let epoch = UInt64(row.fields[2])
      try #require((epoch == nil) == paths.isEmpty, "\(name)")
      let handovers = try paths.map { try Self.bytes($0) }
      let proof = try row.fields[4] == "-" ? nil : Self.bytes(row.fields[4])
      let digest = Digest(hex: row.fields[5])
      try #require((proof == nil) == (digest == nil), "\(name)")
      var chain = PolicyChain(try Policy(parsing: Self.bytes(row.fields[1])), epoch: epoch)
      let got = code {
        for handover in handovers {
          let verified = try chain.follow(proof: handover)
          #expect(verified.handover.policy == chain.newest, "\(name)")
        }
        guard let proof, let digest else { return }
        let result = try chain.verify(proof: proof, artifact: digest)
        #expect(result.artifact?.sha256 == digest, "\(name)")
      }
      #expect((got?.rawValue ?? 0) == wanted, "\(name): \(row.fields[7])")
      statuses.insert(wanted)
      if wanted == 0 { accepted += 1 }
    }
    #expect(accepted >= 60 && rows.count - accepted >= 200)
    // Every code that following can end with, and those of proofs by the chain.
    #expect(statuses == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 19, 20])
  }

  /// Hand-overs that are accepted are written back byte by byte.
  @Test func handoversAreCanonical() throws {
    var count = 0
    for row in try Self.rows("handovers.tsv", fields: 8) where row.fields[6] == "0" && row.fields[3] != "-" {
      for path in row.fields[3].split(separator: " ") {
        let proof = try Proof(parsing: Self.bytes(String(path)))
        #expect(try Handover(parsing: proof.leaf).encode() == proof.leaf, "\(path)")
        count += 1
      }
    }
    #expect(count >= 60)
  }

  /// Files of the largest size hold, and one byte more is refused: too large to be kept among the vectors.
  @Test func theLargestFilesAreTaken() throws {
    let row = try #require(try Self.rows("cases.tsv", fields: 6).first { $0.fields[0] == "lone" })
    let (policy, proof) = (try Self.bytes(row.fields[1]), try Self.bytes(row.fields[2]))
    let digest = try #require(Digest(hex: row.fields[3]))
    func result(_ policy: [UInt8], _ proof: [UInt8]) -> ProofError.Code? {
      code { _ = try Verifier.verify(proof: proof, policy: Policy(parsing: policy), artifact: digest) }
    }
    let most = ProofLimits.policyBytesMax
    let comment = [UInt8]("#") + [UInt8](repeating: 0x78, count: most - policy.count - 2) + [0x0a]
    #expect(result(policy + comment, proof) == nil && policy.count + comment.count == most)
    #expect(result(policy + comment + [0x0a], proof) == .tooLarge)

    let room = ProofLimits.proofBytesMax - proof.count - 6
    let line =
      [UInt8]("\u{2014} ") + [UInt8](repeating: 0x6e, count: 4 + room % 4) + [0x20]
      + [UInt8](repeating: 0x41, count: room / 4 * 4 - 4) + [0x0a]
    #expect(result(policy, proof + line) == nil && proof.count + line.count == ProofLimits.proofBytesMax)
    #expect(result(policy, proof + Array(line[..<4]) + [0x6e] + Array(line[4...])) == .tooLarge)

    for (size, isTaken) in [(ProofLimits.proofBytesMax, true), (ProofLimits.proofBytesMax + 1, false)] {
      let length = (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * $0)) }
      let content = EmbeddedProofTests.elf + [UInt8]("end")
      let file = content + [UInt8](repeating: 0x70, count: size) + length + EmbeddedProof.mark
      let got = code {
        let found = try EmbeddedProof.find(
          head: file.prefix(EmbeddedProof.headBytes), tail: file.suffix(EmbeddedProof.tailBytes),
          fileSize: UInt64(file.count))
        #expect(found.contentSize == 7 && found.proofSize == size)
      }
      #expect(got == (isTaken ? nil : .malformed))
    }
  }

  @Test func artifactsAreNamedByTheirDigests() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: "artifacts").path)
    for name in names { #expect(SHA256.hash(try Self.bytes("artifacts/\(name)")).hex == name) }
    let asked = try Self.rows("cases.tsv", fields: 6).filter { $0.fields[4] == "0" }.map { $0.fields[3] }
    #expect(Set(names) == Set(asked))
  }
}

/// The listing in `described/`: a line for each field of the C structs, in their order.
private struct CorpusDescription {
  private(set) var text = ""

  init(_ inspection: Inspection) {
    let (proof, evidence) = (inspection.proof, inspection.evidence)
    let package = evidence.spec.package.string
    let path = package.split(separator: "/", maxSplits: 1).last ?? ""
    let at = path.lastIndex(of: "@") ?? path.endIndex
    add("log_origin", proof.checkpoint.origin.string)
    add("package", package)
    add("package_name", String(path[..<at]))
    add("package_version", evidence.spec.root?.version.string ?? "")
    add("submitter", evidence.submitter.string)
    add("job_id", evidence.jobID.hex)
    add("source_sha256", evidence.spec.root?.tree.hex ?? "")
    add("toolchain_sha256", evidence.spec.toolchain.hex)
    add("leaf_index", proof.index)
    add("tree_size", proof.checkpoint.treeSize)
    add("epoch", evidence.epoch)
    add("height", evidence.height)
    add("time_milliseconds", evidence.timeMilliseconds)
    add("verdict", number(evidence.verdict))
    add("agreeing", evidence.agreeing)
    add("reproducers", evidence.reproducers)
    add("builder_count", evidence.builders.count)
    add("artifact_count", evidence.artifacts.count)
    add("source_count", evidence.spec.sources.count)
    add("signature_count", proof.note.signatures.count)
    add("outcome_count", evidence.outcomes.count)
    for (i, line) in evidence.builders.enumerated() { addBuilder(i, line, evidence) }
    for (i, artifact) in evidence.artifacts.enumerated() {
      add("artifact.\(i).path", artifact.path.string)
      add("artifact.\(i).size", artifact.size)
      add("artifact.\(i).mode", artifact.mode)
      add("artifact.\(i).sha256", artifact.sha256.hex)
    }
    for (i, source) in evidence.spec.sources.enumerated() {
      add("source.\(i).package", source.purl.string)
      add("source.\(i).origin", source.origin.string)
      add("source.\(i).tree_sha256", source.tree.hex)
      add("source.\(i).claimed_sha256", (source.claim ?? .zero).hex)
      add("source.\(i).has_claim", source.claim == nil ? 0 : 1)
    }
    for (i, signature) in proof.note.signatures.enumerated() { addSignature(i, signature) }
  }

  private mutating func addBuilder(_ i: Int, _ line: BuilderLine, _ evidence: Evidence) {
    var (state, statement) = (1, ["", "", ""])
    switch line {
    case .absent(_, .noCommitment): state = 2
    case .absent(_, .noReveal): state = 3
    case .absent(_, .wrongOpening): state = 4
    case .absent(_, .sandboxFault): state = 5
    case .revealed(_, _, _, let said, _):
      statement = [said.sandbox.string, said.processor.string, said.kernel.string]
    }
    add("builder.\(i).state", state)
    add("builder.\(i).outcome", line.outcome ?? 0)
    add("builder.\(i).name", line.name.string)
    add("builder.\(i).sandbox", statement[0])
    add("builder.\(i).processor", statement[1])
    add("builder.\(i).kernel", statement[2])
    add("builder.\(i).outcome_sha256", (line.outcome.map { evidence.outcomes[$0].digest } ?? .zero).hex)
  }

  private mutating func addSignature(_ i: Int, _ signature: NoteSignature) {
    let isTimed = signature.blob.count == Cosignature.byteCount
    var id = String(signature.keyID, radix: 16)
    id = String(repeating: "0", count: 8 - id.count) + id
    add("signature.\(i).name", signature.name.string)
    add("signature.\(i).key_id", id)
    add("signature.\(i).is_timed", isTimed ? 1 : 0)
    add(
      "signature.\(i).time_seconds", isTimed ? signature.blob.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } : 0)
  }

  private func number(_ verdict: Verdict) -> Int {
    switch verdict {
    case .reproduced: 1
    case .diverged: 2
    case .failed: 3
    case .inconclusive: 4
    }
  }

  private mutating func add(_ key: String, _ value: some CustomStringConvertible) { text += "\(key)\t\(value)\n" }
}
