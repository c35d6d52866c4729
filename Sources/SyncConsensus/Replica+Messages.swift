import SyncProof

/// When a peer was last shown what it lacks, and what that was.
struct Help: Sendable {
  var view: UInt64
  var height: UInt64
  var untilNanoseconds: UInt64
}

extension Replica {
  /// Bytes of entries that are sent again at once: one of the longest fits.
  private static var resentBytesMax: Int { ConsensusLimits.entryBytesMax }

  mutating func receive(_ bytes: [UInt8], from peer: ReplicaIndex) {
    guard replicas.contains(peer), peer != own, let message = try? Message(decoding: bytes),
      message.epoch == replicas.epoch, take(message.sync)
    else { return }
    switch message.body {
    case .status: help(peer, message.sync, isUrgent: true)
    case .proposal(let proposal):
      receive(proposal, from: peer)
      help(peer, message.sync, isUrgent: false)
    case .vote(let vote):
      if vote.author == peer { receive(vote) }
      help(peer, message.sync, isUrgent: false)
    case .timeout(let timeout):
      if timeout.author == peer { receive(timeout) }
      help(peer, message.sync, isUrgent: true)
    case .entries(let entries):
      let state = tree.rootState
      for entry in entries {
        _ = pool.add(
          entry, from: .peer(peer), height: head.height, isAdmitted: state.admits(entry),
          mayBeLater: state.mayAdmitLater(entry))
      }
      help(peer, message.sync, isUrgent: false)
    case .fetch(let request): serve(request, to: peer)
    case .blocks(let answer): receive(answer, from: peer)
    case .ask(let number): answer(number, to: peer)
    case .answer(let number): hear(number, from: peer)
    }
  }

  /// Takes over whichever of the sender's certificates are news.
  ///
  /// - Returns: `false` when one that would be news is invalid; the message is dropped then.
  private mutating func take(_ sync: SyncInfo) -> Bool {
    for certificate in [sync.highQC, sync.finality] {
      guard let certificate, isNews(certificate) else { continue }
      guard verifier.accepts(certificate) else { return false }
      process(certificate)
    }
    if let tc = sync.highTC, tc.view >= currentView {
      guard verifier.accepts(tc) else { return false }
      process(tc)
    }
    return true
  }

  private func isNews(_ certificate: Certificate) -> Bool {
    certificate.view > highQC.view || certificate.commit.map { $0.height > head.height } ?? false
  }

  /// Shows our certificates to a peer that is behind.
  ///
  /// A message that crossed ours on its way is one view old in every healthy round, so only timeouts and status
  /// messages, by which a peer says that it is stuck, are answered at the slightest lag.
  private mutating func help(_ peer: ReplicaIndex, _ theirs: SyncInfo, isUrgent: Bool) {
    let (theirView, theirHeight) = (theirs.currentView, theirs.decidedHeight)
    let slack: UInt64 = isUrgent ? 0 : 2
    let isBehind =
      theirView < currentView && currentView - theirView > slack
      || theirHeight < head.height && head.height - theirHeight > slack
    guard isBehind else { return }
    if let last = helped[peer], now.monotonicNanoseconds < last.untilNanoseconds,
      !isUrgent || (last.view == currentView && last.height == head.height)
    {
      return
    }
    helped[peer] = Help(
      view: currentView, height: head.height,
      untilNanoseconds: now.monotonicNanoseconds &+ timeoutBaseNanoseconds)
    send(.status, to: peer)
  }

  /// A new connection: both sides show their certificates, and what was lost with the old one is sent again.
  mutating func greet(_ peer: ReplicaIndex) {
    guard replicas.contains(peer), peer != own else { return }
    send(.status, to: peer)
    ask(peer)
    let entries = pool.entriesToResend(includingPeers: false, bytesMax: ConsensusLimits.blockBytesMax)
    if !entries.isEmpty { send(.entries(entries), to: peer) }
    if let body = ownCurrentVote { send(body, to: peer) }
    if let timeout = ownTimeout, timeout.view == currentView { send(.timeout(timeout), to: peer) }
  }

  /// This replica's vote in the current view, with the block where it is a proposal.
  var ownCurrentVote: Message.Body? {
    guard let vote = ownVote, vote.view == currentView else { return nil }
    if let node = tree[vote.statement.proposed.id], node.block.author == own {
      return .proposal(Proposal(block: node.block, vote: vote))
    }
    return .vote(vote)
  }

  mutating func submit(_ entries: [[UInt8]]) {
    var news: [[UInt8]] = []
    var bytes = 0
    func isFull(with entry: [UInt8]) -> Bool {
      news.count == ConsensusLimits.blockEntriesMax || bytes + entry.count > ConsensusLimits.blockBytesMax
    }
    for entry in entries {
      guard state.admits(entry), pool.add(entry, from: .local, height: head.height, isAdmitted: true) else { continue }
      if isFull(with: entry) {
        broadcast(.entries(news))
        (news, bytes) = ([], 0)
      }
      news.append(entry)
      bytes += entry.count
    }
    if !news.isEmpty { broadcast(.entries(news)) }
  }

  /// Sends again what was submitted here and is not decided: the first sending may not have arrived.
  ///
  /// Once the view is given up and still does not end, also some of what peers sent: a peer that crashed may have
  /// reached nobody else, and one replica that waits alone ends no view. Ever more rarely in one view, and a part of it
  /// only: n replicas that each send all they hold to n - 1 others are what keeps an overloaded group from ending one.
  mutating func regossip() {
    resends += 1
    guard resends & (resends - 1) == 0 || resends % 16 == 0 else { return }
    let entries = pool.entriesToResend(includingPeers: hasGivenUpView, bytesMax: Self.resentBytesMax)
    if !entries.isEmpty { broadcast(.entries(entries)) }
  }

  /// Lets go of entries that wait and that the decided state does not take any more, if that was not done since the
  /// last block.
  mutating func recheckPool() {
    guard !pool.isSettled else { return }
    let state = tree.rootState
    pool.refilter(decided: [], height: head.height, isWhole: true) { state.admits($0) }
  }

  mutating func refilterPool() {
    guard hasDecided else { return }
    let state = tree.rootState
    pool.refilter(decided: decidedEntries, height: head.height) { state.admits($0) }
    hasDecided = false
    decidedEntries = []
  }
}
