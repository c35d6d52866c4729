import SyncProof
import Testing

/// A proof inside an artifact: what is put in is found again, and nothing else is.
@Suite struct EmbeddedProofTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let content: [UInt8]
    let proof: [UInt8]
    let form: EmbeddedProof.Form
    var testDescription: String { name }
  }

  static let elf: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
  static let archive = [UInt8]("!<arch>\n".utf8)
  static let thin = [UInt8]("!<thin>\n".utf8)

  static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 5) } }

  static let rows = [
    Row(name: "an ELF file's first bytes alone", content: elf, proof: bytes(40), form: .trailer),
    Row(name: "a file shorter than the head", content: elf + bytes(3), proof: bytes(41), form: .trailer),
    Row(name: "a file as long as the head", content: elf + bytes(4), proof: bytes(40), form: .trailer),
    Row(name: "an ELF file", content: elf + bytes(200), proof: bytes(200), form: .trailer),
    Row(name: "a proof of one byte", content: elf + bytes(100), proof: [0], form: .trailer),
    Row(
      name: "content that ends with most of the mark", content: elf + bytes(9) + EmbeddedProof.mark.dropFirst(),
      proof: bytes(33), form: .trailer),
    Row(name: "a proof that is the mark", content: elf + bytes(50), proof: EmbeddedProof.mark, form: .trailer),
    Row(name: "an archive in the middle", content: elf + archive, proof: bytes(10), form: .trailer),
    Row(name: "an empty archive, even proof", content: archive, proof: bytes(40), form: .archiveMember),
    Row(name: "an empty archive, odd proof", content: archive, proof: bytes(41), form: .archiveMember),
    Row(name: "an archive, even proof", content: archive + bytes(100), proof: bytes(200), form: .archiveMember),
    Row(name: "an archive, odd proof", content: archive + bytes(100), proof: bytes(201), form: .archiveMember),
    Row(name: "an archive, proof of one byte", content: archive + bytes(2), proof: [0x0a], form: .archiveMember),
  ]

  static func find(_ file: [UInt8]) throws(ProofError) -> EmbeddedProof {
    try EmbeddedProof.find(
      head: file.prefix(EmbeddedProof.headBytes), tail: file.suffix(EmbeddedProof.tailBytes),
      fileSize: UInt64(file.count))
  }

  static func region(_ proof: [UInt8], behind content: [UInt8]) throws(ProofError) -> [UInt8] {
    try EmbeddedProof.region(
      for: proof, contentHead: Array(content.prefix(EmbeddedProof.headBytes)),
      contentEnd: Array(content.suffix(EmbeddedProof.mark.count)), contentSize: UInt64(content.count))
  }

  /// `nil` where the file is refused as malformed.
  static func form(_ file: [UInt8]) -> EmbeddedProof.Form? {
    do throws(ProofError) {
      return try find(file).form
    } catch {
      #expect(error.code == .malformed)
      return nil
    }
  }

  @Test(arguments: rows) func findsWhatWasEmbedded(_ row: Row) throws {
    let region = try Self.region(row.proof, behind: row.content)
    let file = row.content + region
    let found = try Self.find(file)
    #expect(found.form == row.form)
    #expect(found.contentSize == UInt64(row.content.count))
    #expect(found.proofSize == row.proof.count)
    #expect(Array(file[Int(found.proofOffset)...].prefix(found.proofSize)) == row.proof)
    #expect(region.count == row.proof.count + 24 + (row.form == .trailer ? 0 : 60 + row.proof.count % 2))
    #expect(row.form == .trailer || region.count % 2 == 0)
    #expect(file.suffix(16) == EmbeddedProof.mark[...])
    #expect(EmbeddedProof.isMarked(file))
  }

  @Test(arguments: rows) func refusesEveryFlippedBitAroundTheProof(_ row: Row) throws {
    let region = try Self.region(row.proof, behind: row.content)
    let file = row.content + region
    let header = region.count - row.proof.count - EmbeddedProof.trailerBytes
    for offset in row.content.count..<file.count {
      for bit in 0..<8 {
        var changed = file
        changed[offset] ^= 1 << UInt8(bit)
        let place = offset - row.content.count
        switch place {
        case ..<header:
          #expect(Self.form(changed) == nil, "header, byte \(place), bit \(bit)")
        case ..<(header + row.proof.count):
          // Nothing is said of the proof's bytes, as long as the file keeps its own first ones.
          if offset >= EmbeddedProof.headBytes { #expect(Self.form(changed) == row.form, "proof, byte \(place)") }
        case ..<(region.count - 16):
          // Another size in bounds is another proof of another content, unless an archive's header says otherwise.
          let form = Self.form(changed)
          #expect(row.form == .archiveMember ? form == nil : form != EmbeddedProof.Form.none, "size, bit \(bit)")
          if form != nil { #expect(try Self.find(changed).contentSize != UInt64(row.content.count)) }
        default:
          #expect(Self.form(changed) == EmbeddedProof.Form.none, "mark, byte \(place), bit \(bit)")
        }
      }
    }
  }

  @Test(arguments: rows) func refusesTruncationAndMore(_ row: Row) throws {
    let file = row.content + (try Self.region(row.proof, behind: row.content))
    #expect(Self.form(file + [0]) == EmbeddedProof.Form.none, "a byte behind the mark")
    for end in max(0, file.count - 200)..<file.count {
      let cut = Array(file[..<end])
      #expect(Self.form(cut) == (EmbeddedProof.isMarked(cut) ? nil : EmbeddedProof.Form.none), "\(end) bytes")
    }
    // The end alone, without the content, or with too little of the region.
    for start in row.content.count + 1...file.count - 16 where row.form == .archiveMember {
      #expect(Self.form(Self.archive + file[start...]) == nil, "an archive from byte \(start)")
    }
    #expect(throws: ProofError(.malformed, "")) { try Self.region(row.proof, behind: file) }
    let twice = file + row.proof + Self.size(UInt64(row.proof.count)) + EmbeddedProof.mark
    #expect(Self.form(twice) == nil, "a proof behind a proof")
  }

  static func size(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }

  struct Refused: CustomTestStringConvertible, Sendable {
    let name: String
    let file: [UInt8]
    var testDescription: String { name }
    init(_ name: String, _ file: [UInt8]) { (self.name, self.file) = (name, file) }
  }

  static let refused = [
    Refused("the mark alone", EmbeddedProof.mark),
    Refused("seven bytes of a size", Array(size(0).dropFirst()) + EmbeddedProof.mark),
    Refused("no proof", elf + bytes(100) + size(0) + EmbeddedProof.mark),
    Refused("a proof larger than the file", elf + bytes(100) + size(101) + EmbeddedProof.mark),
    Refused("the largest size", elf + bytes(100) + size(.max) + EmbeddedProof.mark),
    Refused("a size of 2^63", elf + bytes(100) + size(1 << 63) + EmbeddedProof.mark),
    Refused("a proof above the limit", elf + bytes((1 << 20) + 500) + size((1 << 20) + 1) + EmbeddedProof.mark),
    Refused("a trailer behind a script", Array("#!/bin/sh\nexit 0\n".utf8) + bytes(40) + size(40) + EmbeddedProof.mark),
    Refused("a trailer behind nothing", bytes(40) + size(40) + EmbeddedProof.mark),
    Refused("an ELF file's first bytes cut", elf.dropLast() + bytes(40) + size(40) + EmbeddedProof.mark),
    Refused("an ELF file's first bytes in the proof", elf + bytes(40) + size(42) + EmbeddedProof.mark),
    Refused("a trailer behind an archive", archive + bytes(100) + size(40) + EmbeddedProof.mark),
    Refused("an archive's first bytes inside the proof", archive + size(8) + EmbeddedProof.mark),
    Refused("a trailer behind a thin archive", thin + bytes(100) + size(40) + EmbeddedProof.mark),
  ]

  @Test(arguments: refused) func refusesWhatEndsLikeAProof(_ row: Refused) {
    #expect(Self.form(row.file) == nil)
  }

  @Test func refusesAnArchiveOfOddSize() throws {
    let odd = Self.archive + Self.bytes(101)
    #expect(throws: ProofError(.malformed, "")) { try Self.region(Self.bytes(40), behind: odd) }
    #expect(Self.form(odd + (try Self.region(Self.bytes(40), behind: odd.dropLast()))) == nil)
  }

  @Test func headerIsTheOneThatArWrites() throws {
    let region = try Self.region(Self.bytes(41), behind: Self.archive)
    let header = "sync.tlog-proof/0           0     0     644     66        `\n\n"
    #expect(String(decoding: region.prefix(61), as: UTF8.self) == header)
  }

  @Test func refusesToEmbedWhatWouldNotBeFound() {
    let rows: [(name: String, proof: [UInt8], content: [UInt8], code: ProofError.Code)] = [
      ("no proof", [], Self.elf + Self.bytes(10), .malformed),
      ("a proof above the limit", Self.bytes((1 << 20) + 1), Self.elf + Self.bytes(10), .tooLarge),
      ("a script", Self.bytes(10), Array("#!/bin/sh\nexit 0\n".utf8), .malformed),
      ("nothing", Self.bytes(10), [], .malformed),
      ("an ELF file's first bytes, which go on in the proof", Self.bytes(10), Self.elf.dropLast(), .malformed),
      ("a thin archive", Self.bytes(10), Self.thin + Self.bytes(10), .malformed),
      ("a file that reads as an archive with the proof", [0x3e, 0x0a, 0x00], Self.archive.dropLast(2), .malformed),
      ("the same, thin", Self.thin, [], .malformed),
    ]
    for row in rows {
      #expect(throws: ProofError(row.code, ""), "\(row.name)") { try Self.region(row.proof, behind: row.content) }
    }
  }

  @Test func boundsHoldAtTheLargestSizes() throws {
    let proof = Self.bytes(1 << 20)
    for content in [Self.elf + Self.bytes(300), Self.archive + Self.bytes(300)] {
      let file = content + (try Self.region(proof, behind: content))
      let found = try Self.find(file)
      #expect(found.proofSize == 1 << 20 && found.contentSize == UInt64(content.count))
    }
    // The largest file: its end is given, the rest is only counted.
    let end = Self.bytes(EmbeddedProof.tailBytes - 64) + Self.size(40) + Self.bytes(40) + EmbeddedProof.mark
    let largest = EmbeddedProof.fileBytesMax
    let region = Self.bytes(40) + Self.size(40) + EmbeddedProof.mark
    let tail = Array((end + region).suffix(EmbeddedProof.tailBytes))
    #expect(throws: ProofError(.malformed, ""), "a proof behind a proof") {
      try EmbeddedProof.find(head: Self.elf + Self.bytes(4), tail: tail, fileSize: largest)
    }
    let plain = Self.bytes(EmbeddedProof.tailBytes - region.count) + region
    let found = try EmbeddedProof.find(head: Self.elf + Self.bytes(4), tail: plain, fileSize: largest)
    #expect(found.contentSize == largest - 64 && found.proofOffset == found.contentSize && found.proofSize == 40)
    #expect(throws: ProofError(.tooLarge, "")) {
      try EmbeddedProof.find(head: Self.elf + Self.bytes(4), tail: plain, fileSize: largest + 1)
    }
    let embedded = try EmbeddedProof.region(
      for: Self.bytes(40), contentHead: Self.elf + Self.bytes(4), contentEnd: Self.bytes(16), contentSize: largest - 64)
    #expect(embedded == region)
    for size in [largest - 63, largest, .max] {
      #expect(throws: ProofError(.tooLarge, ""), "\(size)") {
        try EmbeddedProof.region(
          for: Self.bytes(40), contentHead: Self.elf + Self.bytes(4), contentEnd: Self.bytes(16), contentSize: size)
      }
    }
  }

  @Test func wantsTheEndsThatTheSizeAsksFor() {
    let file = Self.bytes(100)
    for (head, tail, size) in [(7, 100, 100), (9, 100, 100), (8, 99, 100), (8, 100, 101), (8, 100, 99), (0, 0, 1)] {
      #expect(throws: ProofError(.malformed, ""), "\(head), \(tail), \(size)") {
        try EmbeddedProof.find(head: file.prefix(head), tail: file.suffix(tail), fileSize: UInt64(size))
      }
    }
    #expect(Self.form([]) == EmbeddedProof.Form.none)
    #expect(Self.form(Self.bytes(2_000_000)) == EmbeddedProof.Form.none)
  }
}
