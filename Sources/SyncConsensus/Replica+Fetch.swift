import SyncProof

/// The one fetch that a replica has under way: blocks on the chain to a certified one.
struct Fetch: Sendable {
  var target: Certificate
  /// The certificate's signers, the proposer first where it is among them, then all others: one that has made the
  /// certificate of others' votes may have the block as well.
  var peers: [ReplicaIndex]
  /// Position in `peers` of whom to ask next.
  var next = 0
  var asked: Set<ReplicaIndex> = []
  /// Monotonic nanoseconds after which the next one is asked.
  var deadline: UInt64 = 0
  /// Useless answers since the last useful one.
  var failures = 0
}

/// State transfer: asking for missing blocks, and giving them.
extension Replica {
  // MARK: Asking

  /// The certificate whose block is wanted and missing.
  private var missing: Certificate? {
    func isMissing(_ certificate: Certificate) -> Bool {
      certificate.proposed.height > head.height && !tree.contains(certificate.proposed.id)
    }
    if isMissing(highQC) { return highQC }
    for proposal in proposals[currentView] ?? [] where isMissing(proposal.block.parentCertificate) {
      return proposal.block.parentCertificate
    }
    if let pendingCommit, isMissing(pendingCommit) { return pendingCommit }
    return nil
  }

  mutating func advanceFetch() {
    guard let target = missing, !loadFromShelf(target.proposed.id, for: own) else {
      fetch = nil
      return
    }
    if fetch?.target != target {
      // Whose turn it was is the proposer, unless it was passed over: then it has not signed either.
      let turn = replicas.turn(of: target.view)
      var peers = target.shares.map(\.signer).filter { $0 != own }
      if let place = peers.firstIndex(of: turn) { peers.insert(peers.remove(at: place), at: 0) }
      peers += replicas.indices.filter { $0 != own && !peers.contains($0) }
      // The outstanding question keeps its time: its answer leads towards the new target as well.
      fetch = Fetch(target: target, peers: peers, asked: fetch?.asked ?? [], deadline: fetch?.deadline ?? 0)
    }
    guard var current = fetch, !current.peers.isEmpty, current.deadline <= now.monotonicNanoseconds else { return }
    let peer = current.peers[current.next % current.peers.count]
    current.next += 1
    current.asked.insert(peer)
    // An answer may be much longer than a view: who asks the next one too early has it sent twice.
    current.deadline = now.monotonicNanoseconds &+ 4 &* timeoutBaseNanoseconds
    fetch = current
    let known = tree.newestCertified
    send(
      .fetch(
        FetchRequest(
          target: target.proposed.id, knownHeight: known.height, known: known.id, decidedHeight: head.height)),
      to: peer)
  }

  mutating func receive(_ answer: FetchAnswer, from peer: ReplicaIndex) {
    guard let current = fetch, current.asked.contains(peer) else { return }
    let blocks = Array(answer.blocks.drop { $0.height <= head.height || tree.contains($0.id) })
    guard let certificate = proof(of: blocks, answer.certificate, target: current.target) else {
      fetch?.failures += 1
      // Whoever has nothing useful is passed over at once, but not round and round.
      if (fetch?.failures ?? 0) < current.peers.count { fetch?.deadline = now.monotonicNanoseconds }
      return
    }
    for block in blocks {
      // Bound to the checked certificate by the hash chain, hence seen by the honest who voted for a descendant.
      verifier.trust(block.parentCertificate)
      process(block.parentCertificate)
      insert(block)
      // Decided as they arrive, so that a replica that was away for long holds an answer's blocks at most.
      decide(by: block.parentCertificate)
      if haltReason != nil { return }
    }
    process(certificate)
    decide(by: certificate)
    resolveCommit()
    fetch?.failures = 0
    fetch?.deadline = now.monotonicNanoseconds
    if let position = current.peers.firstIndex(of: peer) { fetch?.next = position }
  }

  /// The verified certificate that proves a chain of blocks which stands on one that is here; `nil` where none does.
  private mutating func proof(of blocks: [Block], _ given: Certificate?, target: Certificate) -> Certificate? {
    guard let first = blocks.first, let last = blocks.last, tree.contains(first.parent) else { return nil }
    for (parent, child) in zip(blocks, blocks.dropFirst()) where child.parent != parent.id { return nil }
    if last.id == target.proposed.id { return target }
    guard let given, given.proposed.id == last.id || given.commit?.id == last.id, verifier.accepts(given) else {
      return nil
    }
    return given
  }

