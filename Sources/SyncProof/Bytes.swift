/// Bytes inside of others: a part of a text that is being read, without a copy of its own.
package typealias Bytes = ArraySlice<UInt8>

extension ArraySlice<UInt8> {
  /// Whether these are the bytes of `text`.
  package func equals(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount && holds(text, at: startIndex)
  }

  /// Whether the bytes of `text` stand at `place`.
  package func holds(_ text: StaticString, at place: Int) -> Bool {
    text.withUTF8Buffer { text in
      guard endIndex - place >= text.count else { return false }
      for i in 0..<text.count where self[place + i] != text[i] { return false }
      return true
    }
  }

  /// The first place at or behind `start` that holds `byte`; ``endIndex`` where there is none.
  package func place(of byte: UInt8, from start: Int) -> Int {
    withUnsafeBytes { bytes in
      // Eight at a time. What is sought becomes 0, and the lowest byte that is 0 is the first whose top bit is set by
      // subtracting 1 from each without having been set before.
      let ones: UInt64 = 0x0101_0101_0101_0101
      var i = start - startIndex
      while bytes.count - i >= 8 {
        let eight =
          UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)) ^ (ones &* UInt64(byte))
        let zeros = (eight &- ones) & ~eight & (ones << 7)
        if zeros != 0 { return startIndex + i + zeros.trailingZeroBitCount >> 3 }
        i += 8
      }
      while i < bytes.count, bytes[i] != byte { i += 1 }
      return startIndex + i
    }
  }
}

/// Lets `switch` tell words apart.
package func ~= (text: StaticString, bytes: Bytes) -> Bool { bytes.equals(text) }

/// Takes fields that one separator divides off the front of a text.
package struct FieldReader {
  private let text: Bytes
  /// Where in `text` the next field begins.
  private var place: Int
  private let separator: UInt8
  /// Whether the last field has been taken. Even an empty text has one, which is empty.
  package private(set) var isAtEnd = false

  package init(_ text: Bytes, separator: UInt8 = UInt8(ascii: " ")) {
    (self.text, place, self.separator) = (text, text.startIndex, separator)
  }

  /// The next field; `nil` behind the last.
  package mutating func next() -> Bytes? {
    guard !isAtEnd else { return nil }
    let end = text.place(of: separator, from: place)
    isAtEnd = end == text.endIndex
    defer { place = end + 1 }
    return text[place..<end]
  }

  /// Everything that is left, as one field; `nil` behind the last.
  package mutating func last() -> Bytes? {
    guard !isAtEnd else { return nil }
    isAtEnd = true
    return text[place...]
  }
}
