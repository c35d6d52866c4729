import SyncProof
import SyncTesting
import Testing

@testable import SyncConsensus

@Suite struct StandingTests {
  /// One block of a chain: its view, the view of its parent, and who signed the parent's certificate.
  struct Step: Sendable {
    let view: UInt64
    let parent: UInt64
    let signers: [UInt16]
    init(_ view: UInt64, on parent: UInt64, signedBy signers: [UInt16]) {
      (self.view, self.parent, self.signers) = (view, parent, signers)
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    var replicas = 4
    let chain: [Step]
    let passedOver: [UInt16]
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(
      name: "no view given up", chain: [Step(1, on: 0, signedBy: []), Step(2, on: 1, signedBy: [0, 1, 2])],
      passedOver: []),
    Row(
      name: "one view given up", chain: [Step(1, on: 0, signedBy: []), Step(3, on: 1, signedBy: [0, 1, 3])],
      passedOver: [2]),
    Row(
      name: "a signature before the failure brings nobody back",
      chain: [Step(1, on: 0, signedBy: []), Step(3, on: 1, signedBy: [0, 1, 2])], passedOver: [2]),
    Row(
      name: "stays passed over without a signature",
      chain: [
        Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 2, 3]), Step(4, on: 3, signedBy: [0, 2, 3]),
      ],
      passedOver: [1]),
    Row(
      name: "back with its first signature",
      chain: [Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 1, 3])], passedOver: []),
    Row(
      name: "the one who leads in its place fails next: of four, one is passed over",
      chain: [Step(2, on: 0, signedBy: []), Step(6, on: 2, signedBy: [0, 2, 3])], passedOver: [2]),
    Row(
      name: "two of seven, the oldest first", replicas: 7,
      chain: [Step(3, on: 0, signedBy: [])], passedOver: [1, 2]),
    Row(
      name: "three of seven failed: the last two", replicas: 7,
      chain: [Step(4, on: 0, signedBy: [])], passedOver: [2, 3]),
    Row(
      name: "two of seven failed one after the other", replicas: 7,
      chain: [Step(2, on: 0, signedBy: []), Step(5, on: 2, signedBy: [0, 2, 3, 4, 5])], passedOver: [3, 4]),
    Row(
      name: "one of two comes back", replicas: 7,
      chain: [Step(3, on: 0, signedBy: []), Step(4, on: 3, signedBy: [0, 2, 3, 4, 5])], passedOver: [1]),
    Row(name: "a group that tolerates nobody", replicas: 3, chain: [Step(3, on: 0, signedBy: [])], passedOver: []),
    Row(name: "most views given up", chain: [Step(.max, on: 0, signedBy: [])], passedOver: [2]),
  ]

  private func follow(_ row: Row) throws -> (Standing, ReplicaSet, [UInt16]) {
    let group = try FixtureGroup(replicas: row.replicas)
    let oracle = LeaderOracle(count: row.replicas)
    var (standing, absent) = (Standing(), [UInt16]())
    for step in row.chain {
      let info = BlockInfo(epoch: 1, view: step.parent, height: 1, id: .zero, logSize: 0, logRoot: .zero)
      let shares = step.signers.map {
        Certificate.Share(signer: ReplicaIndex(rawValue: $0), signature: group.keys[Int($0)].sign([1]))
      }
      let certificate = Certificate(proposed: info, parent: info, commit: nil, shares: shares)
      let block = Block(
        epoch: 1, view: step.view, height: 2, author: ReplicaIndex(rawValue: 0), timeMilliseconds: 1, entries: [],
        parentCertificate: certificate, timeoutCertificate: nil)
      standing.follow(block, in: group.set)
      absent = oracle.absent(behind: (step.view, certificate), absent: absent)
    }
    return (standing, group.set, absent)
  }

  @Test(arguments: rows) func whoIsPassedOver(row: Row) throws {
    let (standing, set, absent) = try follow(row)
    #expect(standing.passedOver.map(\.rawValue) == row.passedOver)
    #expect(absent == row.passedOver, "the oracle's answer")
    let oracle = LeaderOracle(count: row.replicas)
    for view in 1...UInt64(3 * row.replicas) {
      let leader = standing.leader(of: view, in: set)
      #expect(!standing.passedOver.contains(leader))
      #expect(leader.rawValue == oracle.leader(of: view, passingOver: absent))
      #expect(set.mayLead(leader, view))
      if !standing.passedOver.contains(set.turn(of: view)) { #expect(leader == set.turn(of: view)) }
    }
  }

  @Test(arguments: [1, 3, 4, 7, 10, 100]) func asManyMayLeadAsCanBePassedOverAndOneMore(replicas: Int) throws {
    let set = try FixtureGroup(replicas: replicas).set
    for view in [1, 2, UInt64(replicas), UInt64(replicas) + 1, .max] {
      #expect(set.indices.filter { set.mayLead($0, view) }.count == (replicas - 1) / 3 + 1)
      #expect(set.mayLead(set.turn(of: view), view))
      #expect(!set.mayLead(ReplicaIndex(rawValue: UInt16(replicas)), view))
    }
  }
}
