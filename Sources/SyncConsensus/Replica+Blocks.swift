import SyncProof

/// Proposals, votes for them, and the blocks that become final.
extension Replica {
  // MARK: Proposals of others

  mutating func receive(_ proposal: Proposal, from peer: ReplicaIndex) {
    let (block, vote) = (proposal.block, proposal.vote)
    guard block.author == peer, vote.author == peer, block.fault(in: replicas) == nil,
      vote.statement.proposed.id == block.id, vote.view == block.view,
      vote.statement.parent == block.parentCertificate.proposed, block.view >= min(currentView, highQC.view)
    else { return }
    // A genesis certificate that is none proves nothing to who has not seen the log before the epoch.
    guard verifier.accepts(block.parentCertificate) else {
      if block.parentCertificate.view > 0 { keepForgery(proposal) }
      return
    }
    if let tc = block.timeoutCertificate, !verifier.accepts(tc) {
      if tc.highQC.view > 0 || verifier.accepts(tc.highQC) { keepForgery(proposal) }
      return
    }
    process(block.parentCertificate)
    if let tc = block.timeoutCertificate { process(tc) }
    guard verifier.accepts(vote) else { return }
    let known = proposals[block.view]?.first { $0.block.author == block.author }
    if known == nil, block.view == currentView || block.view == highQC.view, isByItsLeader(block) ?? true {
      proposals[block.view, default: []].append(proposal)
    }
    receive(vote)
    let isRepeated = known?.block.id == block.id
    if isRepeated, let own = ownVote, own.statement.proposed.id == block.id { send(.vote(own), to: peer) }
  }

  /// Whether the block's author leads its view on top of its parent; `nil` while the parent is missing.
  private func isByItsLeader(_ block: Block) -> Bool? {
    leader(of: block.view, on: block.parent).map { $0 == block.author }
  }

  /// Executes held proposals whose parents are here.
  mutating func absorbProposals() {
    for view in proposals.keys.sorted() {
      let held = proposals[view] ?? []
      let led = held.filter { isByItsLeader($0.block) ?? true }
      if led.count != held.count { proposals[view] = led }
      for block in led.lazy.map({ $0.block }) where !tree.contains(block.id) {
        guard let parentTime = tree.timeMilliseconds(of: block.parent), block.timeMilliseconds > parentTime else {
          continue
        }
        insert(block)
        if highQC.proposed.id == block.id { process(highQC) }
      }
    }
  }

  /// Votes for a proposal of the current view where every rule allows it. Each is its leader's on top of its parent;
  /// of two on different parents the first is voted for.
  mutating func vote() {
    for proposal in proposals[currentView] ?? [] { vote(for: proposal) }
  }

  private mutating func vote(for proposal: Proposal) {
    guard proposal.block.author != own, !hasGivenUpView,
      let node = tree[proposal.block.id], let parent = tree.info(of: node.block.parent),
      let parentTime = tree.timeMilliseconds(of: node.block.parent),
      // An honest leader orders what this state admits; anything else would fill the disks of all for ever.
      let before = tree.state(of: node.block.parent), node.block.entries.allSatisfy(before.admits),
      // The leader's own statement about the outcome: if it differs, one of the two computes wrongly.
      proposal.vote.statement == VoteStatement(proposed: node.info, parent: parent),
      node.block.timeIsAcceptable(
        parentTime: parentTime, wallMilliseconds: now.wallMilliseconds,
        skewMilliseconds: configuration.clockSkewMaxMilliseconds)
    else { return }
    requestVote(for: node, parent: parent)
  }

  private mutating func requestVote(for node: BlockTree<State>.Node, parent: BlockInfo) {
    guard let leader = leader(of: currentView, on: node.block.parent),
      let permit = try? safety.vote(
        for: node.block, info: node.info, parent: parent, leader: leader, currentView: currentView)
    else { return }
    for ancestor in tree.path(to: node.block.id) ?? [] where !ancestor.isStored {
      outbox.records.append(StoredRecord(key: RecordKey.block(ancestor.block.id), value: ancestor.block.encode()))
      tree.markStored(ancestor.block.id)
    }
    sign(permit)
  }

  // MARK: Own proposals

