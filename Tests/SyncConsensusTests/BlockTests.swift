import SyncConsensus
import SyncProof
import SyncTesting
import Testing

@Suite struct BlockTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private func altered(
    epoch: UInt64 = 1, view: UInt64 = 1, height: UInt64 = 1, author: UInt16 = 1, entries: [[UInt8]] = []
  ) -> Block {
    Block(
      epoch: epoch, view: view, height: height, author: ReplicaIndex(rawValue: author), timeMilliseconds: 1,
      entries: entries, parentCertificate: bench.genesisQC, timeoutCertificate: nil)
  }

  @Test func faults() {
    let many = (0..<ConsensusLimits.blockEntriesMax + 1).map { [UInt8($0 & 255), UInt8($0 >> 8)] }
    let long = [UInt8](repeating: 1, count: ConsensusLimits.entryBytesMax)
    let large: [[UInt8]] = (0..<5).map { [UInt8](long.dropLast()) + [UInt8($0)] }
    let rows: [(String, Block, Bool)] = [
      ("empty", altered(), true), ("two entries", altered(entries: [[1], [2]]), true),
      ("most entries", altered(entries: Array(many.dropLast())), true),
      ("one entry too many", altered(entries: many), false),
      ("longest entry", altered(entries: [long]), true), ("entry too long", altered(entries: [long + [1]]), false),
      ("empty entry", altered(entries: [[]]), false), ("entry twice", altered(entries: [[1], [2], [1]]), false),
      ("most bytes", altered(entries: Array(large.dropLast())), true),
      ("too many bytes", altered(entries: large), false),
      ("other epoch", altered(epoch: 2), false),
      ("in the place of one that failed", altered(author: 2), true), ("never the leader", altered(author: 3), false),
      ("the one before", altered(author: 0), false), ("outside the set", altered(author: 5), false),
      ("height of the parent", altered(height: 0), false), ("height skipped", altered(height: 2), false),
      ("view of the parent", altered(view: 0, author: 0), false),
    ]
    for (name, block, isSound) in rows { #expect((block.fault(in: bench.group.set) == nil) == isSound, "\(name)") }
  }

  @Test(arguments: [
    ("above the parent's", UInt64(101), true), ("the parent's", 100, false), ("below", 99, false),
    ("the clock", 1_000, true), ("at the bound ahead", 1_050, true), ("beyond the bound", 1_051, false),
  ])
  func time(name: String, time: UInt64, accepted: Bool) {
    let block = bench.block(view: 1, on: bench.genesisQC, time: time)
    #expect(
      block.timeIsAcceptable(parentTime: 100, wallMilliseconds: 1_000, skewMilliseconds: 50) == accepted, "\(name)")
  }

  @Test func theSmallestStepIsTakenWhateverTheClockSays() {
    for (time, isAccepted) in [(UInt64(101), true), (102, false), (100, false)] {
      let block = bench.block(view: 1, on: bench.genesisQC, time: time)
      #expect(
        block.timeIsAcceptable(parentTime: 100, wallMilliseconds: 10, skewMilliseconds: 50) == isAccepted, "\(time)")
    }
  }

  @Test func identityCoversEverything() {
    let tc = bench.timeoutCertificate(0, highQC: bench.genesisQC, views: [0, 0, 0])
    let otherQC = bench.certificate(bench.info(view: 5, height: 0), on: bench.info(view: 4, height: 0))
    let blocks = [
      altered(), altered(epoch: 2), altered(view: 2), altered(height: 2), altered(author: 2), altered(entries: [[1]]),
      altered(entries: [[1], [2]]), altered(entries: [[2], [1]]), bench.block(view: 1, on: bench.genesisQC, time: 2),
      bench.block(view: 1, on: bench.genesisQC, tc: tc, time: 1), bench.block(view: 1, on: otherQC, time: 1),
    ]
    #expect(Set(blocks.map(\.id)).count == blocks.count)
  }
}
