import Logging
import NIOCore
import SyncConsensus
import SyncLedger
import SyncProof

extension Node {
  /// The group that a node with this journal belongs to now: the file's, or that of a later epoch that it has entered.
  ///
  /// - Throws: ``PluginError/Code/invalid`` when the file is of another group or chain, or of an epoch of which this
  ///   journal has no beginning.
  public static func currentGroup(file: Group, storage: any Storage) throws(PluginError) -> Group {
    let journal = Journal(storage)
    guard let latest = try EpochRecord.readAll(journal).last else {
      guard file.epoch > 0, try ConsensusRoom(epoch: file.epoch).isEmpty(journal) else { return file }
      throw PluginError(
        .invalid,
        "The group file is of epoch \(file.epoch), and this node's journal has nothing of the epochs before; bring the "
          + "log here first: synchronicity node join")
    }
    let group = latest.group
    guard file.origin == group.origin else {
      throw PluginError(
        .invalid,
        "The journal is of the group \(group.origin.string), the group file of \(file.origin.string); check `data` and "
          + "`group` in the configuration")
    }
    guard file.epoch <= group.epoch else {
      throw PluginError(
        .invalid,
        "The group file is of epoch \(file.epoch), this node's journal of epoch \(group.epoch); a node follows its "
          + "group by itself from the file that it has; where it was away for too long, bring the log here first: "
          + "synchronicity node join")
    }
    // Addresses may have changed since; everything else is what the old builders have signed.
    if file.epoch == group.epoch {
      guard file.chainID == group.chainID else {
        throw PluginError(
          .invalid,
          "The group file is of epoch \(file.epoch), but not the one that its builders were handed; take theirs"
        )
      }
      return file
    }
    return group
  }

  // MARK: Who is behind

  /// A message of another epoch's consensus: who is in the one before is shown how it ended.
  func receiveFromPast(_ bytes: [UInt8], from sender: String) {
    guard let peer = past?.index(of: sender) else { return }
    stepPast(.message(from: peer, bytes))
  }

  func greetInPast(_ sender: String) {
    guard let peer = past?.index(of: sender) else { return }
    stepPast(.peerConnected(peer))
  }

  private func stepPast(_ input: Input) {
    var inputs = [input]
    while !inputs.isEmpty, !hasEnded, var epoch = past {
      past = nil
      let effects = epoch.replica.step(inputs.removeFirst(), now: Clock.now())
      past = epoch
      for effect in effects {
        switch effect {
        case .send(let peer, let message):
          plugins.transport.send(
            MessageRoom.consensus.frame(message), to: epoch.group.members[Int(peer.rawValue)].name.string)
        case .load(let request):
          do {
            let records = try epoch.room.records(
              journal, prefix: request.prefix, from: request.from, limit: request.limit)
            inputs.append(.loaded(request, records))
          } catch {
            fail(error)
          }
        // It is over: there is nothing to store, to sign or to say to all.
        case .persist, .sign, .broadcast, .decided, .halted, .observation, .misbehaviour: break
        }
      }
    }
  }

  /// What travels about the hand-over that ends an epoch: the question for its proof, and the proof.
  private enum HandoverMessage {
    case ask(epoch: UInt64)
    case proof([UInt8])

    init?(_ bytes: [UInt8]) {
      switch (bytes.first, bytes.count) {
      case (0, 9): self = .ask(epoch: bytes[1...].reduce(0) { $0 << 8 | UInt64($1) })
      case (1, 2...): self = .proof(Array(bytes.dropFirst()))
      default: return nil
      }
    }

    func encode() -> [UInt8] {
      switch self {
      case .ask(let epoch):
        var writer = ByteWriter()
        writer.write(UInt8(0))
        writer.write(epoch)
        return writer.bytes
      case .proof(let bytes): return [1] + bytes
      }
    }
  }

