import SyncProof
import Testing

@Suite struct PolicyTests {
  @Test func theSampleIsReadBack() throws {
    let policy = try Sample.policy()
    #expect(try Policy(parsing: policy.encode()) == policy)
    #expect(policy.encode().text.contains("group cosigners 3 ada-cosigner bob-cosigner cyd-cosigner dee-cosigner\n"))
    #expect(policy.encode().text.contains("log demo.synchronicity.example+"))
  }

  @Test func thresholdsHaveTheirWords() throws {
    for (threshold, word) in [(1, "any"), (2, "2"), (3, "3"), (4, "all")] {
      #expect(try Sample.policy(quorum: threshold).encode().text.contains("group cosigners \(word) ada"))
    }
    let single = try Sample.policy(quorum: 1, witnesses: ["ada"]).encode()
    #expect(single.text.contains("group cosigners all ada"))
  }

  @Test func whiteSpaceAndCommentsAreFree() throws {
    let policy = try Sample.policy()
    let loose = policy.encode().text.split(separator: "\n").map { line in
      "\t " + line.replacing(" ", with: " \t ") + "  \t\n# \u{e9}, " + line + "\n \t#x\n\n"
    }
    #expect(try Policy(parsing: [UInt8](loose.joined())) == policy)
    // Definitions in another order mean the same.
    let text = policy.encode().text.split(separator: "\n")
    let logs = text.filter { $0.hasPrefix("log") }
    let rest = text.filter { !$0.hasPrefix("log") }
    #expect(try Policy(parsing: [UInt8]((rest + logs).joined(separator: "\n") + "\n")) == policy)
  }

