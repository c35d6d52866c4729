/// The modules that a Swift source file imports, each with its line.
func importedModules(in text: String) -> [(module: String, line: Int)] {
  let declarationKinds: Set<Substring> = ["class", "enum", "func", "let", "protocol", "struct", "typealias", "var"]
  var found: [(String, Int)] = []
  for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
    var words = line.split(separator: " ")[...]
    // Attributes and access levels stand before the keyword.
    let access: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
    while let word = words.first, word.hasPrefix("@") || access.contains(word) { words.removeFirst() }
    guard words.first == "import" else { continue }
    words.removeFirst()
    if let kind = words.first, declarationKinds.contains(kind) { words.removeFirst() }
    guard let name = words.first?.split(separator: ".").first else { continue }
    found.append((String(name.prefix { $0.isLetter || $0.isNumber || $0 == "_" }), index + 1))
  }
  return found
}

func importFindings(path: String, text: String, room: Room) -> [Finding] {
  let allowed = room.own.union(room.foreign).union(room.platform ? ImportTable.platformModules : [])
  return importedModules(in: text).filter { !allowed.contains($0.module) }.map {
    Finding(path: path, line: $0.line, what: "\(room.target) may not import \($0.module)")
  }
}
