/// Which bytes may stand as a name, and where.
package enum Naming {
  /// A group's origin: a bare host name in lower case, 1...253 bytes.
  package static func isOrigin(_ text: Text) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, let last = bytes.last, bytes.count <= ProofLimits.originBytesMax,
      isLowerOrDigit(first), isLowerOrDigit(last)
    else { return false }
    var previous: UInt8 = 0
    for byte in bytes {
      guard isLowerOrDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") else { return false }
      // An empty label.
      if byte == UInt8(ascii: "."), previous == UInt8(ascii: ".") { return false }
      previous = byte
    }
    return true
  }

  /// A member's name: 1...64 of `A-Z a-z 0-9 - _`. A dot would let `<member>.<origin>` be read in two ways.
  package static func isMember(_ text: Text) -> Bool {
    guard !text.utf8.isEmpty, text.utf8.count <= ProofLimits.memberNameBytesMax else { return false }
    for byte in text.utf8 {
      guard isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") else { return false }
    }
    return true
  }

  /// A recipe's name for its failure: 1...63 of `a-z 0-9 -`, the first a letter.
  static func isFailure(_ text: Text) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= ProofLimits.failureNameBytesMax, isLowerOrDigit(first),
      first > UInt8(ascii: "9")
    else { return false }
    for byte in text.utf8 where !isLowerOrDigit(byte) && byte != UInt8(ascii: "-") { return false }
    return true
  }

  /// Printable ASCII without space, 1...`max` bytes.
  package static func isToken(_ text: Text, max: Int) -> Bool {
    guard !text.utf8.isEmpty, text.utf8.count <= max else { return false }
    for byte in text.utf8 where byte <= 0x20 || byte >= 0x7f { return false }
    return true
  }

  /// One of `A-Z a-z 0-9` or of `others`, 1...`max` bytes.
  package static func isWord(_ text: Text, others: StaticString, max: Int) -> Bool {
    guard !text.utf8.isEmpty, text.utf8.count <= max else { return false }
    return isWord(text.utf8[...], others: others)
  }

  static func isWord(_ text: Bytes, others: StaticString) -> Bool {
    others.withUTF8Buffer { others in
      for byte in text where !isAlphanumeric(byte) && !others.contains(byte) { return false }
      return true
    }
  }

  /// A relative path below a folder: components of printable ASCII without space, none empty, `.` or `..`.
  package static func isRelativePath(_ text: Text, max: Int) -> Bool {
    guard isToken(text, max: max) else { return false }
    var parts = FieldReader(text.utf8[...], separator: UInt8(ascii: "/"))
    while let part = parts.next() {
      if part.isEmpty || part.equals(".") || part.equals("..") { return false }
    }
    return true
  }

  /// A note key's name: UTF-8, not empty, without Unicode spaces, `+` and control characters (C2SP signed-note).
  package static func isKeyName(_ text: Text) -> Bool {
    guard !text.utf8.isEmpty, text.utf8.count <= ProofLimits.keyNameBytesMax else { return false }
    var scanner = UTF8Scanner(text.utf8[...])
    while !scanner.isAtEnd {
      guard let scalar = scanner.next(), scalar > 0x20, scalar != 0x2b, !isUnicodeSpace(scalar)
      else { return false }
    }
    return true
  }

  /// The text for messages: what is not printable ASCII becomes `?`, and what is long is cut.
  package static func printable(_ text: [UInt8]) -> Text { printable(text[...]) }

  @inline(never)
  static func printable(_ text: Bytes) -> Text {
    var out: [UInt8] = []
    for byte in text.prefix(80) { out.append(byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?")) }
    if text.count > 80 { out.append(contentsOf: [0x2e, 0x2e, 0x2e]) }
    return Text(utf8: out)
  }

  private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
    (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")) || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLowerOrDigit(byte) || (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
  }

  /// Unicode's White_Space property.
  private static func isUnicodeSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09...0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
    default: false
    }
  }
}

/// Steps through well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates.
package struct UTF8Scanner {
  private let bytes: Bytes
  /// Where in `bytes` the next scalar begins.
  private var place: Int

  package init(_ bytes: [UInt8]) { self.init(bytes[...]) }
  package init(_ bytes: Bytes) { (self.bytes, place) = (bytes, bytes.startIndex) }

  /// Byte offset of the next scalar.
  package var offset: Int { place - bytes.startIndex }
  package var isAtEnd: Bool { place == bytes.endIndex }

  /// Goes on to the next scalar that is no printable ASCII.
  package mutating func skipPrintable() {
    while place < bytes.endIndex, bytes[place] >= 0x20, bytes[place] < 0x7f { place += 1 }
  }

  /// Leaves out one byte, where the bytes are not well-formed.
  package mutating func skip() { place += 1 }

  /// - Returns: The next scalar, or `nil` where the bytes are not well-formed.
  package mutating func next() -> UInt32? {
    let first = bytes[place]
    let width: Int
    var scalar: UInt32
    switch first {
    case 0..<0x80:
      place += 1
      return UInt32(first)
    case 0xc2..<0xe0: (width, scalar) = (2, UInt32(first & 0x1f))
    case 0xe0..<0xf0: (width, scalar) = (3, UInt32(first & 0x0f))
    case 0xf0..<0xf5: (width, scalar) = (4, UInt32(first & 0x07))
    default: return nil
    }
    guard place + width <= bytes.endIndex else { return nil }
    for i in place + 1..<place + width {
      guard bytes[i] & 0xc0 == 0x80 else { return nil }
      scalar = scalar << 6 | UInt32(bytes[i] & 0x3f)
    }
    switch width {
    case 3: guard scalar >= 0x800, !(0xd800...0xdfff).contains(scalar) else { return nil }
    case 4: guard scalar >= 0x10000, scalar <= 0x10ffff else { return nil }
    default: break
    }
    place += width
    return scalar
  }
}