  /// Both kinds are bounded to one a second from each peer: a proof is long, and takes signatures to check.
  func receiveHandover(_ bytes: [UInt8], from sender: String) {
    let message = HandoverMessage(bytes)
    let now = Clock.now().monotonicNanoseconds
    if let last = handoverTimes[sender], now < last &+ 1_000_000_000 { return }
    handoverTimes[sender] = now
    switch message {
    case .proof(let proof): endEpoch(proof: proof)
    case .ask(let epoch):
      do throws(PluginError) {
        guard let proof = try handover(epoch: epoch) else { return }
        plugins.transport.send(MessageRoom.handover.frame(HandoverMessage.proof(proof).encode()), to: sender)
      } catch {
        fail(error)
      }
    case nil: logger.debug("No message about a hand-over", metadata: ["peer": "\(sender)"])
    }
  }

  /// Asks the others for the proof from time to time: this node may lack cosignatures, or sign nothing.
  private func awaitHandover() {
    guard handoverTask == nil else { return }
    handoverTask = plugins.eventLoop.scheduleTask(in: Node.shareInterval) { [weak self] in
      _ = Task { await self?.askForHandover() }
    }
  }

  private func askForHandover() {
    handoverTask = nil
    guard !hasEnded, enters == nil, !isRetired else { return }
    for member in group.members where member.name != configuration.name {
      plugins.transport.send(
        MessageRoom.handover.frame(HandoverMessage.ask(epoch: group.epoch).encode()), to: member.name.string)
    }
    endEpoch()
  }

  // MARK: The end of an epoch

  /// The group that this node belongs to once it has been run again; `nil` while its epoch goes on.
  public var successor: Group? { entered }

  /// Once the end is decided and its hand-over proven: keeps the proof, and ends this node a moment later, so that it
  /// can be started in the next epoch. Who is no member of that one, or has other keys there, stays for those behind.
  func endEpoch(proof received: [UInt8]? = nil) {
    // The core may be blocks ahead of what was performed: only with the last one's leaf in the log is this the end.
    guard !hasEnded, !isStopping, !isRetired, enters == nil, replica.nextSetHash != nil,
      let next = replica.state.successor, log.size == replica.head.logSize, log.root == replica.head.logRoot
    else { return }
    do throws(PluginError) {
      var proof = try handover(epoch: group.epoch)
      if proof == nil, let received, try isOwnHandover(received, to: next) { proof = received }
      if proof == nil, let made = try handoverProof(), try isOwnHandover(made, to: next) { proof = made }
      guard let proof else { return awaitHandover() }
      let place = next.members.first { $0.name == configuration.name }
      var batch = StorageBatch()
      batch.put(.value, EpochRecord.handoverKey(group.epoch), proof)
      if place != nil {
        let records = try EpochRecord.readAll(journal)
        let own = EpochRecord(
          group: group, logSize: replica.genesisLogSize, logRoot: replica.genesisLogRoot, observes: false)
        EpochRecord.write(
          (records.isEmpty ? [own] : records) + [
            EpochRecord(group: next, logSize: log.size, logRoot: log.root, observes: mayHaveSignedInNext)
          ], to: &batch)
        try FormerMisbehaviours.write(misbehaviours(), to: &batch)
      }
      try journal.write(batch, durable: true)
      if place?.hasKeys(of: own.member) == true {
        logger.notice("The epoch is over; going on in the next", metadata: ["epoch": "\(next.epoch)"])
        enters = next
        // Others may be a moment behind, and want the same answers still.
        plugins.eventLoop.scheduleTask(in: .milliseconds(Int64(configuration.lingerMilliseconds))) { [weak self] in
          _ = Task { await self?.leaveEpoch() }
        }
      } else {
        isRetired = true
        let why = place == nil ? "this builder is no member of the next" : "this builder has other keys in the next"
        let what = place == nil ? "it may be stopped" : "start it again with the seed of its new card"
        logger.notice("The epoch is over, and \(why): it only serves what it has; \(what)")
      }
    } catch {
      fail(error)
    }
  }

  private func leaveEpoch() {
    guard !hasEnded, !isStopping, let enters else { return }
    entered = enters
    finish()
  }

