/// ASCII decimal numbers in their one form: no sign, no leading zeros.
package enum Decimal {
  package static func encode(_ value: UInt64) -> [UInt8] {
    var digits: [UInt8] = []
    append(value, to: &digits)
    return digits
  }

  static func append(_ value: UInt64, to out: inout [UInt8]) {
    var unit: UInt64 = 1
    for _ in 1..<count(of: value) { unit *= 10 }
    while unit > 0 {
      out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / unit % 10))
      unit /= 10
    }
  }

  /// How many digits ``encode(_:)`` writes.
  static func count(of value: UInt64) -> Int {
    var (rest, count) = (value / 10, 1)
    while rest > 0 { (rest, count) = (rest / 10, count + 1) }
    return count
  }

  /// - Returns: `nil` for anything that ``encode(_:)`` does not write.
  package static func decode(_ text: [UInt8]) -> UInt64? { decode(text[...]) }

  package static func decode(_ text: Bytes) -> UInt64? {
    guard let first = text.first, text.count <= 20 else { return nil }
    if first == UInt8(ascii: "0"), text.count > 1 { return nil }
    var value: UInt64 = 0
    for character in text {
      guard character >= UInt8(ascii: "0"), character <= UInt8(ascii: "9") else { return nil }
      let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(UInt64(character - UInt8(ascii: "0")))
      guard !overflowed, !carried else { return nil }
      value = sum
    }
    return value
  }
}
