import SyncLedger
import SyncProof
import Testing

@Suite struct PolicyChangeTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let old: String
    let new: String
    var refused: [PolicyChange.Finding] = []
    var weakened: [PolicyChange.Finding] = []
    var testDescription: String { name }
  }

  private static let four = "group w 3 a b c d\ngroup r 3 A B C D\nquorum w\nreproducers r\n"

  @Test(arguments: [
    Row(name: "itself", old: four, new: four),
    Row(
      name: "other names of groups, other order",
      old: four, new: "group rebuilders 3 D C B A\ngroup x 3 d b a c\nquorum x\nreproducers rebuilders\n"),
    Row(
      name: "a stricter quorum", old: four, new: four.replacing("w 3", with: "w all"),
      refused: [.quorum(by: ["b", "c", "d"])]),
    Row(
      name: "a weaker quorum", old: four, new: four.replacing("w 3", with: "w 2"),
      weakened: [.quorum(by: ["c", "d"])]),
    Row(
      name: "fewer reproducers", old: four, new: four.replacing("r 3", with: "r any"),
      weakened: [.reproducers(by: ["D"])]),
    Row(
      name: "one more witness, the same threshold: a fifth can stand in for one",
      old: four, new: four.replacing("w 3 a b c d", with: "w 3 a b c d e"),
      weakened: [.quorum(by: ["c", "d", "e"])]),
    Row(
      name: "one more witness and one more wanted: old proofs miss one",
      old: four, new: four.replacing("w 3 a b c d", with: "w 4 a b c d e"),
      refused: [.quorum(by: ["b", "c", "d"])]),
    Row(
      name: "a witness less", old: four, new: four.replacing("w 3 a b c d", with: "w 3 a b c"),
      refused: [.quorum(by: ["b", "c", "d"])]),
    Row(
      name: "no quorum any more", old: four, new: four.replacing("quorum w", with: "quorum none"),
      weakened: [.quorum(by: [])]),
    Row(
      name: "a quorum where there was none", old: four.replacing("quorum w", with: "quorum none"), new: four,
      refused: [.quorum(by: [])]),
    Row(
      name: "three of four as two halves",
      old: four, new: "group p any a b\ngroup q any c d\ngroup w all p q\ngroup r 3 A B C D\nquorum w\nreproducers r\n",
      weakened: [.quorum(by: ["b", "d"])]),
    Row(
      name: "a builder's key beside its old one",
      old: four, new: four.replacing("r 3 A B C D", with: "A-any any A A2\ngroup r 3 A-any B C D"),
      weakened: [.keyOfBuilder("A2"), .reproducers(by: ["A2", "C", "D"])]),
    Row(
      name: "a builder's key in place of its old one",
      old: four, new: four.replacing("r 3 A B C D", with: "r 3 A2 B C D"),
      refused: [.keyOfBuilder("A"), .reproducers(by: ["A", "C", "D"])],
      weakened: [.keyOfBuilder("A2"), .reproducers(by: ["A2", "C", "D"])]),
    Row(
      name: "a log less", old: four, new: "only-log-1\n" + four,
      refused: [.log(key: "log-2.example+ID")]),
  ])
  func `what changes is named by an example`(row: Row) throws {
    let change = PolicyChange(from: try Self.policy(row.old), to: try Self.policy(row.new))
    #expect(change.refused.map(Self.withoutID) == row.refused)
    #expect(change.weakened.map(Self.withoutID) == row.weakened)
  }

  /// A key's ID says nothing to whoever reads the row.
  private static func withoutID(_ finding: PolicyChange.Finding) -> PolicyChange.Finding {
    guard case .log(let key) = finding else { return finding }
    return .log(key: Text(key.string.prefix { $0 != "+" } + "+ID"))
  }

  /// Defines what the lines use: witnesses in lower case, builders in capitals; A2 is A's other key.
  private static func policy(_ lines: String) throws -> Policy {
    var text = ""
    for number in lines.hasPrefix("only-log-1") ? [1] : [1, 2] {
      let name = "log-\(number).example"
      text += "log " + (try vkey(name, .ed25519, name)) + "\n"
    }
    let rest = lines.hasPrefix("only-log-1") ? String(lines.dropFirst("only-log-1\n".count)) : lines
    let words = Set(rest.split(whereSeparator: { " \n".contains($0) }).map(String.init))
    for word in words.sorted() where word.first?.isLowercase == true && word.count == 1 && !"wrpqx".contains(word) {
      text += "witness \(word) " + (try vkey("\(word).example", .cosignatureV1, word)) + "\n"
    }
    for word in words.sorted() where word.first?.isUppercase == true && !word.contains("-") {
      text += "builder \(word) " + (try vkey("\(word.prefix(1).lowercased()).log.example", .ed25519, word)) + "\n"
    }
    return try Policy(parsing: Array((text + rest).utf8))
  }

  private static func vkey(_ name: String, _ kind: NoteKey.Kind, _ seed: String) throws -> String {
    let key = try NoteKey(name: Text(name), kind: kind, publicKey: KeyPair(seed: Array("key \(seed)".utf8)).publicKey)
    return String(decoding: key.vkey, as: UTF8.self)
  }

  // MARK: Against all sets

  @Test(arguments: 0..<300)
  func `the answer is that of trying every set of signers`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (old, new) = (try Self.random(&random), try Self.random(&random))
    let change = PolicyChange(from: old, to: new)
    for (first, second, findings) in [(old, new, change.refused), (new, old, change.weakened)] {
      let names = Array(Set((first.witnesses + second.witnesses).map(\.name))).sorted()
      var isImplied = true
      for bits in 0..<(1 << names.count) {
        let signed = names.indices.filter { bits >> $0 & 1 == 1 }.map { names[$0] }
        func meets(_ policy: Policy) -> Bool {
          policy.meetsQuorum(signed.filter { name in policy.witnesses.contains { $0.name == name } })
        }
        if meets(first), !meets(second) { isImplied = false }
      }
      var found: [Text]?
      for case .quorum(let by) in findings { found = by }
      #expect((found == nil) == isImplied)
      if let found {
        #expect(first.meetsQuorum(found))
        #expect(!second.meetsQuorum(found.filter { name in second.witnesses.contains { $0.name == name } }))
        for left in found { #expect(!first.meetsQuorum(found.filter { $0 != left })) }
      }
    }
  }

  /// Some of seven witnesses in a tree of groups.
  private static func random(_ random: inout SeededGenerator) throws -> Policy {
    var free = ["a", "b", "c", "d", "e", "f", "g"].filter { _ in random.next() % 4 > 0 }
    if free.isEmpty { free = ["a"] }
    for i in free.indices { free.swapAt(i, Int(random.next() % UInt64(free.count))) }
    var lines = ""
    var number = 0
    while free.count > 1 {
      let count = min(free.count, 2 + Int(random.next() % 3))
      let members = free.prefix(count)
      free.removeFirst(count)
      lines += "group g\(number) \(1 + random.next() % UInt64(count)) \(members.joined(separator: " "))\n"
      free.insert("g\(number)", at: Int(random.next() % UInt64(free.count + 1)))
      number += 1
    }
    return try policy(lines + "group r any A\nquorum \(free[0])\nreproducers r\n")
  }

  @Test func `large flat policies are compared`() throws {
    func flat(_ threshold: Int, _ count: Int) throws -> Policy {
      var witnesses: [PolicyWitness] = []
      for number in 0..<count {
        let key = PublicKey(bytes: SHA256.hash(Array("w\(number)".utf8)).bytes)!
        witnesses.append(
          PolicyWitness(
            name: Text("w\(number)"), key: try NoteKey(name: "w.example", kind: .cosignatureV1, publicKey: key)))
      }
      let base = try Self.policy(Self.four)
      return try Policy(
        logs: base.logs, witnesses: witnesses, builders: base.builders,
        groups: [PolicyGroup(name: "w", threshold: threshold, members: witnesses.map(\.name))]
          + base.groups.filter { $0.name == "r" },
        quorum: "w", reproducers: "r")
    }
    let change = PolicyChange(from: try flat(81, 120), to: try flat(80, 120))
    #expect(change.refused.isEmpty)
    guard case .quorum(let by) = change.weakened.first else { Issue.record("\(change.weakened)"); return }
    #expect(by.count == 80)
  }

  @Test func `what is too much to look at is said`() throws {
    // Groups of three against the same witnesses in groups across them: nearly every set is a case of its own.
    let count = 36
    func crossed(_ stride: Int) throws -> Policy {
      let base = try Self.policy(Self.four)
      let witnesses = try (0..<count).map { number in
        PolicyWitness(
          name: Text("w\(number)"),
          key: try NoteKey(
            name: "w.example", kind: .cosignatureV1,
            publicKey: PublicKey(bytes: SHA256.hash(Array("w\(number)".utf8)).bytes)!))
      }
      let groups = (0..<count / 3).map { number in
        PolicyGroup(
          name: Text("g\(number)"), threshold: 2,
          members: (0..<3).map { Text("w\(stride == 1 ? number * 3 + $0 : number + $0 * count / 3)") })
      }
      let root = PolicyGroup(name: "w", threshold: 7 + (stride == 1 ? 0 : 1), members: groups.map(\.name))
      return try Policy(
        logs: base.logs, witnesses: witnesses, builders: base.builders,
        groups: groups + [root] + base.groups.filter { $0.name == "r" }, quorum: "w", reproducers: "r")
    }
    let change = PolicyChange(from: try crossed(2), to: try crossed(1))
    // Whichever it is, it is said: an example, or that there is too much; never a wrong yes.
    #expect(!change.refused.isEmpty)
  }
}
