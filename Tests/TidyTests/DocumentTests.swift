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
