import SyncProof
import Testing

/// Random changes to good inputs: nothing traps, nothing takes long, and what is accepted is canonical.
@Suite struct MutationTests {
  private struct Parser: Sendable {
    let name: String
    let seeds: @Sendable () throws -> [[UInt8]]
    /// What the parser writes back; throws where it refuses.
    let roundTrip: @Sendable ([UInt8]) throws -> [UInt8]
  }

  private static let parsers: [Parser] = [
    Parser(name: "vkey", seeds: { [try Sample.logKey("ada").vkey] }, roundTrip: { try NoteKey(vkey: $0).vkey }),
    Parser(
      name: "note", seeds: { [try Sample.proof().note.encode()] }, roundTrip: { try SignedNote(parsing: $0).encode() }),
    Parser(
      name: "checkpoint", seeds: { [try Sample.proof().note.text] },
      roundTrip: { try Checkpoint(parsingBody: $0).body() }),
    Parser(
      name: "spec", seeds: { [Sample.spec().encode()] }, roundTrip: { try BuildSpec(parsing: $0).encode() }),
    Parser(
      name: "outcome", seeds: { OutcomeTests.outcomes.map { $0.encode() } },
      roundTrip: { try Outcome(parsing: $0).encode() }),
    Parser(
      name: "reveal", seeds: { [try Sample.reveal("ada", Sample.built()).encode()] },
      roundTrip: { try Reveal(parsing: $0).encode() }),
    Parser(
      name: "evidence",
      seeds: {
        [
          try Sample.evidence().encode(),
          try Sample.evidence(
            [Sample.report("ada", Sample.built()), Sample.report("bob", .failed(.disk))], reproducers: 2
          )
          .encode(),
        ]
      },
      roundTrip: { try Evidence(parsing: $0).encode() }),
    Parser(
      name: "handover", seeds: { [try Epoch.one.handover(to: Epoch.two.policy()).encode()] },
      roundTrip: { try Handover(parsing: $0).encode() }),
    Parser(
      name: "proof", seeds: { [try Sample.proof().encode()] }, roundTrip: { try Proof(parsing: $0).encode() }),
    Parser(
      name: "tile path", seeds: { [[UInt8]("tile/entries/x001/x234/067.p/17")] },
      roundTrip: { try Tile(path: Text(utf8: $0)).path.utf8 }),
    Parser(
      name: "frontier",
      seeds: {
        var frontier = MerkleFrontier()
        for i in 0..<7 { frontier.append(leafHash: Merkle.leafHash([UInt8(i)])) }
        return [frontier.encode()]
      },
      roundTrip: { try MerkleFrontier(parsing: $0).encode() }),
  ]

  private static func mutate(_ seed: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = seed
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let at = Int.random(in: 0...bytes.count, using: &generator)
      let end = min(bytes.count, at + Int.random(in: 1...40, using: &generator))
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: if at < bytes.count { bytes[at] = UInt8.random(in: 0...255, using: &generator) }
      case 1: bytes.removeSubrange(at..<end)
      case 2: bytes.insert(contentsOf: bytes[at..<end], at: at)
      case 3: bytes.insert([10, 32, 48, 45, 61, 0, 255].randomElement(using: &generator) ?? 10, at: at)
      case 4: bytes.removeLast(bytes.count - at)
      default:
        // Two lines change places.
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        lines.swapAt(
          Int.random(in: 0..<lines.count, using: &generator), Int.random(in: 0..<lines.count, using: &generator))
        bytes = Array(lines.joined(separator: [10]))
      }
    }
    return bytes
  }

  @Test(.timeLimit(.minutes(2)), arguments: parsers.indices) func mutations(_ index: Int) throws {
    let parser = Self.parsers[index]
    var generator = SeededGenerator(seed: 20_260_000 + UInt64(index))
    let seeds = try parser.seeds()
    for seed in seeds { #expect(try parser.roundTrip(seed) == seed, "\(parser.name)") }
    for round in 0..<1_500 {
      let bytes = Self.mutate(seeds[round % seeds.count], &generator)
      guard let back = try? parser.roundTrip(bytes) else { continue }
      #expect(back == bytes, "\(parser.name), round \(round)")
    }
  }

  /// A policy is read leniently and written in one way: what is written is read as itself.
  @Test(.timeLimit(.minutes(2))) func policies() throws {
    var generator = SeededGenerator(seed: 7)
    let seed = try Sample.policy().encode()
    for round in 0..<1_500 {
      guard let policy = try? Policy(parsing: Self.mutate(seed, &generator)) else { continue }
      #expect(try Policy(parsing: policy.encode()) == policy, "round \(round)")
    }
  }

  /// A mutated proof never proves anything else than the sample does.
  @Test(.timeLimit(.minutes(2))) func verification() throws {
    var generator = SeededGenerator(seed: 8)
    let policy = try Sample.policy()
    let seed = try Sample.proof(cosigners: Sample.members).encode()
    let evidence = try Sample.evidence()
    for round in 0..<1_500 {
      let bytes = Self.mutate(seed, &generator)
      guard let got = try? Verifier.verify(proof: bytes, policy: policy, artifact: Sample.artifact) else { continue }
      #expect(got.evidence == evidence && got.index == 5, "round \(round)")
    }
  }
}
