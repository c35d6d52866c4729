/// A tile of a log: up to 256 neighbouring hashes of one level, or the entries below such hashes.
///
/// Source: C2SP tlog-tiles.
public struct Tile: Hashable, Sendable {
  /// What a tile holds.
  public enum Kind: Hashable, Sendable {
    /// Roots of complete subtrees of `256 ** level` leaves; 0...63.
    case hashes(level: Int)
    /// The leaves' bytes.
    case entries
  }

  /// Hashes of one level, or entries.
  public let kind: Kind
  /// Place among the tiles of its level.
  public let index: UInt64
  /// 1...256; below 256 the tile is partial.
  public let width: Int

  /// Hashes or entries in a full tile.
  public static let fullWidth = 256

  /// - Returns: `nil` if the level is outside 0...63, the width outside 1...256 or the index beyond what a tree has.
  public init?(_ kind: Kind, index: UInt64, width: Int = Tile.fullWidth) {
    if case .hashes(let level) = kind, !(0...63).contains(level) { return nil }
    guard (1...Tile.fullWidth).contains(width), index <= ProofLimits.treeSizeMax >> 8 else { return nil }
    (self.kind, self.index, self.width) = (kind, index, width)
  }

  /// Whether it will grow with the log.
  public var isPartial: Bool { width < Tile.fullWidth }

  /// Where the tile is served below the log's prefix: `tile/<level>/<index>[.p/<width>]`, `tile/entries/…`.
  public var path: Text {
    var out = Text("tile/").utf8
    switch kind {
    case .hashes(let level): out.append(contentsOf: Decimal.encode(UInt64(level)))
    case .entries: out.append(contentsOf: Text("entries").utf8)
    }
    out.append(UInt8(ascii: "/"))
    out.append(contentsOf: Tile.indexPath(index).utf8)
    if isPartial {
      out.append(contentsOf: Text(".p/").utf8)
      out.append(contentsOf: Decimal.encode(UInt64(width)))
    }
    return Text(utf8: out)
  }

  /// Parses ``path``: nothing else is a tile's place.
  ///
  /// - Throws: ``ProofError/Code/malformed``.
  public init(path: Text) throws(ProofError) {
    guard let tile = Tile.parse(path) else {
      throw ProofError(
        .malformed,
        "`\(Naming.printable(path.utf8))` is no tile's path; wanted tile/<level or entries>/<index>[.p/<width>]")
    }
    self = tile
  }

  /// An index in groups of three digits, all but the last behind an `x`: 1234067 is `x001/x234/067`.
  public static func indexPath(_ index: UInt64) -> Text {
    var groups: [UInt64] = []
    var rest = index
    repeat {
      groups.append(rest % 1_000)
      rest /= 1_000
    } while rest > 0
    var out: [UInt8] = []
    for i in groups.indices.reversed() {
      if i > 0 { out.append(UInt8(ascii: "x")) }
      for divisor in [100, 10, 1] as [UInt64] { out.append(UInt8(ascii: "0") + UInt8(groups[i] / divisor % 10)) }
      if i > 0 { out.append(UInt8(ascii: "/")) }
    }
    return Text(utf8: out)
  }

  private static func parse(_ path: Text) -> Tile? {
    guard path.utf8.count <= 64 else { return nil }
    var parts: [[UInt8]] = []
    for part in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      parts.append([UInt8](part))
    }
    guard parts.count >= 3, parts[0] == Text("tile").utf8 else { return nil }
    let kind: Kind
    if parts[1] == Text("entries").utf8 {
      kind = .entries
    } else {
      guard let level = Decimal.decode(parts[1]), level <= 63 else { return nil }
      kind = .hashes(level: Int(level))
    }
    var digits = Array(parts[2...])
    var width = Tile.fullWidth
    if digits.count >= 2, digits[digits.count - 2].count == 5,
      digits[digits.count - 2].suffix(2).elementsEqual(Text(".p").utf8)
    {
      guard let partial = Decimal.decode(digits.removeLast()), partial < 256 else { return nil }
      width = Int(partial)
      digits[digits.count - 1].removeLast(2)
    }
    guard let index = parseIndex(digits), let tile = Tile(kind, index: index, width: width) else { return nil }
    // Leading groups of zeros would be a second way to write an index.
    return tile.path == path ? tile : nil
  }

  private static func parseIndex(_ groups: [[UInt8]]) -> UInt64? {
    guard groups.count <= 6 else { return nil }
    var index: UInt64 = 0
    for i in groups.indices {
      var digits = groups[i]
      if i < groups.count - 1 {
        guard digits.first == UInt8(ascii: "x") else { return nil }
        digits.removeFirst()
      }
      guard digits.count == 3 else { return nil }
      for digit in digits {
        guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
        index = index * 10 + UInt64(digit - UInt8(ascii: "0"))
      }
    }
    return index
  }
}
