import Logging
import SyncConsensus
import SyncLedger
import SyncProof

/// Performing what the consensus asks for, and following what the group decides.
extension Node {
  /// Steps the core with every input and performs its effects, until there is nothing left to do.
  func process(_ new: [Input]) {
    inputs.append(contentsOf: new)
    guard !isProcessing, !hasEnded else { return }
    isProcessing = true
    defer { isProcessing = false }
    while !inputs.isEmpty, !hasEnded {
      let round = inputs
      inputs = []
      let now = Clock.now()
      var effects: [Effect<Ledger>] = []
      for input in round { effects.append(contentsOf: replica.step(input, now: now)) }
      perform(effects)
    }
    scheduleWakeUp()
  }

  /// One sync of the disk serves all inputs of a round: records are gathered, written once, and only then does what
  /// stood behind or after the first of them happen, in its order.
  private func perform(_ effects: [Effect<Ledger>]) {
    var level = effects
    while !level.isEmpty, !hasEnded {
      var batch = StorageBatch()
      var isHeld = false
      var held: [Effect<Ledger>] = []
      for effect in level {
        if case .persist(let records, let then) = effect {
          isHeld = true
          for record in records { room.put(record, into: &batch) }
          held.append(contentsOf: then)
        } else if isHeld {
          held.append(effect)
        } else {
          perform(effect)
        }
      }
      do {
        try journal.write(batch, durable: true)
      } catch {
        return fail(error)
      }
      level = held
    }
  }

  private func perform(_ effect: Effect<Ledger>) {
    switch effect {
    case .persist: preconditionFailure("Records are gathered before single effects are performed")
    case .sign(let request):
      do {
        let signature = try plugins.signer.sign(request.message, as: .consensus)
        inputs.append(.signed(request, signature))
        // The same one may be signed again.
        if case .timeout(let timeout) = request.subject, timeout.view > viewGivenUp {
          viewGivenUp = timeout.view
          viewsGivenUp += 1
        }
      } catch {
        fail(error)
      }
    case .send(let peer, let message):
      let name = configuration.group.members[Int(peer.rawValue)].name.string
      plugins.transport.send(MessageRoom.consensus.frame(message), to: name)
    case .broadcast(let message):
      let frame = MessageRoom.consensus.frame(message)
      for member in configuration.group.members where member.name != configuration.name {
        plugins.transport.send(frame, to: member.name.string)
      }
    case .decided(let block): decided(block)
    case .load(let request):
      do {
        let records = try room.records(journal, prefix: request.prefix, from: request.from, limit: request.limit)
        inputs.append(.loaded(request, records))
      } catch {
        fail(error)
      }
    case .halted(let error):
      if error.code == .diverged { forgetSnapshot() }
      fail(PluginError(.io, error.message))
    case .observation(.began(let reason)): noteObservation(reason)
    case .observation(.ended(let height)):
      logger.notice("Signing again: all that was forgotten is over", metadata: ["height": "\(height)"])
      if log.size > 0 { beginCheckpoint() }
      // What it has committed to already, it can still open.
      for job in replica.state.openJobs { resume(job) }
    case .misbehaviour(let proof):
      let name = configuration.group.members[Int(proof.offender.rawValue)].name
      logger.error("Proof of misbehaviour kept", metadata: ["replica": "\(name.string)", "kind": "\(proof.kind)"])
      accuse([proof])
    }
  }

  /// Where this node computed otherwise than the group, what it started from may be why: the next start applies all.
  private func forgetSnapshot() {
    var batch = StorageBatch()
    NodeSnapshot.remove(epoch: group.epoch, from: &batch)
    LeafIndex.remove(from: &batch)
    do {
      try journal.write(batch, durable: true)
    } catch {
      logger.error("The snapshot cannot be removed: \(error.message)")
    }
  }

  private func noteObservation(_ reason: ObservationChange.Reason) {
    let until = "this builder signs nothing until the group is beyond all that it may have signed"
    switch reason {
    case .restored:
      logger.warning("Observing: the journal may be an older copy; \(until). Start it without --restored from now on")
    case .unknownSignature(let view):
      logger.error(
        """
        Observing: the group has this builder's signature of view \(view), of which the journal knows nothing: it is \
        an older copy, or another process runs with the same keys, which must be stopped; \(until)
        """)
    }
  }

  // MARK: Decided blocks