  /// Whether a life of which the journal knows nothing may have signed in the next epoch.
  ///
  /// An observation that ended before the epoch's end has shown a view above all that was forgotten in which this epoch
  /// still went on; and who signs in the next has seen a certificate of a later view than the one with the end.
  private var mayHaveSignedInNext: Bool {
    replica.isObserving || replica.observedHeight > 0 && replica.observedHeight >= board.endHeight ?? 0
  }

  /// The hand-over under the head that a quorum of this epoch has cosigned, once there is one.
  private func handoverProof() throws(PluginError) -> [UInt8]? {
    guard let published = assembler.published, published.treeSize == log.size, log.size > 0 else { return nil }
    return try log.proof(index: log.size - 1, published)
  }

  /// Whether the proof is of the leaf with which this epoch ended here, and good to who trusts this epoch's builders.
  private func isOwnHandover(_ proof: [UInt8], to next: Group) throws(PluginError) -> Bool {
    guard log.size > 0, let leaf = try log.leaf(at: log.size - 1) else { return false }
    do throws(ProofError) {
      let parsed = try Proof(parsing: proof)
      guard parsed.leaf == leaf, parsed.index == log.size - 1, parsed.checkpoint.treeSize == log.size else {
        return false
      }
      let handover = try Verifier.verifyHandover(proof: proof, policy: group.policy()).handover
      return handover.epoch == group.epoch && handover.policy == next.policy()
    } catch {
      logger.warning("Refused a proof of the hand-over: \(error.message)")
      return false
    }
  }

  var group: Group { configuration.group }

  // MARK: What people see and send

  public func handovers() -> HandoverList {
    let ledger = replica.state
    let proposals = ledger.handoverProposals.map {
      HandoverStatus(id: $0.digest.hex, proposer: $0.proposer.string, approvals: $0.approvals.map(\.string))
    }
    return HandoverList(
      epoch: group.epoch, phase: ledger.successor != nil ? .over : ledger.isEnding ? .ending : .open,
      approvalsWanted: ledger.approvalsWanted, proposals: proposals)
  }

  public func proposal(_ id: Digest) -> [UInt8]? {
    replica.state.handoverProposals.first { $0.digest == id }?.group.encode()
  }

  public func handover(epoch: UInt64) throws(PluginError) -> [UInt8]? {
    try journal.get(.value, EpochRecord.handoverKey(epoch))
  }

  /// Takes a proposal or an approval that a member has signed; it need not be this one.
  public func submitHandover(_ bytes: [UInt8]) throws(PluginError) {
    guard !hasEnded, !isStopping else { throw PluginError(.unavailable, "This node is stopping; ask another one") }
    let entry = try PluginError.refusing { () throws(ProofError) in try Entry(parsing: bytes) }
    switch entry {
    case .proposal, .approval: break
    case .submission, .commitment, .abstention, .reveal, .accusation:
      throw PluginError(.invalid, "Only proposals of hand-overs and approvals are taken here.")
    }
    if let refusal = replica.state.refusal(of: bytes) {
      throw PluginError(.invalid, "The group does not take this: \(refusal.sentence).")
    }
    submit(entry)
  }
}

extension Refusal {
  /// For who has signed a proposal or an approval.
  fileprivate var sentence: String {
    switch self {
    case .stranger: "who signed is no member of this epoch's group"
    case .invalidSignature: "it is not signed with that member's builder key for this epoch"
    case .epochEnding: "a hand-over has its approvals already, and the epoch is ending"
    case .duplicateProposal: "this group file is proposed already; approve of it"
    case .unknownProposal: "no such group file is proposed; propose it first"
    case .duplicateApproval: "this member has approved of it already"
    case .impossibleHandover: "the group file does not parse, has another origin, or is not of the next epoch"
    case .shareUsedUp: "this member has proposed \(LedgerLimits.proposalsMax) hand-overs in this epoch already"
    case .tooLarge: "its hand-over does not fit a leaf of the log; give shorter names, or no gateways"
    default: rawValue
    }
  }
}
