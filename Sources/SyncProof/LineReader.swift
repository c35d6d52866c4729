/// Reads the canonical text formats: lines that end in one newline, fields that one space divides.
package struct LineReader {
  private let bytes: [UInt8]
  /// Byte offset of the next line.
  package private(set) var offset = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var isAtEnd: Bool { offset == bytes.count }

  /// The next line without its newline.
  package mutating func line() throws(ProofError) -> [UInt8] {
    var end = offset
    while end < bytes.count, bytes[end] != 0x0a { end += 1 }
    guard end < bytes.count else {
      throw ProofError(
        .malformed, isAtEnd ? "The text ends where a line is wanted" : "The last line has no newline", at: offset)
    }
    defer { offset = end + 1 }
    return [UInt8](bytes[offset..<end])
  }

  /// Whether the next line is `key` alone or begins with `key` and a space.
  package func isNext(_ key: StaticString) -> Bool {
    let count = key.utf8CodeUnitCount
    guard offset + count < bytes.count else { return false }
    let after = bytes[offset + count]
    return (after == UInt8(ascii: " ") || after == UInt8(ascii: "\n"))
      && key.withUTF8Buffer { buffer in buffer.elementsEqual(bytes[offset..<offset + count]) }
  }

  /// The rest of the next line, which must begin with `key` and a space.
  package mutating func value(_ key: StaticString) throws(ProofError) -> [UInt8] {
    let start = offset
    guard isNext(key), bytes[offset + key.utf8CodeUnitCount] == UInt8(ascii: " ") else {
      throw ProofError(.malformed, "A line `\(Text(stringLiteral: key).string) …` is wanted here", at: start)
    }
    return [UInt8](try line()[(key.utf8CodeUnitCount + 1)...])
  }

  /// The next line's fields behind `key`.
  package mutating func fields(_ key: StaticString, count: Int) throws(ProofError) -> [[UInt8]] {
    let start = offset
    let fields = try value(key).split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == count else {
      throw ProofError(
        .malformed, "A `\(Text(stringLiteral: key).string)` line has \(fields.count) fields, wanted \(count)",
        at: start)
    }
    var out: [[UInt8]] = []
    for field in fields { out.append([UInt8](field)) }
    return out
  }

  /// The next line, which must be exactly `text`.
  package mutating func expect(_ text: StaticString, _ code: ProofError.Code = .malformed) throws(ProofError) {
    let start = offset
    guard try line() == Text(stringLiteral: text).utf8 else {
      throw ProofError(code, "A line `\(Text(stringLiteral: text).string)` is wanted here", at: start)
    }
  }

  package mutating func decimal(
    _ key: StaticString, in range: ClosedRange<UInt64> = 0...UInt64.max
  ) throws(ProofError) -> UInt64 {
    let start = offset
    guard let number = Decimal.decode(try value(key)) else {
      throw ProofError(
        .malformed, "The value of `\(Text(stringLiteral: key).string)` is no decimal number of 64 bits", at: start)
    }
    guard range.contains(number) else {
      throw ProofError(
        .malformed,
        "`\(Text(stringLiteral: key).string)` is \(number), outside of \(range.lowerBound)...\(range.upperBound)",
        at: start)
    }
    return number
  }

  package mutating func digest(_ key: StaticString) throws(ProofError) -> Digest {
    let start = offset
    guard let digest = Digest(hex: try value(key)) else {
      throw ProofError(
        .malformed, "The value of `\(Text(stringLiteral: key).string)` is not 64 lower-case hexadecimal digits",
        at: start)
    }
    return digest
  }

  package mutating func base64(_ key: StaticString) throws(ProofError) -> [UInt8] {
    let start = offset
    guard let value = Base64.decode(try value(key)) else {
      throw ProofError(
        .malformed, "The value of `\(Text(stringLiteral: key).string)` is not canonical base64", at: start)
    }
    return value
  }

  /// The next `count` lines with their newlines: a text inside a text.
  package mutating func block(lines count: Int) throws(ProofError) -> [UInt8] {
    let start = offset
    for _ in 0..<count { _ = try line() }
    return [UInt8](bytes[start..<offset])
  }

  /// Everything that is left.
  package mutating func rest() -> [UInt8] {
    defer { offset = bytes.count }
    return [UInt8](bytes[offset...])
  }

  package func expectEnd() throws(ProofError) {
    guard isAtEnd else {
      throw ProofError(.malformed, "\(bytes.count - offset) bytes stand behind the end of the text", at: offset)
    }
  }
}
