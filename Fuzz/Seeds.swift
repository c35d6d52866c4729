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

  /// A line of the hand-overs' table.
  struct Chain {
    let policy: [UInt8]
    let epoch: UInt64
    let handovers: [[UInt8]]
    let status: Int32
  }

  static let chains: [Chain] = {
    var out: [Chain] = []
    for line in bytes("handovers.tsv").split(separator: 0x0a) where line.first != UInt8(ascii: "#") {
      let fields = line.split(separator: 0x09).map { String(decoding: $0, as: UTF8.self) }
      // Where nothing is followed there is no epoch.
      if fields.count == 8, fields[2] == "-" { continue }
      guard fields.count == 8, let epoch = UInt64(fields[2]), let status = Int32(fields[6]) else {
        preconditionFailure("handovers.tsv has a line in another form")
      }
      let paths = fields[3].split(separator: " ").map(String.init)
      out.append(Chain(policy: bytes(fields[1]), epoch: epoch, handovers: paths.map { bytes($0) }, status: status))
    }
    precondition(out.contains { $0.status == 0 } && out.contains { $0.status != 0 }, "The vectors have both kinds")
    return out
  }()

  /// Each end of the accepted chains and each place on the way there, to follow made-up hand-overs from.
  static let places: [PolicyChain] = {
    var out: [PolicyChain] = []
    func add(_ chain: PolicyChain) { if !out.contains(chain) { out.append(chain) } }
    for row in chains where row.status == 0 {
      guard let policy = try? Policy(parsing: row.policy) else { preconditionFailure("An accepted policy parses") }
      var chain = PolicyChain(policy, epoch: row.epoch)
      add(chain)
      for handover in row.handovers {
        guard (try? chain.follow(proof: handover)) != nil else { preconditionFailure("An accepted hand-over holds") }
        add(chain)
      }
    }
    return out
  }()

  /// Policies to verify made-up proofs with.
  static let policies: [Policy] = ["four", "one", "seven", "nested", "mixed-order-witness"].compactMap {
    try? Policy(parsing: bytes("policies/\($0).policy"))
  }

  /// SHA-256 of all that any key of the vectors ever signed, as SYNC_FUZZ_SIGNED lists it.
  ///
  /// The files alone do not tell: a fuzzer mends a proof that was damaged after it was signed, and rightly has it
  /// accepted.
  private static let signed: Set<Digest> = records("signed")

  /// What the vectors' proofs said before any was damaged: ``meaning(of:)`` of each.
  private static let made: Set<Digest> = records("made")

  private static func records(_ kind: String) -> Set<Digest> {
    guard let path = getenv("SYNC_FUZZ_SIGNED") else { preconditionFailure("SYNC_FUZZ_SIGNED names no file") }
    var out: Set<Digest> = []
    for line in contents(String(cString: path)).split(separator: 0x0a) {
      let fields = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
      guard fields.count == 2, let digest = Digest(hex: fields[1]) else {
        preconditionFailure("SYNC_FUZZ_SIGNED names a file in another form")
      }
      if fields[0] == kind { out.insert(digest) }
    }
    precondition(!out.isEmpty, "SYNC_FUZZ_SIGNED names a file without what is looked for")
    return out
  }

  /// Whether some key of the vectors signed these very bytes; whichever it was, the fuzzer cannot have.
  static func isSigned(_ message: [UInt8]) -> Bool { signed.contains(SHA256.hash(message)) }

  /// Whether the vectors have a proof that says this, and some log signed its checkpoint.
  static func isMade(_ proof: Proof) -> Bool { isSigned(proof.note.text) && made.contains(meaning(of: proof)) }

  /// All that a proof says: its leaf, where the leaf is, and the text that is signed. Fuzz/seeds.py writes the same.
  private static func meaning(of proof: Proof) -> Digest {
    var writer = ByteWriter()
    writer.write(SHA256.hash(proof.leaf))
    writer.write(proof.index)
    writer.write(SHA256.hash(proof.note.text))
    for hash in proof.path { writer.write(hash) }
    return SHA256.hash(writer.bytes)
  }

  static func bytes(_ path: String) -> [UInt8] {
    contents("\(getenv("SYNC_FUZZ_VECTORS").map { String(cString: $0) } ?? "Tests/Vectors")/\(path)")
  }

  private static func contents(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "rb") else { preconditionFailure("\(path) cannot be read") }
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
