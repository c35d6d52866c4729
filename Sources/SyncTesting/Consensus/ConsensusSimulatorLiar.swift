import SyncConsensus
import SyncProof

/// What a faulty replica does beside running twice: it votes for everything, leads from stale certificates, and hides
/// what it has seen when it gives up a view, or when one that has forgotten asks.
struct Liar {
  /// Certificates that it has seen, the newest last.
  private var certificates: [Certificate] = []
  private var lastProposed: UInt64 = 0
  private var lastTimeout: UInt64 = 0
  private let group: FixtureGroup
  private let index: UInt16

  init(group: FixtureGroup, index: UInt16) {
    (self.group, self.index) = (group, index)
    certificates = [.genesis(group.genesis)]
  }

  private var own: ReplicaIndex { ReplicaIndex(rawValue: index) }
  private var key: FixtureKey { group.keys[Int(index)] }

  /// Takes what the faulty replica received.
  ///
  /// - Returns: Messages to all that no honest replica would send.
  mutating func lies(on message: Message, wallMilliseconds: UInt64, random: inout SeededGenerator) -> [Message] {
    let sync = message.sync
    if !certificates.contains(sync.highQC) {
      certificates.append(sync.highQC)
      if certificates.count > 8 { certificates.removeFirst() }
    }
    var bodies: [Message.Body] = []
    if case .proposal(let proposal) = message.body { bodies.append(.vote(vote(proposal.vote.statement))) }
    // With the asker's own certificates, as if nothing had happened since.
    if case .ask(let number) = message.body { bodies.append(.answer(number)) }
    let view = sync.currentView
    let tc = sync.highTC.flatMap { $0.view + 1 == view ? $0 : nil }
    if group.set.turn(of: view) == own, lastProposed < view, random.happens(perMille: 700) {
      lastProposed = view
      let stale = certificates.filter { $0.view < view }
      if !stale.isEmpty {
        let qc = stale[Int(random.below(UInt64(stale.count)))]
        let shown = random.happens(perMille: 500) ? tc : nil
        bodies.append(.proposal(proposal(view, on: qc, shown, wallMilliseconds)))
      }
    }
    if let tc, lastTimeout < view, random.happens(perMille: 500) {
      lastTimeout = view
      let hidden = certificates.filter { $0.view + 1 < view }
      if let oldest = hidden.min(by: { $0.view < $1.view }) {
        bodies.append(.timeout(timeout(UnsignedTimeout(view: view, highQC: oldest, lastTC: tc))))
      }
    }
    return bodies.map { Message(epoch: group.set.epoch, sync: sync, body: $0) }
  }

  private func vote(_ statement: VoteStatement) -> Vote {
    Vote(statement: statement, author: own, signature: key.sign(statement.signedBytes(chainID: group.chainID)))
  }

  private func timeout(_ content: UnsignedTimeout) -> Timeout {
    Timeout(content: content, author: own, signature: key.sign(content.statement.signedBytes(chainID: group.chainID)))
  }

  /// An empty block: its outcome is its parent's, so that a voter has nothing against it but the rules.
  private func proposal(
    _ view: UInt64, on qc: Certificate, _ tc: TimeoutCertificate?, _ wallMilliseconds: UInt64
  ) -> Proposal {
    let block = Block(
      epoch: group.set.epoch, view: view, height: qc.proposed.height + 1, author: own,
      timeMilliseconds: wallMilliseconds, entries: [], parentCertificate: qc, timeoutCertificate: tc)
    let info = BlockInfo(
      epoch: block.epoch, view: view, height: block.height, id: block.id, logSize: qc.proposed.logSize,
      logRoot: qc.proposed.logRoot)
    return Proposal(block: block, vote: vote(VoteStatement(proposed: info, parent: qc.proposed)))
  }
}
