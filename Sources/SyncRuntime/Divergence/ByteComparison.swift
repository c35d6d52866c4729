import SyncProof

/// Where two byte strings differ, part by part.
///
/// Pure and bounded: both are in memory already, lists have bounds, and what passes one is counted and not kept.
struct ByteComparison: Sendable {
  /// Differing stretches of one pair of parts.
  struct PartDifference: Sendable {
    let place: String
    let first: FilePart
    let second: FilePart
    /// Offsets in the whole files; equally many bytes where the parts are equally long.
    let regions: [(first: Range<Int>, second: Range<Int>)]
    let differingBytes: Int
  }

  static let partsMax = 256
  static let regionsMax = 256
  /// Equal bytes between two differing ones that do not begin a new region.
  private static let gapBytes = 8

  let first: [UInt8]
  let second: [UInt8]
  let firstStructure: FileStructure
  let secondStructure: FileStructure
  /// Offset of the first byte that differs, or the shorter length; `nil` for equal bytes.
  let firstDifference: Int?
  /// Differing positions up to the shorter length, and what the longer one has behind it.
  let differingBytes: Int
  let differences: [PartDifference]
  /// Parts that only one of the two has, by place.
  let onlyFirst: [String]
  let onlySecond: [String]
  /// Whether both have the same parts with the same bytes, in another order.
  let isReordered: Bool

  init(_ first: [UInt8], _ second: [UInt8]) {
    (self.first, self.second) = (first, second)
    firstStructure = FileStructure(first)
    secondStructure = FileStructure(second)
    (firstDifference, differingBytes) = ByteComparison.positions(first, second)
    guard firstDifference != nil else {
      (differences, onlyFirst, onlySecond, isReordered) = ([], [], [], false)
      return
    }
    let matched = PartMatch(firstStructure.parts, secondStructure.parts)
    var differences: [PartDifference] = []
    for (a, b) in matched.pairs where differences.count < ByteComparison.partsMax {
      if let found = ByteComparison.difference(a, b, first, second) { differences.append(found) }
    }
    self.differences = differences
    onlyFirst = Array(matched.onlyFirst.map(\.name).prefix(ByteComparison.partsMax))
    onlySecond = Array(matched.onlySecond.map(\.name).prefix(ByteComparison.partsMax))
    isReordered = ByteComparison.isReordered(first, second, firstStructure, secondStructure)
  }

  private static func positions(_ first: [UInt8], _ second: [UInt8]) -> (first: Int?, count: Int) {
    let common = min(first.count, second.count)
    var count = max(first.count, second.count) - common
    var at: Int? = count > 0 ? common : nil
    first.withUnsafeBufferPointer { a in
      second.withUnsafeBufferPointer { b in
        var index = common
        while index > 0 {
          index -= 1
          if a[index] != b[index] {
            count += 1
            at = index
          }
        }
      }
    }
    return (at, count)
  }

  private static func difference(_ a: FilePart, _ b: FilePart, _ first: [UInt8], _ second: [UInt8]) -> PartDifference? {
    var regions: [(first: Range<Int>, second: Range<Int>)] = []
    var count = 0
    if a.range.count == b.range.count {
      let shift = b.range.lowerBound - a.range.lowerBound
      var start: Int?
      var last = 0
      func close() {
        if let start, regions.count < regionsMax {
          regions.append((start..<(last + 1), (start + shift)..<(last + 1 + shift)))
        }
        start = nil
      }
      first.withUnsafeBufferPointer { x in
        second.withUnsafeBufferPointer { y in
          for index in a.range where x[index] != y[index + shift] {
            count += 1
            if start != nil, index - last > gapBytes { close() }
            if start == nil { start = index }
            last = index
          }
        }
      }
      close()
    } else {
      let common = min(a.range.count, b.range.count)
      var front = 0
      while front < common, first[a.range.lowerBound + front] == second[b.range.lowerBound + front] { front += 1 }
      var back = 0
      while back < common - front,
        first[a.range.upperBound - 1 - back] == second[b.range.upperBound - 1 - back]
      { back += 1 }
      regions = [
        (
          (a.range.lowerBound + front)..<(a.range.upperBound - back),
          (b.range.lowerBound + front)..<(b.range.upperBound - back)
        )
      ]
      count = max(regions[0].first.count, regions[0].second.count)
    }
    guard count > 0 else { return nil }
    return PartDifference(place: a.name, first: a, second: b, regions: regions, differingBytes: count)
  }

  /// The same contents (members, entries, lines) as a multiset, while the bytes differ.
  private static func isReordered(
    _ first: [UInt8], _ second: [UInt8], _ a: FileStructure, _ b: FileStructure
  ) -> Bool {
    guard a.format == b.format, a.parts.count == b.parts.count, first.count == second.count else { return false }
    if a.format == "text" { return digests(ofLines: first) == digests(ofLines: second) }
    guard a.parts.count > 2 else { return false }
    // A zip's records hold offsets, and an ar's symbol table too: only what has a place of its own counts.
    func contents(_ structure: FileStructure, _ bytes: [UInt8]) -> [Digest] {
      structure.parts.filter { $0.role == .content && $0.name != "symbol table" && $0.name != "table of names" }
        .map { SHA256.hash(Array(bytes[$0.range])) }
    }
    let (x, y) = (contents(a, first), contents(b, second))
    return x != y && x.sorted() == y.sorted()
  }

  private static func digests(ofLines bytes: [UInt8]) -> [Digest] {
    // A last line without its newline is the same line.
    bytes.split(separator: 0x0A).map { SHA256.hash(Array($0)) }.sorted()
  }
}

/// Parts of two files that have the same name, the n-th of that name with the n-th.
private struct PartMatch {
  private(set) var pairs: [(FilePart, FilePart)] = []
  private(set) var onlyFirst: [FilePart] = []
  private(set) var onlySecond: [FilePart] = []

  private struct Key: Hashable {
    let name: String
    let number: Int
  }

  init(_ first: [FilePart], _ second: [FilePart]) {
    var places: [Key: Int] = [:]
    for (index, key) in PartMatch.keys(second).enumerated() { places[key] = index }
    var taken = Set<Int>()
    for (part, key) in zip(first, PartMatch.keys(first)) {
      if let index = places[key] {
        pairs.append((part, second[index]))
        taken.insert(index)
      } else {
        onlyFirst.append(part)
      }
    }
    for (index, part) in second.enumerated() where !taken.contains(index) { onlySecond.append(part) }
  }

  private static func keys(_ parts: [FilePart]) -> [Key] {
    var numbers: [String: Int] = [:]
    return parts.map { part in
      defer { numbers[part.name, default: 0] += 1 }
      return Key(name: part.name, number: numbers[part.name, default: 0])
    }
  }
}
