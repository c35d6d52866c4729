/// A named stretch of a file: an archive's member, an ELF section, a header.
struct FilePart: Equatable, Sendable {
  enum Role: Equatable, Sendable {
    case content
    /// 60 bytes before an ar member: time, owner and mode in ASCII.
    case arHeader
    /// A zip entry's local header or its record in the directory.
    case zipLocal, zipRecord
    /// The ten bytes before a gzip stream.
    case gzipHeader
  }

  /// For people: printable ASCII, at most 200 characters; empty for a file without parts.
  let name: String
  let range: Range<Int>
  var role = Role.content
}

/// What a file is made of, as far as it can be told without unpacking anything.
///
/// The file may be hostile: every offset is checked against what is there, every list is bounded, and what does not
/// follow its format to the letter is taken as bytes without parts.
struct FileStructure: Equatable, Sendable {
  static let partsMax = 20_000

  /// `ar`, `elf`, `zip`, `gzip`, `text` or `bytes`.
  let format: String
  /// Ascending by where they begin, for the formats here without overlap; one part for a file without any.
  let parts: [FilePart]

  init(_ bytes: [UInt8]) {
    let whole = 0..<bytes.count
    if let members = ArArchive.members(bytes) {
      (format, parts) = ("ar", FileStructure.parts(of: members, bytes))
    } else if let sections = ElfFile.sections(bytes, whole) {
      (format, parts) = ("elf", sections)
    } else if let entries = ZipArchive.parts(bytes) {
      (format, parts) = ("zip", entries)
    } else if bytes.count >= 18, bytes.starts(with: [0x1F, 0x8B, 8]) {
      format = "gzip"
      parts = [
        FilePart(name: "gzip header", range: 0..<10, role: .gzipHeader),
        FilePart(name: "gzip data", range: 10..<bytes.count),
      ]
    } else {
      format = FileStructure.isText(bytes) ? "text" : "bytes"
      parts = [FilePart(name: "", range: whole)]
    }
  }

  private static func parts(of members: [ArArchive.Member], _ bytes: [UInt8]) -> [FilePart] {
    var parts: [FilePart] = []
    for member in members where parts.count < partsMax {
      parts.append(FilePart(name: "header of \(member.name)", range: member.header, role: .arHeader))
      if let sections = ElfFile.sections(bytes, member.body) {
        parts += sections.map { FilePart(name: "\(member.name), \($0.name)", range: $0.range) }
      } else {
        parts.append(FilePart(name: member.name, range: member.body))
      }
    }
    return Array(parts.prefix(partsMax))
  }

  private static func isText(_ bytes: [UInt8]) -> Bool {
    !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
  }

  /// A name from inside a file, fit to be shown.
  static func printable(_ bytes: some Sequence<UInt8>, max: Int = 96) -> String {
    var text = ""
    for byte in bytes.prefix(max) {
      text.unicodeScalars.append((0x20...0x7E).contains(byte) ? Unicode.Scalar(byte) : "?")
    }
    return text
  }
}

/// Unix ar archives, as GNU's and LLVM's tools write them: `.a` and `.rlib`.
///
/// Source: System V ABI's archive format; GNU's `//` table of long names; BSD's `#1/` names.
enum ArArchive {
  struct Member: Equatable {
    let name: String
    let header: Range<Int>
    let body: Range<Int>
  }

  private static let magic = [UInt8]("!<arch>\n".utf8)
  private static let headerBytes = 60
  private static let membersMax = 10_000

  /// - Returns: `nil` for anything but a well-formed archive.
  static func members(_ bytes: [UInt8]) -> [Member]? {
    guard bytes.starts(with: magic) else { return nil }
    var members: [Member] = []
    var longNames: Range<Int>?
    var offset = magic.count
    while offset < bytes.count {
      guard members.count < membersMax, bytes.count - offset >= headerBytes,
        bytes[offset + 58] == 0x60, bytes[offset + 59] == 0x0A,
        let size = decimal(bytes[(offset + 48)..<(offset + 58)]), size <= bytes.count - offset - headerBytes
      else { return nil }
      let body = (offset + headerBytes)..<(offset + headerBytes + size)
      let field = trimmed(bytes[offset..<(offset + 16)])
      if field.elementsEqual("//".utf8) { longNames = body }
      guard let name = name(field, body, longNames, bytes) else { return nil }
      members.append(Member(name: name, header: offset..<body.lowerBound, body: body))
      // Members begin at even offsets.
      offset = body.upperBound + (size & 1)
    }
    return members
  }

