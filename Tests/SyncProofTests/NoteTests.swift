import SyncProof
import Testing

@Suite struct NoteTests {
  private let key = SampleKey("a note's key")

  private func note(_ text: String = "Text\n") throws -> (NoteKey, [UInt8]) {
    let noteKey = try NoteKey(name: "note.example/key", kind: .ed25519, publicKey: key.publicKey)
    let signature = NoteSignature(key: noteKey, signature: key.sign([UInt8](text)))
    return (noteKey, try SignedNote(text: [UInt8](text), signatures: [signature]).encode())
  }

  @Test func everyFlippedBitOfASignedTextIsRefusedOrUnknown() throws {
    let (key, bytes) = try note()
    for bit in 0..<bytes.count * 8 {
      let got = code {
        let verified = try SignedNote(parsing: bytes.flipping(bit: bit)).verifiedSignatures(by: [key])
        if verified.isEmpty { throw ProofError(.untrustedLog, "No known key") }
      }
      #expect(got != nil, "bit \(bit)")
    }
  }

  private static let refused: [(String, @Sendable (String) -> String)] = [
    ("empty", { _ in "" }),
    ("no text", { _ in "\n\n" }),
    ("carriage return", { $0.replacing("Text\n", with: "Text\r\n") }),
    ("tab", { $0.replacing("Text", with: "Te\txt") }),
    ("hyphen for dash", { $0.replacing("\u{2014}", with: "-") }),
    ("two spaces", { $0.replacing("\u{2014} ", with: "\u{2014}  ") }),
    ("no name", { $0.replacing("note.example/key", with: "") }),
    ("plus in name", { $0.replacing("example", with: "ex+mple") }),
    ("no-break space in name", { $0.replacing("example", with: "ex\u{a0}mple") }),
    ("ideographic space in name", { $0.replacing("example", with: "ex\u{3000}mple") }),
    ("no padding", { $0.replacing("=\n", with: "\n") }),
    ("two pads", { $0.replacing("=\n", with: "==\n") }),
    ("line separator behind signature", { $0 + "\u{2028}\n" }),
    ("trailing space", { String($0.dropLast()) + " \n" }),
    ("no last newline", { String($0.dropLast()) }),
    ("trailing text", { $0 + "x" }),
    ("trailing empty line", { $0 + "\n" }),
    ("signature of key ID alone", { _ in "Text\n\n\u{2014} a AAAAAA==\n" }),
    ("unused bits set", { _ in "Text\n\n\u{2014} a AAAAAAF=\n" }),
  ]

  @Test(arguments: refused.indices) func strictness(_ row: Int) throws {
    let (name, change) = Self.refused[row]
    let changed = change(try note().1.text)
    #expect(changed != (try note().1.text), "\(name)")
    #expect(code { _ = try SignedNote(parsing: [UInt8](changed)) } == .malformed, "\(name)")
  }

  @Test(
    arguments: [
      [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0x00], [0x1f],
    ] as [[UInt8]])
  func badCharacters(_ bytes: [UInt8]) throws {
    let signature = "\n\n\u{2014} a AAAAAAA=\n"
    #expect(throws: Never.self) { try SignedNote(parsing: [UInt8]("Text" + signature)) }
    #expect(code { _ = try SignedNote(parsing: [UInt8]("Text") + bytes + [UInt8](signature)) } == .malformed)
  }

  @Test func signatureCountIsBounded() throws {
    let line = "\u{2014} unknown.example AAAAAAA=\n"
    for (count, wanted) in [(1, nil), (16, nil), (100, nil), (101, ProofError.Code.tooLarge)] {
      let bytes = [UInt8]("Text\n\n" + String(repeating: line, count: count))
      let got = code {
        let note = try SignedNote(parsing: bytes)
        #expect(note.encode() == bytes && note.signatures.count == count)
      }
      #expect(got == wanted, "\(count)")
    }
  }

  @Test func oneKeyCountsOnceAndAnyBadLineOfItCounts() throws {
    let (key, bytes) = try note()
    let line = bytes.text.split(separator: "\n").last.map(String.init) ?? ""
    let twice = [UInt8](bytes.text + line + "\n")
    #expect(try SignedNote(parsing: twice).verifiedSignatures(by: [key]).count == 1)
    let bad = NoteSignature(name: key.name, keyID: key.keyID, blob: [UInt8](repeating: 1, count: 64))
    let good = try SignedNote(parsing: bytes)
    let mixed = try SignedNote(text: good.text, signatures: good.signatures + [bad])
    #expect(code { _ = try mixed.verifiedSignatures(by: [key]) } == .invalidSignature)
    #expect(try mixed.verifiedSignatures(by: []).isEmpty)
  }

