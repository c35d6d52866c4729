import SyncConsensus
import SyncProof
import SyncTesting
import Testing

@Suite struct CertificateTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private func isValid(_ certificate: Certificate) -> Bool {
    (try? certificate.verify(chainID: bench.group.chainID, set: bench.group.set)) != nil
  }

  private var parent: BlockInfo { bench.info(view: 4, height: 3) }
  private var child: BlockInfo { bench.info(view: 5, height: 4) }

  @Test func quorumSizes() throws {
    let rows: [(Int, Int)] = [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (100, 67)]
    for (count, quorum) in rows {
      #expect(try FixtureSet.make(count).quorum == quorum, "n = \(count)")
    }
  }

  @Test(arguments: [
    ("quorum", [0, 1, 2], true), ("all", [0, 1, 2, 3], true), ("one too few", [0, 1], false),
    ("one signer twice", [0, 1, 1], false), ("out of order", [0, 2, 1], false), ("none", [], false),
  ])
  func signers(name: String, by: [Int], valid: Bool) {
    #expect(isValid(bench.certificate(child, on: parent, by: by)) == valid, "\(name)")
  }

  @Test func commitIsWhatTheViewsGive() {
    let consecutive = bench.certificate(child, on: parent)
    #expect(consecutive.commit == parent)
    let gap = bench.info(view: 6, height: 4)
    let later = bench.certificate(gap, on: parent)
    #expect(later.commit == nil)
    #expect(isValid(consecutive) && isValid(later))
    let hidden = Certificate(proposed: child, parent: parent, commit: nil, shares: consecutive.shares)
    let claimed = Certificate(proposed: gap, parent: parent, commit: parent, shares: later.shares)
    #expect(!isValid(hidden) && !isValid(claimed))
  }

  @Test func commitOfASkippedViewIsRefusedEvenIfAQuorumSignsIt() {
    let gap = bench.info(view: 6, height: 4)
    let forged = Certificate(proposed: gap, parent: parent, commit: parent, shares: [])
    let shares = (0..<3).map {
      Certificate.Share(
        signer: ReplicaIndex(rawValue: UInt16($0)),
        signature: bench.group.keys[$0].sign(forged.signedBytes(chainID: bench.group.chainID)))
    }
    #expect(!isValid(Certificate(proposed: gap, parent: parent, commit: parent, shares: shares)))
  }

  @Test func otherEpochChainOrShapeIsRefused() throws {
    let valid = bench.certificate(child, on: parent)
    let nextSet = try ReplicaSet(epoch: 2, members: bench.group.set.members)
    #expect((try? valid.verify(chainID: bench.group.chainID, set: nextSet)) == nil)
    #expect((try? valid.verify(chainID: .zero, set: bench.group.set)) == nil)
    #expect(!isValid(bench.certificate(bench.info(view: 5, height: 4, epoch: 2), on: parent)))
    #expect(!isValid(bench.certificate(bench.info(view: 5, height: 5), on: parent)))
    #expect(!isValid(bench.certificate(bench.info(view: 4, height: 4), on: parent)))
  }

  @Test func everyFlippedBitIsRefused() throws {
    let bytes = bench.certificate(child, on: parent).encode()
    for position in bytes.indices {
      var flipped = bytes
      flipped[position] ^= UInt8(1) << UInt8(position % 8)
      if let parsed = try? Certificate(decoding: flipped) { #expect(!isValid(parsed), "byte \(position)") }
    }
  }

  @Test func timeoutCertificateRules() throws {
    let high = bench.certificate(child, on: parent)
    let low = bench.certificate(parent, on: bench.info(view: 3, height: 2))
    let rows: [(String, TimeoutCertificate, Bool)] = [
      ("quorum", bench.timeoutCertificate(7, highQC: high, views: [5, 4, 4]), true),
      ("one too few", bench.timeoutCertificate(7, highQC: high, views: [5, 4]), false),
      ("carries less than its signers saw", bench.timeoutCertificate(7, highQC: low, views: [5, 4, 4]), false),
      ("carries more than its signers saw", bench.timeoutCertificate(7, highQC: high, views: [4, 4, 4]), false),
      ("QC of its own view", bench.timeoutCertificate(5, highQC: high, views: [5, 5, 5]), false),
      ("other epoch", bench.timeoutCertificate(7, highQC: high, views: [5, 4, 4], epoch: 2), false),
    ]
    for (name, certificate, valid) in rows {
      // A replica enters the next view by exactly the valid ones.
      var replica = try bench.replica(3)
      let sync = SyncInfo(highQC: bench.genesisQC, highTC: certificate, finality: nil)
      let message = Message(epoch: 1, sync: sync, body: .status)
      _ = replica.step(.message(from: ReplicaIndex(rawValue: 0), message.encode()), now: noon)
      #expect(replica.currentView == (valid ? 8 : 1), "\(name)")
    }
  }

  @Test func highQCInsideATimeoutCertificateIsChecked() throws {
    let weak = bench.certificate(child, on: parent, by: [0, 1])
    let certificate = bench.timeoutCertificate(7, highQC: weak, views: [5, 5, 5])
    var replica = try bench.replica(3)
    let sync = SyncInfo(highQC: bench.genesisQC, highTC: certificate, finality: nil)
    _ = replica.step(
      .message(from: ReplicaIndex(rawValue: 0), Message(epoch: 1, sync: sync, body: .status).encode()), now: noon)
    #expect(replica.currentView == 1)
  }
}

enum FixtureSet {
  static func make(_ count: Int) throws -> ReplicaSet { try Workbench(replicas: count).group.set }
}
