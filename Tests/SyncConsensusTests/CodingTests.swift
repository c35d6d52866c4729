import SyncConsensus
import SyncProof
import SyncTesting
import Testing

@Suite struct CodingTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private var messages: [(String, Message)] {
    let a = bench.info(view: 4, height: 3)
    let b = bench.info(view: 5, height: 4)
    let qc = bench.certificate(b, on: a)
    let tc = bench.timeoutCertificate(7, highQC: qc, views: [5, 4, 4])
    let sync = SyncInfo(highQC: qc, highTC: tc, finality: qc)
    let block = bench.block(view: 8, on: qc, tc: tc, entries: [[1], [2, 3]])
    let proposal = bench.proposal(block, parent: b)
    let bodies: [(String, Message.Body)] = [
      ("status", .status), ("proposal", .proposal(proposal)), ("vote", .vote(bench.vote(b, on: a, by: 2))),
      ("timeout", .timeout(bench.timeout(8, qc, tc, by: 1))), ("entries", .entries([[9], [8, 7]])),
      ("fetch", .fetch(FetchRequest(target: a.id, knownHeight: 3, known: b.id, decidedHeight: 2))),
      ("blocks", .blocks(FetchAnswer(blocks: [block], certificate: qc))),
      ("no blocks", .blocks(FetchAnswer(blocks: [], certificate: nil))),
    ]
    return bodies.map { ($0.0, Message(epoch: 1, sync: sync, body: $0.1)) }
  }

  @Test func everyMessageComesBack() throws {
    for (name, message) in messages { #expect(try Message(decoding: message.encode()) == message, "\(name)") }
  }

  @Test func truncatedAndTrailingBytesAreRefused() {
    for (name, message) in messages {
      let bytes = message.encode()
      for count in 0..<bytes.count where count % 7 == 0 || count > bytes.count - 70 {
        #expect((try? Message(decoding: Array(bytes.prefix(count)))) == nil, "\(name) of \(count) bytes")
      }
      #expect((try? Message(decoding: bytes + [0])) == nil, "\(name) and a byte")
    }
  }

  /// Whatever parses is the encoding of what was parsed, and a replica that is given it neither traps nor signs.
  @Test func garbageIsHarmless() throws {
    var random = SeededGenerator(seed: 1)
    var replica = try bench.replica(3)
    for (_, message) in messages {
      for _ in 0..<150 {
        var bytes = message.encode()
        for _ in 0...random.below(3) {
          bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
        }
        if let parsed = try? Message(decoding: bytes) { #expect(parsed.encode() == bytes) }
        let effects = replica.step(.message(from: ReplicaIndex(rawValue: 0), bytes), now: noon)
        #expect(Flattened(effects).bareSigns == 0)
      }
    }
    #expect(replica.halted == nil)
  }

  @Test func hugeCountsAreRefusedBeforeAnythingIsCopied() {
    var writer = ByteWriter()
    writer.writeRaw(Array(bench.message(.status).dropLast()))
    writer.write(UInt8(4))
    writer.write(UInt32.max)
    #expect((try? Message(decoding: writer.bytes)) == nil)
    #expect((try? Message(decoding: [UInt8](repeating: 1, count: ConsensusLimits.messageBytesMax + 1))) == nil)
  }

  @Test func otherVersionsAreRefused() {
    var bytes = bench.message(.status)
    bytes[0] = 2
    #expect(throws: ProofError(.unsupportedVersion, "")) { try Message(decoding: bytes) }
  }

  @Test func signerBitmapHasOneForm() throws {
    let certificate = bench.certificate(bench.info(view: 5, height: 4), on: bench.info(view: 4, height: 3))
    var bytes = certificate.encode()
    let position = bytes.count - 3 * Signature.byteCount - 2
    #expect(bytes[position] == 1 && bytes[position + 1] == 0b111)
    bytes[position] = 2
    bytes.insert(0, at: position + 2)
    #expect((try? Certificate(decoding: bytes)) == nil)
  }

  @Test func safetyStateComesBack() throws {
    var state = SafetyState(epoch: 9)
    #expect(try SafetyState(decoding: state.encode()) == state)
    state.lastVote = VoteStatement(proposed: bench.info(view: 5, height: 4), parent: bench.info(view: 4, height: 3))
    state.lastTimeout = UnsignedTimeout(view: 1, highQC: bench.genesisQC, lastTC: nil)
    #expect(try SafetyState(decoding: state.encode()) == state)
  }
}
