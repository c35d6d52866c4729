import SyncProof
import SyncTesting
import Testing

@testable import SyncConsensus

/// What one replica that holds its own key, and the network, can make another one keep: bounded, whatever they send.
@Suite struct FloodTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    var count = 2_000
    /// The number-th message by replica 1, which leads view 1.
    let message: @Sendable (Workbench, Int) -> [UInt8]
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "votes of as many views") { bench, number in
      let view = UInt64(number + 1)
      return bench.message(.vote(bench.vote(bench.info(view: view, height: 1), on: bench.genesis, by: 1)))
    },
    Row(name: "votes for as many blocks of one view") { bench, number in
      bench.message(.vote(bench.vote(other(number, view: 2), on: bench.genesis, by: 1)))
    },
    Row(name: "votes with others' names") { bench, number in
      let vote = bench.vote(other(number, view: 1), on: bench.genesis, by: 1)
      let author = ReplicaIndex(rawValue: UInt16(number % 4))
      return bench.message(.vote(Vote(statement: vote.statement, author: author, signature: vote.signature)))
    },
    Row(name: "timeouts of as many views") { bench, number in
      bench.message(.timeout(bench.timeout(UInt64(number + 1), bench.genesisQC, by: 1)))
    },
    Row(name: "proposals of one view") { bench, number in
      bench.message(.proposal(bench.proposal(bench.block(view: 1, on: bench.genesisQC, time: UInt64(number + 1)))))
    },
    Row(name: "proposals of as many views") { bench, number in
      bench.message(.proposal(bench.proposal(bench.block(view: UInt64(4 * number + 1), on: bench.genesisQC))))
    },
    Row(name: "entries, one by one", count: 30_000) { bench, number in
      bench.message(.entries([[1, UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)]]))
    },
    Row(name: "entries, as large as they may be", count: 100) { bench, number in
      bench.message(.entries([[UInt8](repeating: UInt8(number), count: ConsensusLimits.entryBytesMax)]))
    },
    Row(name: "requests for blocks that nobody has") { bench, number in
      bench.message(
        .fetch(
          FetchRequest(
            target: SHA256.hash([2, UInt8(number >> 8), UInt8(number & 255)]), knownHeight: UInt64(number),
            known: .zero, decidedHeight: 0)))
    },
    Row(name: "answers that nobody asked for") { bench, number in
      let block = bench.block(view: UInt64(number + 1), on: bench.genesisQC, entries: [[3]])
      return bench.message(.blocks(FetchAnswer(blocks: [block], certificate: nil)))
    },
    Row(name: "questions what it has signed", count: 2_000) { bench, number in
      bench.message(.ask(UInt64(number)))
    },
    Row(name: "answers to a question that it has not asked") { bench, number in
      bench.message(.answer(UInt64(number)))
    },
    Row(name: "certificates of views to come, which nobody signed") { bench, number in
      let valid = bench.certificate(bench.info(view: UInt64(number + 2), height: 1), on: bench.genesis, by: [1])
      return bench.message(.status, highQC: valid)
    },
    Row(name: "messages of another epoch") { bench, number in
      bench.message(.entries([[4, UInt8(number >> 8), UInt8(number & 255)]]), epoch: UInt64(number + 2))
    },
    Row(name: "bytes without a meaning") { _, number in
      [UInt8](repeating: UInt8(number & 255), count: number % 512)
    },
  ]

  private static func other(_ number: Int, view: UInt64) -> BlockInfo {
    BlockInfo(
      epoch: 1, view: view, height: 1, id: SHA256.hash([5, UInt8(number >> 8), UInt8(number & 255)]), logSize: 1,
      logRoot: .zero)
  }

  @Test(arguments: rows)
  func `a flood fills nothing beyond its bound, and the replica goes on`(row: Row) throws {
    let bench = try Workbench()
    var replica = try bench.replica(3)
    let one = ReplicaIndex(rawValue: 1)
    _ = replica.step(.start, now: noon)
    var (sent, records) = (0, 0)
    for number in 0..<row.count {
      let bytes = row.message(bench, number)
      let effects = Flattened(replica.step(.message(from: one, bytes), now: noon))
      sent += effects.messages.count
      records += effects.records.count
      for request in effects.signs {
        _ = replica.step(.signed(request, bench.group.keys[3].sign(request.message)), now: noon)
      }
    }
    #expect(replica.halted == nil)
    let members = bench.group.set.count
    #expect(replica.votes.count <= 2 && replica.votes.values.allSatisfy { $0.count <= members })
    #expect(replica.timeouts.count <= 2 && replica.timeouts.values.allSatisfy { $0.count <= members })
    #expect(replica.proposals.count <= 2)
    #expect(replica.proposals.values.allSatisfy { $0.count <= bench.group.set.faultyMax + 1 })
    #expect(replica.tree.count <= ConsensusLimits.uncertifiedBlocksMax + 2)
    #expect(replica.loading.count <= members && replica.helped.count <= members)
    #expect(replica.recent.count <= ConsensusLimits.recentBlocksMax)
    #expect(replica.kept.count <= members * Misbehaviour.Kind.allCases.count)
    #expect(replica.poolCount <= replica.configuration.peerPool.entriesMax)
    // On the disk, and to the network, a message is no more than a few.
    #expect(records <= 4 * row.count + 8 && sent <= row.count + 4, "\(records) records, \(sent) messages")

    // Whatever has come in view 1, the honest leader of a later view is followed.
    let entered = bench.timeoutCertificate(4, highQC: bench.genesisQC, views: [0, 0, 0])
    let block = bench.block(view: 5, on: bench.genesisQC, tc: entered)
    let proposal = Flattened(
      replica.step(.message(from: one, bench.message(.proposal(bench.proposal(block)))), now: noon))
    #expect(proposal.signs.contains { $0.message.count > 0 }, "no vote for an honest proposal")
  }

  /// n replicas that each send all they hold to n - 1 others, again and again, end no view.
  @Test(arguments: [true, false]) func aViewThatDoesNotEndIsNotFilledWithEntries(isLocal: Bool) throws {
    let bench = try Workbench()
    var replica = try bench.replica(3)
    let entries = (0..<4_000).map { [UInt8](repeating: 9, count: 254) + [UInt8($0 >> 8), UInt8($0 & 255)] }
    _ = replica.step(.start, now: noon)
    let given: Input =
      isLocal ? .submit(entries) : .message(from: ReplicaIndex(rawValue: 1), bench.message(.entries(entries)))
    _ = replica.step(given, now: noon)
    #expect(replica.poolCount == entries.count)
    var (messages, bytes, now) = (0, 0, noon)
    for _ in 0..<64 {
      let wake = try #require(replica.nextWakeUp)
      now = noon.later(milliseconds: (wake - noon.monotonicNanoseconds) / 1_000_000)
      let effects = Flattened(replica.step(.wakeUp, now: now))
      for request in effects.signs {
        _ = replica.step(.signed(request, bench.group.keys[3].sign(request.message)), now: now)
      }
      for case .entries(let again) in effects.messages.map(\.body) {
        messages += 1
        bytes += again.reduce(0) { $0 + $1.count }
      }
    }
    // Of 64 times: the 1st, 2nd, 4th, 8th, 16th, 32nd, 48th and 64th; of peers nothing before the view was given up.
    #expect(messages == (isLocal ? 8 : 7))
    #expect(bytes <= messages * (isLocal ? ConsensusLimits.entryBytesMax : Pool.resentPeerEntriesMax * 256))
  }
}
