/// A rule about the lines of a file, with a line that it must find: each rule can fail.
struct LineRule: Sendable {
  let name: String
  /// Whether the file is under the rule.
  let applies: @Sendable (String) -> Bool
  /// Whether the line breaks it.
  let breaks: @Sendable (Substring) -> Bool
  let planted: String
}

let lineCharactersMax = 120
let fileLinesMax = 600

private func isSource(_ path: String) -> Bool { path.hasPrefix("Sources/") && isCode(path) }
private func isCode(_ path: String) -> Bool {
  [".swift", ".c", ".h", ".cpp", ".sh"].contains { path.hasSuffix($0) }
    || ((path.hasPrefix("scripts/") || path.hasPrefix(".ci/")) && !path.dropFirst(8).contains("."))
}

/// The words are put together here, so that this file does not break its own rules.
private let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
private let machinePaths = ["/wo" + "rk/", "/fa" + "rm/", "/ro" + "ot/", "/op" + "t/swift", "/op" + "t/wheels"]
private let registryHosts = [
  "deb." + "debian", "security." + "debian", "snapshot." + "debian", "py" + "pi.", "python" + "hosted",
  "proxy." + "golang", "static." + "crates", "index." + "crates", "registry." + "npmjs",
]

let lineRules: [LineRule] = [
  LineRule(
    name: "no line over \(lineCharactersMax) characters", applies: isCode,
    breaks: { $0.count > lineCharactersMax }, planted: String(repeating: "x", count: lineCharactersMax + 1)),
  LineRule(name: "no tab", applies: isCode, breaks: { $0.contains("\t") }, planted: "\tlet x = 1"),
  LineRule(
    name: "no trailing space", applies: isCode, breaks: { $0.hasSuffix(" ") || $0.hasSuffix("\r") },
    planted: "let x = 1 "),
  LineRule(
    name: "nothing unfinished", applies: isCode,
    breaks: { line in unfinished.contains { words(of: line).contains(Substring($0)) } },
    planted: "// " + unfinished[0] + ": later"),
  LineRule(
    name: "no trap on input: try!", applies: isSource, breaks: { $0.contains("try" + "!") },
    planted: "let x = try" + "! f()"),
  LineRule(
    name: "no trap on input: fatalError", applies: isSource, breaks: { $0.contains("fatal" + "Error(") },
    planted: "fatal" + "Error(\"no\")"),
  LineRule(
    name: "no path of one machine", applies: { _ in true },
    breaks: { line in machinePaths.contains { line.contains($0) } }, planted: "cp a " + machinePaths[0] + "b"),
  LineRule(
    name: "no registry host", applies: { _ in true },
    breaks: { line in registryHosts.contains { line.contains($0) } },
    planted: "https://" + registryHosts[0] + ".org/x"),
]

private func words(of line: Substring) -> [Substring] {
  line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
}

func lineFindings(path: String, text: String, rules: [LineRule] = lineRules) -> [Finding] {
  let rules = rules.filter { $0.applies(path) }
  var findings: [Finding] = []
  for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
    for rule in rules where rule.breaks(line) {
      findings.append(Finding(path: path, line: index + 1, what: rule.name))
    }
  }
  return findings
}

/// Rules about a whole file: its end, its size.
func fileFindings(path: String, text: String) -> [Finding] {
  var findings: [Finding] = []
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
  if !text.isEmpty && !text.hasSuffix("\n") {
    findings.append(Finding(path: path, line: lines + 1, what: "the file does not end with a newline"))
  }
  if text.hasSuffix("\n\n") {
    findings.append(Finding(path: path, line: lines, what: "the file ends with an empty line"))
  }
  if isSource(path) && lines > fileLinesMax {
    findings.append(Finding(path: path, line: lines, what: "over \(fileLinesMax) lines: one noun a file"))
  }
  return findings
}

/// Where one of the words stands as code: not in a comment, not in a string.
func wordFindings(path: String, text: String, words wanted: [String]) -> [Finding] {
  var findings: [Finding] = []
  for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
    let code = line.range(of: "//").map { line[..<$0.lowerBound] } ?? line
    let outside = code.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 0 }.flatMap { words(of: $0.element) }
    for word in wanted where outside.contains(Substring(word)) {
      findings.append(Finding(path: path, line: index + 1, what: "\(word) has no place here"))
    }
  }
  return findings
}
