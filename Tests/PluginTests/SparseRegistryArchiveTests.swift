import SourceTools
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

@Suite("Unpacking a registry's archive")
struct SparseRegistryArchiveTests {
  private typealias Member = CratesSourceArchiveTests.Member
  private static let folder = "made-1.0.0"

  private func unpack(_ bytes: [UInt8], limits: TreeLimits = TreeLimits(), bytesMax: UInt64 = 1 << 30) throws
    -> [String]
  {
    let outer = try CrateFiles.makeTemporary(in: "/tmp")
    defer { CrateFiles.remove(outer) }
    let inner = outer + "/inner"
    try CrateFiles.makeFolder(inner)
    defer { #expect(CrateFiles.names(in: outer) == ["inner"]) }
    var archive = CrateArchive(directory: inner, layout: .crate(folder: Self.folder), limits: limits)
    try CrateGzip.unpack(bytes, bytesMax: bytesMax) { piece throws(PluginError) in try archive.feed(piece) }
    try archive.finish()
    return try TreeDigest.entries(directory: inner).map { String(decoding: $0.path, as: UTF8.self) }
  }

  private static func pax(_ records: [(String, String)], type: Character = "x") -> Member {
    let text = records.map { key, value in
      let body = " \(key)=\(value)\n"
      var count = body.utf8.count + 1
      while "\(count)".utf8.count + body.utf8.count != count { count += 1 }
      return "\(count)\(body)"
    }
    return Member(path: "pax", content: [UInt8](text.joined().utf8), type: type)
  }

  @Test("Files, folders, GNU's and POSIX's long names arrive; names that differ in case are two")
  func unpacks() throws {
    let (long, longer) = (String(repeating: "n", count: 150), String(repeating: "m", count: 150))
    let files = try unpack(
      TestArchive.pack([
        Self.pax([("comment", "x")], type: "g"), Member(path: "\(Self.folder)/", type: "5", mode: 0o755),
        Member(path: "\(Self.folder)/Cargo.toml", content: [1]), Member(path: "\(Self.folder)/cargo.toml"),
        Member(path: "././@LongLink", content: [UInt8]("\(Self.folder)/\(long)\0".utf8), type: "L"),
        Member(path: "\(Self.folder)/cut"), Self.pax([("path", "\(Self.folder)/\(longer)"), ("mtime", "1.5")]),
        Member(path: "cut"), Self.pax([("size", "3")]),
        Member(path: "\(Self.folder)/sized", content: [1, 2, 3], size: 0),
      ]))
    #expect(files == ["Cargo.toml", "cargo.toml", longer, long, "sized"])
  }

  @Test(
    "Each rule refuses",
    arguments: [
      ("a path upwards", [Member(path: "\(folder)/../x")]), ("an absolute path", [Member(path: "/\(folder)/x")]),
      ("another folder", [Member(path: "other-1.0.0/x")]), ("no folder", [Member(path: "x")]),
      ("no name", [Member(path: "")]), ("a file twice", [Member(path: "\(folder)/a"), Member(path: "\(folder)/a")]),
      ("a file twice by a dot", [Member(path: "\(folder)/a"), Member(path: "\(folder)/./a")]),
      ("a file where a folder is", [Member(path: "\(folder)/a/b"), Member(path: "\(folder)/a")]),
      ("a folder where a file is", [Member(path: "\(folder)/a"), Member(path: "\(folder)/a/b")]),
      ("the folder as a file", [Member(path: folder)]), ("a file with a slash", [Member(path: "\(folder)/a/")]),
      ("a link inside", [Member(path: "\(folder)/a", type: "2", link: "b")]),
      ("a link out", [Member(path: "\(folder)/a", type: "2", link: "/etc")]),
      ("a hard link", [Member(path: "\(folder)/a", type: "1", link: "\(folder)/b")]),
      ("a character device", [Member(path: "\(folder)/a", type: "3")]),
      ("a block device", [Member(path: "\(folder)/a", type: "4")]),
      ("a pipe", [Member(path: "\(folder)/a", type: "6")]),
      ("a sparse file", [Member(path: "\(folder)/a", type: "S")]),
      ("set-user-ID", [Member(path: "\(folder)/a", mode: 0o4755)]),
      ("set-group-ID", [Member(path: "\(folder)/a", mode: 0o2755)]),
      ("the sticky bit", [Member(path: "\(folder)/a", mode: 0o1755)]),
      ("a control character", [Member(path: "\(folder)/a\u{1b}")]),
      ("cargo's own note", [Member(path: "\(folder)/.cargo-checksum.json")]),
      ("a long path", [pax([("path", "\(folder)/" + String(repeating: "n", count: 1_024))]), Member(path: "x")]),
      ("an endless GNU name", [Member(path: "x", type: "L", size: 1 << 30)]),
      ("an endless header", [Member(path: "x", type: "x", size: 1 << 30)]),
      ("a path upwards by pax", [pax([("path", "\(folder)/../x")]), Member(path: "\(folder)/a")]),
      ("two names by pax", [pax([("path", "\(folder)/a"), ("path", "\(folder)/b")]), Member(path: "x")]),
      (
        "two names by both",
        [pax([("path", "\(folder)/a")]), Member(path: "x", content: [0x61], type: "L"), Member(path: "x")]
      ),
      ("a name for all", [pax([("path", "\(folder)/a")], type: "g"), Member(path: "\(folder)/b")]),
      ("a broken record", [Member(path: "x", content: [UInt8]("99 a=b\n".utf8), type: "x")]),
      ("a size that is none", [pax([("size", "-1")]), Member(path: "\(folder)/a")]),
      ("a name for nothing", [Member(path: "\(folder)/a"), pax([("path", "\(folder)/b")])]),
      ("a size beyond", [Member(path: "\(folder)/a", size: 1 << 32)]),
      ("deep folders", [Member(path: "\(folder)" + String(repeating: "/d", count: 40))]),
    ] as [(String, [CratesSourceArchiveTests.Member])])
  func refuses(_ row: (name: String, members: [CratesSourceArchiveTests.Member])) throws {
    var limits = TreeLimits()
    limits.depthMax = 32
    let error = #expect(throws: PluginError.self, "\(row.name)") {
      try unpack(TestArchive.pack(row.members), limits: limits)
    }
    #expect(error?.code == .invalid, "\(row.name): \(error?.message ?? "")")
  }