  @Test func exportIsPureTlogPolicy() throws {
    let text = try Sample.policy().exportTlogPolicy().text
    for word in ["builder", "reproducers", "rebuilders"] { #expect(!text.contains(word), "\(word)") }
    #expect(text.contains("group cosigners 3 ada-cosigner") && text.hasSuffix("quorum cosigners\n"))
    // Ours wants one line more.
    #expect(code { _ = try Policy(parsing: [UInt8](text)) } == .invalidPolicy)
  }

  private static let ada = "builder zoe " + SampleVkeys.zoe + "\n"

  private static let refused: [(String, ProofError.Code, @Sendable (String) -> String)] = [
    ("carriage return", .malformed, { $0.replacing("quorum cosigners\n", with: "quorum cosigners\r\n") }),
    ("vertical tab", .malformed, { $0 + "\u{b}\n" }),
    ("delete character", .malformed, { $0 + "# \u{7f}\n" }),
    ("NUL in comment", .malformed, { $0 + "# \0\n" }),
    ("no last newline", .malformed, { String($0.dropLast()) }),
    ("unknown keyword", .malformed, { $0 + "witless x\n" }),
    ("keyword in capitals", .malformed, { $0.replacing("quorum ", with: "Quorum ") }),
    ("empty", .invalidPolicy, { _ in "" }),
    ("no quorum", .invalidPolicy, { $0.replacing("quorum cosigners\n", with: "") }),
    ("no reproducers", .invalidPolicy, { $0.replacing("reproducers rebuilders\n", with: "") }),
    ("two quorums", .invalidPolicy, { $0 + "quorum cosigners\n" }),
    ("none and a quorum", .invalidPolicy, { "quorum none\n" + $0 }),
    ("two reproducers", .invalidPolicy, { $0 + "reproducers rebuilders\n" }),
    ("reproducers none", .invalidPolicy, { $0.replacing("reproducers rebuilders", with: "reproducers none") }),
    ("quorum without a name", .malformed, { $0.replacing("quorum cosigners", with: "quorum") }),
    ("quorum of two names", .malformed, { $0.replacing("quorum cosigners", with: "quorum cosigners x") }),
    ("quorum not defined", .invalidPolicy, { $0.replacing("quorum cosigners", with: "quorum x") }),
    ("quorum defined later", .invalidPolicy, { "quorum cosigners\n" + $0.replacing("quorum cosigners\n", with: "") }),
    ("quorum of builders", .invalidPolicy, { $0.replacing("quorum cosigners", with: "quorum rebuilders") }),
    ("quorum of one builder", .invalidPolicy, { $0.replacing("quorum cosigners", with: "quorum ada") }),
    (
      "reproducers of witnesses", .invalidPolicy,
      { $0.replacing("reproducers rebuilders", with: "reproducers cosigners") }
    ),
    ("mixed group", .invalidPolicy, { $0.replacing("3 ada bob", with: "3 ada bob-cosigner") }),
    ("mixed group, the other way", .invalidPolicy, { $0 + "group mixed any cosigners rebuilders\n" }),
    ("member not defined", .invalidPolicy, { $0.replacing("3 ada bob", with: "3 ada eve") }),
    ("member none", .invalidPolicy, { $0.replacing("3 ada bob", with: "3 ada none") }),
    ("member twice", .invalidPolicy, { $0.replacing("3 ada bob", with: "3 ada ada") }),
    ("member of two groups", .invalidPolicy, { $0 + "group more any ada\n" }),
    ("group of itself", .invalidPolicy, { $0 + "group more any more\n" }),
    ("empty group", .malformed, { $0 + "group more any\n" }),
    ("group without threshold", .malformed, { $0 + "group more\n" }),
    ("threshold 0", .invalidPolicy, { $0.replacing("rebuilders 3", with: "rebuilders 0") }),
    ("threshold above members", .invalidPolicy, { $0.replacing("rebuilders 3", with: "rebuilders 5") }),
    ("threshold with leading zero", .invalidPolicy, { $0.replacing("rebuilders 3", with: "rebuilders 03") }),
    ("threshold with sign", .invalidPolicy, { $0.replacing("rebuilders 3", with: "rebuilders +3") }),
    ("threshold in words", .invalidPolicy, { $0.replacing("rebuilders 3", with: "rebuilders most") }),
    ("name none", .invalidPolicy, { $0 + ada.replacing("builder zoe", with: "builder none") }),
    ("name twice", .invalidPolicy, { $0 + ada.replacing("zoe ", with: "ada ") }),
    ("builder named as a witness", .invalidPolicy, { $0 + ada.replacing("zoe ", with: "ada-cosigner ") }),
    ("builder named as a group", .invalidPolicy, { $0 + ada.replacing("zoe ", with: "cosigners ") }),
    ("builder with a URL", .malformed, { $0 + ada.replacing("\n", with: " https://x.example\n") }),
    ("builder as a log", .invalidPolicy, { $0 + "log " + SampleVkeys.adaBuilder + "\n" }),
    ("log key twice under two names", .invalidPolicy, { $0 + "log " + SampleVkeys.adaLogElsewhere + "\n" }),
    ("witness key twice", .invalidPolicy, { $0 + "witness again " + SampleVkeys.adaCosigner + "\n" }),
    ("builder key twice", .invalidPolicy, { $0 + "builder again " + SampleVkeys.adaBuilder + "\n" }),
    ("witness with a log's type", .invalidPolicy, { $0 + "witness zoe " + SampleVkeys.zoe + "\n" }),
    ("log with a witness's type", .invalidPolicy, { $0 + "log " + SampleVkeys.eveCosigner + "\n" }),
    ("builder with a witness's type", .invalidPolicy, { $0 + "builder eve " + SampleVkeys.eveCosigner + "\n" }),
    ("a key cut short", .invalidKey, { $0 + "log " + String(SampleVkeys.zoe.dropLast()) + "\n" }),
    ("log without a key", .malformed, { $0 + "log\n" }),
    ("log with two URLs", .malformed, { $0 + "log " + SampleVkeys.zoe + " a b\n" }),
  ]

  private enum SampleVkeys {
    static let zoe = vkey("zoe.demo.synchronicity.example", .ed25519, "zoe builder")
    static let adaBuilder = vkey("ada.demo.synchronicity.example", .ed25519, "ada builder")
    static let adaCosigner = vkey("ada.demo.synchronicity.example", .cosignatureV1, "ada cosigner")
    static let eveCosigner = vkey("eve.demo.synchronicity.example", .cosignatureV1, "eve cosigner")
    static let adaLogElsewhere = vkey("elsewhere.example", .ed25519, "ada log")

    private static func vkey(_ name: Text, _ kind: NoteKey.Kind, _ label: String) -> String {
      (try? NoteKey(name: name, kind: kind, publicKey: SampleKey(label).publicKey))?.vkey.text ?? ""
    }
  }

  @Test(arguments: refused.indices) func whatDoesNotHoldTogetherIsRefused(_ row: Int) throws {
    let (name, wanted, change) = Self.refused[row]
    let text = try Sample.policy().encode().text
    let changed = change(text)
    #expect(changed != text, "\(name)")
    #expect(code { _ = try Policy(parsing: [UInt8](changed)) } == wanted, "\(name)")
  }

  @Test func aKeyAddedIsAccepted() throws {
    let text = try Sample.policy().encode().text + Self.ada + "witness eve " + SampleVkeys.eveCosigner + " https://e\n"
    let policy = try Policy(parsing: [UInt8](text))
    #expect(policy.builders.count == 5 && policy.witnesses.count == 5 && policy.witnesses[4].url == "https://e")
  }

  /// Every subset of the members against groups of groups.
  @Test func groupsOfGroupsCount() throws {
    let witnesses = try ["a", "b", "c", "d", "e"].map {
      PolicyWitness(
        name: Text($0),
        key: try NoteKey(name: Text($0 + ".example"), kind: .cosignatureV1, publicKey: SampleKey($0).publicKey))
    }
    let builder = PolicyBuilder(name: "x", key: try Sample.builderKey("ada"))
    let policy = try Policy(
      logs: [], witnesses: witnesses, builders: [builder],
      groups: [
        PolicyGroup(name: "ab", threshold: 2, members: ["a", "b"]),
        PolicyGroup(name: "cde", threshold: 1, members: ["c", "d", "e"]),
        PolicyGroup(name: "both", threshold: 2, members: ["ab", "cde"]),
      ],
      quorum: "both", reproducers: "x")
    for subset in 0..<32 {
      let names = witnesses.indices.filter { subset >> $0 & 1 == 1 }.map { witnesses[$0].name }
      let wanted = subset & 3 == 3 && subset >> 2 != 0
      #expect(policy.meetsQuorum(names) == wanted, "\(subset)")
      #expect(policy.meetsQuorum(names + names) == wanted, "\(subset)")
    }
    #expect(policy.meetsReproducers(["x"]) && !policy.meetsReproducers([]) && !policy.meetsReproducers(["y"]))
    #expect(try Policy(parsing: policy.encode()) == policy)
  }

  @Test func quorumNoneAsksForNobody() throws {
    let text = try Sample.policy().encode().text.replacing("quorum cosigners", with: "quorum none")
    let policy = try Policy(parsing: [UInt8](text))
    #expect(policy.quorum == nil && policy.meetsQuorum([]) && policy.encode() == [UInt8](text))
  }

  /// The example of C2SP tlog-policy, with keys put in and our lines added.
  @Test func theSpecsExample() throws {
    var text = "log \(try Sample.logKey("ada").vkey.text)\n\n"
    for name in ["X1", "X2", "X3", "Y1", "Y2", "Y3"] {
      let key = try NoteKey(name: Text(name + ".example"), kind: .cosignatureV1, publicKey: SampleKey(name).publicKey)
      text += "witness \(name) \(key.vkey.text)\n"
    }
    text +=
      "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n"
    text += "quorum X-and-Y\nbuilder b \(try Sample.builderKey("ada").vkey.text)\nreproducers b\n"
    let policy = try Policy(parsing: [UInt8](text))
    #expect(policy.meetsQuorum(["X1", "X3", "Y2"]))
    #expect(!policy.meetsQuorum(["X1", "Y1", "Y2"]) && !policy.meetsQuorum(["X1", "X2", "X3"]))
  }

  @Test func sizesAreBounded() throws {
    let tail = "builder b \(try Sample.builderKey("ada").vkey.text)\nquorum none\nreproducers b\n"
    func text(_ count: Int) -> [UInt8] {
      let logs = (0..<count).compactMap {
        (try? NoteKey(name: Text("l\($0)"), kind: .ed25519, publicKey: SampleKey("l\($0)").publicKey))?.vkey.text
      }
      return [UInt8](logs.map { "log \($0)\n" }.joined() + tail)
    }
    #expect(code { _ = try Policy(parsing: text(1_024)) } == nil)
    #expect(code { _ = try Policy(parsing: text(1_025)) } == .tooLarge)
    let long = [UInt8]("#" + String(repeating: "x", count: ProofLimits.policyBytesMax) + "\n")
    #expect(code { _ = try Policy(parsing: long + [UInt8](tail)) } == .tooLarge)
  }
}

extension StringProtocol {
  fileprivate func replacing(_ old: String, with new: String) -> String {
    [UInt8](String(self)).replacing(old, with: new).text
  }
}
