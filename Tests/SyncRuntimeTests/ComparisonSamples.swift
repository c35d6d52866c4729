/// Small files of each format, byte by byte after its specification.
enum ComparisonSamples {
  /// 2026-11-25 12:00:00 UTC.
  static let clock: Int64 = 1_795_608_000

  struct Member {
    var name: String
    var body: [UInt8]
    var time = 0
    var owner = 0
  }

  static func ar(_ members: [Member]) -> [UInt8] {
    var bytes = [UInt8]("!<arch>\n".utf8)
    for member in members {
      func field(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
      }
      let header =
        field(member.name + "/", 16) + field("\(member.time)", 12) + field("\(member.owner)", 6) + field("0", 6)
        + field("644", 8) + field("\(member.body.count)", 10) + "`\n"
      bytes += [UInt8](header.utf8) + member.body
      if member.body.count % 2 == 1 { bytes.append(0x0A) }
    }
    return bytes
  }

  /// A 64-bit little-endian ELF file with these sections.
  static func elf(_ sections: [(name: String, body: [UInt8])]) -> [UInt8] {
    var names: [UInt8] = [0]
    var body: [UInt8] = []
    var headers: [[UInt8]] = [[UInt8](repeating: 0, count: 64)]
    func header(_ name: Int, type: Int, offset: Int, size: Int) -> [UInt8] {
      little(name, 4) + little(type, 4) + little(0, 16) + little(offset, 8) + little(size, 8)
        + [UInt8](repeating: 0, count: 24)
    }
    for section in sections {
      headers.append(header(names.count, type: 1, offset: 64 + body.count, size: section.body.count))
      names += [UInt8](section.name.utf8) + [0]
      body += section.body
    }
    let last = names.count
    names += [UInt8](".shstrtab".utf8) + [0]
    headers.append(header(last, type: 3, offset: 64 + body.count, size: names.count))
    body += names
    let ident: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    return ident + little(1, 2) + little(62, 2) + little(1, 4) + little(0, 8) + little(0, 8)
      + little(64 + body.count, 8) + little(0, 4) + little(64, 2) + little(0, 2) + little(0, 2) + little(64, 2)
      + little(headers.count, 2) + little(headers.count - 1, 2) + body + headers.flatMap { $0 }
  }

  /// A zip file whose entries are stored as they are.
  static func zip(_ entries: [(name: String, body: [UInt8], time: Int, attributes: Int)]) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let common =
        little(20, 2) + little(0, 2) + little(0, 2) + little(entry.time, 4) + little(0, 4)
        + little(entry.body.count, 4) + little(entry.body.count, 4) + little(entry.name.utf8.count, 2) + little(0, 2)
      directory +=
        [0x50, 0x4B, 1, 2] + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2)
        + little(entry.attributes, 4) + little(bytes.count, 4) + [UInt8](entry.name.utf8)
      bytes += [0x50, 0x4B, 3, 4] + common + [UInt8](entry.name.utf8) + entry.body
    }
    return bytes + directory + [0x50, 0x4B, 5, 6] + little(0, 4) + little(entries.count, 2) + little(entries.count, 2)
      + little(directory.count, 4) + little(bytes.count, 4) + little(0, 2)
  }

  static func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
  }

  /// Bytes that look random and are the same each time.
  static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }
}
