/// Writes JSON (RFC 8259) in one form: no white space, members in the order in which they are given, printable ASCII
/// and other visible characters as they are, everything else escaped. What is not UTF-8 becomes U+FFFD.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  /// Whether the next member or element is not the first where it stands.
  private var needsComma = false

  mutating func object(_ write: (inout JSONWriter) -> Void) { enclosed("{", "}", write) }
  mutating func array(_ write: (inout JSONWriter) -> Void) { enclosed("[", "]", write) }

  mutating func member(_ key: StaticString, _ value: [UInt8]) {
    name(key)
    string(value)
  }

  mutating func member(_ key: StaticString, _ value: Text) { member(key, value.utf8) }
  mutating func member(_ key: StaticString, _ value: Digest) { member(key, Hex.encode(value.bytes)) }

  mutating func member(_ key: StaticString, _ value: UInt64) {
    name(key)
    literal(Decimal.encode(value))
  }

  mutating func member(_ key: StaticString, _ value: Bool) {
    name(key)
    literal(Text(stringLiteral: value ? "true" : "false").utf8)
  }

  mutating func memberNull(_ key: StaticString) {
    name(key)
    literal(Text("null").utf8)
  }

  mutating func object(_ key: StaticString, _ write: (inout JSONWriter) -> Void) {
    name(key)
    object(write)
  }

  mutating func array(_ key: StaticString, _ write: (inout JSONWriter) -> Void) {
    name(key)
    array(write)
  }

  mutating func string(_ value: [UInt8]) {
    divide()
    quote(value)
    needsComma = true
  }

  private mutating func name(_ key: StaticString) {
    divide()
    key.withUTF8Buffer { quote([UInt8]($0)) }
    bytes.append(UInt8(ascii: ":"))
  }

  private mutating func literal(_ text: [UInt8]) {
    divide()
    bytes += text
    needsComma = true
  }

  private mutating func enclosed(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ write: (inout JSONWriter) -> Void) {
    divide()
    bytes.append(UInt8(ascii: open))
    needsComma = false
    write(&self)
    bytes.append(UInt8(ascii: close))
    needsComma = true
  }

  private mutating func divide() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = false
  }

  private mutating func quote(_ value: [UInt8]) {
    let quote = UInt8(ascii: "\"")
    let backslash = UInt8(ascii: "\\")
    bytes.append(quote)
    var scanner = UTF8Scanner(value)
    while !scanner.isAtEnd {
      let start = scanner.offset
      guard let scalar = scanner.next() else {
        scanner.skip()
        bytes += VisibleText.replacement
        continue
      }
      switch scalar {
      case 0x22, 0x5c:
        bytes.append(backslash)
        bytes.append(UInt8(truncatingIfNeeded: scalar))
      case 0x0a:
        bytes.append(backslash)
        bytes.append(UInt8(ascii: "n"))
      case _ where VisibleText.isHidden(scalar):
        escape(scalar)
      default:
        bytes += value[start..<scanner.offset]
      }
    }
    bytes.append(quote)
  }

  /// `\u` and four digits; all that is hidden lies in the first plane but for language tags, which take two.
  private mutating func escape(_ scalar: UInt32) {
    let units =
      scalar < 0x10000
      ? [scalar] : [0xd800 + (scalar - 0x10000) >> 10, 0xdc00 + (scalar - 0x10000) & 0x3ff]
    for unit in units {
      bytes += [UInt8(ascii: "\\"), UInt8(ascii: "u")]
      bytes += Hex.encode([UInt8(truncatingIfNeeded: unit >> 8), UInt8(truncatingIfNeeded: unit)])
    }
  }
}

/// Text from outside on its way to people: a terminal or a page must show what it says, and do nothing else.
package enum VisibleText {
  /// U+FFFD.
  static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

  /// Control characters, which terminals obey, and those that hide or reorder what stands around them.
  static func isHidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0..<0x20, 0x7f..<0xa0, 0xad, 0x061c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff,
      0xfff9...0xfffb, 0xe0000...0xe007f:
      true
    default: false
    }
  }

  static func isUTF8(_ text: [UInt8]) -> Bool {
    var scanner = UTF8Scanner(text)
    while !scanner.isAtEnd {
      guard scanner.next() != nil else { return false }
    }
    return true
  }

  /// The text with U+FFFD for each hidden character and each byte that is not UTF-8.
  package static func encode(_ text: [UInt8]) -> [UInt8] {
    // Almost all text is shown as it is.
    guard text.contains(where: { !(0x20..<0x7f ~= $0) }) else { return text }
    var out: [UInt8] = []
    var scanner = UTF8Scanner(text)
    while !scanner.isAtEnd {
      let start = scanner.offset
      if let scalar = scanner.next() {
        out += isHidden(scalar) ? replacement[...] : text[start..<scanner.offset]
      } else {
        scanner.skip()
        out += replacement
      }
    }
    return out
  }
}