  private static func name(
    _ field: ArraySlice<UInt8>, _ body: Range<Int>, _ longNames: Range<Int>?, _ bytes: [UInt8]
  ) -> String? {
    if field.elementsEqual("/".utf8) || field.elementsEqual("/SYM64/".utf8) { return "symbol table" }
    if field.elementsEqual("//".utf8) { return "table of names" }
    if field.starts(with: "#1/".utf8) {
      guard let length = decimal(field.dropFirst(3)), length <= body.count else { return nil }
      let end = body.lowerBound + length
      return "member " + FileStructure.printable(bytes[body.lowerBound..<end].prefix { $0 != 0 })
    }
    if field.first == UInt8(ascii: "/") {
      guard let start = decimal(field.dropFirst()), let table = longNames, start < table.count else { return nil }
      let rest = bytes[(table.lowerBound + start)..<table.upperBound]
      return "member " + FileStructure.printable(rest.prefix { $0 != UInt8(ascii: "/") && $0 != 0x0A })
    }
    let plain = field.last == UInt8(ascii: "/") ? field.dropLast() : field
    return "member " + FileStructure.printable(plain)
  }

  private static func trimmed(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var field = field
    while field.last == 0x20 { field.removeLast() }
    return field
  }

  /// Digits, then nothing but spaces.
  private static func decimal(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = trimmed(field)
    guard (1...10).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }
}

/// The sections of an ELF file, of 32 or 64 bits and either byte order.
///
/// Source: System V ABI, chapter 4.
enum ElfFile {
  private static let sectionsMax = 4_096

  /// - Returns: `nil` for anything but an ELF file with a section table that lies inside `range`.
  static func sections(_ bytes: [UInt8], _ range: Range<Int>) -> [FilePart]? {
    guard range.count >= 64, bytes[range].starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { return nil }
    let is64 = bytes[range.lowerBound + 4] == 2
    guard is64 || bytes[range.lowerBound + 4] == 1, [1, 2].contains(bytes[range.lowerBound + 5]) else { return nil }
    let view = NumberView(bytes: bytes, range: range, isBigEndian: bytes[range.lowerBound + 5] == 2)
    let headerBytes = is64 ? 64 : 52
    let entryBytes = is64 ? 64 : 40
    guard let tableOffset = view.number(at: is64 ? 40 : 32, width: is64 ? 8 : 4),
      let entry = view.number(at: is64 ? 58 : 46, width: 2), let count = view.number(at: is64 ? 60 : 48, width: 2),
      let namesIndex = view.number(at: is64 ? 62 : 50, width: 2), entry == entryBytes,
      (1...sectionsMax).contains(count), namesIndex < count,
      let table = view.range(at: tableOffset, count: count * entryBytes)
    else { return nil }

    func section(_ index: Int) -> (name: Int, type: Int, bytes: Range<Int>?)? {
      let base = tableOffset + index * entryBytes
      guard let name = view.number(at: base, width: 4), let type = view.number(at: base + 4, width: 4),
        let offset = view.number(at: base + (is64 ? 24 : 16), width: is64 ? 8 : 4),
        let size = view.number(at: base + (is64 ? 32 : 20), width: is64 ? 8 : 4)
      else { return nil }
      return (name, type, view.range(at: offset, count: size))
    }

    guard let names = section(namesIndex)?.bytes else { return nil }
    var parts = [FilePart(name: "ELF header", range: range.lowerBound..<(range.lowerBound + headerBytes))]
    for index in 1..<max(1, count) {
      guard let found = section(index) else { return nil }
      // SHT_NULL has no bytes, SHT_NOBITS none in the file.
      if found.type == 0 || found.type == 8 { continue }
      guard let bytesRange = found.bytes, found.name < names.count else { return nil }
      let raw = bytes[(names.lowerBound + found.name)..<names.upperBound].prefix { $0 != 0 }
      parts.append(FilePart(name: "section \(FileStructure.printable(raw, max: 64))", range: bytesRange))
    }
    parts.append(FilePart(name: "section table", range: table))
    return parts.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }
}

