import SyncProof

extension Replica {
  /// Starts from the genesis state and what earlier lives made durable.
  ///
  /// - Parameters:
  ///   - genesis: The state of height 0; the same on every replica and at every start. Behind a snapshot only its log's
  ///     size and root count.
  ///   - recovered: Everything that ``Effect/persist(_:then:)`` has stored; a part of it is refused, or unsafe.
  ///   - snapshot: Where to start without the blocks before; its block must be among `recovered`.
  ///   - replayed: Called with each decided block, ascending from height 1 or from the one behind the snapshot, so that
  ///     the caller rebuilds its views.
  /// - Throws: ``ConsensusError/Code/corruptedRecords``, or what `recovered` throws.
  public init(
    configuration: Configuration, genesis: State, recovered: RecoveredRecords = RecoveredRecords(),
    snapshot: Snapshot<State>? = nil,
    replayed: (DecidedBlock<State>) throws(ConsensusError) -> Void = { _ throws(ConsensusError) in }
  ) throws(ConsensusError) {
    let replicas = configuration.set
    let genesisInfo = BlockInfo.genesis(
      chainID: configuration.chainID, epoch: replicas.epoch, logSize: genesis.logSize, logRoot: genesis.logRoot)
    let genesisQC = Certificate.genesis(genesisInfo)
    self.configuration = configuration
    (genesisLogSize, genesisLogRoot) = (genesis.logSize, genesis.logRoot)
    verifier = Verifier(configuration: configuration, genesis: genesisQC)
    tree = BlockTree(root: genesisInfo, state: genesis, timeMilliseconds: 0, set: replicas)
    pool = Pool(local: configuration.localPool, peer: configuration.peerPool)
    highQC = genesisQC
    safety = SafetyRules(state: SafetyState(epoch: replicas.epoch), chainID: configuration.chainID)

    let safetyBytes = try recovered.value(of: RecordKey.safety)
    if let safetyBytes { try recoverSafety(safetyBytes) }
    try recoverObservation(recovered)
    if let snapshot { try resume(from: snapshot, recovered) }
    try replay(recovered, replayed)
    let pacemaker = try recovered.value(of: RecordKey.pacemaker)
    let hasBlocks = try !recovered.scan(RecordKey.blockPrefix, RecordKey.blockPrefix, 1).isEmpty
    if safetyBytes == nil, head.height > 0 || pacemaker != nil || hasBlocks {
      throw Self.corrupted("blocks or certificates but not what this replica has signed; they are not whole")
    }
    if let pacemaker { try recoverCertificates(pacemaker) }
    try recoverBlocks(recovered)
    process(highQC)
    try recovered.forEach(prefix: RecordKey.misbehaviourPrefix) { (_, value) throws(ConsensusError) in
      guard let proof = try? Misbehaviour(decoding: value, set: replicas) else {
        throw Self.corrupted("a proof of misbehaviour that does not parse")
      }
      kept[MisbehaviourKey(offender: proof.offender, kind: proof.kind)] = proof
    }
    if let haltReason { throw haltReason }
  }

  private static func corrupted(_ what: String) -> ConsensusError {
    ConsensusError(.corruptedRecords, "The consensus' records hold \(what)")
  }

  private mutating func recoverSafety(_ bytes: [UInt8]) throws(ConsensusError) {
    guard let state = try? SafetyState(decoding: bytes) else {
      throw Self.corrupted("a safety record that does not parse")
    }
    guard state.epoch == replicas.epoch else {
      throw Self.corrupted("signatures of epoch \(state.epoch), but the set is of epoch \(replicas.epoch)")
    }
    safety = SafetyRules(state: state, chainID: configuration.chainID)
    outbox.isSafetyStored = true
  }

  private mutating func recoverObservation(_ recovered: RecoveredRecords) throws(ConsensusError) {
    var isObserving = configuration.isRestored
    if let bytes = try recovered.value(of: RecordKey.observation) {
      guard let record = try? ObservationRecord(decoding: bytes) else {
        throw Self.corrupted("a record of an observation that does not parse")
      }
      switch record {
      case .observing: isObserving = true
      case .ended(let height): observedHeight = height
      }
    }
    if isObserving { beginObservation(.restored) }
  }

