import Foundation
import Testing

@Suite("What the documents point at")
struct DocumentTests {
  let repository = Repository.here

  @Test("Relative links and scripts exist")
  func links() throws {
    let paths = repository.paths(extensions: ["md"])
    try #require(!paths.isEmpty)
    var findings: [Finding] = []
    for path in paths {
      findings += Document(path: path, text: try repository.text(path)).findings(exists: repository.exists)
    }
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  @Test("Decisions are numbered")
  func decisions() throws {
    let names = repository.paths(below: "docs/decisions").map { String($0.dropFirst("docs/decisions/".count)) }
    try #require(!names.isEmpty)
    let findings = decisionFindings(names: names)
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  /// Targets, suites and tests, and the planted mutants.
  private func testNames() throws -> Set<String> {
    var names: Set<String> = []
    for path in repository.paths(extensions: ["swift"]) {
      let isSuite = ["Sources/PluginSuites/", "Sources/SyncTesting/"].contains { path.hasPrefix($0) }
      guard isSuite || path.contains("Tests/") else { continue }
      names.formUnion(path.split(separator: "/").dropLast().map(String.init))
      names.formUnion(declaredNames(try repository.text(path)))
    }
    for line in try repository.text("Tests/Mutants/mutants.toml").split(separator: "\n") {
      if line.hasPrefix("name = \"") { names.insert(String(line.dropFirst(8).dropLast())) }
    }
    return names
  }

  @Test("The threat model's tests exist")
  func threats() throws {
    let table = ThreatTable(path: "THREAT_MODEL.md", text: try repository.text("THREAT_MODEL.md"))
    try #require(table.tests.count > 60)
    let findings = table.findings(names: try testNames(), exists: repository.exists)
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  static let threatRows: [(name: String, cell: String, wanted: [String])] = [
    ("a suite of a target", "ATests: BTests", []),
    ("a suite alone, a test, and words", "BTests (words, Words); ATests: aTestOfIt, BTests", []),
    ("a path, a command, and words", "scripts/test: words; `run --it`: words", []),
    ("a mutant", "Tests/Mutants: a-mutant, a-mutant", []),
    ("a sentence", "ATests: words of a test", ["ATests: words of a test is no test"]),
    ("a suite that is gone", "BTests; ATests: CTests", ["ATests: CTests is no test"]),
    ("a target that is gone", "DTests: BTests", ["DTests: BTests is no test"]),
    ("a path that is gone", "scripts/none (scripts/none)", ["scripts/none is not there", "scripts/none is not there"]),
    ("a mutant that is gone", "Tests/Mutants: a-mutant, none", ["none is no test"]),
    ("words alone", "(BTests)", ["it names no test"]),
    ("a cell too many", "BTests | BTests", ["it names no test"]),
  ]

  @Test("A planted row is judged", arguments: threatRows)
  func plantedThreats(name: String, cell: String, wanted: [String]) {
    let text = "| attacker | wants | what stops it | test |\n|---|---|---|---|\n| a | b | c | \(cell) |\n"
    let names: Set<String> = ["ATests", "BTests", "aTestOfIt", "a-mutant"]
    let there: Set<String> = ["scripts/test", "Tests/Mutants"]
    let findings = ThreatTable(path: "T.md", text: text).findings(names: names, exists: there.contains)
    #expect(findings.map(\.what) == wanted)
  }

  static let planted: [(name: String, text: String, wanted: [String])] = [
    ("a link that resolves", "See [it](../README.md#top).", []),
    ("a link that does not", "See [it](missing.md).", ["missing.md is not there"]),
    ("two on a line", "[a](x.md) and [b](y.md)", ["x.md is not there", "y.md is not there"]),
    ("out of the repository", "[a](../../x.md)", ["../../x.md is not there"]),
    ("a page elsewhere", "[a](https://example.com/x.md) [b](#here)", []),
    ("a link in code", "```\n[a](x.md)\n```", []),
    ("a script that is there", "```sh\nscripts/test --filter X\n```", []),
    ("a script that is not", "```sh\n./scripts/none\n```", ["scripts/none is not there"]),
    ("a script in other code", "```text\nscripts/none\n```", []),
  ]

  @Test("A planted document is found", arguments: planted)
  func plantedDocuments(name: String, text: String, wanted: [String]) {
    let there: Set<String> = ["README.md", "scripts/test"]
    let findings = Document(path: "docs/page.md", text: text).findings(exists: there.contains)
    #expect(findings.map(\.what) == wanted)
  }

  @Test(
    "A planted decision is found",
    arguments: [
      (["0001-a.md", "0002-b-2.md"], 0), (["0001-a.md", "0001-b.md"], 1), (["0001-a.md", "0003-b.md"], 1),
      (["0001-A.md"], 1), (["0001.md"], 1), (["0001-a.txt"], 1),
    ])
  func plantedDecisions(names: [String], count: Int) {
    #expect(decisionFindings(names: names).count == count)
  }
}
