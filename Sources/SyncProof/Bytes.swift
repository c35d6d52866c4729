/// Bytes inside of others: a part of a text that is being read, without a copy of its own.
package typealias Bytes = ArraySlice<UInt8>

extension ArraySlice<UInt8> {
  /// Whether these are the bytes of `text`.
  package func equals(_ text: StaticString) -> Bool {
    text.withUTF8Buffer { text in
      guard count == text.count else { return false }
      for i in 0..<count where self[startIndex + i] != text[i] { return false }
      return true
    }
  }

  /// The first place at or behind `start` that holds `byte`; ``endIndex`` where there is none.
  package func place(of byte: UInt8, from start: Int) -> Int {
    let bytes = span
    var i = start - startIndex
    while i < bytes.count, bytes[i] != byte { i += 1 }
    return startIndex + i
  }
}

/// Lets `switch` tell words apart.
package func ~= (text: StaticString, bytes: Bytes) -> Bool { bytes.equals(text) }

/// Takes fields that one separator divides off the front of a text.
package struct FieldReader {
  private var rest: Bytes
  private let separator: UInt8
  /// Whether the last field has been taken. Even an empty text has one, which is empty.
  package private(set) var isAtEnd = false

  package init(_ text: Bytes, separator: UInt8 = UInt8(ascii: " ")) { (rest, self.separator) = (text, separator) }

  /// The next field; `nil` behind the last.
  package mutating func next() -> Bytes? {
    guard !isAtEnd else { return nil }
    let end = rest.place(of: separator, from: rest.startIndex)
    isAtEnd = end == rest.endIndex
    defer { rest = rest[(isAtEnd ? end : end + 1)...] }
    return rest[..<end]
  }

  /// Everything that is left, as one field; `nil` behind the last.
  package mutating func last() -> Bytes? {
    guard !isAtEnd else { return nil }
    isAtEnd = true
    return rest
  }
}