  /// Proposes, if this replica leads the view and there is something to order, a deadline to pass, or a block that
  /// matters and is not decided yet.
  mutating func propose() {
    let view = currentView
    guard leader == own, !isObserving, view > safety.state.lastVotedView, view < .max,
      let tip = tree.info(of: highQC.proposed.id), let state = tree.state(of: tip.id),
      let parentTime = tree.timeMilliseconds(of: tip.id), parentTime < .max, let path = tree.path(to: tip.id)
    else { return }
    let taken = Set(path.lazy.flatMap { $0.block.entryDigests })
    let isOver = tip.nextSetHash != nil
    let entries = pool.isPending && !isOver ? pool.select(excluding: taken) { state.admits($0) } : []
    // With nothing under way, what waits and is not taken never will be.
    if entries.isEmpty, path.isEmpty, pool.isPending { recheckPool() }
    let isDue = !isOver && state.nextDeadlineMilliseconds.map { $0 <= now.wallMilliseconds } ?? false
    guard !entries.isEmpty || isDue || path.contains(where: { $0.matters }) else { return }
    let block = Block(
      epoch: replicas.epoch, view: view, height: tip.height + 1, author: own,
      timeMilliseconds: max(now.wallMilliseconds, parentTime + 1), entries: entries, parentCertificate: highQC,
      timeoutCertificate: highQC.view + 1 == view ? nil : highTC)
    insert(block)
    guard let node = tree[block.id] else { return }
    requestVote(for: node, parent: tip)
  }

  // MARK: Deciding

  /// Decides what ``pendingCommit`` proves, once every ancestor is here.
  mutating func resolveCommit() {
    guard let certificate = pendingCommit, let commit = certificate.commit else { return }
    decide(by: certificate)
    if commit.height <= head.height { pendingCommit = nil }
  }

  /// Decides what a verified certificate makes final, as far as it is here.
  mutating func decide(by certificate: Certificate) {
    guard haltReason == nil, let commit = certificate.commit, commit.height > head.height,
      let path = tree.path(to: commit.id)
    else { return }
    guard path.last?.info == commit else {
      return halt(.diverged, "The quorum decided another outcome of block \(commit.id) than this replica computed")
    }
    finality = certificate
    hasDecided = true
    // Nobody acts on blocks without entries: they need not be on the disk before the replica goes on, and each sync
    // stands in the way of the next vote. A crash forgets that they are final; their certificate says so again.
    let isAwaited = path.contains(where: { $0.matters }) || !outbox.durable.isEmpty
    var records: [StoredRecord] = []
    for node in path {
      let (decided, value) = decide(node, certificate)
      records.append(StoredRecord(key: RecordKey.decided(node.info.height), value: value))
      if isAwaited { outbox.durable.append(.decided(decided)) } else { outbox.free.append(.decided(decided)) }
    }
    if let last = path.last {
      for id in tree.advance(to: last) { records.append(StoredRecord(key: RecordKey.block(id), value: nil)) }
    }
    if isAwaited { outbox.records += records } else { outbox.lazyRecords += records }
  }

  /// - Returns: The block as it is told of, and its record.
  private mutating func decide(
    _ node: BlockTree<State>.Node, _ certificate: Certificate
  ) -> (DecidedBlock<State>, record: [UInt8]) {
    let value = DecidedRecord(block: node.block, finality: certificate).encode()
    decidedEntries.formUnion(node.block.entryDigests)
    remember(RecentBlock(block: node.block, finality: certificate, byteCount: value.count))
    return (DecidedBlock(node, certificate: certificate), value)
  }

  mutating func remember(_ block: RecentBlock) {
    recent.append(block)
    recentBytes += block.byteCount
    while recent.count > 1,
      recent.count > ConsensusLimits.recentBlocksMax || recentBytes > ConsensusLimits.recentBytesMax
    {
      recentBytes -= recent.removeFirst().byteCount
    }
  }
}

/// The durable form of a decided block.
package struct DecidedRecord: Hashable, Sendable, CanonicallyCodable {
  package let block: Block
  /// Its ``Certificate/commit`` is the block or a descendant of it.
  package let finality: Certificate

  package init(block: Block, finality: Certificate) { (self.block, self.finality) = (block, finality) }

  package func encode(to writer: inout ByteWriter) {
    block.encode(to: &writer)
    finality.encode(to: &writer)
  }

  package init(from reader: inout ByteReader) throws(ProofError) {
    block = try Block(from: &reader)
    finality = try Certificate(from: &reader)
  }
}
