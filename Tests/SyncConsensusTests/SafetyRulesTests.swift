import SyncProof
import Testing

@testable import SyncConsensus

/// One row for each rule and for each rule's boundary.
@Suite struct SafetyRulesTests {
  let bench: Workbench

  init() throws { bench = try Workbench() }

  private func rules(voted: UInt64 = 0, lock: UInt64 = 0, epoch: UInt64 = 1) -> SafetyRules {
    var state = SafetyState(epoch: epoch)
    state.lastVotedView = voted
    state.oneChainView = lock
    return SafetyRules(state: state, chainID: bench.group.chainID)
  }

  private func qc(_ view: UInt64) -> Certificate {
    view == 0
      ? bench.genesisQC
      : bench.certificate(bench.info(view: view, height: 1), on: bench.info(view: view - 1, height: 0))
  }

  private func vote(
    _ rules: inout SafetyRules, view: UInt64, qc: Certificate, tc: TimeoutCertificate? = nil, current: UInt64? = nil,
    leader: ReplicaIndex? = nil
  ) -> Bool {
    let block = bench.block(view: view, on: qc, tc: tc)
    let permit = try? rules.vote(
      for: block, info: bench.outcome(of: block), parent: qc.proposed, leader: leader ?? block.author,
      currentView: current ?? view)
    return permit != nil
  }

  @Test(arguments: [
    ("above", UInt64(4), true), ("equal", 5, false), ("far above", 3, true), ("below", 6, false),
  ])
  func v1(name: String, lastVoted: UInt64, allowed: Bool) {
    var rules = rules(voted: lastVoted)
    #expect(vote(&rules, view: 5, qc: qc(4)) == allowed, "\(name)")
    #expect(rules.state.lastVotedView == (allowed ? 5 : lastVoted))
    #expect(rules.state.oneChainView == (allowed ? 4 : 0))
  }

  @Test(arguments: [
    ("view before", UInt64(4), true), ("gap without a TC", 3, false), ("long gap", 0, false),
  ])
  func v2FirstArm(name: String, qcView: UInt64, allowed: Bool) {
    var rules = rules()
    #expect(vote(&rules, view: 5, qc: qc(qcView)) == allowed, "\(name)")
  }

  @Test(arguments: [
    ("as new as the newest", UInt64(2), UInt64(4), [UInt64(2), 1, 1], true),
    ("newer than the newest", 3, 4, [2, 1, 1], true),
    ("older than the newest", 1, 4, [2, 1, 1], false),
    ("TC two views back", 2, 3, [2, 1, 1], false),
    ("QC of the view before beside a TC", 4, 4, [2, 1, 1], false),
  ])
  func v2SecondArm(name: String, qcView: UInt64, tcView: UInt64, views: [UInt64], allowed: Bool) {
    var rules = rules()
    let tc = bench.timeoutCertificate(tcView, highQC: qc(views.max() ?? 0), views: views)
    #expect(vote(&rules, view: 5, qc: qc(qcView), tc: tc) == allowed, "\(name)")
  }

  @Test func voteIsForTheCurrentViewsLeaderAndEpochOnly() {
    var rules = rules()
    #expect(!vote(&rules, view: 5, qc: qc(4), current: 6))
    #expect(!vote(&rules, view: 5, qc: qc(4), current: 4))
    #expect(!vote(&rules, view: 5, qc: qc(4), leader: ReplicaIndex(rawValue: 0)))
    var later = self.rules(epoch: 2)
    #expect(!vote(&later, view: 5, qc: qc(4)))
    #expect(vote(&rules, view: 5, qc: qc(4)))
  }

  @Test func lockNeverFalls() {
    var rules = rules(voted: 3, lock: 4)
    let tc = bench.timeoutCertificate(4, highQC: qc(2), views: [2, 2, 2])
    #expect(vote(&rules, view: 5, qc: qc(2), tc: tc))
    #expect(rules.state.oneChainView == 4)
  }

  @Test(arguments: [
    ("after the last vote", UInt64(4), UInt64(0), UInt64(4), true),
    ("in the voted view", 5, 0, 4, true),
    ("below the last vote", 6, 0, 4, false),
    ("QC as new as the lock", 4, 4, 4, true),
    ("QC older than the lock", 4, 5, 4, false),
    ("QC of the view itself", 4, 0, 5, false),
    ("view not entered", 4, 0, 3, false),
  ])
  func timeout(name: String, voted: UInt64, lock: UInt64, qcView: UInt64, allowed: Bool) {
    var rules = rules(voted: voted, lock: lock)
    let permit = try? rules.timeout(view: 5, currentView: 5, highQC: qc(qcView), lastTC: nil)
    #expect((permit != nil) == allowed, "\(name)")
    #expect(rules.state.lastVotedView == (allowed ? max(5, voted) : voted))
  }

  @Test func timeoutByTheCertificateOfTheViewBefore() {
    let tc = bench.timeoutCertificate(4, highQC: qc(2), views: [2, 2, 2])
    let older = bench.timeoutCertificate(3, highQC: qc(2), views: [2, 2, 2])
    var rules = rules()
    #expect((try? rules.timeout(view: 5, currentView: 5, highQC: qc(2), lastTC: older)) == nil)
    #expect((try? rules.timeout(view: 5, currentView: 6, highQC: qc(2), lastTC: tc)) == nil)
    #expect((try? rules.timeout(view: 5, currentView: 5, highQC: qc(2), lastTC: tc)) != nil)
  }

  @Test func noVoteInAViewThatWasGivenUp() {
    var rules = rules()
    #expect((try? rules.timeout(view: 5, currentView: 5, highQC: qc(4), lastTC: nil)) != nil)
    #expect(!vote(&rules, view: 5, qc: qc(4)))
    #expect(vote(&rules, view: 6, qc: qc(5)))
  }

  @Test func secondTimeoutOfAViewIsTheSameOrNone() throws {
    var rules = rules()
    let tc = bench.timeoutCertificate(4, highQC: qc(2), views: [2, 2, 2])
    let first = try rules.timeout(view: 5, currentView: 5, highQC: qc(2), lastTC: tc)
    let again = try rules.timeout(view: 5, currentView: 5, highQC: qc(2), lastTC: tc)
    #expect(first.request == again.request)
    #expect((try? rules.timeout(view: 5, currentView: 5, highQC: qc(3), lastTC: tc)) == nil)
    #expect(rules.lastTimeoutAgain()?.request == first.request)
  }

  @Test func recordNamesWhatIsSigned() throws {
    var rules = rules()
    let block = bench.block(view: 5, on: qc(4))
    let permit = try rules.vote(
      for: block, info: bench.outcome(of: block), parent: block.parentCertificate.proposed, leader: block.author,
      currentView: 5)
    let stored = try SafetyState(decoding: try #require(permit.record.value))
    #expect(stored == rules.state)
    #expect(stored.lastVote?.proposed.id == block.id)
    let restored = SafetyRules(state: stored, chainID: bench.group.chainID)
    #expect(restored.lastVoteAgain()?.request == permit.request)
  }
}
