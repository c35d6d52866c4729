import Foundation
import RemoteExecution
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// What the launcher packed, and what could come in its place.
@Suite struct PackTests {
  /// Builds a pack by hand: Sources/Plugins/ChrootSandboxInit/pack.c has the format.
  struct Pack {
    var data = Data("SYNCPK01".utf8)

    mutating func number(_ value: UInt64, _ count: Int) {
      data += (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    mutating func entry(_ kind: Character, _ name: [UInt8], mode: UInt64 = 0o644) {
      data.append(kind.asciiValue ?? 0)
      number(mode, 2)
      number(UInt64(name.count), 2)
      data += name
    }
    mutating func file(_ name: String, _ text: String, mode: UInt64 = 0o644) {
      entry("F", Array(name.utf8), mode: mode)
      number(UInt64(text.utf8.count), 8)
      if !text.isEmpty { piece(0, text) }
      piece(UInt64(text.utf8.count), "")
    }
    mutating func piece(_ offset: UInt64, _ text: String) {
      number(offset, 8)
      number(UInt64(text.utf8.count), 8)
      data += text.utf8
    }
    mutating func mark(_ kind: Character) { data.append(kind.asciiValue ?? 0) }
  }

  private static func good() -> Pack {
    var pack = Pack()
    pack.file("a", "hello", mode: 0o755)
    pack.entry("D", Array("below".utf8), mode: 0o711)
    pack.file("empty", "")
    pack.mark("E")
    pack.entry("L", Array("link".utf8))
    pack.number(7, 8)
    pack.data += "/etc/xy".utf8
    pack.entry("P", Array("pipe".utf8))
    pack.entry("F", [0xFF, 0x41])
    pack.number(1 << 20, 8)
    pack.piece(1 << 19, "middle")
    pack.piece(1 << 20, "")
    pack.mark("E")
    pack.file("second", "2")
    pack.mark("E")
    pack.mark("Z")
    return pack
  }

  private func unpack(_ data: Data, in folder: String, bytesMax: UInt64 = 2 << 20) throws {
    let path = folder + "/pack"
    try data.write(to: URL(fileURLWithPath: path))
    let homes = [folder + "/0", folder + "/1"]
    for home in homes {
      try? FileManager.default.removeItem(atPath: home)
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    }
    try OutputPack.unpack(path, into: homes, bytesMax: bytesMax)
  }

  @Test func aPackIsUnpacked() throws {
    try withFolder { (folder: String) in
      try unpack(Self.good().data, in: folder)
      var info = stat()
      #expect(try String(contentsOfFile: folder + "/0/a", encoding: .utf8) == "hello")
      #expect(stat(folder + "/0/a", &info) == 0 && info.st_mode & 0o7777 == 0o755)
      #expect(stat(folder + "/0/below", &info) == 0 && info.st_mode & 0o7777 == 0o711)
      #expect(stat(folder + "/0/below/empty", &info) == 0 && info.st_size == 0)
      #expect(lstat(folder + "/0/link", &info) == 0 && info.st_mode & S_IFMT == S_IFLNK)
      #expect(lstat(folder + "/0/pipe", &info) == 0 && info.st_mode & S_IFMT == S_IFIFO)
      #expect(try String(contentsOfFile: folder + "/1/second", encoding: .utf8) == "2")
      // A name that is not UTF-8, and a file of holes.
      let odd = Array("\(folder)/0/".utf8) + [0xFF, 0x41, 0]
      let found = odd.withUnsafeBufferPointer { $0.withMemoryRebound(to: CChar.self) { stat($0.baseAddress!, &info) } }
      #expect(found == 0 && info.st_size == 1 << 20 && info.st_blocks * 512 < 1 << 19)
    }
  }

  @Test func aPackThatIsCutAnywhereIsRefused() throws {
    try withFolder { (folder: String) in
      let whole = Self.good().data
      for count in 0..<whole.count {
        #expect(throws: Fault.self, "cut at \(count)") { try unpack(whole.prefix(count), in: folder) }
      }
      #expect(throws: Fault.self) { try unpack(whole + [0], in: folder) }
      #expect(throws: Fault.self) { try unpack(whole, in: folder, bytesMax: (1 << 20) + 5) }
      try unpack(whole, in: folder, bytesMax: (1 << 20) + 6)
    }
  }

  /// No flipped bit may do harm: what is not refused is another harmless folder.
  @Test func aFlippedBitStaysInside() throws {
    try withFolder { (folder: String) in
      let whole = Self.good().data
      for at in whole.indices {
        for bit in 0..<8 {
          var data = whole
          data[at] ^= 1 << bit
          do { try unpack(data, in: folder) } catch is Fault {}
        }
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(left == ["0", "1", "pack"])
    }
  }

  static let hostile: [(name: String, make: @Sendable (inout Pack) -> Void)] = [
    ("a name of two dots", { $0.entry("D", Array("..".utf8)) }),
    ("a name of one dot", { $0.entry("D", Array(".".utf8)) }),
    ("a name with a slash", { $0.entry("P", Array("a/b".utf8)) }),
    ("a name with a NUL", { $0.entry("P", [0x61, 0]) }),
    ("an empty name", { $0.entry("P", []) }),
    ("a name of 256 bytes", { $0.entry("P", Array(repeating: 0x61, count: 256)) }),
    ("an unknown kind", { $0.entry("X", Array("a".utf8)) }),
    (
      "the same name twice",
      {
        $0.file("a", "1")
        $0.file("a", "2")
      }
    ),
    (
      "a link with an empty target",
      {
        $0.entry("L", Array("a".utf8))
        $0.number(0, 8)
      }
    ),
    (
      "a link with a long target",
      {
        $0.entry("L", Array("a".utf8))
        $0.number(4_097, 8)
        $0.data += Array(repeating: 0x61, count: 4_097)
      }
    ),
    (
      "a link whose target holds a NUL",
      {
        $0.entry("L", Array("a".utf8))
        $0.number(2, 8)
        $0.data += [0x61, 0]
      }
    ),
    (
      "a piece behind its file",
      {
        $0.entry("F", Array("a".utf8))
        $0.number(4, 8)
        $0.piece(4, "x")
      }
    ),
    (
      "a piece that overflows",
      {
        $0.entry("F", Array("a".utf8))
        $0.number(4, 8)
        $0.number(2, 8)
        $0.number(.max, 8)
      }
    ),
    (
      "pieces out of order",
      {
        $0.entry("F", Array("a".utf8))
        $0.number(4, 8)
        $0.piece(2, "x")
        $0.piece(1, "x")
        $0.piece(4, "")
      }
    ),
    (
      "a last piece before the end",
      {
        $0.entry("F", Array("a".utf8))
        $0.number(4, 8)
        $0.piece(2, "")
      }
    ),
    (
      "a file of all numbers' size",
      {
        $0.entry("F", Array("a".utf8))
        $0.number(.max, 8)
      }
    ),
    ("folders without end", { for _ in 0..<200 { $0.entry("D", Array("d".utf8)) } }),
    (
      "files through a link",
      {
        $0.entry("L", Array("a".utf8))
        $0.number(1, 8)
        $0.data += "/".utf8
        $0.entry("D", Array("a".utf8))
      }
    ),
  ]

  @Test(arguments: hostile.map(\.name)) func aHostilePackIsRefused(_ name: String) throws {
    let make = try #require(Self.hostile.first { $0.name == name }).make
    try withFolder { (folder: String) in
      var pack = Pack()
      make(&pack)
      pack.mark("E")
      pack.mark("E")
      pack.mark("Z")
      let error = #expect(throws: Fault.self) { try unpack(pack.data, in: folder) }
      #expect(error?.code == .io)
    }
  }
}
