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
    let replicas: Int
    let chain: [Step]
    /// Who has failed; the first f of them are passed over.
    let failed: [UInt16]
    let passedOver: [UInt16]
    var testDescription: String { name }

    init(_ name: String, replicas: Int = 4, _ chain: [Step], failed: [UInt16], passedOver: [UInt16]) {
      (self.name, self.replicas, self.chain) = (name, replicas, chain)
      (self.failed, self.passedOver) = (failed, passedOver)
    }
  }

  static let rows: [Row] = [
    Row(
      "no view given up", [Step(1, on: 0, signedBy: []), Step(2, on: 1, signedBy: [0, 1, 2])], failed: [],
      passedOver: []),
    Row(
      "one view given up", [Step(1, on: 0, signedBy: []), Step(3, on: 1, signedBy: [0, 1, 3])], failed: [2],
      passedOver: [2]),
    Row(
      "a signature before the failure brings nobody back",
      [Step(1, on: 0, signedBy: []), Step(3, on: 1, signedBy: [0, 1, 2])], failed: [2], passedOver: [2]),
    Row(
      "stays passed over without a signature",
      [Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 2, 3]), Step(4, on: 3, signedBy: [0, 2, 3])],
      failed: [1], passedOver: [1]),
    Row(
      "back with its first signature", [Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 1, 3])], failed: [],
      passedOver: []),
    Row(
      "all others fail next: of four, the first is passed over",
      [Step(2, on: 0, signedBy: []), Step(6, on: 2, signedBy: [0, 2, 3])], failed: [1, 3, 0, 2], passedOver: [1]),
    Row(
      "one that was slow once does not bring back the one that is gone",
      [Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 2, 3]), Step(5, on: 3, signedBy: [0, 2, 3])],
      failed: [1, 0], passedOver: [1]),
    Row(
      "and is back with its next signature",
      [
        Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 2, 3]), Step(5, on: 3, signedBy: [0, 2, 3]),
        Step(6, on: 5, signedBy: [0, 2, 3]),
      ], failed: [1], passedOver: [1]),
    Row(
      "the one that is gone takes the place of the one that signs again",
      [
        Step(2, on: 0, signedBy: []), Step(3, on: 2, signedBy: [0, 2, 3]), Step(5, on: 3, signedBy: [0, 2, 3]),
        Step(6, on: 5, signedBy: [1, 2, 3]),
      ], failed: [0], passedOver: [0]),
    Row(
      "who votes and never proposes has the turns of the one that is gone too",
      [
        Step(2, on: 0, signedBy: []), Step(4, on: 2, signedBy: [0, 2, 3]), Step(7, on: 4, signedBy: [0, 2, 3]),
      ], failed: [1, 2], passedOver: [1]),
    Row(
      "and is back with each vote",
      [
        Step(2, on: 0, signedBy: []), Step(4, on: 2, signedBy: [0, 2, 3]), Step(7, on: 4, signedBy: [0, 2, 3]),
        Step(8, on: 7, signedBy: [0, 2, 3]),
      ], failed: [1], passedOver: [1]),
    Row(
      "who fails twice keeps its place",
      [Step(2, on: 0, signedBy: []), Step(5, on: 2, signedBy: []), Step(10, on: 5, signedBy: [])],
      failed: [1, 3, 0, 2], passedOver: [1]),
    Row(
      "two of seven, the oldest first", replicas: 7, [Step(3, on: 0, signedBy: [])], failed: [1, 2],
      passedOver: [1, 2]),
    Row(
      "three of seven failed: the first two", replicas: 7, [Step(4, on: 0, signedBy: [])], failed: [1, 2, 3],
      passedOver: [1, 2]),
    Row(
      "two of seven failed behind another", replicas: 7,
      [Step(2, on: 0, signedBy: []), Step(5, on: 2, signedBy: [0, 2, 3, 4, 5])], failed: [1, 3, 4], passedOver: [1, 3]),
    Row(
      "one of two comes back", replicas: 7,
      [Step(3, on: 0, signedBy: []), Step(4, on: 3, signedBy: [0, 2, 3, 4, 5])], failed: [1], passedOver: [1]),
    Row("a group that tolerates nobody", replicas: 3, [Step(3, on: 0, signedBy: [])], failed: [], passedOver: []),
    Row("most views given up", [Step(.max, on: 0, signedBy: [])], failed: [3, 0, 1, 2], passedOver: [3]),
  ]

  private func follow(_ row: Row) throws -> (Standing, ReplicaSet, [UInt16]) {
    let group = try FixtureGroup(replicas: row.replicas)
    let oracle = LeaderOracle(count: row.replicas)
    var (standing, failed) = (Standing(), [UInt16]())
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
      failed = oracle.failed(behind: (step.view, certificate), failed: failed)
    }
    return (standing, group.set, failed)
  }

  @Test(arguments: rows) func whoIsPassedOver(row: Row) throws {
    let (standing, set, failed) = try follow(row)
    let passedOver = standing.passedOver(in: set)
    #expect(standing.failed.map(\.rawValue) == row.failed)
    #expect(passedOver.map(\.rawValue) == row.passedOver)
    #expect(failed == row.failed, "the oracle's answer")
    let oracle = LeaderOracle(count: row.replicas)
    for view in 1...UInt64(3 * row.replicas) {
      let leader = standing.leader(of: view, in: set)
      #expect(!passedOver.contains(leader))
      #expect(leader.rawValue == oracle.leader(of: view, failed: failed))
      #expect(set.mayLead(leader, view))
      if !passedOver.contains(set.turn(of: view)) { #expect(leader == set.turn(of: view)) }
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
