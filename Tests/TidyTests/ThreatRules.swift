/// The last column of THREAT_MODEL.md's table: which tests show that a row holds.
///
/// Its items stand between `;` or `,`. Each is the name of a suite, a test or a planted mutant, which may follow its
/// target's and a colon; or a path or a command in backticks, behind which words may say what is meant. What stands in
/// parentheses is for the reader, but for paths.
struct ThreatTable {
  let path: String
  let text: String

  /// The rows' last cells with their lines; the header's is not among them.
  var tests: [(cell: String, line: Int)] {
    var rows: [(String, Int)] = []
    for (offset, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let cells = line.split(separator: "|").map { $0.trimmed }
      guard line.hasPrefix("|"), cells.last != "test", cells.last != "---" else { continue }
      // Another number of cells is no row that can be read.
      rows.append((cells.count == 4 ? cells[3] : "", offset + 1))
    }
    return rows
  }

  /// - Parameters:
  ///   - names: Of targets, types and functions of tests, and of mutants.
  ///   - exists: Whether the repository has a path.
  func findings(names: Set<String>, exists: (String) -> Bool) -> [Finding] {
    var findings: [Finding] = []
    for (cell, line) in tests {
      if ThreatTable.items(cell).isEmpty { findings.append(Finding(path: path, line: line, what: "it names no test")) }
      for item in ThreatTable.items(cell) where !isKnown(item, names, exists) {
        findings.append(Finding(path: path, line: line, what: "\(item) is no test"))
      }
      for word in cell.split(whereSeparator: { " ,;:()`".contains($0) }) where ThreatTable.isPath(word) {
        if !exists(String(word)) { findings.append(Finding(path: path, line: line, what: "\(word) is not there")) }
      }
    }
    return findings
  }

  private func isKnown(_ item: String, _ names: Set<String>, _ exists: (String) -> Bool) -> Bool {
    if item.hasPrefix("`") { return item.dropFirst().contains("`") }
    if ThreatTable.isPath(item[...]), !item.hasPrefix("Tests/Mutants: ") { return true }
    let parts = item.split(separator: ":", maxSplits: 1).map { $0.trimmed }
    return parts.allSatisfy { names.contains($0) || $0 == "Tests/Mutants" }
  }

  private static func isPath(_ word: Substring) -> Bool {
    ["scripts/", "Tests/", "Benchmarks/", "examples/"].contains { word.hasPrefix($0) }
  }

  /// Without what stands in parentheses.
  static func items(_ cell: String) -> [String] {
    var plain = ""
    var depth = 0
    for character in cell {
      if character == "(" { depth += 1 }
      if depth == 0 { plain.append(character) }
      if character == ")" { depth -= 1 }
    }
    return plain.split(whereSeparator: { $0 == ";" || $0 == "," }).map { $0.trimmed }
  }
}

extension Substring {
  fileprivate var trimmed: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}

/// Names that a source file of tests declares: types and functions.
func declaredNames(_ source: String) -> Set<String> {
  var names: Set<String> = []
  for keyword in ["struct ", "class ", "enum ", "func "] {
    var rest = source[...]
    while let found = rest.range(of: keyword) {
      rest = rest[found.upperBound...]
      names.insert(String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }))
    }
  }
  return names
}
