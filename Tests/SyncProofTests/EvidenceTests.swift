import SyncProof
import Testing

@Suite struct EvidenceTests {
  private struct Row {
    let name: String
    let supporters: [Int]
    let leaderIsBuilt: Bool
    let reproducers: Int
    let verdict: Verdict
  }

  private static let judgements: [Row] = [
    Row(name: "nobody", supporters: [], leaderIsBuilt: false, reproducers: 1, verdict: .inconclusive),
    Row(name: "all alike", supporters: [4], leaderIsBuilt: true, reproducers: 3, verdict: .reproduced),
    Row(name: "just enough", supporters: [3], leaderIsBuilt: true, reproducers: 3, verdict: .reproduced),
    Row(name: "one too few", supporters: [2], leaderIsBuilt: true, reproducers: 3, verdict: .inconclusive),
    Row(name: "enough, one apart", supporters: [3, 1], leaderIsBuilt: true, reproducers: 3, verdict: .reproduced),
    Row(name: "too few, one apart", supporters: [2, 1], leaderIsBuilt: true, reproducers: 3, verdict: .diverged),
    Row(name: "all fail", supporters: [4], leaderIsBuilt: false, reproducers: 3, verdict: .failed),
    Row(name: "most fail", supporters: [3, 1], leaderIsBuilt: false, reproducers: 3, verdict: .failed),
    Row(name: "too few fail", supporters: [2], leaderIsBuilt: false, reproducers: 3, verdict: .inconclusive),
    Row(name: "a tie", supporters: [2, 2], leaderIsBuilt: true, reproducers: 2, verdict: .diverged),
    Row(name: "a tie of one", supporters: [1, 1], leaderIsBuilt: true, reproducers: 1, verdict: .diverged),
    Row(name: "one of one", supporters: [1], leaderIsBuilt: true, reproducers: 1, verdict: .reproduced),
  ]

  @Test(arguments: judgements.indices) func judging(_ index: Int) {
    let row = Self.judgements[index]
    let verdict = Evidence.judge(
      supporters: row.supporters, leaderIsBuilt: row.leaderIsBuilt, reproducers: row.reproducers)
    #expect(verdict == row.verdict, "\(row.name)")
  }

  /// What four builders may give, and what it comes to, through the text and back.
  @Test func verdictsThroughTheText() throws {
    let (a, b, f) = (Sample.built(), Sample.built("b"), Outcome.failed(.exitStatus(101)))
    let rows: [(String, [Outcome?], Verdict, Int)] = [
      ("all", [a, a, a, a], .reproduced, 4), ("three", [a, a, nil, a], .reproduced, 3),
      ("three of four", [a, a, b, a], .reproduced, 3), ("two", [a, nil, nil, a], .inconclusive, 2),
      ("two and two", [a, b, b, a], .diverged, 2), ("each another", [a, b, f, nil], .diverged, 1),
      ("failure", [f, f, f, a], .failed, 3), ("nobody", [nil, nil, nil, nil], .inconclusive, 0),
    ]
    for (name, outcomes, verdict, agreeing) in rows {
      var reports: [BuilderReport] = []
      for (member, outcome) in zip(Sample.members, outcomes).reversed() {
        reports.append(
          try outcome.map { try Sample.report(member, $0) } ?? .absent(name: Text(member), .noCommitment))
      }
      let evidence = try Sample.evidence(reports)
      #expect(evidence.verdict == verdict && evidence.agreeing == agreeing, "\(name)")
      #expect(evidence.supporters.reduce(0, +) == outcomes.compactMap { $0 }.count, "\(name)")
      #expect(evidence.artifacts.isEmpty == (verdict != .reproduced), "\(name)")
      #expect(try Evidence(parsing: evidence.encode()) == evidence, "\(name)")
    }
  }

  @Test func everyAbsenceIsReadBack() throws {
    for absence in [.noCommitment, .noReveal, .wrongOpening, .sandboxFault] as [Absence] {
      let evidence = try Sample.evidence([.absent(name: "ada", absence)], reproducers: 1)
      #expect(try Evidence(parsing: evidence.encode()).builders == [.absent(name: "ada", absence)])
    }
  }