/// Entries of a zip file (wheels, jars), by its directory; nothing is unpacked.
///
/// Source: PKWARE APPNOTE 6.3, without ZIP64, which no artifact below 4 GiB needs.
enum ZipArchive {
  private static let entriesMax = 9_000
  private static let endBytes = 22

  /// - Returns: `nil` for anything but a zip file whose directory and entries lie where they say.
  static func parts(_ bytes: [UInt8]) -> [FilePart]? {
    guard bytes.count >= endBytes, bytes.starts(with: [0x50, 0x4B]) else { return nil }
    let view = NumberView(bytes: bytes, range: 0..<bytes.count, isBigEndian: false)
    guard let end = endRecord(bytes, view), let count = view.number(at: end + 10, width: 2),
      let directory = view.number(at: end + 16, width: 4), count <= entriesMax, directory <= end
    else { return nil }
    var parts: [FilePart] = []
    var offset = directory
    for _ in 0..<count {
      guard view.number(at: offset, width: 4) == 0x0201_4B50, let packed = view.number(at: offset + 20, width: 4),
        let nameBytes = view.number(at: offset + 28, width: 2), let extra = view.number(at: offset + 30, width: 2),
        let comment = view.number(at: offset + 32, width: 2), let local = view.number(at: offset + 42, width: 4),
        let record = view.range(at: offset, count: 46 + nameBytes + extra + comment), record.upperBound <= end,
        view.number(at: local, width: 4) == 0x0403_4B50, let localName = view.number(at: local + 26, width: 2),
        let localExtra = view.number(at: local + 28, width: 2),
        let header = view.range(at: local, count: 30 + localName + localExtra),
        let data = view.range(at: header.upperBound, count: packed)
      else { return nil }
      let name = FileStructure.printable(bytes[(offset + 46)..<(offset + 46 + nameBytes)])
      parts.append(FilePart(name: "header of \(name)", range: header, role: .zipLocal))
      parts.append(FilePart(name: name, range: data))
      parts.append(FilePart(name: "directory record of \(name)", range: record, role: .zipRecord))
      offset = record.upperBound
    }
    return parts.isEmpty ? nil : parts.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// The end record stands behind everything but a comment of at most 65,535 bytes.
  private static func endRecord(_ bytes: [UInt8], _ view: NumberView) -> Int? {
    var offset = bytes.count - endBytes
    let last = max(0, offset - 65_535)
    while offset >= last {
      if bytes[offset] == 0x50, view.number(at: offset, width: 4) == 0x0605_4B50,
        view.number(at: offset + 20, width: 2) == bytes.count - offset - endBytes
      {
        return offset
      }
      offset -= 1
    }
    return nil
  }
}

/// Numbers of a file, or of a part of it, that are read only where they are.
struct NumberView {
  let bytes: [UInt8]
  let range: Range<Int>
  let isBigEndian: Bool

  /// - Parameter offset: From the start of the range.
  /// - Returns: `nil` outside, and for a number above 2⁶².
  func number(at offset: Int, width: Int) -> Int? {
    guard let place = self.range(at: offset, count: width) else { return nil }
    var value: UInt64 = 0
    for index in 0..<width {
      value = value << 8 | UInt64(bytes[isBigEndian ? place.lowerBound + index : place.upperBound - 1 - index])
    }
    return value <= 1 << 62 ? Int(value) : nil
  }

  /// - Returns: Where these bytes are in the whole file; `nil` where they are not all inside.
  func range(at offset: Int, count: Int) -> Range<Int>? {
    guard offset >= 0, count >= 0, offset <= range.count, count <= range.count - offset else { return nil }
    let start = range.lowerBound + offset
    return start..<(start + count)
  }
}
