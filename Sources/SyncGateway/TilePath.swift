import SyncProof

/// The coordinates that a tile's address names.
///
/// One tile has one address: the index in groups of three digits, all but the last behind an `x`, no group of zeros in
/// front; level and width in decimal without leading zeros.
///
/// Source: C2SP tlog-tiles, “Merkle Tree” and “Log entries”.
struct TilePath: Hashable, Sendable {
  enum Content: Hashable, Sendable {
    /// Merkle tree hashes; level 0 has the leaves' hashes.
    case hashes(level: Int)
    /// The leaves themselves.
    case entries
  }

  static let widthMax = 256
  /// A tree has fewer than 2⁶⁴ leaves, and level 6 and above would have hashes of 2⁴⁸ leaves and more: no log that can
  /// be built has them.
  static let levelMax = 5

  let content: Content
  let index: UInt64
  /// 1...256; 256 is a full tile.
  let width: Int

  /// - Parameter elements: The path elements behind `/tile/`.
  /// - Returns: `nil` for anything but the one address of a tile.
  init?(elements: [Substring]) {
    guard let first = elements.first else { return nil }
    if first == "entries" {
      content = .entries
    } else {
      guard let level = TilePath.decimal(first, in: 0...63), level <= TilePath.levelMax else { return nil }
      content = .hashes(level: level)
    }
    var groups = elements.dropFirst()
    if groups.count >= 2, let stem = groups.dropLast().last, stem.hasSuffix(".p") {
      guard let width = TilePath.decimal(groups.removeLast(), in: 1...(TilePath.widthMax - 1)) else { return nil }
      self.width = width
      groups[groups.endIndex - 1] = stem.dropLast(2)
    } else {
      width = TilePath.widthMax
    }
    guard let index = TilePath.index(groups) else { return nil }
    self.index = index
    // The tile's end index must be a leaf number, else there is no such tile in any tree.
    let level = if case .hashes(let level) = content { level } else { 0 }
    guard index >> UInt64(64 - 8 * (level + 1)) == 0 else { return nil }
  }

  private static func index(_ groups: ArraySlice<Substring>) -> UInt64? {
    guard !groups.isEmpty, groups.count == 1 || groups.first != "x000" else { return nil }
    var index: UInt64 = 0
    for (position, group) in zip(groups.indices, groups) {
      var digits = group.utf8
      if position != groups.endIndex - 1 {
        guard digits.first == UInt8(ascii: "x") else { return nil }
        digits = digits.dropFirst()
      }
      guard digits.count == 3 else { return nil }
      for digit in digits {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
        let (tenfold, overflow) = index.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tenfold.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
        guard !overflow, !carry else { return nil }
        index = sum
      }
    }
    return index
  }

  private static func decimal(_ text: Substring, in range: ClosedRange<Int>) -> Int? {
    let digits = text.utf8
    guard (1...3).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0"),
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let value = Int(text),
      range.contains(value)
    else { return nil }
    return value
  }
}