  private func decided(_ block: DecidedBlock<Ledger>) {
    let sizeBefore = log.size
    var batch = StorageBatch()
    followed.apply(block, into: &batch)
    if wantsSnapshot(behind: block) {
      followed.index.flush(into: &batch)
      let snapshot = NodeSnapshot(block.snapshot, followed)
      snapshot.put(epoch: group.epoch, into: &batch)
      (snapshotHeight, snapshotBytes, bytesSinceSnapshot) = (block.height, snapshot.byteCount, 0)
    }
    do {
      try journal.write(batch, durable: false)
    } catch {
      return fail(error)
    }
    for event in block.events {
      follow(event)
      tell(event)
    }
    if block.height >= accusedHeight &+ Node.accusationBlocks { accuse() }
    if log.size != sizeBefore { beginCheckpoint() }
    endEpoch()
  }

  /// From time to time, each node behind another block, and at the epoch's end. While much is open, blocks first come
  /// that are about as long as a snapshot, or eight times as many.
  private func wantsSnapshot(behind block: DecidedBlock<Ledger>) -> Bool {
    bytesSinceSnapshot += block.block.entries.reduce(1_024) { $0 + $1.count }
    // A block that says nothing may be told of before its own record is written.
    guard !block.events.isEmpty else { return false }
    if block.events.contains(where: { if case .epochEnded = $0 { true } else { false } }) { return true }
    let wanted = configuration.snapshotBlocks
    let first = snapshotHeight == 0 ? wanted / UInt64(group.members.count) * UInt64(own.index) : 0
    let since = block.height - min(snapshotHeight, block.height)
    guard since >= wanted, since - wanted >= first else { return false }
    return bytesSinceSnapshot >= max(block.state.snapshotBytes, snapshotBytes) || since / 8 >= wanted
  }

  private func follow(_ event: LedgerEvent) {
    switch event {
    case .ordered(let job, let spec, let submitter):
      logger.info(
        "Ordered", metadata: ["job": "\(job)", "package": "\(spec.package.string)", "submitter": "\(submitter.string)"])
      if openToolchains.insert(spec.toolchain).inserted { keepOpenToolchains() }
      resume(job)
    case .committed(let job, let builder):
      note("Committed", job, builder)
      if builder == configuration.name { resume(job) }
    case .abstained(let job, let builder): note("Abstained", job, builder)
    case .revealPhase(let job):
      logger.info("Revealing", metadata: ["job": "\(job)"])
      if case .open(let open) = replica.state.job(job), open.steps[own.index] == .waiting { forget(job) }
      resume(job)
    case .revealed(let job, let builder, _): note("Revealed", job, builder)
    case .wrongOpening(let job, let builder): note("Wrong opening", job, builder)
    case .verdict(let job, let verdict, let evidence, _, let index):
      logger.info("Verdict", metadata: ["job": "\(job)", "verdict": "\(verdict.text.string)", "index": "\(index)"])
      forget(job)
      noteDivergence(job, evidence)
      if replica.state.openJobs.isEmpty, !openToolchains.isEmpty {
        openToolchains = []
        keepOpenToolchains()
      }
      var batch = StorageBatch()
      batch.delete(.attempt, job.bytes)
      do { try journal.write(batch, durable: false) } catch { fail(error) }
    case .doubleCommitment(let job, let builder): note("Second, different commitment refused", job, builder)
    case .misbehaviour(let proof):
      logger.error(
        "Proof of misbehaviour kept",
        metadata: ["builder": "\(proof.builder.string)", "kind": "\(proof.kind.rawValue)"])
    case .misbehaviourLogged(let record, _, let index):
      logger.notice(
        "Misbehaviour logged",
        metadata: ["member": "\(record.member.string)", "kind": "\(record.kind.rawValue)", "index": "\(index)"])
    case .proposed(let handover, let proposer):
      logger.notice(
        "A hand-over is proposed", metadata: ["group": "\(handover)", "proposer": "\(proposer.string)"])
    case .approved(let handover, let builder):
      logger.notice(
        "A hand-over is approved of", metadata: ["group": "\(handover)", "builder": "\(builder.string)"])
    case .epochEnding(let handover):
      logger.notice(
        "The epoch ends with the open jobs; new ones are not taken",
        metadata: ["group": "\(handover)", "openJobs": "\(replica.state.openJobs.count)"])
    case .epochEnded(let next, _, let index):
      logger.notice("Handed over", metadata: ["epoch": "\(next.epoch)", "index": "\(index)"])
    case .refused(let entry, let reason):
      logger.debug("Refused", metadata: ["entry": "\(entry)", "reason": "\(reason)"])
    }
  }

