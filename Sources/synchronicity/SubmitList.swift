import SyncRuntime

/// One line of a list: what `submit` is asked for once.
struct SubmitItem: Sendable, Equatable {
  let request: SubmitRequest
  /// Counted from 1; 0 for what no file holds.
  let line: Int

  /// The line as it is written when nothing is left to choice: what was asked for, without how urgently.
  var key: String {
    var words = [request.package]
    let features = request.features ?? []
    if !features.isEmpty { words.append("features=" + features.joined(separator: ",")) }
    if let rebuild = request.rebuild { words.append("rebuild=\(rebuild)") }
    return words.joined(separator: " ")
  }
}

/// A file of packages, one a line:
///
/// ```
/// # a comment
/// pkg:cargo/itoa@1.0.1
/// pkg:cargo/memchr@2.5.0 features=std,use_std priority=10   # another one
/// pkg:cargo/semver@1.0.14 rebuild=2
/// ```
///
/// Words stand apart by spaces. `features` has names with commas between them, `rebuild` and `priority` have whole
/// numbers, each at most once. Nothing is guessed: what is misspelt would ask for something else.
enum SubmitList {
  static let bytesMax = 4 << 20
  static let itemsMax = 10_000

  /// - Parameters:
  ///   - name: Of the file, for messages.
  ///   - rebuild: For lines that say none.
  /// - Throws: ``CommandFailure`` with the file's name and the number of the first line that is wrong.
  static func parse(_ bytes: [UInt8], name: String, rebuild: UInt64? = nil) throws(CommandFailure) -> [SubmitItem] {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.usage, "\(name) is not UTF-8; a list of packages is text, one package a line")
    }
    var items: [SubmitItem] = []
    var lines: [String: Int] = [:]
    for (offset, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let place = "\(name):\(offset + 1)"
      guard let item = try item(line, number: offset + 1, place: place, rebuild: rebuild) else { continue }
      if let first = lines.updateValue(offset + 1, forKey: item.key) {
        throw CommandFailure(.usage, "\(place): \(item.key) stands in line \(first) already; keep one of them")
      }
      items.append(item)
      guard items.count <= itemsMax else {
        throw CommandFailure(.usage, "\(place): a list has at most \(itemsMax) packages; split it")
      }
    }
    guard !items.isEmpty else {
      throw CommandFailure(.usage, "\(name) names no package; write one a line, such as pkg:cargo/itoa@1.0.1")
    }
    return items
  }

  private static func item(_ line: Substring, number: Int, place: String, rebuild: UInt64?) throws(CommandFailure)
    -> SubmitItem?
  {
    guard line.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) || line.drop(while: { $0 == " " }).first == "#" else {
      throw CommandFailure(
        .usage, "\(place): the line has a tab, a carriage return or another character that no package name has")
    }
    let words = line.split(separator: " ").prefix { !$0.hasPrefix("#") }
    guard let package = words.first else { return nil }
    guard package.hasPrefix("pkg:"), package.utf8.count > "pkg:".utf8.count else {
      throw CommandFailure(.usage, "\(place): \(package) is no package URL; write one such as pkg:cargo/itoa@1.0.1")
    }
    var request = SubmitRequest(package: String(package), rebuild: rebuild)
    var seen: Set<Substring> = []
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, ["features", "priority", "rebuild"].contains(parts[0]) else {
        throw CommandFailure(.usage, "\(place): behind a package come features=, rebuild= and priority=, not \(word)")
      }
      guard seen.insert(parts[0]).inserted else {
        throw CommandFailure(.usage, "\(place): \(parts[0]) is given twice; name it once")
      }
      try set(parts[0], parts[1], in: &request, place: place)
    }
    return SubmitItem(request: request, line: number)
  }

  private static func set(_ name: Substring, _ value: Substring, in request: inout SubmitRequest, place: String)
    throws(CommandFailure)
  {
    switch name {
    case "features":
      let features = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard features.allSatisfy({ !$0.isEmpty }), Set(features).count == features.count else {
        throw CommandFailure(.usage, "\(place): features=\(value) holds an empty name, or one twice")
      }
      request.features = features.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    case "rebuild":
      guard let number = UInt64(value), String(number) == value else {
        throw CommandFailure(.usage, "\(place): rebuild=\(value) is no whole number without leading zeros")
      }
      request.rebuild = number
    default:
      guard let number = Int(value), String(number) == value, SubmitRequest.priorities.contains(number) else {
        let (least, most) = (SubmitRequest.priorities.lowerBound, SubmitRequest.priorities.upperBound)
        throw CommandFailure(.usage, "\(place): priority=\(value) is no whole number from \(least) to \(most)")
      }
      request.priority = number
    }
  }
}