  @Test func everyFlippedBitIsOtherEvidenceOrRefused() throws {
    let bytes = try Sample.evidence().encode()
    for bit in 0..<bytes.count * 8 {
      let flipped = bytes.flipping(bit: bit)
      guard let other = try? Evidence(parsing: flipped) else { continue }
      #expect(other.encode() == flipped, "bit \(bit)")
    }
  }

  @Test func reportsOfAnotherJobAreRefused() throws {
    var other = Sample.spec()
    other.rebuild = 1
    let foreign = try Sample.report("ada", Sample.built(), spec: other)
    #expect(code { _ = try Sample.evidence([foreign], reproducers: 1) } == .malformed)
    let unanswered = try Sample.report("ada", .failed(.badArtifact("elsewhere")))
    #expect(code { _ = try Sample.evidence([unanswered], reproducers: 1) } == .malformed)
    let ada = try Sample.report("ada", Sample.built())
    #expect(code { _ = try Sample.evidence([ada], reproducers: 1, group: "other.example") } == .malformed)
    #expect(code { _ = try Sample.evidence([ada, ada], reproducers: 1) } == .malformed)
    #expect(code { _ = try Sample.evidence([ada], reproducers: 2) } == .malformed)
    #expect(code { _ = try Sample.evidence([ada], reproducers: 0) } == .malformed)
    #expect(code { _ = try Sample.evidence([], reproducers: 1) } == .malformed)
    #expect(code { _ = try Sample.evidence([.absent(name: "a b", .noReveal)], reproducers: 1) } == .malformed)
  }

  private static let texts: [(String, ProofError.Code, String, String)] = [
    ("another version", .unsupportedVersion, "evidence/v1", "evidence/v2"),
    ("another verdict", .verdictMismatch, "verdict reproduced", "verdict diverged"),
    ("an unknown verdict", .malformed, "verdict reproduced", "verdict splendid"),
    ("another count", .verdictMismatch, "agreeing 3", "agreeing 4"),
    ("a lower threshold", .malformed, "reproducers 3", "reproducers 0"),
    ("a threshold above the builders", .malformed, "reproducers 3", "reproducers 5"),
    ("a threshold that is not met", .verdictMismatch, "reproducers 3", "reproducers 4"),
    ("group in capitals", .malformed, "group demo", "group Demo"),
    ("submitter with a dot", .malformed, "submitter ada", "submitter a.a"),
    ("a spec that is out of bounds", .invalidSpec, "wall-seconds 600", "wall-seconds 0"),
    ("builders unsorted", .malformed, "builder ada", "builder zed"),
    ("a builder twice", .malformed, "absent cyd", "absent bob"),
    ("an outcome that is not listed", .malformed, "builder ada 0", "builder ada 1"),
    ("an unknown absence", .malformed, "no-reveal", "holidays"),
    ("an artifact added to an outcome", .malformed, "artifact 0644 4096", "artifact 0645 4096"),
    ("a statement of four parts", .malformed, "|Linux", "|x|Linux"),
    ("a statement of two parts", .malformed, "|Linux", " Linux"),
    ("an outcome by digest first", .malformed, " 4\nsynchronicity-outcome/v1\nbuilt\n", " 0\n"),
  ]

  @Test(arguments: texts.indices) func textIsStrict(_ row: Int) throws {
    let (name, wanted, old, new) = Self.texts[row]
    let bytes = try Sample.evidence().encode()
    let changed = bytes.replacing(old, with: new)
    #expect(changed != bytes, "\(name)")
    #expect(code { _ = try Evidence(parsing: changed) } == wanted, "\(name)")
  }

  private static let longest = [UInt8](repeating: UInt8(ascii: "m"), count: 62)

