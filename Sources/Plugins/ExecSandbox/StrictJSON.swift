/// JSON from a command that may be wrong in any way: bounded in depth, without fractions, each name once.
///
/// RFC 8259, less than all of it: numbers are whole and fit 64 bits; nothing but white space follows the value.
indirect enum StrictJSON: Equatable, Sendable {
  case null
  case boolean(Bool)
  case number(Int64)
  case text(String)
  case list([StrictJSON])
  /// In the order in which they came; no name twice.
  case object([(name: String, value: StrictJSON)])

  static let depthMax = 8

  struct Malformed: Error {
    /// What is wrong, to stand behind "is no JSON that is understood: ".
    let reason: String
    let offset: Int
  }

  init(parsing bytes: [UInt8]) throws(Malformed) {
    var reader = JSONReader(bytes: bytes)
    self = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.isAtEnd else { throw reader.malformed("something follows the value") }
  }

  subscript(_ name: String) -> StrictJSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  var text: String? { if case .text(let text) = self { text } else { nil } }
  var number: Int64? { if case .number(let number) = self { number } else { nil } }
  var boolean: Bool? { if case .boolean(let boolean) = self { boolean } else { nil } }
  var list: [StrictJSON]? { if case .list(let list) = self { list } else { nil } }
  var names: [String]? { if case .object(let members) = self { members.map(\.name) } else { nil } }

  static func == (a: StrictJSON, b: StrictJSON) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.boolean(let a), .boolean(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.text(let a), .text(let b)): a == b
    case (.list(let a), .list(let b)): a == b
    case (.object(let a), .object(let b)): a.elementsEqual(b) { $0.name == $1.name && $0.value == $1.value }
    default: false
    }
  }
}

private struct JSONReader {
  let bytes: [UInt8]
  var at = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { at == bytes.count }
  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  func malformed(_ reason: String) -> StrictJSON.Malformed { StrictJSON.Malformed(reason: reason, offset: at) }

  mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { at += 1 }
  }

  private mutating func take(_ byte: Character) -> Bool {
    guard next == byte.asciiValue else { return false }
    at += 1
    return true
  }

  private mutating func takeWord(_ word: String) -> Bool {
    guard bytes[at...].starts(with: word.utf8) else { return false }
    at += word.utf8.count
    return true
  }

  mutating func value(depth: Int) throws(StrictJSON.Malformed) -> StrictJSON {
    guard depth < StrictJSON.depthMax else { throw malformed("it is nested too deep") }
    skipSpace()
    if take("{") { return .object(try members(depth)) }
    if take("[") { return .list(try elements(depth)) }
    if take("\"") { return .text(try text()) }
    if takeWord("true") { return .boolean(true) }
    if takeWord("false") { return .boolean(false) }
    if takeWord("null") { return .null }
    return .number(try number())
  }

  private mutating func members(_ depth: Int) throws(StrictJSON.Malformed) -> [(name: String, value: StrictJSON)] {
    var found: [(name: String, value: StrictJSON)] = []
    var names: Set<String> = []
    skipSpace()
    if take("}") { return found }
    repeat {
      skipSpace()
      guard take("\"") else { throw malformed("a name is wanted") }
      let name = try text()
      guard names.insert(name).inserted else { throw malformed("the name '\(name)' stands twice") }
      skipSpace()
      guard take(":") else { throw malformed("':' is wanted") }
      found.append((name, try value(depth: depth + 1)))
      skipSpace()
    } while take(",")
    guard take("}") else { throw malformed("',' or '}' is wanted") }
    return found
  }

  private mutating func elements(_ depth: Int) throws(StrictJSON.Malformed) -> [StrictJSON] {
    var found: [StrictJSON] = []
    skipSpace()
    if take("]") { return found }
    repeat {
      found.append(try value(depth: depth + 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw malformed("',' or ']' is wanted") }
    return found
  }

  private mutating func number() throws(StrictJSON.Malformed) -> Int64 {
    let start = at
    _ = take("-")
    let digits = at
    while let byte = next, (0x30...0x39).contains(byte) { at += 1 }
    guard at > digits, bytes[digits] != 0x30 || at == digits + 1 else { throw malformed("a value is wanted") }
    let isWhole = next.map { ![0x2E, 0x45, 0x65].contains($0) } ?? true
    guard isWhole, let number = Int64(String(decoding: bytes[start..<at], as: UTF8.self)) else {
      throw malformed("a number is not whole, or beyond 64 bits")
    }
    return number
  }

  /// Behind the opening quotation mark.
  private mutating func text() throws(StrictJSON.Malformed) -> String {
    var content: [UInt8] = []
    while let byte = next {
      at += 1
      switch byte {
      case 0x22:
        guard let text = String(validating: content, as: UTF8.self) else { throw malformed("a text is not UTF-8") }
        return text
      case 0x5C: content += try escape()
      case ..<0x20: throw malformed("a text holds a control character")
      default: content.append(byte)
      }
    }
    throw malformed("a text has no end")
  }

  private mutating func escape() throws(StrictJSON.Malformed) -> [UInt8] {
    guard let byte = next else { throw malformed("a text has no end") }
    at += 1
    switch byte {
    case 0x22, 0x5C, 0x2F: return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return Array(String(try escapedScalar()).utf8)
    default: throw malformed("a text holds an escape that JSON does not have")
    }
  }

  private mutating func escapedScalar() throws(StrictJSON.Malformed) -> Unicode.Scalar {
    let first = try unit()
    if let scalar = Unicode.Scalar(UInt32(first)) { return scalar }
    guard UTF16.isLeadSurrogate(first), takeWord("\\u") else { throw malformed("half of a surrogate pair") }
    let second = try unit()
    let combined = 0x10000 + (UInt32(first) & 0x3FF) << 10 + UInt32(second) & 0x3FF
    guard UTF16.isTrailSurrogate(second), let scalar = Unicode.Scalar(combined) else {
      throw malformed("half of a surrogate pair")
    }
    return scalar
  }

  private mutating func unit() throws(StrictJSON.Malformed) -> UInt16 {
    let digits = bytes[at...].prefix(4)
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw malformed("an escape wants four hexadecimal digits") }
    at += 4
    return unit
  }
}
