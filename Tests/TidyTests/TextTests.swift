import Foundation
import Testing

@Suite("How files are written")
struct TextTests {
  let repository = Repository.here
  /// Files that people write; foreign vectors, word lists and binary samples keep the form they came in.
  let written: Set<String> = [
    "swift", "c", "h", "cpp", "proto", "go", "md", "map", "modulemap", "toml", "json", "yml", "py", "rs", "js",
    "mjs", "ts", "java", "hpp", "css", "html", "",
  ]

  /// What a generator wrote has its own form; its input is checked.
  private func paths(_ extensions: Set<String>) -> [String] {
    repository.paths(extensions: extensions).filter { !$0.hasSuffix(".pb.swift") }
  }

  @Test("No line breaks a rule")
  func lines() throws {
    var findings: [Finding] = []
    for path in paths(written) {
      findings += lineFindings(path: path, text: try repository.text(path))
    }
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  @Test("Files end with one newline and stay small")
  func files() throws {
    var findings: [Finding] = []
    for path in paths(written.subtracting(["json", ""])) {
      findings += fileFindings(path: path, text: try repository.text(path))
    }
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  @Test("A planted line is found", arguments: lineRules.indices)
  func plantedLines(rule: Int) {
    let rule = lineRules[rule]
    let path = "Sources/SyncProof/Planted.swift"
    let text = "let before = 1\n\(rule.planted)\nlet after = 1\n"
    #expect(lineFindings(path: path, text: text, rules: [rule]) == [Finding(path: path, line: 2, what: rule.name)])
    #expect(lineFindings(path: path, text: "let before = 1\n").isEmpty)
  }

  @Test(
    "A planted file is found",
    arguments: [
      ("an end without a newline", 1, "", 1), ("an empty line at the end", 1, "\n\n", 1),
      ("as long as may be", fileLinesMax, "\n", 0), ("one line too many", fileLinesMax + 1, "\n", 1),
    ])
  func plantedFiles(name: String, lines: Int, end: String, count: Int) {
    let text = Array(repeating: "x", count: lines).joined(separator: "\n") + end
    #expect(fileFindings(path: "Sources/SyncProof/Planted.swift", text: text).count == count, "\(name)")
  }

  @Test(
    "A word is found as code alone",
    arguments: [
      ("func f() async {", 1), ("  await g()", 1), ("// async is not for this room", 0),
      ("throw E(\"await nothing\")", 0), ("let taskCount = asyncLike", 0),
    ])
  func plantedWords(line: String, count: Int) {
    #expect(wordFindings(path: "p", text: line, words: ["async", "await", "Task"]).count == count)
  }
}
