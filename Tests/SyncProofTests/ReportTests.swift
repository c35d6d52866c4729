import Foundation
import SyncProof
import Testing

/// What is printed of a proof: the same bytes for each program, harmless whatever the proof holds.
@Suite struct ReportTests {
  static func verification() throws -> Verification {
    try Verifier.verify(proof: Sample.proof(), policy: Sample.policy(), artifact: Sample.artifact)
  }

  static func inspection(signer: Text) throws -> Inspection {
    let proof = try Sample.proof()
    let line = NoteSignature(name: signer, keyID: 0x0102_0a0b, blob: [1, 2, 3])
    let note = try SignedNote(text: proof.note.text, signatures: proof.note.signatures + [line])
    let changed = try Proof(leaf: proof.leaf, index: proof.index, path: proof.path, note: note)
    return try Verifier.inspect(proof: changed.encode())
  }

  static func parse(_ json: [UInt8]) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
  }

  @Test func verificationIsJSON() throws {
    let json = try Self.parse(Report.verification(Self.verification(), file: [UInt8]("a/libitoa.rlib".utf8)))
    #expect(json["verified"] as? Bool == true)
    #expect(json["file"] as? String == "a/libitoa.rlib")
    #expect(json["fileHex"] is NSNull && json["fileSize"] is NSNull && json["proofOrigin"] as? String == "given")
    #expect(json["artifact"] as? String == "libitoa.rlib")
    #expect(json["mode"] as? String == "0644")
    #expect(json["sha256"] as? String == Sample.artifact.hex)
    #expect(json["index"] as? Int == Int(try Sample.proof().index))
    #expect(json["reproducers"] as? [String] == ["ada", "bob", "dee"])
    let builders = try #require(json["builders"] as? [[String: Any]])
    #expect(builders.map { $0["reproducer"] as? Bool } == [true, true, false, true])
    #expect(builders.map { $0["state"] as? String } == ["revealed", "revealed", "no-reveal", "revealed"])
    #expect(builders.map { $0["kernel"] is NSNull } == [false, false, true, false])
    let cosigners = try #require(json["cosigners"] as? [[String: Any]])
    #expect(cosigners.allSatisfy { $0["timeSeconds"] as? Int ?? 0 > 1_700_000_000 } && cosigners.count >= 3)
  }

  @Test(arguments: [
    (Report.ProofOrigin.given, "given", nil), (.sidecar, "sidecar", nil),
    (.embedded(fileSize: 9_000), "embedded", 9_000),
  ]) func whereTheProofWasIsTold(_ origin: Report.ProofOrigin, _ word: String, _ size: Int?) throws {
    let json = try Self.parse(Report.verification(Self.verification(), file: [0x61], proof: origin))
    #expect(json["proofOrigin"] as? String == word)
    #expect(json["fileSize"] as? Int == size)
    let digestAlone = try Self.parse(Report.verification(Self.verification(), proof: origin))
    for key in ["file", "fileHex", "fileSize", "proofOrigin"] { #expect(digestAlone[key] == nil, "\(key)") }
  }

  @Test func withoutAnArtifactItsMembersAreNull() throws {
    let all = try Verifier.verifyAnyArtifact(proof: Sample.proof(), policy: Sample.policy())
    let json = try Self.parse(Report.verification(all))
    for key in ["artifact", "sha256", "size", "mode"] { #expect(json[key] is NSNull, "\(key)") }
    #expect((json["artifacts"] as? [Any])?.count == 2)
    #expect(json["file"] == nil)
    #expect(String(decoding: Report.verificationLines(all)[0], as: UTF8.self).hasSuffix("(2 artifacts)"))
    let spec = Sample.spec(artifacts: ["libitoa.rlib"])
    let reports = try ["ada", "bob", "dee"].map { try Sample.report($0, Sample.built(spec: spec), spec: spec) }
    let leaf = try Sample.evidence(reports, spec: spec).encode()
    let one = try Verifier.verifyAnyArtifact(proof: Sample.proof(leaf: leaf), policy: Sample.policy())
    #expect(String(decoding: Report.verificationLines(one)[0], as: UTF8.self).hasSuffix("(1 artifact)"))
  }

  @Test(
    arguments: [
      (.missingArtifact("libitoa.rlib"), "missing-artifact libitoa.rlib"),
      (.recipe("no-manifest"), "recipe no-manifest"),
    ] as [(FailureReason, String)])
  func failuresNameTheirReason(_ reason: FailureReason, _ words: String) throws {
    let spec = Sample.spec()
    let failed = Outcome.failed(reason)
    let evidence = try Sample.evidence([
      try Sample.report("ada", failed), try Sample.report("bob", failed),
      try Sample.report("cyd", Sample.built(spec: spec)), try Sample.report("dee", failed),
    ])
    let inspection = try Verifier.inspect(proof: Sample.proof(leaf: evidence.encode()).encode())
    let json = try Self.parse(Report.inspection(inspection))
    let outcomes = try #require(json["outcomes"] as? [[String: Any]])
    #expect(outcomes.map { $0["failure"] as? String } == [words, nil])
    #expect(outcomes.map { ($0["artifacts"] as? [Any])?.count } == [nil, 2])
    #expect(outcomes.map { $0["builders"] as? Int } == [3, 1])
    #expect(json["verified"] as? Bool == false)
    let text = Report.inspectionLines(inspection).map { String(decoding: $0, as: UTF8.self) }
    #expect(text.contains("outcome 1 is a failure: \(words)"))
  }

  @Test func refusalsAreJSON() throws {
    let rows: [(ProofError, String)] = [
      (
        ProofError(.artifactMismatch, "Not \"this\" one"),
        #"{"verified":false,"code":10,"reason":"Not \"this\" one","offset":null}"#
      ),
      (ProofError(.malformed, "Here", at: 7), #"{"verified":false,"code":1,"reason":"Here","offset":7}"#),
    ]
    for (error, json) in rows { #expect(String(decoding: Report.refusal(error), as: UTF8.self) == json) }
    #expect(
      String(decoding: Report.failure("Gone", file: [0x66, 0xff]), as: UTF8.self)
        == #"{"verified":false,"file":"f\#u{FFFD}","fileHex":"66ff","code":null,"reason":"Gone","offset":null}"#)
  }

  struct Name: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    /// In JSON, without the quotes.
    let json: String
    /// In a line.
    let line: String
    var testDescription: String { name }
  }

  static let names = [
    Name(name: "ASCII", bytes: [UInt8]("ada.example".utf8), json: "ada.example", line: "ada.example"),
    Name(name: "quote and backslash", bytes: [UInt8](#"a"b\c/d"#.utf8), json: #"a\"b\\c/d"#, line: #"a"b\c/d"#),
    Name(name: "letters of others", bytes: [UInt8]("åλ語𝛼".utf8), json: "åλ語𝛼", line: "åλ語𝛼"),
    Name(name: "delete", bytes: [0x61, 0x7f], json: #"a\u007f"#, line: "a\u{FFFD}"),
    Name(name: "C1 control sequence", bytes: [0xc2, 0x9b, 0x33], json: #"\u009b3"#, line: "\u{FFFD}3"),
    Name(name: "right to left", bytes: [UInt8]("a\u{202E}b".utf8), json: #"a\u202eb"#, line: "a\u{FFFD}b"),
    Name(name: "no width", bytes: [UInt8]("a\u{200B}b".utf8), json: #"a\u200bb"#, line: "a\u{FFFD}b"),
    Name(name: "byte order mark", bytes: [UInt8]("\u{FEFF}b".utf8), json: #"\ufeffb"#, line: "\u{FFFD}b"),
    Name(name: "a tag", bytes: [UInt8]("\u{E0061}".utf8), json: #"\udb40\udc61"#, line: "\u{FFFD}"),
  ]

  @Test(arguments: names) func foreignNamesAreShownAndDoNothing(_ row: Name) throws {
    let inspection = try Self.inspection(signer: Text(utf8: row.bytes))
    let json = Report.inspection(inspection)
    #expect(
      String(decoding: json, as: UTF8.self).contains(
        #"{"name":"\#(row.json)","keyID":"01020a0b","timeSeconds":null}"#))
    let signatures = try #require(try Self.parse(json)["signatures"] as? [[String: Any]])
    #expect(signatures.last?["name"] as? String == String(decoding: row.bytes, as: UTF8.self))
    let lines = Report.inspectionLines(inspection).map { String(decoding: $0, as: UTF8.self) }
    #expect(lines.contains("  " + row.line))
  }

  @Test(arguments: [
    ("newline", [UInt8]("a\nb".utf8), #"a\nb"#), ("NUL", [0x00], #"\u0000"#), ("escape", [0x1b, 0x5b], #"\u001b["#),
    ("a lone continuation byte", [0x61, 0x80, 0x62], "a\u{FFFD}b"), ("cut short", [0xe2, 0x80], "\u{FFFD}\u{FFFD}"),
    ("overlong", [0xc0, 0xaf], "\u{FFFD}\u{FFFD}"), ("a surrogate", [0xed, 0xa0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
  ]) func fileNamesAreOfAnyBytes(_ name: String, _ bytes: [UInt8], _ json: String) throws {
    let written = Report.failure("", file: bytes)
    #expect(String(validating: written, as: UTF8.self) != nil)
    let isUTF8 = String(validating: bytes, as: UTF8.self) != nil
    let hex = isUTF8 ? "null" : "\"\(bytes.map { String(format: "%02x", $0) }.joined())\""
    let wanted = #""file":"\#(json)","fileHex":\#(hex),"#
    #expect(String(decoding: written, as: UTF8.self).contains(wanted), "\(name)")
    _ = try Self.parse(written)
  }

  @Test func timesAreThoseOfTheCalendar() throws {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.calendar = Calendar(identifier: .gregorian)
    formatter.dateFormat = "yyyy-MM-dd HH:mm:ss 'UTC'"
    let rows: [UInt64] = [
      0, 1, 86_399, 86_400, 68_169_599, 68_169_600, 68_255_999, 68_256_000, 951_782_399, 951_782_400, 951_868_800,
      1_763_910_724, 4_107_542_399, 4_107_542_400, 4_133_980_799, 253_402_300_799,
    ]
    for seconds in rows {
      let wanted = formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
      #expect(try Self.shown(seconds) == wanted, "\(seconds)")
    }
    for seconds: UInt64 in [253_402_300_800, 1 << 63 - 1] {
      #expect(try Self.shown(seconds) == "\(seconds) s after 1970")
    }
  }

  /// How the time of a cosignature is shown.
  static func shown(_ seconds: UInt64) throws -> String {
    let proof = try Sample.proof()
    let line = NoteSignature(
      name: "w", keyID: 1, blob: Cosignature.blob(timestamp: seconds, signature: Sample.key("w", "x").sign([])))
    let note = try SignedNote(text: proof.note.text, signatures: [line])
    let changed = try Proof(leaf: proof.leaf, index: proof.index, path: proof.path, note: note)
    let lines = Report.inspectionLines(try Verifier.inspect(proof: changed.encode()))
    let text = lines.map { String(decoding: $0, as: UTF8.self) }
    return String(try #require(text.first { $0.hasPrefix("  w  ") }).dropFirst(5))
  }
}
