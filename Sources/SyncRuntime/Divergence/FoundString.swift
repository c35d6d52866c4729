/// A run of printable ASCII in a file.
struct FoundString: Hashable, Sendable {
  static let bytesMin = 4
  private static let compilerMarks = ["GCC: (", "GNU C", "clang version ", "rustc version ", "rustc 1.", "LLD "]

  let bytes: [UInt8]

  var text: String { String(decoding: bytes, as: UTF8.self) }

  static func isPrintable(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) }
  static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  var namesCompiler: Bool {
    let text = text
    return FoundString.compilerMarks.contains { text.contains($0) }
  }

  /// Absolute paths with at least two names in them.
  var paths: [String] {
    let slash = UInt8(ascii: "/")
    let tokens = bytes.split { byte in
      !(FoundString.isDigit(byte) || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A || "/._-+@~".utf8.contains(byte))
    }
    return tokens.compactMap { token in
      guard let start = token.firstIndex(of: slash) else { return nil }
      let path = token[start...]
      // What stands before the slash makes it a relative path or a URL, unless it is a flag or an assignment.
      guard start == token.startIndex, path.split(separator: slash).count >= 2, !path.starts(with: "//".utf8) else {
        return nil
      }
      return String(decoding: path, as: UTF8.self)
    }
  }

  /// The string with every run of eight or more hexadecimal digits replaced: equal for symbols whose hash differs.
  var withoutHashes: String {
    var out: [UInt8] = []
    var run: [UInt8] = []
    for byte in bytes + [0] {
      if FoundString.isDigit(byte) || (0x61...0x66).contains(byte) {
        run.append(byte)
        continue
      }
      out += run.count >= 8 ? [UInt8(ascii: "#")] : run
      run = []
      if byte != 0 { out.append(byte) }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Both lists in their order, less what the other has as often.
  static func withoutCommon(_ first: [FoundString], _ second: [FoundString]) -> (
    first: [FoundString], second: [FoundString]
  ) {
    (rest(first, without: second), rest(second, without: first))
  }

  private static func rest(_ list: [FoundString], without other: [FoundString]) -> [FoundString] {
    var counts: [FoundString: Int] = [:]
    for string in other { counts[string, default: 0] += 1 }
    return list.filter { string in
      guard let count = counts[string], count > 0 else { return true }
      counts[string] = count - 1
      return false
    }
  }
}

/// Around when the builds ran, and what looks like a moment near it.
struct BuildClock: Equatable, Sendable {
  /// A builder's clock may be wrong, also on purpose.
  private static let textWindowSeconds: Int64 = 400 * 86_400
  /// Four bytes have a value near any moment by chance; a few days make that rare.
  private static let numberWindowSeconds: Int64 = 3 * 86_400

  /// Unix seconds.
  let seconds: Int64

  private func isNear(_ value: Int64, _ window: Int64) -> Bool { abs(value - seconds) <= window }

  /// The first moment that only the first strings have and the first that only the second have.
  func differing(_ first: [FoundString], _ second: [FoundString]) -> (String, String)? {
    let a = first.flatMap { moments(in: $0.bytes) }
    let b = second.flatMap { moments(in: $0.bytes) }
    guard let x = a.first(where: { !b.contains($0) }), let y = b.first(where: { !a.contains($0) }) else { return nil }
    return (x, y)
  }

  /// A 32- or 64-bit number that is near this clock in both files, at the same place, and differs.
  func differingNumbers(
    _ regions: [(first: Range<Int>, second: Range<Int>)], _ first: [UInt8], _ second: [UInt8]
  ) -> (String, String)? {
    for region in regions where region.first.count == region.second.count && region.first.count <= 16 {
      for shift in -7...0 {
        let (a, b) = (region.first.lowerBound + shift, region.second.lowerBound + shift)
        for isBigEndian in [false, true] {
          let x = NumberView(bytes: first, range: 0..<first.count, isBigEndian: isBigEndian)
          let y = NumberView(bytes: second, range: 0..<second.count, isBigEndian: isBigEndian)
          guard shift > -4, let m = x.number(at: a, width: 4), let n = y.number(at: b, width: 4), m != n,
            isNear(Int64(m), BuildClock.numberWindowSeconds), isNear(Int64(n), BuildClock.numberWindowSeconds)
          else { continue }
          return ("the number \(m)", "the number \(n)")
        }
      }
    }
    return nil
  }

  /// Dates, times of day and counts of seconds since 1970 in printable bytes.
  func moments(in bytes: [UInt8]) -> [String] {
    var found: [String] = []
    var index = 0
    while index < bytes.count {
      guard FoundString.isDigit(bytes[index]) else {
        if let date = namedMonth(bytes, at: index) {
          found.append(date)
          index += 3
        }
        index += 1
        continue
      }
      var end = index
      while end < bytes.count, FoundString.isDigit(bytes[end]) { end += 1 }
      if let moment = digits(bytes[index..<end]) ?? clockFace(bytes, at: index) ?? isoDate(bytes, at: index) {
        found.append(moment)
      }
      index = end
    }
    return found
  }

  /// Seconds, milliseconds, microseconds or nanoseconds since 1970, or `YYYYMMDD…`.
  private func digits(_ run: ArraySlice<UInt8>) -> String? {
    let text = String(decoding: run, as: UTF8.self)
    switch run.count {
    case 10, 13, 16, 19:
      guard let value = Int64(text.prefix(10)), isNear(value, BuildClock.textWindowSeconds) else { return nil }
      return text
    case 8, 12, 14:
      guard let year = Int64(text.prefix(4)), let month = Int64(text.dropFirst(4).prefix(2)),
        let day = Int64(text.dropFirst(6).prefix(2)), isDate(year, month, day)
      else { return nil }
      return text
    default: return nil
    }
  }

  /// `2026-11-25` or `2026/11/25`, with the time of day where one follows.
  private func isoDate(_ bytes: [UInt8], at index: Int) -> String? {
    let text = bytes[index...].prefix(19)
    guard text.count >= 10, let year = number(text.prefix(4)), let month = number(text.dropFirst(5).prefix(2)),
      let day = number(text.dropFirst(8).prefix(2)), isDate(year, month, day)
    else { return nil }
    let separator = text[index + 4]
    guard separator == text[index + 7], "-/.".utf8.contains(separator) else { return nil }
    let hasTime = text.count == 19 && clockFace(bytes, at: index + 11) != nil
    return String(decoding: hasTime ? text : text.prefix(10), as: UTF8.self)
  }

  /// `22:45:01`.
  private func clockFace(_ bytes: [UInt8], at index: Int) -> String? {
    let text = bytes[index...].prefix(8)
    guard text.count == 8, text[index + 2] == 0x3A, text[index + 5] == 0x3A, let hour = number(text.prefix(2)),
      let minute = number(text.dropFirst(3).prefix(2)), let second = number(text.dropFirst(6)), hour < 24,
      minute < 60, second < 61
    else { return nil }
    return String(decoding: text, as: UTF8.self)
  }

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ].map { [UInt8]($0.utf8) }

  /// `Nov 25 2026`, as C's `__DATE__` writes it.
  private func namedMonth(_ bytes: [UInt8], at index: Int) -> String? {
    let text = bytes[index...].prefix(11)
    guard text.count == 11, let month = BuildClock.months.firstIndex(where: { text.starts(with: $0) }),
      text[index + 3] == 0x20, text[index + 6] == 0x20, let year = number(text.dropFirst(7)),
      let day = number(text.dropFirst(4).prefix(2).drop { $0 == 0x20 }), isDate(year, Int64(month) + 1, day)
    else { return nil }
    return String(decoding: text, as: UTF8.self)
  }

  private func number(_ text: ArraySlice<UInt8>) -> Int64? {
    guard !text.isEmpty, text.allSatisfy(FoundString.isDigit) else { return nil }
    return text.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
  }

  private func isDate(_ year: Int64, _ month: Int64, _ day: Int64) -> Bool {
    guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return false }
    // Close enough for a window of a year: months of 30.4 days.
    let days = ((year - 1970) * 3_652_425 + (month - 1) * 304_369 + (day - 1) * 10_000) / 10_000
    return isNear(days * 86_400, BuildClock.textWindowSeconds + 3 * 86_400)
  }
}
