/// What a dependency says of the versions that it takes, such as `^1.2, <1.9`.
///
/// The rules are those of cargo's `semver` crate, branch by branch.
struct CrateRequirement {
  private enum Operator { case exact, greater, greaterOrEqual, less, lessOrEqual, tilde, caret }

  private struct Comparator {
    var kind: Operator
    /// Major, minor and patch, as many as are written.
    var numbers: [UInt64]
    /// The whole version, when all three numbers are there.
    var version: CrateVersion?
  }

  private static let comparatorsMax = 32
  private let comparators: [Comparator]

  /// `nil` for what cargo does not read either.
  init?(_ text: String) {
    guard text.utf8.count <= 512 else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    if Self.trimmed(parts[0]) == "*", parts.count == 1 {
      comparators = []
      return
    }
    let read = parts.map { Self.comparator(Self.trimmed($0)) }
    guard read.count <= Self.comparatorsMax, read.allSatisfy({ $0 != nil }) else { return nil }
    comparators = read.compactMap(\.self)
  }

  func matches(_ version: CrateVersion) -> Bool {
    guard comparators.allSatisfy({ Self.matches($0, version) }) else { return false }
    // A pre-release is taken only where one of the same release is asked for.
    return version.isRelease
      || comparators.contains { $0.numbers == version.numbers && !($0.version?.isRelease ?? true) }
  }

  private static func matches(_ comparator: Comparator, _ version: CrateVersion) -> Bool {
    switch comparator.kind {
    case .exact: isExact(comparator, version)
    case .greater: order(comparator, version) > 0
    case .greaterOrEqual: isExact(comparator, version) || order(comparator, version) > 0
    case .less: order(comparator, version) < 0
    case .lessOrEqual: isExact(comparator, version) || order(comparator, version) < 0
    case .tilde: isTilde(comparator, version)
    case .caret: isCaret(comparator, version)
    }
  }

  private static func isExact(_ c: Comparator, _ v: CrateVersion) -> Bool {
    v.numbers.starts(with: c.numbers) && (c.version.map { $0 == v } ?? v.isRelease)
  }

  /// Above 0 when the version is greater; 0 also when the comparator has too few numbers to tell.
  private static func order(_ c: Comparator, _ v: CrateVersion) -> Int {
    for (a, b) in zip(v.numbers, c.numbers) where a != b { return a > b ? 1 : -1 }
    guard let whole = c.version else { return 0 }
    return v == whole ? 0 : v > whole ? 1 : -1
  }

  private static func isTilde(_ c: Comparator, _ v: CrateVersion) -> Bool {
    guard v.numbers.starts(with: c.numbers.prefix(2)) else { return false }
    return c.version.map { v >= $0 } ?? true
  }

  private static func isCaret(_ c: Comparator, _ v: CrateVersion) -> Bool {
    guard v.numbers[0] == c.numbers[0] else { return false }
    guard c.numbers.count > 1 else { return true }
    guard let whole = c.version else {
      return c.numbers[0] > 0 ? v.numbers[1] >= c.numbers[1] : v.numbers[1] == c.numbers[1]
    }
    let fixed = c.numbers[0] > 0 ? 1 : c.numbers[1] > 0 ? 2 : 3
    return v.numbers.starts(with: c.numbers.prefix(fixed)) && v >= whole
  }

  private static func comparator(_ text: Substring) -> Comparator? {
    let operators: [(String, Operator)] = [
      (">=", .greaterOrEqual), ("<=", .lessOrEqual), (">", .greater), ("<", .less), ("=", .exact), ("~", .tilde),
      ("^", .caret),
    ]
    let found = operators.first { text.hasPrefix($0.0) }
    let body = trimmed(text.dropFirst(found?.0.utf8.count ?? 0))
    if let version = CrateVersion(String(body)) {
      return Comparator(kind: found?.1 ?? .caret, numbers: version.numbers, version: version)
    }
    let parts = body.split(separator: ".", omittingEmptySubsequences: false)
    let written = parts.prefix { !["*", "x", "X"].contains($0) }
    let numbers = written.compactMap(CrateVersion.number)
    let isWild = written.count < parts.count
    guard (1...3).contains(parts.count), !numbers.isEmpty, numbers.count == written.count, numbers.count < 3,
      parts[written.count...].allSatisfy({ ["*", "x", "X"].contains($0) })
    else { return nil }
    return Comparator(kind: found?.1 ?? (isWild ? .exact : .caret), numbers: numbers, version: nil)
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.utf8.first == 0x20 { text = text.dropFirst() }
    while text.utf8.last == 0x20 { text = text.dropLast() }
    return text
  }
}