  // MARK: Giving

  mutating func serve(_ request: FetchRequest, to peer: ReplicaIndex) {
    guard request.decidedHeight <= request.knownHeight, request.knownHeight < .max else { return }
    if request.knownHeight < head.height {
      return giveDecided(
        from: request.knownHeight + 1, expectedParent: request.known, fallback: request.decidedHeight + 1, to: peer)
    }
    if loadFromShelf(request.target, for: peer, request) { return }
    let tip = tree.contains(request.target) ? request.target : highQC.proposed.id
    let path = tree.path(to: tip) ?? []
    if request.known == head.id {
      giveUndecided(path[...], target: request.target, to: peer)
    } else if let position = path.firstIndex(where: { $0.block.id == request.known }) {
      giveUndecided(path[(position + 1)...], target: request.target, to: peer)
    } else if request.decidedHeight < head.height {
      giveDecided(from: request.decidedHeight + 1, expectedParent: nil, fallback: 0, to: peer)
    } else {
      giveUndecided(path.drop { $0.info.height <= request.decidedHeight }, target: request.target, to: peer)
    }
  }

  private mutating func giveUndecided(
    _ path: ArraySlice<BlockTree<State>.Node>, target: Digest, to peer: ReplicaIndex
  ) {
    let blocks = fitting(path.map(\.block))
    var certificate: Certificate?
    if blocks.count < path.count {
      certificate = path[path.startIndex + blocks.count].block.parentCertificate
    } else if blocks.last?.id == highQC.proposed.id {
      certificate = highQC
    }
    send(.blocks(FetchAnswer(blocks: blocks, certificate: certificate)), to: peer)
  }

  /// From memory where that reaches back far enough, else by asking the driver to read.
  private mutating func giveDecided(
    from height: UInt64, expectedParent: Digest?, fallback: UInt64, to peer: ReplicaIndex
  ) {
    if let oldest = recent.first?.block.height, height >= oldest {
      let items = recent.drop { $0.block.height < height }.map { DecidedRecord(block: $0.block, finality: $0.finality) }
      return giveDecided(items, expectedParent: expectedParent, fallback: fallback, to: peer)
    }
    guard loading.insert(peer).inserted else { return }
    outbox.free.append(
      .load(
        LoadRequest(
          height: height, limit: ConsensusLimits.fetchBlocksMax + 1, peer: peer, expectedParent: expectedParent,
          fallbackHeight: fallback)))
  }

  mutating func serve(_ request: LoadRequest, _ records: [StoredRecord]) {
    guard loading.remove(request.peer) != nil else { return }
    if let block = request.block { return takeFromShelf(block, records, for: request) }
    let items = records.compactMap { record in record.value.flatMap { try? DecidedRecord(decoding: $0) } }
    giveDecided(
      items, expectedParent: request.expectedParent, fallback: request.fallbackHeight, to: request.peer)
  }

  private mutating func giveDecided(
    _ items: [DecidedRecord], expectedParent: Digest?, fallback: UInt64, to peer: ReplicaIndex
  ) {
    if let expectedParent, let first = items.first, first.block.parent != expectedParent {
      return giveDecided(from: fallback, expectedParent: nil, fallback: 0, to: peer)
    }
    let blocks = fitting(items.map(\.block))
    guard let last = blocks.last else { return send(.blocks(FetchAnswer(blocks: [], certificate: nil)), to: peer) }
    let finality = items[blocks.count - 1].finality
    if finality.commit?.id == last.id || blocks.count == items.count {
      return send(.blocks(FetchAnswer(blocks: blocks, certificate: finality)), to: peer)
    }
    let next = items[blocks.count].block.parentCertificate
    send(.blocks(FetchAnswer(blocks: blocks, certificate: next)), to: peer)
  }

  /// The first blocks, as many as one answer holds, at least one.
  private func fitting(_ blocks: [Block]) -> [Block] {
    var chosen: [Block] = []
    var bytes = 0
    for block in blocks.prefix(ConsensusLimits.fetchBlocksMax) {
      bytes += block.encode().count
      if bytes > ConsensusLimits.fetchBytesMax, !chosen.isEmpty { break }
      chosen.append(block)
    }
    return chosen
  }
}