  private static let badKeys: [(String, String)] = [
    ("empty", ""), ("name alone", "name"), ("no key", "name+00000000+"), ("short ID", "name+0000+AQ=="),
    ("upper-case ID", "monkeys+DB4D9F7E+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"),
    ("another's ID", "monkeys+db4d9f7f+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"),
    ("another name", "monkey+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"),
    ("no name", "+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"),
    ("space in name", "mon keys+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"),
    ("trailing space", "monkeys+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT "),
    ("type 6", "monkeys+db4d9f7e+BkLaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"),
  ]

  @Test(arguments: badKeys.indices) func badKeysAreRefused(_ row: Int) throws {
    let (name, vkey) = Self.badKeys[row]
    #expect(code { _ = try NoteKey(vkey: [UInt8](vkey)) } == .invalidKey, "\(name)")
  }

  @Test func everyFlippedBitOfAKeyIsRefused() throws {
    let vkey = try Sample.logKey("ada").vkey
    #expect(try NoteKey(vkey: vkey) == Sample.logKey("ada"))
    for bit in 0..<vkey.count * 8 {
      #expect(code { _ = try NoteKey(vkey: vkey.flipping(bit: bit)) } == .invalidKey, "bit \(bit)")
    }
  }

  /// The example of C2SP tlog-cosignature: its message, byte by byte.
  @Test func cosignatureMessage() throws {
    let body = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    let message = Cosignature.message(timestamp: 1_679_315_147, body: [UInt8](body))
    #expect(message == [UInt8]("cosignature/v1\ntime 1679315147\n" + body))
    let signature = key.sign(message)
    let blob = Cosignature.blob(timestamp: 1_679_315_147, signature: signature)
    let cosignature = try #require(Cosignature(parsing: blob))
    #expect(cosignature.timestamp == 1_679_315_147)
    #expect(cosignature.isValid(by: key.publicKey, body: [UInt8](body)))
    for bit in 0..<blob.count * 8 {
      let flipped = Cosignature(parsing: blob.flipping(bit: bit))
      #expect(flipped?.isValid(by: key.publicKey, body: [UInt8](body)) != true, "bit \(bit)")
    }
    #expect(Cosignature(parsing: blob.dropLast()) == nil)
    #expect(Cosignature(parsing: blob + [0]) == nil)
    #expect(Cosignature(parsing: [0x80] + blob.dropFirst()) == nil)
  }

  private static let badBodies: [(String, String)] = [
    ("leading zero", "o\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"),
    ("plus sign", "o\n+1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"),
    ("size 2^63", "o\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"),
    ("unused bits set", "o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n"),
    ("no padding", "o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"),
    ("empty extension line", "o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"),
    ("no last newline", "o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nx"),
    ("empty", ""),
  ]

  @Test(arguments: badBodies.indices) func badCheckpointsAreRefused(_ row: Int) throws {
    let (name, body) = Self.badBodies[row]
    #expect(code { _ = try Checkpoint(parsingBody: [UInt8](body)) } == .malformed, "\(name)")
  }

  @Test func extensionLinesAreKept() throws {
    let body = [UInt8]("o\n9223372036854775807\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\none\ntwo\n")
    let checkpoint = try Checkpoint(parsingBody: body)
    #expect(checkpoint.extensionLines == ["one", "two"] && checkpoint.treeSize == ProofLimits.treeSizeMax)
    #expect(checkpoint.body() == body)
  }

  @Test func base64IsCanonical() {
    for count in 0...70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + count) }
      let text = Base64.encode(bytes)
      #expect(Base64.decode(text) == bytes && text.count == Base64.encodedCount(count))
    }
    #expect(Base64.encode([UInt8]("foobar")) == [UInt8]("Zm9vYmFy"))
    for text in [
      "A", "AA", "AAA", "A===", "====", "AB==", "AAB=", "AA=A", "=AAA", "AA==AAAA", "AA-_", "AAAA\n", " AAA",
    ] {
      #expect(Base64.decode([UInt8](text)) == nil, "\(text)")
    }
  }

  @Test func numbersHaveOneForm() {
    for (text, value) in [("0", 0), ("18446744073709551615", UInt64.max), ("10", 10)] as [(String, UInt64)] {
      #expect(Decimal.decode([UInt8](text)) == value && Decimal.encode(value) == [UInt8](text))
    }
    for text in ["", "00", "01", "+1", "-1", "1 ", "18446744073709551616", "99999999999999999999", "0x1"] {
      #expect(Decimal.decode([UInt8](text)) == nil, "\(text)")
    }
  }
}

extension String {
  fileprivate func replacing(_ old: String, with new: String) -> String {
    [UInt8](self).replacing(old, with: new).text
  }
}
