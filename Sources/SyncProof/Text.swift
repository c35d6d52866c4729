/// A short piece of UTF-8 text that is compared byte by byte: a name, a purl, a path.
///
/// `String` compares by Unicode equivalence, which needs tables that Embedded Swift does not carry and gives one
/// value two encodings; what is signed or hashed here has one encoding, so its order and equality are those of bytes.
public struct Text: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
  public let utf8: [UInt8]

  public init(utf8: [UInt8]) { self.utf8 = utf8 }
  package init(utf8: Bytes) { self.utf8 = [UInt8](utf8) }
  public init(_ string: String) { utf8 = [UInt8](string.utf8) }
  public init(stringLiteral value: StaticString) {
    utf8 = value.withUTF8Buffer { [UInt8]($0) }
  }

  /// The text for people and for APIs that take `String`; invalid UTF-8 is replaced, so never parse this back.
  public var string: String { String(decoding: utf8, as: UTF8.self) }

  public static func < (a: Text, b: Text) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}
