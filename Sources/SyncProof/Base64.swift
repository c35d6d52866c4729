/// Standard base64 (RFC 4648 §4) in its one canonical form: padded, unused bits zero, no white space.
public enum Base64 {
  /// Four characters for each three bytes, padded at the end.
  public static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(encodedCount(bytes.count))
    var i = 0
    while i < bytes.count {
      let left = bytes.count - i
      let group =
        UInt32(bytes[i]) << 16 | (left > 1 ? UInt32(bytes[i + 1]) << 8 : 0) | (left > 2 ? UInt32(bytes[i + 2]) : 0)
      out.append(character(group >> 18))
      out.append(character(group >> 12 & 63))
      out.append(left > 1 ? character(group >> 6 & 63) : UInt8(ascii: "="))
      out.append(left > 2 ? character(group & 63) : UInt8(ascii: "="))
      i += 3
    }
    return out
  }

  /// Characters that `count` bytes become.
  public static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// - Returns: `nil` for anything that ``encode(_:)`` does not write.
  public static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(text.count / 4 * 3)
    var i = 0
    while i < text.count {
      var pads = 0
      if i + 4 == text.count, text[i + 3] == UInt8(ascii: "=") { pads = text[i + 2] == UInt8(ascii: "=") ? 2 : 1 }
      var group: UInt32 = 0
      for j in 0..<4 {
        group <<= 6
        if j < 4 - pads {
          guard let value = value(of: text[i + j]) else { return nil }
          group |= value
        }
      }
      // Bits that no byte takes must be zero: else one value had several encodings.
      if pads == 1, group & 0xff != 0 { return nil }
      if pads == 2, group & 0xffff != 0 { return nil }
      out.append(UInt8(truncatingIfNeeded: group >> 16))
      if pads < 2 { out.append(UInt8(truncatingIfNeeded: group >> 8)) }
      if pads < 1 { out.append(UInt8(truncatingIfNeeded: group)) }
      i += 4
    }
    return out
  }

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

  private static func value(of character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
