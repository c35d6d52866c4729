/// Reads the canonical text formats: lines that end in one newline, fields that one space divides.
package struct LineReader {
  private let text: Bytes
  /// Where in `text` the next line begins.
  private var next: Int

  package init(_ text: [UInt8]) { self.init(text[...]) }
  package init(_ text: Bytes) { (self.text, next) = (text, text.startIndex) }

  /// Byte offset of the next line from the start of the text.
  package var offset: Int { next - text.startIndex }
  package var isAtEnd: Bool { next == text.endIndex }

  /// The next line without its newline.
  package mutating func line() throws(ProofError) -> Bytes { try line(from: next) }

  /// What of the next line stands at or behind `start`, which is in it.
  private mutating func line(from start: Int) throws(ProofError) -> Bytes {
    let end = text.place(of: 0x0a, from: start)
    guard end < text.endIndex else {
      throw ProofError(
        .malformed, isAtEnd ? "The text ends where a line is wanted" : "The last line has no newline", at: offset)
    }
    next = end + 1
    return text[start..<end]
  }

  /// Whether the next line is `key` alone or begins with `key` and a space.
  package func isNext(_ key: StaticString) -> Bool {
    let end = next + key.utf8CodeUnitCount
    return end < text.endIndex && (text[end] == UInt8(ascii: " ") || text[end] == UInt8(ascii: "\n"))
      && text.holds(key, at: next)
  }

  /// The rest of the next line, which must begin with `key` and a space.
  package mutating func value(_ key: StaticString) throws(ProofError) -> Bytes {
    guard isNext(key), text[next + key.utf8CodeUnitCount] == UInt8(ascii: " ") else {
      throw ProofError(.malformed, "A line `\(key) …` is wanted here", at: offset)
    }
    return try line(from: next + key.utf8CodeUnitCount + 1)
  }

  /// The next line's fields behind `key`.
  package mutating func fields(_ key: StaticString, count: Int) throws(ProofError) -> [Bytes] {
    let start = offset
    var reader = FieldReader(try value(key))
    var fields: [Bytes] = []
    fields.reserveCapacity(count)
    while let field = reader.next() { fields.append(field) }
    guard fields.count == count else {
      throw ProofError(
        .malformed, "A `\(key)` line has \(fields.count) fields, wanted \(count)",
        at: start)
    }
    return fields
  }

  /// The next line, which must be exactly `text`.
  package mutating func expect(_ text: StaticString, _ code: ProofError.Code = .malformed) throws(ProofError) {
    let start = offset
    guard try line().equals(text) else {
      throw ProofError(code, "A line `\(text)` is wanted here", at: start)
    }
  }

  package mutating func decimal(
    _ key: StaticString, in range: ClosedRange<UInt64> = 0...UInt64.max
  ) throws(ProofError) -> UInt64 {
    let start = offset
    guard let number = Decimal.decode(try value(key)) else {
      throw ProofError(
        .malformed, "The value of `\(key)` is no decimal number of 64 bits", at: start)
    }
    guard range.contains(number) else {
      throw ProofError(
        .malformed,
        "`\(key)` is \(number), outside of \(range.lowerBound)...\(range.upperBound)",
        at: start)
    }
    return number
  }

  package mutating func digest(_ key: StaticString) throws(ProofError) -> Digest {
    let start = offset
    guard let digest = Digest(hex: try value(key)) else {
      throw ProofError(
        .malformed, "The value of `\(key)` is not 64 lower-case hexadecimal digits",
        at: start)
    }
    return digest
  }

  package mutating func base64(_ key: StaticString) throws(ProofError) -> [UInt8] {
    let start = offset
    guard let value = Base64.decode(try value(key)) else {
      throw ProofError(
        .malformed, "The value of `\(key)` is not canonical base64", at: start)
    }
    return value
  }

  /// The next `count` lines with their newlines: a text inside a text.
  package mutating func block(lines count: Int) throws(ProofError) -> Bytes {
    let start = next
    for _ in 0..<count { _ = try line() }
    return text[start..<next]
  }

  /// Everything that is left.
  package mutating func rest() -> Bytes {
    defer { next = text.endIndex }
    return text[next...]
  }

  package func expectEnd() throws(ProofError) {
    guard isAtEnd else {
      throw ProofError(.malformed, "\(text.endIndex - next) bytes stand behind the end of the text", at: offset)
    }
  }
}
