/// ASCII decimal numbers in their one form: no sign, no leading zeros.
package enum Decimal {
  package static func encode(_ value: UInt64) -> [UInt8] {
    guard value > 0 else { return [UInt8(ascii: "0")] }
    var digits: [UInt8] = []
    var rest = value
    while rest > 0 {
      digits.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    }
    digits.reverse()
    return digits
  }

  /// - Returns: `nil` for anything that ``encode(_:)`` does not write.
  package static func decode(_ text: [UInt8]) -> UInt64? {
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
