import SyncConsensus
import SyncProof

/// The rules at their boundaries: random calls whose verdicts are compared with those of the published rules.
package enum RuleTrial {
  // MARK: Signatures

  /// What ``SafetyRules`` permits, against the rules for votes and timeouts written once more.
  ///
  /// - Returns: The first difference; `nil` for none.
  package static func safetyRules(seed: UInt64, calls: Int = 400) throws -> String? {
    let group = try FixtureGroup(replicas: 4)
    var random = SeededGenerator(seed: seed)
    var rules = SafetyRules(state: SafetyState(epoch: 1), chainID: group.chainID)
    var (voted, lock) = (UInt64(0), UInt64(0))
    var lastTimeout: UnsignedTimeout?
    for call in 0..<calls {
      let view = max(voted + random.below(4), 1) - 1
      let current = random.happens(perMille: 900) ? view : view + 1
      let qc = bareCertificate(view: random.below(view + 2), epoch: random.happens(perMille: 950) ? 1 : 2)
      let tc = random.happens(perMille: 600) ? bareTC(view: view - min(view, random.below(3)), &random) : nil
      if random.happens(perMille: 500) {
        let block = Block(
          epoch: random.happens(perMille: 950) ? 1 : 2, view: view, height: 1,
          author: ReplicaIndex(rawValue: UInt16(random.below(2))), timeMilliseconds: 1, entries: [],
          parentCertificate: qc, timeoutCertificate: tc)
        let info = BlockInfo(epoch: block.epoch, view: view, height: 1, id: block.id, logSize: 0, logRoot: .zero)
        let leader = ReplicaIndex(rawValue: 0)
        let follows = tc.map { tc in
          tc.view + 1 == view && tc.shares.allSatisfy { $0.highQCView <= qc.view } && qc.view < tc.view
        }
        let isAllowed =
          block.epoch == 1 && qc.proposed.epoch == 1 && view == current && block.author == leader && view > voted
          && (follows ?? (qc.view + 1 == view))
        let permit = try? rules.vote(
          for: block, info: info, parent: qc.proposed, leader: leader, currentView: current)
        guard (permit != nil) == isAllowed else {
          return "call \(call): a vote in view \(view) is not as the rules say"
        }
        if isAllowed { (voted, lock) = (view, max(lock, qc.view)) }
      } else {
        let enters = qc.view &+ 1 == view
        let content = UnsignedTimeout(view: view, highQC: qc, lastTC: enters ? nil : tc)
        let isNew = lastTimeout?.view != view
        let isAllowed =
          qc.proposed.epoch == 1 && view == current
          && (isNew
            ? view >= voted && qc.view >= lock && qc.view < view && (enters || tc.map { $0.view + 1 == view } ?? false)
            : lastTimeout == content)
        let permit = try? rules.timeout(view: view, currentView: current, highQC: qc, lastTC: tc)
        guard (permit != nil) == isAllowed else {
          return "call \(call): a timeout of view \(view) is not as the rules say"
        }
        if isAllowed { (voted, lastTimeout) = (max(voted, view), content) }
      }
      guard rules.state.lastVotedView == voted, rules.state.oneChainView == lock else {
        return "call \(call): the safety record is not as the rules say"
      }
    }
    return nil
  }

  private static func bareCertificate(view: UInt64, epoch: UInt64) -> Certificate {
    let info = BlockInfo(
      epoch: epoch, view: view, height: 0, id: SHA256.hash([UInt8(truncatingIfNeeded: view)]), logSize: 0,
      logRoot: .zero)
    return Certificate(proposed: info, parent: info, commit: nil, shares: [])
  }

  private static func bareTC(view: UInt64, _ random: inout SeededGenerator) -> TimeoutCertificate {
    let views = (0..<3).map { _ in random.below(max(view, 1)) }
    return TimeoutCertificate(
      epoch: 1, view: view, highQC: bareCertificate(view: views.max() ?? 0, epoch: 1),
      shares: views.enumerated().map { (i, highQCView) in
        TimeoutCertificate.Share(
          signer: ReplicaIndex(rawValue: UInt16(i)), highQCView: highQCView, signature: FixtureKey(1).sign([]))
      })
  }

  // MARK: Certificates

  /// Which certificates hold, against ``CertificateOracle``; each is signed as it stands, by all who sign it, so that
  /// no signature hides a rule that is missing.
  ///
  /// - Returns: The first difference; `nil` for none.
  package static func certificates(seed: UInt64, calls: Int = 60) throws -> String? {
    let group = try FixtureGroup(replicas: 4)
    let oracle = CertificateOracle(group: group)
    var random = SeededGenerator(seed: seed)
    for call in 0..<calls {
      let qc = certificate(of: group, oracle, &random)
      var cache = CertificateOracle.Cache()
      let holds = (try? qc.verify(chainID: group.chainID, set: group.set)) != nil
      let problem = oracle.problem(of: qc, &cache)
      guard holds == (problem == nil) else {
        return "call \(call): a certificate \(problem ?? "holds") and is \(holds ? "accepted" : "refused")"
      }
      let tc = timeoutCertificate(of: group, oracle, holds ? qc : certificate(of: group, oracle, &random), &random)
      let tcProblem = oracle.problem(of: tc, &cache)
      var replica = try Replica(configuration: try group.configuration(of: 0), genesis: AppendLog())
      let genesis = Certificate.genesis(
        .genesis(chainID: group.chainID, epoch: group.set.epoch, logSize: 0, logRoot: .zero))
      let message = Message(
        epoch: group.set.epoch, sync: SyncInfo(highQC: genesis, highTC: tc, finality: nil), body: .status)
      let now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000)
      _ = replica.step(.message(from: ReplicaIndex(rawValue: 1), message.encode()), now: now)
      guard (replica.currentView > 1) == (tcProblem == nil) else {
        let verdict = replica.currentView > 1 ? "accepted" : "refused"
        return "call \(call): a timeout certificate \(tcProblem ?? "holds") and is \(verdict)"
      }
    }
    return nil
  }

  private static func certificate(
    of group: FixtureGroup, _ oracle: CertificateOracle, _ random: inout SeededGenerator
  ) -> Certificate {
    func rarely<T>(_ usual: T, _ odd: T, _ random: inout SeededGenerator) -> T {
      random.happens(perMille: 120) ? odd : usual
    }
    let epoch = rarely(group.set.epoch, group.set.epoch + 1, &random)
    let view = 2 + random.below(4)
    let gap = rarely(UInt64(1), 2, &random)
    let parent = BlockInfo(
      epoch: epoch, view: view - gap, height: 1, id: SHA256.hash([1]), logSize: 0, logRoot: .zero)
    let proposed = BlockInfo(
      epoch: epoch, view: view, height: rarely(2, 3, &random), id: SHA256.hash([2]), logSize: 0, logRoot: .zero)
    let right = oracle.commit(proposed, parent)
    let commit = rarely(right, right == nil ? parent : nil, &random)
    let message = oracle.voteBytes(proposed, parent, commit)
    return Certificate(
      proposed: proposed, parent: parent, commit: commit,
      shares: signers(of: group, &random).map {
        Certificate.Share(signer: ReplicaIndex(rawValue: UInt16($0)), signature: group.keys[$0].sign(message))
      })
  }

  private static func timeoutCertificate(
    of group: FixtureGroup, _ oracle: CertificateOracle, _ qc: Certificate, _ random: inout SeededGenerator
  ) -> TimeoutCertificate {
    let view = qc.view + (random.happens(perMille: 900) ? 1 + random.below(2) : 0)
    let epoch = group.set.epoch + (random.happens(perMille: 900) ? 0 : 1)
    let seen = signers(of: group, &random).map { signer in
      (signer, random.happens(perMille: 850) ? qc.view : qc.view - 1 + random.below(3))
    }
    return TimeoutCertificate(
      epoch: epoch, view: view, highQC: qc,
      shares: seen.map { (signer, highQCView) in
        TimeoutCertificate.Share(
          signer: ReplicaIndex(rawValue: UInt16(signer)), highQCView: highQCView,
          signature: group.keys[signer].sign(oracle.timeoutBytes(view, highQCView: highQCView, epoch: epoch)))
      })
  }

  /// Ascending; now and then too few, and now and then one twice.
  private static func signers(of group: FixtureGroup, _ random: inout SeededGenerator) -> [Int] {
    var signers = [0, 1, 2]
    switch random.below(8) {
    case 0: signers = [0, 1]
    case 1: signers = [0, 1, 1]
    case 2: signers = [0, 1, 2, 3]
    default: break
    }
    return signers
  }
}
