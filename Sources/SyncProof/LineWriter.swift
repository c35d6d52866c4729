/// Writes what ``LineReader`` reads.
package struct LineWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// - Parameter capacity: About how many bytes there will be.
  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  /// A line of fixed text.
  package mutating func line(_ text: StaticString) {
    literal(text)
    bytes.append(UInt8(ascii: "\n"))
  }

  package mutating func line(_ key: StaticString, _ value: [UInt8]) { line(key) { $0 += value } }

  package mutating func line(_ key: StaticString, _ value: Text) { line(key, value.utf8) }
  package mutating func line(_ key: StaticString, _ value: UInt64) { line(key) { Decimal.append(value, to: &$0) } }
  package mutating func line(_ key: StaticString, _ value: Digest) {
    line(key) { out in value.withUnsafePointer { for i in 0..<Digest.byteCount { Hex.append($0[i], to: &out) } } }
  }
  package mutating func line(_ key: StaticString, base64 value: [UInt8]) {
    line(key) { Base64.append(value, to: &$0) }
  }

  /// A line of several fields.
  package mutating func line(_ key: StaticString, fields: [[UInt8]]) {
    literal(key)
    for field in fields {
      bytes.append(UInt8(ascii: " "))
      bytes.append(contentsOf: field)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func line(_ key: StaticString, _ write: (inout [UInt8]) -> Void) {
    literal(key)
    bytes.append(UInt8(ascii: " "))
    write(&bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  package mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  private mutating func literal(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }
}