  @Test("Entries and bytes are counted")
  func bounds() throws {
    var limits = TreeLimits()
    (limits.entriesMax, limits.bytesMax) = (3, 10)
    func files(_ count: Int, of size: Int) -> [UInt8] {
      TestArchive.pack(
        (0..<count).map { Member(path: "\(Self.folder)/\($0)", content: [UInt8](repeating: 1, count: size)) })
    }
    #expect(try unpack(files(3, of: 3), limits: limits).count == 3)
    #expect(throws: PluginError(.invalid, "")) { try unpack(files(4, of: 1), limits: limits) }
    #expect(throws: PluginError(.invalid, "")) { try unpack(files(3, of: 4), limits: limits) }
  }

  @Test("A bomb is given up, by its size and by its ratio")
  func refusesBombs() throws {
    let zeros = TestArchive.gzip([UInt8](repeating: 0, count: 17 << 20))
    #expect(zeros.count < 20_000)
    let ratio = #expect(throws: PluginError.self) { try unpack(zeros) }
    #expect(ratio?.message.contains("more than \(16 << 20) bytes") == true, "\(ratio?.message ?? "")")
    let size = #expect(throws: PluginError.self) { try unpack(zeros, bytesMax: 1 << 20) }
    #expect(size?.message.contains("more than \(1 << 20) bytes") == true)
  }

  @Test("Whatever is cut off, damaged or put behind is refused")
  func refusesDamage() throws {
    let tar = Member(path: "\(Self.folder)/a", content: [UInt8](repeating: 5, count: 600)).encode()
    let end = [UInt8](repeating: 0, count: 1_024)
    let good = TestArchive.gzip(tar + end)
    #expect(try unpack(good) == ["a"])
    let rows: [(String, [UInt8])] = [
      ("nothing", []), ("no gzip", tar + end), ("a cut stream", Array(good.dropLast(9))),
      ("a cut check", Array(good.dropLast(1))), ("a second member", good + good), ("a byte behind", good + [0]),
      ("no end mark", TestArchive.gzip(tar)), ("half an end mark", TestArchive.gzip(tar + end.prefix(512))),
      ("a member behind the end", TestArchive.gzip(tar + end + tar)),
      ("a cut file", TestArchive.gzip(Array(tar.prefix(700)))), ("zlib's frame", [0x78, 0x9c] + good.dropFirst(10)),
    ]
    for row in rows {
      #expect(throws: PluginError(.invalid, ""), "\(row.0)") { try unpack(row.1) }
    }
    // Magic, method and flags; checksum and length. In between deflate can say the same in more than one way.
    for position in [0, 1, 2] + Array((good.count - 8)..<good.count) {
      var damaged = good
      damaged[position] ^= 0x10
      #expect(throws: PluginError(.invalid, ""), "bit in byte \(position)") { try unpack(damaged) }
    }
  }
}