  /// 100 builders with the longest names and statements, as many of `outcomes` as there are, the last repeated.
  private func crowd(_ spec: BuildSpec, _ outcomes: [Outcome]) throws -> Evidence {
    let statement = BuilderStatement(
      reportedSandbox: Text(String(repeating: "s", count: 99)), processor: Text(String(repeating: "p", count: 99)),
      kernel: Text(String(repeating: "k", count: 99)))
    let group = Text(String(repeating: "g", count: 253))
    var reports: [BuilderReport] = []
    for i in 0..<100 {
      let name = Text(utf8: Self.longest + [UInt8](i < 10 ? "0\(i)" : "\(i)"))
      let reveal = try Reveal(
        group: group, job: spec.jobID, builder: name, outcome: outcomes[min(i, outcomes.count - 1)],
        nonce: [UInt8](repeating: 1, count: 32), statement: statement)
      reports.append(.revealed(reveal, Signature(bytes: [UInt8](repeating: 1, count: 64))!))
    }
    return try Evidence(
      group: group, epoch: .max, height: .max, timeMilliseconds: .max,
      submitter: Text(utf8: Self.longest + [UInt8]("zz")), reproducers: 100, spec: spec, reports: reports)
  }

  /// The biggest spec that is accepted gives evidence that fits, whatever the builders reveal.
  @Test func evidenceAlwaysFits() throws {
    func spec(_ count: Int) -> BuildSpec { Sample.spec(artifacts: (100..<100 + count).map { Text("artifact-\($0)") }) }
    var count = 1
    while code(of: { try spec(count + 1).validate() }) == nil { count += 1 }
    #expect(code { try spec(count + 1).validate() } == .tooLarge)
    #expect(count >= 100)
    let spec = spec(count)
    let different = (0..<100).map { i in
      Outcome.built(
        spec.artifacts.map { Artifact(path: $0, mode: 0o644, size: .max, sha256: SHA256.hash([UInt8(i)])) })
    }
    for distinct in [1, 2, 3, 50, 99, 100] {
      let evidence = try crowd(spec, Array(different.prefix(distinct)))
      let bytes = evidence.encode()
      #expect(bytes.count <= ProofLimits.leafBytesMax && evidence.outcomes.count == distinct)
      #expect(bytes.count <= Evidence.leafBytesWorst(for: spec))
      #expect(evidence.outcomes[0].outcome != nil)
      #expect(try Evidence(parsing: bytes) == evidence)
      // The bound counts each part at its longest. Here `diverged` is 4 bytes shorter than `inconclusive`, 1 that
      // agrees 2 shorter than 100, and the first ten builders' outcomes have one digit, not two.
      if distinct == 100 { #expect(Evidence.leafBytesWorst(for: spec) - bytes.count == 4 + 2 + 10) }
    }
  }

  /// Small outcomes are listed in full as long as there is room, from the first on.
  @Test func outcomesAreListedInFullWhereTheyFit() throws {
    let spec = Sample.spec()
    let different = (1...100).map { Outcome.failed(.exitStatus(UInt8($0))) }
    let evidence = try crowd(spec, different)
    #expect(evidence.outcomes.allSatisfy { $0.outcome != nil })
    let wide = Sample.spec(artifacts: (100..<150).map { Text("artifact-\($0)") })
    let many = (0..<100).map { i in
      Outcome.built(wide.artifacts.map { Artifact(path: $0, mode: 0o644, size: 1, sha256: SHA256.hash([UInt8(i)])) })
    }
    let crowded = try crowd(wide, many)
    let full = crowded.outcomes.prefix { $0.outcome != nil }.count
    #expect(full > 1 && full < 100)
    #expect(crowded.outcomes.dropFirst(full).allSatisfy { $0.outcome == nil })
    // One more would not have fitted.
    let text = try #require(crowded.outcomes[0].outcome).encode()
    #expect(crowded.encode().count + text.count > ProofLimits.leafBytesMax)
    #expect(try Evidence(parsing: crowded.encode()) == crowded)
  }

  @Test func aLeafTooLongIsRefusedUnread() {
    #expect(code { _ = try Evidence(parsing: [UInt8](repeating: 10, count: 65_536)) } == .tooLarge)
  }
}
