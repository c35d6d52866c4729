/// What Package.swift says of one target: enough of it to compare with the import table.
struct ManifestTarget: Equatable {
  let kind: String
  let name: String
  /// Targets and products by name.
  let dependencies: [String]
}

/// Reads the targets out of a manifest's text. A manifest is Swift, and `swift package dump-package` would wait for
/// the lock that the running `swift test` holds; so this reads the one shape in which the manifest is written.
func manifestTargets(in text: String) -> [ManifestTarget] {
  let kinds = ["target", "executableTarget", "testTarget", "systemLibrary", "plugin", "macro"]
  var targets: [ManifestTarget] = []
  guard let start = text.range(of: "\n  targets: [") else { return [] }
  var rest = text[start.upperBound...]
  // What follows the package itself are other packages' targets, for the tests.
  if let end = rest.range(of: "\n  ]\n)\n") { rest = rest[..<end.lowerBound] }
  while let dot = rest.firstIndex(of: ".") {
    rest = rest[rest.index(after: dot)...]
    guard let kind = kinds.first(where: { rest.hasPrefix($0 + "(") }) else { continue }
    let call = balanced(rest.dropFirst(kind.count))
    rest = rest.dropFirst(kind.count + call.count)
    guard let name = quoted(after: "name:", in: call) else { continue }
    targets.append(ManifestTarget(kind: kind, name: name, dependencies: dependencies(in: call)))
  }
  return targets
}

private func dependencies(in call: Substring) -> [String] {
  guard let label = call.range(of: "dependencies:"), let open = call[label.upperBound...].firstIndex(of: "[") else {
    return []
  }
  var names: [String] = []
  var list = balanced(call[open...])
  while let quote = list.firstIndex(of: "\"") {
    // In `.product(name: "X", package: "y")` the first string is the name; the second is skipped.
    let isProduct = list[..<quote].contains("(")
    guard let name = quoted(after: "", in: list[quote...]) else { break }
    names.append(name)
    list = list[quote...].dropFirst(name.count + 2)
    if isProduct, let close = list.firstIndex(of: ")") { list = list[close...].dropFirst() }
  }
  return names
}

/// From an opening bracket to the one that closes it.
private func balanced(_ text: Substring) -> Substring {
  var depth = 0
  for index in text.indices {
    switch text[index] {
    case "(", "[": depth += 1
    case ")", "]": depth -= 1
    default: break
    }
    if depth == 0 { return text[...index] }
  }
  return text
}

private func quoted(after label: String, in text: Substring) -> String? {
  var from = text.startIndex
  if !label.isEmpty {
    guard let range = text.range(of: label) else { return nil }
    from = range.upperBound
  }
  let parts = text[from...].split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
  return parts.count == 3 ? String(parts[1]) : nil
}

/// Dependencies that the table does not allow, and imports that nothing declares.
func manifestFindings(targets: [ManifestTarget], importsOf: (Room) -> Set<String>) -> [Finding] {
  var findings: [Finding] = []
  func found(_ what: String) { findings.append(Finding(path: "Package.swift", line: 1, what: what)) }
  for target in targets where target.kind != "testTarget" {
    guard let room = ImportTable.rooms.first(where: { $0.target == target.name }) else {
      found("\(target.name) is not in the import table")
      continue
    }
    let allowed = room.own.union(room.foreign)
    for name in target.dependencies where !allowed.contains(name) {
      found("\(target.name) may not depend on \(name)")
    }
    // What a foreign product re-exports needs no line of its own; what is this package's does.
    let own = importsOf(room).intersection(room.own).map { ImportTable.targets[$0] ?? $0 }
    for module in Set(own).subtracting(target.dependencies).sorted() {
      found("\(target.name) imports \(module) without a dependency")
    }
  }
  return findings
}
