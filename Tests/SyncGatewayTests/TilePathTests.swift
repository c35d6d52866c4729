import SyncProof
import Testing

@testable import SyncGateway

struct TilePathTests {
  static let accepted: [(path: String, content: TilePath.Content, index: UInt64, width: Int)] = [
    ("0/000", .hashes(level: 0), 0, 256),
    ("0/273.p/112", .hashes(level: 0), 273, 112),
    ("1/001.p/17", .hashes(level: 1), 1, 17),
    ("5/000.p/1", .hashes(level: 5), 0, 1),
    ("0/x001/x234/067", .hashes(level: 0), 1_234_067, 256),
    ("0/x001/x234/067.p/255", .hashes(level: 0), 1_234_067, 255),
    ("entries/000", .entries, 0, 256),
    ("entries/x001/000.p/9", .entries, 1_000, 9),
    ("entries/x072/x057/x594/x037/x927/935", .entries, 72_057_594_037_927_935, 256),
    ("5/x065/535", .hashes(level: 5), 65_535, 256),
  ]

  @Test(arguments: accepted)
  func accepts(_ row: (path: String, content: TilePath.Content, index: UInt64, width: Int)) throws {
    let tile = try #require(TilePath(elements: row.path.split(separator: "/")))
    #expect(tile.content == row.content)
    #expect(tile.index == row.index)
    #expect(tile.width == row.width)
  }

  static let refused: [(name: String, path: String)] = [
    ("nothing", ""), ("level only", "0"), ("no index", "entries"), ("level with zero in front", "00/000"),
    ("level above the format's", "64/000"), ("level above any tree", "6/000"), ("signed level", "+1/000"),
    ("negative level", "-1/000"), ("word for a level", "data/000"), ("other case", "Entries/000"),
    ("two digits", "0/67"), ("four digits", "0/0067"), ("missing x", "0/001/234/067"), ("x on the last", "0/x067"),
    ("upper-case X", "0/X001/067"), ("group of zeros in front", "0/x000/067"), ("sign in a group", "0/+67"),
    ("full-width digit", "0/０６７"), ("empty element", "0//067"), ("slash behind", "0/067/"),
    ("width 0", "0/067.p/0"), ("width 256", "0/067.p/256"), ("width with zero in front", "0/067.p/01"),
    ("width missing", "0/067.p"), ("width empty", "0/067.p/"), ("width in hexadecimal", "0/067.p/a"),
    ("width on an x group", "0/x001.p/067"), ("two widths", "0/067.p/1/2"), ("two suffixes", "0/067.p.p/1"),
    ("index beyond 64 bits", "0/x018/x446/x744/x073/x709/x551/616"),
    ("leaf numbers beyond 64 bits", "entries/x072/x057/x594/x037/x927/936"),
    ("level 5 beyond 64 bits", "5/x065/536"), ("percent-encoding", "0/%3067"), ("space", "0/ 67"),
  ]

  @Test(arguments: refused)
  func refuses(_ row: (name: String, path: String)) {
    #expect(TilePath(elements: row.path.split(separator: "/", omittingEmptySubsequences: false)) == nil)
  }

  static let ranges: [(header: String?, size: Int, range: ByteRange)] = [
    (nil, 10, .whole), ("bytes=0-0", 10, .part(0..<1)), ("bytes=2-5", 10, .part(2..<6)),
    ("bytes=2-", 10, .part(2..<10)), ("bytes=-3", 10, .part(7..<10)), ("bytes=-30", 10, .part(0..<10)),
    ("bytes=9-99999999999999999", 10, .part(9..<10)), ("bytes=10-", 10, .unsatisfiable),
    ("bytes=10-11", 10, .unsatisfiable), ("bytes=-0", 10, .unsatisfiable), ("bytes=0-", 0, .unsatisfiable),
    ("bytes=-1", 0, .unsatisfiable), ("bytes=5-2", 10, .whole), ("bytes=-", 10, .whole), ("bytes=1-2,4-5", 10, .whole),
    ("lines=1-2", 10, .whole), ("bytes=0x1-2", 10, .whole), ("bytes=1-9999999999999999999999", 10, .whole),
    ("bytes=--1", 10, .whole), ("bytes=+1-2", 10, .whole),
  ]

  @Test(arguments: ranges)
  func readsRanges(_ row: (header: String?, size: Int, range: ByteRange)) {
    #expect(ByteRange(row.header, size: row.size) == row.range)
  }
}
