import Glibc
import SyncProof

/// Tests/Vectors, as SYNC_FUZZ_VECTORS says: the only proofs that anyone may believe.
enum Seeds {
  /// A case of the table.
  struct Case {
    let policy: [UInt8]
    let proof: [UInt8]
    let artifact: Digest
    let status: Int32
  }

  static let cases: [Case] = {
    var out: [Case] = []
    for line in bytes("cases.tsv").split(separator: 0x0a) where line.first != UInt8(ascii: "#") {
      let fields = line.split(separator: 0x09).map { String(decoding: $0, as: UTF8.self) }
      guard fields.count == 6, let digest = Digest(hex: fields[3]), let status = Int32(fields[4]) else {
        preconditionFailure("cases.tsv has a line in another form")
      }
      out.append(Case(policy: bytes(fields[1]), proof: bytes(fields[2]), artifact: digest, status: status))
    }
    precondition(out.contains { $0.status == 0 } && out.contains { $0.status != 0 }, "The vectors have both kinds")
    return out
  }()

  static let accepted = cases.filter { $0.status == 0 }

  /// Policies to verify made-up proofs with.
  static let policies: [Policy] = ["four", "one", "seven", "nested", "mixed-order-witness"].compactMap {
    try? Policy(parsing: bytes("policies/\($0).policy"))
  }

  /// What the vectors' proofs say, accepted or not: all that the policies' keys ever signed.
  ///
  /// A refused one stands here too, since a fuzzer may mend it: a false line of a witness to spare becomes that of an
  /// unknown one, which is nobody's.
  static let meanings: Set<Meaning> = Set(
    cases.compactMap { seed in (try? Proof(parsing: seed.proof)).map(Meaning.init) })

  /// The texts of their notes, also where they are no checkpoints: some of those were signed too.
  static let texts: Set<[UInt8]> = Set(
    cases.compactMap { seed in
      guard
        let end = seed.proof.indices.dropFirst().first(where: { seed.proof[$0 - 1] == 0x0a && seed.proof[$0] == 0x0a })
      else { return nil }
      return (try? SignedNote(parsing: [UInt8](seed.proof[(end + 1)...])))?.text
    })

  /// The jobs and outcomes that builders signed.
  static let revealed: Set<[Digest]> = Set(
    meanings.compactMap { try? Evidence(parsing: $0.leaf) }
      .flatMap { evidence in evidence.outcomes.map { [evidence.jobID, $0.digest] } })

  /// What a proof says: all that its signatures are about.
  struct Meaning: Hashable {
    let leaf: [UInt8]
    let index: UInt64
    let path: [Digest]
    let body: [UInt8]

    init(_ proof: Proof) { (leaf, index, path, body) = (proof.leaf, proof.index, proof.path, proof.note.text) }
  }

  static func bytes(_ path: String) -> [UInt8] {
    let folder = getenv("SYNC_FUZZ_VECTORS").map { String(cString: $0) } ?? "Tests/Vectors"
    guard let file = fopen("\(folder)/\(path)", "rb") else { preconditionFailure("\(folder)/\(path) cannot be read") }
    defer { fclose(file) }
    var out: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let got = fread(&piece, 1, piece.count, file)
      guard got > 0 else { return out }
      out += piece[..<got]
    }
  }
}

/// Takes the fuzzer's bytes apart into choices; zeros where they are used up.
struct Choices {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { offset >= bytes.count }

  mutating func byte() -> UInt8 {
    guard offset < bytes.count else { return 0 }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func word() -> UInt64 {
    var value: UInt64 = 0
    for _ in 0..<8 { value = value << 8 | UInt64(byte()) }
    return value
  }

  /// Below `count`, which is at most 65,536.
  mutating func below(_ count: Int) -> Int { (Int(byte()) << 8 | Int(byte())) % count }

  mutating func some(_ count: Int) -> [UInt8] {
    let end = min(bytes.count, offset + count)
    defer { offset = end }
    return [UInt8](bytes[min(offset, end)..<end])
  }
}