  /// What is of use to whoever runs the node.
  private func tell(_ event: LedgerEvent) {
    guard let observer else { return }
    switch event {
    case .ordered(let job, let spec, _): observer(.ordered(job: job, package: spec.package))
    case .committed(let job, let builder): observer(.committed(job: job, builder: builder))
    case .abstained(let job, let builder): observer(.abstained(job: job, builder: builder))
    case .revealPhase(let job): observer(.revealing(job: job))
    case .revealed(let job, let builder, _): observer(.revealed(job: job, builder: builder))
    case .verdict(let job, let verdict, _, _, let index):
      observer(.verdict(job: job, verdict))
      observer(.logged(job: job, index: index))
    case .misbehaviourLogged(let record, _, _):
      observer(.misbehaviour(member: record.member, kind: Text(record.kind.rawValue)))
    case .epochEnded: observer(.epochEnded(configuration.group.epoch))
    case .wrongOpening, .doubleCommitment, .misbehaviour, .proposed, .approved, .epochEnding, .refused: break
    }
  }

  private func note(_ message: Logger.Message, _ job: Digest, _ builder: Text) {
    logger.info(message, metadata: ["job": "\(job)", "builder": "\(builder.string)"])
  }

  // MARK: This builder's part

  /// Does what an open job wants of this builder next: rebuild, commit, or reveal. Safe to call again at any time.
  func resume(_ job: Digest) {
    guard !hasEnded, !replica.isObserving, case .open(let open) = replica.state.job(job) else { return }
    do throws(PluginError) {
      let stored = try journal.get(.attempt, job.bytes)
      if open.phase == .commit, open.steps[own.index] == .waiting {
        // What was ordered up to there may have been answered already, by a life that is forgotten.
        guard open.orderedHeight > replica.observedHeight else { return }
        guard let stored else {
          return build(job, open)
        }
        let record = try PluginError.refusing { () throws(ProofError) in try AttemptRecord.decode(stored) }
        if let record { submit(try commitment(of: record)) } else { submit(try abstention(from: job)) }
      } else if open.steps[own.index] == .committed, let stored {
        let record = try PluginError.refusing { () throws(ProofError) in try AttemptRecord.decode(stored) }
        guard let record, record.reveal.commitment == open.commitment(ofMember: own.index) else {
          // To open another commitment than the decided one would be a signed wrong opening: better to stay silent.
          return logger.error("The stored attempt is not what this builder committed to", metadata: ["job": "\(job)"])
        }
        keep(job, record)
      }
    } catch {
      fail(error)
    }
  }

  /// Waits for the artifacts of a commitment to be on the disk, so that whoever asks for them after a power cut finds
  /// them, then opens it, if it is time. The commitment left without that wait: the others' builds last longer.
  private func keep(_ job: Digest, _ record: AttemptRecord) {
    guard !rebuilding.contains(job), keeping.insert(job).inserted else { return }
    let digests = record.reveal.outcome.artifacts.map(\.sha256)
    Task { [workshop] in
      let lost = await BlockingThread.run { () throws(PluginError) in try workshop.artifacts.keep(digests) }
      self.kept(job, record, lost)
    }
  }

  private func kept(_ job: Digest, _ record: AttemptRecord, _ lost: Result<[Digest], PluginError>) {
    keeping.remove(job)
    guard !hasEnded, !replica.isObserving, case .open(let open) = replica.state.job(job),
      open.steps[own.index] == .committed
    else { return }
    var log = logger
    log[metadataKey: "job"] = "\(job)"
    do throws(PluginError) {
      let lost = try lost.get()
      if lost.isEmpty {
        if open.phase == .reveal { submit(try reveal(of: record)) }
        return
      }
      log.warning("\(lost.count) of the artifacts that this builder has committed to are not on the disk")
    } catch {
      log.error("Artifacts that this builder has committed to cannot be kept: \(error.message)")
    }
    rebuild(job, log)
  }

  /// The same spec gives the same artifacts again, at once and then behind each of the pauses; no others are opened.
  private func rebuild(_ job: Digest, _ log: Logger) {
    let number = rebuilds[job] ?? 0
    guard number <= configuration.faultPauses.count else { return }
    rebuilds[job] = number + 1
    guard number < configuration.faultPauses.count || number == 0 else {
      return log.error("This builder does not open its commitment: its artifacts cannot be kept")
    }
    let pause = number == 0 ? Duration.zero : configuration.faultPauses[number - 1]
    rebuilding.insert(job)
    Task {
      try? await Task.sleep(for: pause)
      guard !self.hasEnded, case .open(let open) = self.replica.state.job(job) else { return }
      self.build(job, open, deadlineMilliseconds: .max)
    }
  }