  /// Takes the state behind a decided block. Whether a quorum has signed that block, or one behind it, ``replay(_:_:)``
  /// finds out.
  private mutating func resume(
    from snapshot: Snapshot<State>, _ recovered: RecoveredRecords
  ) throws(ConsensusError) {
    let (position, state) = (snapshot.position, snapshot.state)
    guard position.height < .max, let value = try recovered.value(of: RecordKey.decided(position.height)),
      let record = try? DecidedRecord(decoding: value), record.block.id == position.block,
      record.block.height == position.height
    else { throw Self.corrupted("a snapshot behind block \(position.block), but not that block") }
    let info = BlockInfo(
      epoch: record.block.epoch, view: record.block.view, height: position.height, id: position.block,
      logSize: state.logSize, logRoot: state.logRoot, nextSetHash: state.nextSetHash)
    guard Self.covers(record.finality, info), position.standing.failed.allSatisfy({ replicas.contains($0) }) else {
      throw Self.corrupted("a snapshot of height \(position.height) that is not of these blocks")
    }
    tree = BlockTree(
      root: info, state: state, timeMilliseconds: record.block.timeMilliseconds, set: replicas,
      standing: position.standing)
    take(record, byteCount: value.count)
  }

  /// Whether a certificate that is stored with a block makes it final, as far as that shows without its signatures.
  private static func covers(_ certificate: Certificate, _ info: BlockInfo) -> Bool {
    guard let commit = certificate.commit else { return false }
    return commit.height > info.height || commit == info
  }

  private mutating func take(_ record: DecidedRecord, byteCount: Int) {
    finality = record.finality
    if record.finality.view > highQC.view { highQC = record.finality }
    remember(RecentBlock(block: record.block, finality: record.finality, byteCount: byteCount))
  }

  /// Applies the decided blocks in order; each must follow from the one before, and the last be proven.
  private mutating func replay(
    _ recovered: RecoveredRecords, _ replayed: (DecidedBlock<State>) throws(ConsensusError) -> Void
  ) throws(ConsensusError) {
    let first = RecordKey.decided(head.height + 1)
    try recovered.forEach(prefix: RecordKey.decidedPrefix, from: first) { (key, value) throws(ConsensusError) in
      guard let record = try? DecidedRecord(decoding: value), key == RecordKey.decided(record.block.height),
        record.block.parent == head.id, record.block.height == head.height + 1
      else { throw Self.corrupted("no decided block of height \(head.height + 1) that follows from this genesis") }
      tree.insert(record.block)
      guard let node = tree[record.block.id], Self.covers(record.finality, node.info) else {
        throw Self.corrupted("another outcome of height \(record.block.height) than these blocks give")
      }
      _ = tree.advance(to: node)
      take(record, byteCount: value.count)
      try replayed(DecidedBlock(node, certificate: record.finality))
    }
    if let finality {
      guard finality.commit == head, verifier.accepts(finality) else {
        throw Self.corrupted("a last decided block, of height \(head.height), that no quorum of this set has signed")
      }
    }
  }

  private mutating func recoverCertificates(_ bytes: [UInt8]) throws(ConsensusError) {
    guard let stored = try? SyncInfo(decoding: bytes), verifier.accepts(stored.highQC) else {
      throw Self.corrupted("a highest certificate that does not check")
    }
    outbox.storedCertificates = stored
    if stored.highQC.view > highQC.view { highQC = stored.highQC }
    guard let tc = stored.highTC, tc.view > highQC.view else { return }
    guard verifier.accepts(tc) else { throw Self.corrupted("a timeout certificate that does not check") }
    highTC = tc
  }

  /// Puts undecided blocks back, no more than there is place for in memory; those that no longer descend from the last
  /// decided one are deleted.
  private mutating func recoverBlocks(_ recovered: RecoveredRecords) throws(ConsensusError) {
    var found: [(view: UInt64, id: Digest)] = []
    var parents: Set<Digest> = []
    try recovered.forEach(prefix: RecordKey.blockPrefix) { (key, value) throws(ConsensusError) in
      guard let block = try? Block(decoding: value), key == RecordKey.block(block.id) else {
        throw Self.corrupted("a block that does not parse")
      }
      found.append((block.view, block.id))
      parents.insert(block.parent)
    }
    for (_, id) in found.sorted(by: { ($0.view, $0.id) < ($1.view, $1.id) }) {
      guard let value = try recovered.value(of: RecordKey.block(id)), let block = try? Block(decoding: value) else {
        throw Self.corrupted("a block that cannot be read twice")
      }
      tree.insert(block)
      if tree.contains(id), id != head.id {
        tree.markStored(id)
        // Its child bears its certificate.
        if parents.contains(id) || id == highQC.proposed.id { tree.markCertified(id) }
        // Its leader may be gone for good: what it orders must not be forgotten.
        let (state, height) = (tree.rootState, head.height)
        for entry in block.entries {
          _ = pool.add(entry, from: .local, height: height, isAdmitted: state.admits(entry))
        }
        shelve()
      } else {
        deleteBlock(id)
      }
    }
  }
}
