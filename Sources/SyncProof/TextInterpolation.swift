/// Lets the sentences of errors be written as literals with values in them.
///
/// `String` has the same, compiled anew into each place that uses it and with Unicode's rules behind it: that was two
/// fifths of the embedded library. Here each piece is one call.
extension Text: ExpressibleByStringInterpolation {
  public init(stringInterpolation pieces: Pieces) { utf8 = pieces.utf8 }

  public static func + (a: Text, b: Text) -> Text { Text(utf8: a.utf8 + b.utf8) }

  /// The pieces of a literal, one behind the other.
  public struct Pieces: StringInterpolationProtocol {
    fileprivate var utf8: [UInt8] = []

    public init(literalCapacity: Int, interpolationCount: Int) {}

    @inline(never)
    public mutating func appendLiteral(_ literal: StaticString) {
      literal.withUTF8Buffer { utf8.append(contentsOf: $0) }
    }

    public mutating func appendInterpolation(_ text: StaticString) { appendLiteral(text) }

    @inline(never)
    public mutating func appendInterpolation(_ text: Text) { utf8.append(contentsOf: text.utf8) }

    public mutating func appendInterpolation(_ text: some StringProtocol) { utf8.append(contentsOf: text.utf8) }

    /// In decimal; of at most 64 bits.
    public mutating func appendInterpolation(_ number: some BinaryInteger) {
      append(UInt64(number.magnitude), isNegative: number < 0)
    }

    /// In hexadecimal.
    @inline(never)
    public mutating func appendInterpolation(_ digest: Digest) { utf8.append(contentsOf: Hex.encode(digest.bytes)) }

    @inline(never)
    private mutating func append(_ magnitude: UInt64, isNegative: Bool) {
      if isNegative { utf8.append(UInt8(ascii: "-")) }
      utf8.append(contentsOf: Decimal.encode(magnitude))
    }
  }
}
