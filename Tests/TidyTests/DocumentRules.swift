/// What a Markdown file points at, so that it can be looked up.
struct Document {
  let path: String
  let text: String

  /// Targets of `[text](target)` outside code, without what has a scheme or is a place on the same page.
  var relativeLinks: [(target: String, line: Int)] {
    var found: [(String, Int)] = []
    for (number, line) in prose {
      var rest = line[...]
      while let open = rest.range(of: "](") {
        rest = rest[open.upperBound...]
        guard let close = rest.firstIndex(of: ")") else { break }
        let target = rest[..<close].split(separator: "#", omittingEmptySubsequences: false)[0]
        if !target.isEmpty && !target.contains(":") { found.append((String(target), number)) }
        rest = rest[close...]
      }
    }
    return found
  }

  /// Scripts of the repository that code blocks tagged `sh` run.
  var scripts: [(path: String, line: Int)] {
    var found: [(String, Int)] = []
    for (number, line) in code(tagged: "sh") {
      for word in line.split(separator: " ") {
        let path = word.hasPrefix("./") ? word.dropFirst(2) : word
        if path.hasPrefix("scripts/") { found.append((String(path), number)) }
      }
    }
    return found
  }

  private var prose: [(Int, Substring)] {
    var inCode = false
    return numbered.compactMap { number, line in
      if line.hasPrefix("```") {
        inCode.toggle()
        return nil
      }
      return inCode ? nil : (number, line)
    }
  }

  private func code(tagged tag: String) -> [(Int, Substring)] {
    var current: Substring?
    return numbered.compactMap { number, line in
      if line.hasPrefix("```") {
        current = current == nil ? line.dropFirst(3) : nil
        return nil
      }
      return current.map { $0 == tag } == true ? (number, line) : nil
    }
  }

  private var numbered: [(Int, Substring)] {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { ($0.offset + 1, $0.element) }
  }

  /// `target`, seen from this document, as a path from the root; `nil` when it leaves the repository.
  func resolved(_ target: String) -> String? {
    var parts = path.split(separator: "/").dropLast().map(String.init)
    for part in target.split(separator: "/") where part != "." {
      if part == ".." {
        guard parts.popLast() != nil else { return nil }
      } else {
        parts.append(String(part))
      }
    }
    return parts.joined(separator: "/")
  }

  func findings(exists: (String) -> Bool) -> [Finding] {
    var findings: [Finding] = []
    for link in relativeLinks {
      guard let target = resolved(link.target), exists(target) else {
        findings.append(Finding(path: path, line: link.line, what: "\(link.target) is not there"))
        continue
      }
    }
    for script in scripts where !exists(script.path) {
      findings.append(Finding(path: path, line: script.line, what: "\(script.path) is not there"))
    }
    return findings
  }
}

/// Decision pages are `NNNN-title.md`, numbered from 0001 without a gap or a pair.
func decisionFindings(names: [String]) -> [Finding] {
  var findings: [Finding] = []
  for (index, name) in names.sorted().enumerated() {
    let wanted = String(repeating: "0", count: max(0, 4 - String(index + 1).count)) + String(index + 1) + "-"
    let rest = name.dropFirst(wanted.count).dropLast(3)
    let isTitle = !rest.isEmpty && rest.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" }
    if !name.hasPrefix(wanted) || !name.hasSuffix(".md") || !isTitle {
      findings.append(Finding(path: "docs/decisions/\(name)", line: 1, what: "wanted: \(wanted)title.md"))
    }
  }
  return findings
}
