import SyncProof

/// Certificates, the views they lead into, and timeouts.
extension Replica {
  /// Takes a verified certificate.
  mutating func process(_ certificate: Certificate) {
    if let ours = tree.info(of: certificate.proposed.id), ours != certificate.proposed {
      return halt(.diverged, "The quorum certified another outcome of block \(ours.id) than this replica computed")
    }
    if let commit = certificate.commit {
      if commit.height == head.height, commit.id != head.id {
        return halt(.diverged, "The quorum decided \(commit.id) at height \(commit.height), this replica \(head.id)")
      }
      if commit.height > head.height, commit.height > pendingCommit?.commit?.height ?? 0 { pendingCommit = certificate }
    }
    tree.markCertified(certificate.proposed.id)
    noticeOwnSignature(in: certificate)
    noticeContradictions(in: certificate)
    guard certificate.view > highQC.view else { return }
    notePace(of: certificate)
    let before = currentView
    highQC = certificate
    if let tc = highTC, tc.view <= certificate.view { highTC = nil }
    clearShelf()
    enterView(from: before)
  }

  /// Takes a verified timeout certificate.
  mutating func process(_ certificate: TimeoutCertificate) {
    process(certificate.highQC)
    noticeOwnSignature(in: certificate)
    noticeContradictions(in: certificate)
    guard certificate.view >= currentView else { return }
    let before = currentView
    highTC = certificate
    enterView(from: before)
  }

  /// Lets go of what belongs to views that are over.
  private mutating func enterView(from before: UInt64) {
    let view = currentView
    if view != before { (viewDeadline, viewStart, resends) = (nil, nil, 0) }
    votes = votes.filter { $0.key >= view }
    timeouts = timeouts.filter { $0.key >= view }
    proposals = proposals.filter { $0.key >= view || $0.key == highQC.view }
  }

  /// Views for which votes and timeouts are held: this one and the next.
  private func isHeld(_ view: UInt64) -> Bool { view >= currentView && view - currentView <= 1 }

  // MARK: Votes

  mutating func receive(_ vote: Vote) {
    guard isHeld(vote.view) else { return noticeContradiction(of: vote) }
    if let known = votes[vote.view]?[vote.author] {
      guard known.statement != vote.statement, verifier.accepts(vote) else { return }
      keep(Misbehaviour(known, vote, set: replicas))
      return
    }
    guard verifier.accepts(vote) else { return }
    votes[vote.view, default: [:]][vote.author] = vote
    formCertificate(of: vote.statement)
  }

  private mutating func formCertificate(of statement: VoteStatement) {
    let view = statement.proposed.view
    let agreeing = (votes[view] ?? [:]).values.filter { $0.statement == statement }.sorted { $0.author < $1.author }
    guard agreeing.count >= replicas.quorum else { return }
    let certificate = Certificate(
      proposed: statement.proposed, parent: statement.parent, commit: statement.commit,
      shares: agreeing.map { Certificate.Share(signer: $0.author, signature: $0.signature) })
    verifier.trust(certificate)
    process(certificate)
  }

  // MARK: Timeouts

  mutating func receive(_ timeout: Timeout) {
    guard timeout.view >= currentView, verifier.accepts(timeout) else { return }
    process(timeout.content.highQC)
    if let tc = timeout.content.lastTC { process(tc) }
    take(timeout)
  }

  private mutating func take(_ timeout: Timeout) {
    guard isHeld(timeout.view) else { return }
    if let known = timeouts[timeout.view]?[timeout.author] {
      keep(Misbehaviour(known, timeout))
      return
    }
    timeouts[timeout.view, default: [:]][timeout.author] = timeout
    let held = timeouts[timeout.view] ?? [:]
    if held.count >= replicas.quorum { return formTimeoutCertificate(of: timeout.view) }
    // f + 1 hold at least one honest replica's: its view is stuck, so ours is.
    if timeout.view == currentView, held.count >= replicas.faultyMax + 1 { giveUpView() }
  }

