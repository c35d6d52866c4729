/// One header block of a tar stream.
///
/// Source: POSIX.1-1988 ustar; POSIX.1-2001 pax records; GNU's long names are members of their own.
struct TarHeader {
  static let bytes = 512

  let name: [UInt8]
  let link: [UInt8]
  let mode: UInt64
  let size: UInt64
  let type: UInt8

  /// `nil` when the checksum or a number is wrong.
  init?(_ block: [UInt8]) {
    guard block.count == Self.bytes, Self.checksumFits(block), let size = Self.octal(block[124..<136]),
      let mode = Self.octal(block[100..<108])
    else { return nil }
    var name = Array(block[0..<100].prefix { $0 != 0 })
    let prefix = block[345..<500].prefix { $0 != 0 }
    if block[257..<263].elementsEqual("ustar\0".utf8), !prefix.isEmpty { name = prefix + [UInt8(ascii: "/")] + name }
    (self.name, link) = (name, Array(block[157..<257].prefix { $0 != 0 }))
    (self.mode, self.size, type) = (mode, size, block[156])
  }

  /// The sum of the header's bytes, its own field read as spaces.
  private static func checksumFits(_ header: [UInt8]) -> Bool {
    guard let wanted = octal(header[148..<156]) else { return false }
    var sum: UInt64 = 8 * 0x20
    for i in 0..<bytes where !(148..<156).contains(i) { sum += UInt64(header[i]) }
    return sum == wanted
  }

  private static func octal(_ field: ArraySlice<UInt8>) -> UInt64? {
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    guard !digits.isEmpty, digits.count <= 12 else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
      value = value << 3 | UInt64(digit - UInt8(ascii: "0"))
    }
    return value
  }
}

/// The records of a pax header: `LENGTH KEY=VALUE\n`, the length that of the whole record.
enum PaxRecords {
  static let bytesMax = 1 << 16

  /// `nil` when a record is malformed.
  static func parse(_ bytes: [UInt8]) -> [(key: String, value: [UInt8])]? {
    var records: [(key: String, value: [UInt8])] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let space = rest.firstIndex(of: 0x20), let count = Self.decimal(rest[..<space]), count <= rest.count,
        count > space - rest.startIndex + 2
      else { return nil }
      let record = rest.prefix(count)
      guard record.last == 0x0a, let equals = record[(space + 1)...].firstIndex(of: UInt8(ascii: "=")) else {
        return nil
      }
      let key = String(decoding: record[(space + 1)..<equals], as: UTF8.self)
      records.append((key, Array(record[(equals + 1)...].dropLast())))
      rest = rest.dropFirst(count)
    }
    return records
  }

  static func decimal(_ digits: some Collection<UInt8>) -> Int? {
    guard !digits.isEmpty, digits.count <= 12, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }
}
