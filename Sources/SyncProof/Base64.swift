/// Standard base64 (RFC 4648 §4) in its one canonical form: padded, unused bits zero, no white space.
public enum Base64 {
  /// Four characters for each three bytes, padded at the end.
  public static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(encodedCount(bytes.count))
    append(bytes, to: &out)
    return out
  }

  static func append(_ bytes: [UInt8], to out: inout [UInt8]) {
    var i = 0
    while i < bytes.count {
      let left = bytes.count - i
      let group =
        UInt32(bytes[i]) << 16 | (left > 1 ? UInt32(bytes[i + 1]) << 8 : 0) | (left > 2 ? UInt32(bytes[i + 2]) : 0)
      out.append(character(group >> 18))
      out.append(character(group >> 12 & 63))
      out.append(left > 1 ? character(group >> 6 & 63) : pad)
      out.append(left > 2 ? character(group & 63) : pad)
      i += 3
    }
  }

  /// Characters that `count` bytes become.
  public static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// - Returns: `nil` for anything that ``encode(_:)`` does not write.
  public static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text[...]) }

  package static func decode(_ text: Bytes) -> [UInt8]? {
    let text = text.span
    guard text.count % 4 == 0 else { return nil }
    guard text.count > 0 else { return [] }
    let pads = text[text.count - 1] != pad ? 0 : text[text.count - 2] != pad ? 1 : 2
    var out = [UInt8](repeating: 0, count: text.count / 4 * 3 - pads)
    var bytes = out.mutableSpan
    let groups = text.count / 4 - (pads > 0 ? 1 : 0)
    // No branch for each character: which comes next is chance, and processors guess chance badly.
    var seen: UInt8 = 0
    var (from, to) = (0, 0)
    for _ in 0..<groups {
      let (a, b) = (value(of: text[from]), value(of: text[from + 1]))
      let (c, d) = (value(of: text[from + 2]), value(of: text[from + 3]))
      seen |= a | b | c | d
      bytes[to] = a << 2 | b >> 4
      bytes[to + 1] = b << 4 | c >> 2
      bytes[to + 2] = c << 6 | d
      (from, to) = (from + 4, to + 3)
    }
    if pads > 0 {
      let (a, b) = (value(of: text[from]), value(of: text[from + 1]))
      let c = pads == 1 ? value(of: text[from + 2]) : 0
      seen |= a | b | c
      bytes[to] = a << 2 | b >> 4
      if pads == 1 { bytes[to + 1] = b << 4 | c >> 2 }
      // Bits that no byte takes must be zero: else one value had several encodings.
      guard pads == 1 ? c & 3 == 0 : b & 15 == 0 else { return nil }
    }
    return seen < 64 ? out : nil
  }

  private static let pad = UInt8(ascii: "=")

  private static func character(_ value: UInt32) -> UInt8 {
    let v = UInt8(truncatingIfNeeded: value)
    switch v {
    case 0..<26: return UInt8(ascii: "A") + v
    case 26..<52: return UInt8(ascii: "a") + (v - 26)
    case 52..<62: return UInt8(ascii: "0") + (v - 52)
    case 62: return UInt8(ascii: "+")
    default: return UInt8(ascii: "/")
    }
  }

  /// - Returns: 0...63; 255 for what is no base64 character.
  private static func value(of character: UInt8) -> UInt8 {
    let i = Int(character &- UInt8(ascii: "+"))
    return i < values.count ? values[i] : none
  }

  private static let none: UInt8 = 255

  /// Of the characters from `+` to `z`.
  private static let values: [UInt8] = [
    62, none, none, none, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, none, none, none, none, none, none, none,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    none, none, none, none, none, none,
    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
  ]
}
