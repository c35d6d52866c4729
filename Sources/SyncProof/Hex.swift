/// Lower-case hexadecimal, the one form that is accepted.
public enum Hex {
  /// Two lower-case digits a byte.
  public static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    for byte in bytes {
      out.append(digit(byte >> 4))
      out.append(digit(byte & 15))
    }
    return out
  }

  /// - Returns: `nil` for an odd length or anything but `0-9a-f`.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(text.count / 2)
    var high: UInt8?
    for character in text {
      guard let value = value(of: character) else { return nil }
      if let h = high {
        out.append(h << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return out
  }

  /// The number that exactly eight digits write; else `nil`.
  static func word(_ text: Bytes) -> UInt32? {
    guard text.count == 8 else { return nil }
    var word: UInt32 = 0
    for character in text {
      guard let value = value(of: character) else { return nil }
      word = word << 4 | UInt32(value)
    }
    return word
  }

  /// Appends the two digits of `byte`.
  static func append(_ byte: UInt8, to out: inout [UInt8]) {
    out.append(digit(byte >> 4))
    out.append(digit(byte & 15))
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
  }

  static func value(of character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
