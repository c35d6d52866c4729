import Glibc
import SourceTools
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

@Suite("Taking a crate out of a package's archive")
struct CratesSourceArchiveTests {
  private static let crate = "./usr/share/cargo/registry/made-1.0.0"

  /// A tar member; a file unless `type` says otherwise.
  struct Member: Sendable {
    var path: String
    var content: [UInt8] = []
    var type: Character = "0"
    var mode = 0o644
    var link = ""
    /// Written into the header instead of the content's size.
    var size: Int?

    func encode() -> [UInt8] {
      var header = [UInt8](repeating: 0, count: 512)
      func put(_ text: String, at offset: Int) { for (i, c) in text.utf8.enumerated() { header[offset + i] = c } }
      put(path, at: 0)
      put(String(mode, radix: 8), at: 100)
      put(String(size ?? content.count, radix: 8), at: 124)
      put("\(type)", at: 156)
      put(link, at: 157)
      put("ustar  ", at: 257)
      put("        ", at: 148)
      put(String(header.reduce(0) { $0 + Int($1) }, radix: 8) + "\0", at: 148)
      return header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }
  }

  private func extract(_ bytes: [UInt8], pieces: Int, into folder: String, limits: TreeLimits = TreeLimits())
    throws -> String?
  {
    var archive = CrateArchive(directory: folder, limits: limits)
    var rest = bytes[...]
    while !rest.isEmpty {
      try archive.feed(Array(rest.prefix(pieces)))
      rest = rest.dropFirst(pieces)
    }
    try archive.finish()
    return archive.folder
  }

  @discardableResult
  private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = try CrateFiles.makeTemporary(in: "/tmp")
    defer { CrateFiles.remove(folder) }
    return try body(folder)
  }

  private static let good: [Member] = [
    Member(path: "./usr/share/doc/made/copyright", content: [1, 2, 3]),
    Member(path: "\(crate)/", type: "5", mode: 0o755),
    Member(path: "\(crate)/src/lib.rs", content: [UInt8](repeating: 7, count: 1_500)),
    Member(path: "\(crate)/run.sh", content: [UInt8](repeating: 8, count: 512), mode: 0o775),
    Member(path: "\(crate)/empty"),
    Member(path: "\(crate)/src/alias", type: "2", link: "../empty"),
    Member(path: "././@LongLink", content: [UInt8]("\(crate)/\(String(repeating: "n", count: 150))\0".utf8), type: "L"),
    Member(path: "\(crate)/cut", content: [9]),
  ]

  @Test("Files, modes, links and long names arrive, in whatever pieces", arguments: [1, 100, 512, 1_000_000])
  func extracts(pieces: Int) throws {
    let bytes = Self.good.flatMap { $0.encode() } + [UInt8](repeating: 0, count: 1_024)
    try withFolder { folder in
      #expect(try extract(bytes, pieces: pieces, into: folder) == "made-1.0.0")
      let entries = try TreeDigest.entries(directory: folder)
      #expect(
        entries.map { String(decoding: $0.path, as: UTF8.self) }
          == ["empty", String(repeating: "n", count: 150), "run.sh", "src/alias", "src/lib.rs"])
      #expect(entries[2].kind == .file(isExecutable: true, size: 512))
      #expect(entries[3].kind == .link(target: [UInt8]("../empty".utf8)))
      #expect(entries[4].kind == .file(isExecutable: false, size: 1_500))
    }
  }

  @Test("A package without a crate gives none")
  func findsNone() throws {
    try withFolder { folder in
      let found = try extract(Self.good[0].encode(), pieces: 512, into: folder)
      #expect(found == nil)
      #expect(CrateFiles.names(in: folder).isEmpty)
    }
  }

  @Test(
    "Hostile members are refused",
    arguments: [
      ("a path upwards", [Member(path: "\(crate)/../../../../../etc/x", content: [1])]),
      ("a file twice", [Member(path: "\(crate)/a"), Member(path: "\(crate)/a")]),
      ("a file where a folder is needed", [Member(path: "\(crate)/a"), Member(path: "\(crate)/a/b")]),
      ("an absolute link", [Member(path: "\(crate)/a", type: "2", link: "/etc")]),
      ("a link out", [Member(path: "\(crate)/src/a", type: "2", link: "../../x")]),
      ("a link out through a name", [Member(path: "\(crate)/s/t/a", type: "2", link: "d/../../x")]),
      ("a file through a link", [Member(path: "\(crate)/a", type: "2", link: "b"), Member(path: "\(crate)/a/c")]),
      ("a hard link", [Member(path: "\(crate)/a", type: "1", link: "b")]),
      ("a device", [Member(path: "\(crate)/a", type: "3")]),
      ("a pipe", [Member(path: "\(crate)/a", type: "6")]),
      ("the crate as a file", [Member(path: crate, content: [1])]),
      ("a second crate", [Member(path: "\(crate)/a"), Member(path: "./usr/share/cargo/registry/b-1.0.0/a")]),
      ("a control character", [Member(path: "\(crate)/a\nb")]),
      ("an endless name", [Member(path: "x", type: "L", size: 1 << 30)]),
      ("more bytes than allowed", [Member(path: "\(crate)/a", size: 1 << 32)]),
      ("a size that overflows", [Member(path: "\(crate)/a", size: 0o77777777777), Member(path: "\(crate)/b")]),
    ] as [(String, [Member])])
  func refuses(_ row: (name: String, members: [Member])) throws {
    try withFolder { folder in
      let inner = folder + "/inner"
      try CrateFiles.makeFolder(inner)
      let bytes = row.members.flatMap { $0.encode() }
      #expect(throws: PluginError.self, "\(row.name)") { try extract(bytes, pieces: 512, into: inner) }
      #expect(CrateFiles.names(in: folder) == ["inner"])
    }
  }

  @Test("Every flipped bit in a header is noticed, and so is a missing end")
  func refusesDamage() throws {
    let bytes = Member(path: "\(Self.crate)/a", content: [1, 2, 3]).encode()
    for byte in [0, 100, 130, 156, 200, 260, 400] {
      var damaged = bytes
      damaged[byte] ^= 1
      try withFolder { folder in
        #expect(throws: PluginError(.invalid, "")) { try extract(damaged, pieces: 512, into: folder) }
      }
    }
    for count in [1, 511, 513, 514] {
      try withFolder { folder in
        #expect(throws: PluginError(.invalid, "")) { try extract(Array(bytes[..<count]), pieces: 512, into: folder) }
      }
    }
  }

  @Test("More entries than allowed are refused")
  func refusesMany() throws {
    var limits = TreeLimits()
    limits.entriesMax = 3
    let bytes = (0..<4).flatMap { Member(path: "\(Self.crate)/\($0)").encode() }
    try withFolder { folder in
      #expect(throws: PluginError(.invalid, "")) { try extract(bytes, pieces: 512, into: folder, limits: limits) }
    }
    limits.entriesMax = 4
    try withFolder { folder in _ = try extract(bytes, pieces: 512, into: folder, limits: limits) }
  }
}