  /// A build of what was committed to already: other artifacts are of no use.
  private func rebuilt(_ job: Digest, _ outcome: Outcome?, _ record: AttemptRecord?) {
    guard rebuilding.remove(job) != nil, let outcome, let record, outcome != record.reveal.outcome else { return }
    rebuilds[job] = .max
    logger.error(
      "This builder does not open its commitment: its artifacts are lost, and a second build gave others",
      metadata: ["job": "\(job)"])
  }

  /// - Parameter deadlineMilliseconds: After it nobody counts the outcome; Unix, the commit phase's if `nil`.
  private func build(_ id: Digest, _ open: OpenJob, deadlineMilliseconds: UInt64? = nil) {
    let job = BuildQueue.Job(
      id: id, spec: open.spec, submitter: replica.state.submitter(of: open),
      deadlineMilliseconds: deadlineMilliseconds ?? open.deadlineMilliseconds, priority: priorities[id] ?? 0)
    let spec = open.spec
    Task { [runner] in await runner?.enqueue(job, spec) }
  }

  /// Nobody counts an outcome of the job any more.
  private func forget(_ job: Digest) {
    priorities[job] = nil
    rebuilds[job] = nil
    rebuilding.remove(job)
    Task { [runner] in await runner?.drop(job) }
  }

  /// Keeps what the build gave, durably, before the commitment leaves: after a crash the same outcome is revealed.
  ///
  /// A stored attempt is never replaced: its commitment may have left already.
  func finished(_ job: Digest, _ outcome: Outcome?) {
    defer { sweepData() }
    guard !hasEnded, case .open = replica.state.job(job) else { return }
    do throws(PluginError) {
      if let stored = try journal.get(.attempt, job.bytes) {
        let record = try PluginError.refusing { () throws(ProofError) in try AttemptRecord.decode(stored) }
        rebuilt(job, outcome, record)
        return resume(job)
      }
      let record: AttemptRecord? = if let outcome { try attemptRecord(job, outcome) } else { nil }
      var batch = StorageBatch()
      batch.put(.attempt, job.bytes, AttemptRecord.encode(record))
      try journal.write(batch, durable: true)
    } catch {
      return fail(error)
    }
    resume(job)
  }

  private func attemptRecord(_ job: Digest, _ outcome: Outcome) throws(PluginError) -> AttemptRecord {
    var generator = SystemRandomNumberGenerator()
    let nonce = (0..<ProofLimits.nonceBytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return try PluginError.refusing { () throws(ProofError) in
      AttemptRecord(
        reveal: try Reveal(
          group: configuration.group.origin, job: job, builder: configuration.name, outcome: outcome, nonce: nonce,
          statement: statement))
    }
  }

  private func commitment(of record: AttemptRecord) throws(PluginError) -> Entry {
    let reveal = record.reveal
    let message = Entry.commitmentSignedBytes(
      job: reveal.job, builder: reveal.builder, commitment: reveal.commitment, chainID: configuration.group.chainID)
    return .commitment(
      SignedCommitment(
        job: reveal.job, builder: reveal.builder, commitment: reveal.commitment,
        signature: try plugins.signer.sign(message, as: .builder)))
  }

  private func reveal(of record: AttemptRecord) throws(PluginError) -> Entry {
    let signature = try plugins.signer.sign(record.reveal.signedBytes(), as: .builder)
    let message = Entry.revealSignedBytes(
      record.reveal, signature: signature, chainID: configuration.group.chainID)
    return .reveal(
      SignedReveal(
        reveal: record.reveal, signature: signature,
        entrySignature: try plugins.signer.sign(message, as: .builder)))
  }

  private func abstention(from job: Digest) throws(PluginError) -> Entry {
    let message = Entry.abstentionSignedBytes(
      job: job, builder: configuration.name, chainID: configuration.group.chainID)
    return .abstention(
      SignedAbstention(
        job: job, builder: configuration.name, signature: try plugins.signer.sign(message, as: .builder)))
  }

  func submit(_ entry: Entry) { process([.submit([entry.encode()])]) }
}
