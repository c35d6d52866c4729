import Foundation
import SyncProof
import Testing

@testable import SyncRuntime

private typealias Samples = ComparisonSamples

struct ComparisonTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let first: [UInt8]
    let second: [UInt8]
    let format: String
    let causes: [DivergenceCause.Code]
    var confidence: DivergenceCause.Confidence?
    /// Of the first cause.
    var place = ""
    /// What stands in its evidence.
    var shows: String?
    var testDescription: String { name }
  }

  private static func text(_ text: String) -> [UInt8] { [UInt8](text.utf8) }
  private static func binary(_ text: String) -> [UInt8] { [0, 1, 2, 0] + [UInt8](text.utf8) + [0, 3, 0] }

  static let rows: [Row] = [
    Row(
      name: "seconds in text", first: text("built 1795608001\n"), second: text("built 1795608007\n"), format: "text",
      causes: [.time], confidence: .likely, shows: "1795608001"),
    Row(
      name: "nanoseconds in a binary", first: binary("1795608001000000123"), second: binary("1795608001999999123"),
      format: "bytes", causes: [.time], confidence: .likely),
    Row(
      name: "ten digits far from the clock", first: binary("id=1234567890"), second: binary("id=1234567891"),
      format: "bytes", causes: [.random, .unknown]),
    Row(
      name: "date of the C compiler", first: binary("Nov 25 2026 12:00:01"), second: binary("Nov 25 2026 12:00:09"),
      format: "bytes", causes: [.time]),
    Row(
      name: "date and time of day", first: text("on 2026-11-25T12:00:01Z\n"), second: text("on 2026-11-25T12:00:02Z\n"),
      format: "text", causes: [.time], shows: "2026-11-25T12:00:01"),
    Row(
      name: "a number near the clock", first: [9, 9, 0, 0] + Samples.little(1_795_608_001, 4) + [0, 0],
      second: [9, 9, 0, 0] + Samples.little(1_795_608_900, 4) + [0, 0], format: "bytes", causes: [.time],
      confidence: .possible, shows: "1795608001"),
    Row(
      name: "a number far from the clock", first: [9, 9, 0, 0] + Samples.little(1_000_000_001, 4) + [0, 0],
      second: [9, 9, 0, 0] + Samples.little(1_000_000_900, 4) + [0, 0], format: "bytes", causes: [.unknown]),
    Row(
      name: "paths of different length", first: binary("panicked at /home/alice/src/lib.rs:3"),
      second: binary("panicked at /build/src/lib.rs:3"), format: "bytes", causes: [.path], confidence: .likely,
      shows: "/home/alice/src/lib.rs"),
    Row(
      name: "relative paths", first: binary("panicked at src/one.rs"), second: binary("panicked at src/two.rs"),
      format: "bytes", causes: [.unknown]),
    Row(
      name: "lines in another order", first: text("alpha\nbeta\ngamma\n"), second: text("gamma\nalpha\nbeta\n"),
      format: "text", causes: [.order], confidence: .certain),
    Row(
      name: "lines that differ", first: text("alpha\nbeta\n"), second: text("alpha\nbetb\n"), format: "text",
      causes: [.unknown]),
    Row(
      name: "members in another order",
      first: Samples.ar([.init(name: "a.o", body: [1, 2]), .init(name: "b.o", body: [3, 4])]),
      second: Samples.ar([.init(name: "b.o", body: [3, 4]), .init(name: "a.o", body: [1, 2])]), format: "ar",
      causes: [.order], confidence: .certain),
    Row(
      name: "a table in another order", first: binary("north;south;east;west;"),
      second: binary("west;south;north;east;"), format: "bytes", causes: [.order], confidence: .possible),
    Row(
      name: "random bytes", first: [0, 0, 0, 0] + Samples.noise(64, seed: 1),
      second: [0, 0, 0, 0] + Samples.noise(64, seed: 2), format: "bytes", causes: [.random], confidence: .possible),
    Row(
      name: "few values only", first: [UInt8](repeating: 0, count: 64),
      second: [UInt8](repeating: 255, count: 64), format: "bytes", causes: [.unknown]),
    Row(
      name: "hashes in symbols", first: binary("_ZN4core3fmt17h0123456789abcdefE"),
      second: binary("_ZN4core3fmt17h00112233445566ffE"), format: "bytes", causes: [.random], confidence: .likely),
    Row(
      name: "another compiler",
      first: Samples.elf([(".text", [1, 2, 3]), (".comment", text("GCC: (Debian 12.2.0-14) 12.2.0\0"))]),
      second: Samples.elf([(".text", [1, 2, 3]), (".comment", text("GCC: (Debian 13.2.0-05) 13.2.0\0"))]),
      format: "elf", causes: [.compiler], confidence: .certain, place: "section .comment", shows: "13.2.0"),
    Row(
      name: "a section of a member",
      first: Samples.ar([.init(name: "x.o", body: Samples.elf([(".rodata", binary("1795608001"))]))]),
      second: Samples.ar([.init(name: "x.o", body: Samples.elf([(".rodata", binary("1795608002"))]))]), format: "ar",
      causes: [.time], place: "member x.o, section .rodata"),
    Row(
      name: "a member's time and owner", first: Samples.ar([.init(name: "x.o", body: [1], time: 1_795_608_001)]),
      second: Samples.ar([.init(name: "x.o", body: [1], time: 1_795_608_002, owner: 7)]), format: "ar",
      causes: [.metadata, .time], confidence: .certain, place: "header of member x.o"),
    Row(
      name: "an entry's time and mode", first: Samples.zip([("x.py", [1, 2], 0x1234_5678, 0)]),
      second: Samples.zip([("x.py", [1, 2], 0x1234_5679, 0x81A4_0000)]), format: "zip", causes: [.metadata, .time],
      confidence: .certain, place: "header of x.py"),
    Row(
      name: "gzip's time", first: [0x1F, 0x8B, 8, 0, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 12),
      second: [0x1F, 0x8B, 8, 0, 1, 2, 3, 5] + [UInt8](repeating: 0, count: 12), format: "gzip", causes: [.time],
      confidence: .certain),
    Row(name: "nothing against something", first: [], second: [7], format: "text", causes: [.unknown]),
  ]

  @Test(arguments: rows)
  func `each kind of difference has its cause`(row: Row) throws {
    let comparison = ByteComparison(row.first, row.second)
    let causes = CauseGuess(comparison, clock: BuildClock(seconds: Samples.clock)).causes
    #expect(comparison.firstStructure.format == row.format)
    let found = Set(causes.map(\.code))
    if row.causes == [.random, .unknown] {
      #expect(found.isSubset(of: row.causes), "\(causes)")
    } else {
      #expect(found == Set(row.causes), "\(causes)")
    }
    if let confidence = row.confidence { #expect(causes.first?.confidence == confidence) }
    if !row.place.isEmpty { #expect(causes.first?.place == row.place) }
    if let shows = row.shows { #expect(causes.contains { ($0.first + $0.second).contains(shows) }, "\(causes)") }
    // The other way round the same causes are found.
    let reversed = CauseGuess(ByteComparison(row.second, row.first), clock: BuildClock(seconds: Samples.clock)).causes
    #expect(Set(reversed.map(\.code)) == found)
  }

  @Test(arguments: rows)
  func `equal bytes have no difference, and places are inside`(row: Row) {
    let same = ByteComparison(row.first, row.first)
    #expect(same.firstDifference == nil && same.differingBytes == 0 && same.differences.isEmpty)
    let comparison = ByteComparison(row.first, row.second)
    #expect(comparison.firstDifference != nil && comparison.differingBytes > 0)
    for difference in comparison.differences {
      for region in difference.regions {
        #expect(region.first.upperBound <= row.first.count && region.second.upperBound <= row.second.count)
      }
    }
  }

  @Test func `offset and number of differing bytes are exact`() {
    let comparison = ByteComparison([1, 2, 3, 4, 5], [1, 9, 3, 8, 5, 6, 7])
    #expect(comparison.firstDifference == 1)
    #expect(comparison.differingBytes == 4)
  }

  /// Every byte of each sample is changed, and every front of it is read: nothing traps, parts stay inside.
  @Test(arguments: rows)
  func `hostile files are read within their bounds`(row: Row) {
    var variants: [[UInt8]] = (0...row.first.count).map { Array(row.first.prefix($0)) }
    for index in row.first.indices {
      for value: UInt8 in [0, 0x7F, 0xFF] {
        var bytes = row.first
        bytes[index] = value
        variants.append(bytes)
      }
    }
    for bytes in variants {
      for part in FileStructure(bytes).parts { #expect(part.range.upperBound <= bytes.count) }
      _ = CauseGuess(ByteComparison(bytes, row.second), clock: BuildClock(seconds: Samples.clock)).causes
    }
  }

  @Test func `a malformed archive is bytes without parts`() {
    let good = Samples.ar([.init(name: "a.o", body: [1, 2])])
    #expect(FileStructure(good).format == "ar")
    #expect(FileStructure(good).parts.count == 2)
    for (name, change) in [
      ("size beyond the end", { (b: inout [UInt8]) in b[8 + 48] = UInt8(ascii: "9") }),
      ("no end mark", { b in b[8 + 58] = 0 }), ("a cut header", { b in b.removeLast(3) }),
    ] as [(String, (inout [UInt8]) -> Void)] {
      var bytes = good
      change(&bytes)
      #expect(FileStructure(bytes).format != "ar", "\(name)")
    }
  }

  @Test func `long names of archives are found, and bad ones refused`() {
    let table = Samples.Member(name: "/", body: [UInt8]("a-name-of-many-letters.o/\n".utf8))
    var bytes = Samples.ar([table, .init(name: "/0", body: [1])])
    // "/0/" is what the maker writes; GNU's form has no slash behind the number.
    if let place = (0..<bytes.count - 3).first(where: { bytes[$0...].starts(with: "/0/".utf8) }) {
      bytes[place + 2] = 0x20
    }
    #expect(FileStructure(bytes).parts.map(\.name).contains("member a-name-of-many-letters.o"))
  }
}

struct TerminalTextTests {
  @Test(arguments: [
    ("plain\n\ttext", "plain\n\ttext"), ("\u{1B}[31mred", "^[[31mred"), ("a\rb\u{7}", "a^Mb^G"), ("\u{7F}", "^?"),
    ("\u{9B}31m", "<U+009B>31m"), ("\u{202E}evil", "<U+202E>evil"), ("ünï漢😀", "ünï漢😀"), ("\0", "^@"),
  ])
  func `control characters are shown`(row: (String, String)) {
    #expect(TerminalText.harmless(row.0) == row.1)
    #expect(TerminalText.harmless(row.1) == row.1)
    // However it is cut into pieces.
    let bytes = [UInt8](row.0.utf8)
    var text = TerminalText()
    #expect(bytes.flatMap { text.feed([$0]) } + text.finish() == [UInt8](row.1.utf8))
  }

  @Test(
    arguments: [
      [0xFF], [0xC0, 0x80], [0xE2, 0x28], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x80],
    ] as [[UInt8]])
  func `what is no UTF-8 is replaced`(bytes: [UInt8]) throws {
    let text = try #require(String(validating: TerminalText.harmless(bytes), as: UTF8.self))
    #expect(text.contains("\u{FFFD}"))
  }
}