  private mutating func formTimeoutCertificate(of view: UInt64) {
    let held = (timeouts[view] ?? [:]).values.sorted { $0.author < $1.author }
    guard let highest = held.lazy.map({ $0.content.highQC }).max(by: { $0.view < $1.view }) else { return }
    let certificate = TimeoutCertificate(
      epoch: replicas.epoch, view: view, highQC: highest,
      shares: held.map {
        TimeoutCertificate.Share(signer: $0.author, highQCView: $0.content.highQC.view, signature: $0.signature)
      })
    verifier.trust(certificate)
    process(certificate)
  }

  var hasGivenUpView: Bool { safety.state.lastTimeout?.view == currentView }

  /// Asks for this replica's timeout of the current view, once.
  mutating func giveUpView() {
    guard !hasGivenUpView,
      let permit = try? safety.timeout(view: currentView, currentView: currentView, highQC: highQC, lastTC: highTC)
    else { return }
    sign(permit)
  }

  // MARK: Signatures

  /// The last statement of the current view may not have left before the crash; the same bytes are signed again.
  mutating func resignAfterRestart() {
    if safety.state.lastVote?.proposed.view == currentView, let permit = safety.lastVoteAgain() { sign(permit) }
    if hasGivenUpView, let permit = safety.lastTimeoutAgain() { sign(permit) }
  }

  /// Sends what was signed; its safety record is durable.
  mutating func release(_ request: SigningRequest, _ signature: Signature) {
    guard !isObserving else { return }
    guard let key = replicas.key(of: own), verifier.accepts(key, signature, request.message) else {
      return halt(.wrongKey, "The signer does not hold the key that the set names for replica \(own)")
    }
    switch request.subject {
    case .vote(let statement):
      let vote = Vote(statement: statement, author: own, signature: signature)
      ownVote = vote
      guard let body = ownCurrentVote else { return }
      broadcast(body)
      receive(vote)
    case .timeout(let content):
      let timeout = Timeout(content: content, author: own, signature: signature)
      ownTimeout = timeout
      guard timeout.view == currentView else { return }
      broadcast(.timeout(timeout))
      take(timeout)
    }
  }

  // MARK: Misbehaviour

  /// Keeps a proposal whose certificate was found to be none, if its author signed it: the first of each author.
  mutating func keepForgery(_ proposal: Proposal) {
    let key = MisbehaviourKey(offender: proposal.vote.author, kind: .forgedCertificate)
    guard kept[key] == nil, verifier.accepts(proposal.vote),
      let proof = Misbehaviour(forgingProposal: BlockHeader(of: proposal.block), proposal.vote)
    else { return }
    keep(proof)
  }

  /// Who has voted for this block and, as far as is held here, for another one of its view. Proposals are held longer
  /// than votes: where this replica has made a certificate without the leader's share, the next proposal shows it.
  private mutating func noticeContradictions(in certificate: Certificate) {
    var held = votes[certificate.view] ?? [:]
    for proposal in proposals[certificate.view] ?? [] { held[proposal.vote.author] = proposal.vote }
    for share in certificate.shares where share.signer != own {
      guard let known = held[share.signer] else { continue }
      keep(Misbehaviour(known, certificate.vote(of: share), set: replicas))
    }
  }

  /// The same for timeouts.
  private mutating func noticeContradictions(in certificate: TimeoutCertificate) {
    guard let held = timeouts[certificate.view] else { return }
    for share in certificate.shares where share.signer != own {
      guard let known = held[share.signer] else { continue }
      keep(Misbehaviour(known, share, of: certificate))
    }
  }

  /// The same for a vote that comes once its view has ended with the highest certificate.
  private mutating func noticeContradiction(of vote: Vote) {
    guard vote.view == highQC.view, vote.author != own,
      let share = highQC.shares.first(where: { $0.signer == vote.author }),
      let proof = Misbehaviour(highQC.vote(of: share), vote, set: replicas)
    else { return }
    if verifier.accepts(vote) { keep(proof) }
  }

  private mutating func keep(_ proof: Misbehaviour?) {
    guard let proof else { return }
    let key = MisbehaviourKey(offender: proof.offender, kind: proof.kind)
    guard kept[key] == nil else { return }
    kept[key] = proof
    outbox.records.append(
      StoredRecord(key: RecordKey.misbehaviour(proof.offender, proof.kind), value: proof.encode()))
    outbox.durable.append(.misbehaviour(proof))
  }
}
