import Logging
import SyncConsensus
import SyncLedger
import SyncProof

/// What a node shows: ``NodeView``.
extension Node {
  private var publishedSize: UInt64 { assembler.published?.treeSize ?? 0 }

  public func status() -> NodeStatus {
    NodeStatus(
      name: configuration.name.string, origin: configuration.group.origin.string, version: Node.version,
      epoch: configuration.group.epoch, view: replica.currentView, height: replica.head.height, logSize: log.size,
      checkpointSize: publishedSize, openJobs: replica.state.openJobs.count, connectedPeers: connected.sorted(),
      replicas: configuration.group.members.count, quorum: configuration.group.quorum,
      misbehaved: Set(misbehaviours().map(\.member)).sorted(),
      isObserving: replica.isObserving, viewsGivenUp: viewsGivenUp)
  }

  /// ``status()``, which is told without asking the node where nothing has happened there since it was told last: an
  /// idle node's costs no change of threads. Thread: any.
  nonisolated public func currentStatus() async -> NodeStatus {
    if let told = unchangedStatus { return told }
    return await noteStatus()
  }

  /// The status that was told last, if nothing has happened since; thread: any, and waits for nothing.
  nonisolated public var unchangedStatus: NodeStatus? {
    executor.isUntouched ? toldStatus.withLock { $0?.status } : nil
  }

  /// Its numbers.
  nonisolated public var unchangedFigures: NodeStatus.Figures? {
    executor.isUntouched ? toldStatus.withLock { $0?.figures } : nil
  }

  /// Runs a short piece of work on the node's own thread, and without a task: for a thread that waits for it.
  /// Thread: any.
  nonisolated public func run(_ work: @escaping @Sendable (isolated Node) -> Void) {
    executor.run { self.assumeIsolated { work($0) } }
  }

  /// ``status()``, kept for ``unchangedStatus``.
  public func noteStatus() -> NodeStatus {
    let status = status()
    toldStatus.withLock { $0 = (status, status.figures) }
    executor.noteUntouched()
    return status
  }

  /// Of replicas, then of builders.
  private var misbehaviourProofs: [MisbehaviourProof] {
    replica.misbehaviours.map { MisbehaviourProof($0, of: configuration.group) }
      + board.misbehaviours.map { MisbehaviourProof($0, of: configuration.group) }
  }

  /// What this node has seen itself, in this epoch and those before, then what the log alone has.
  public func misbehaviours() -> [MisbehaviourStatus] {
    var known: [MisbehaviourStatus] = []
    func note(_ member: String, _ kind: String, _ place: String, _ proof: @autoclosure () -> String) {
      guard !known.contains(where: { $0.member == member && $0.kind == kind }) else { return }
      let index = MisbehaviourProof.Kind(rawValue: kind).flatMap { board.index(ofMisbehaviour: $0, by: Text(member)) }
      known.append(MisbehaviourStatus(member: member, kind: kind, place: place, proof: proof(), index: index))
    }
    for former in formerMisbehaviours { note(former.member, former.kind, former.place, former.proof) }
    for proof in misbehaviourProofs {
      note(
        proof.member.string, proof.kind.rawValue, proof.place, String(decoding: proof.encode(), as: UTF8.self))
    }
    for (record, index) in board.loggedMisbehaviours {
      let bytes = record.encode()
      // Of an earlier epoch, whose group file is not here, the leaf is all that can be told.
      let place = (try? MisbehaviourProof(parsing: bytes, group: configuration.group))?.place ?? "leaf \(index)"
      note(record.member.string, record.kind.rawValue, place, String(decoding: bytes, as: UTF8.self))
    }
    return known
  }

  /// Hands the group what this replica can prove against others and the log of this epoch has not: as it is found, at
  /// the start, and from time to time, since a pool may have been full.
  func accuse(_ proofs: [Misbehaviour]? = nil) {
    accusedHeight = replica.head.height
    let entries = (proofs ?? replica.misbehaviours).compactMap { proof -> [UInt8]? in
      let record = MisbehaviourProof(proof, of: configuration.group).record
      let isLogged = board.loggedMisbehaviours.contains {
        $0.record.member == record.member && $0.record.kind == record.kind && $0.record.chainID == record.chainID
      }
      return isLogged ? nil : Entry.accusation(record).encode()
    }
    if !entries.isEmpty { process([.submit(entries)]) }
  }

  public func jobs(limit: Int, before: Digest?) -> [JobStatus] {
    board.list(limit: min(max(limit, 1), 1_000), before: before, publishedSize: publishedSize)
  }

  public func checkpoint() -> [UInt8]? { assembler.published?.note }

  public func tile(level: Int, index: UInt64, width: Int) throws(PluginError) -> [UInt8]? {
    try log.tile(level: level, index: index, width: width, treeSize: publishedSize)
  }

  public func entryBundle(index: UInt64, width: Int) throws(PluginError) -> [UInt8]? {
    try log.entryBundle(index: index, width: width, treeSize: publishedSize)
  }

  public func proof(job: Digest) throws(PluginError) -> [UInt8]? {
    guard let index = board.indexes[job], let published = assembler.published else { return nil }
    return try log.proof(index: index, published)
  }

  public func artifactPath(_ sha256: Digest) -> String? {
    let path = workshop.artifacts.path(of: sha256)
    if let path { LastUse.touch(path) }
    return path
  }

  public func submit(_ request: SubmitRequest) async throws(PluginError) -> Digest {
    let toolchain = try toolchain(for: request)
    guard submissions < Node.submissionsMax else {
      throw PluginError(
        .unavailable, "\(submissions) submissions are being resolved here already; try again in a moment")
    }
    let normalisations = try Normalisation.parse(request.normalise ?? [])
    submissions += 1
    defer { submissions -= 1 }
    try await workshop.prepareToolchain(toolchain)
    let scratch = "\(configuration.dataDirectory)/resolve/\(UInt64.random(in: 0...UInt64.max))"
    try Folder.make(scratch)
    defer { Folder.remove(scratch) }
    let spec = try await plugins.source.resolve(
      ResolveRequest(
        package: request.package, features: request.features ?? [], selection: request.selection,
        toolchain: toolchain, rebuild: request.rebuild ?? 0, normalise: normalisations), sandbox: plugins.sandbox,
      scratchDirectory: scratch)
    return try submit(spec, priority: request.priority ?? 0)
  }

  private func toolchain(for request: SubmitRequest) throws(PluginError) -> Digest {
    if let text = request.toolchain {
      guard let digest = Digest(hex: text) else {
        throw PluginError(.invalid, "A toolchain is named by 64 lower-case hexadecimal digits, not by '\(text)'")
      }
      return digest
    }
    let type = request.package.dropFirst("pkg:".count).prefix { $0 != "/" }
    guard let toolchain = configuration.toolchains[String(type)] ?? configuration.toolchain else {
      throw PluginError(
        .unavailable,
        "This node has no toolchain for new jobs; make one with 'synchronicity toolchain build' and name its digest"
          + " as `toolchain` in the configuration")
    }
    return toolchain
  }

  /// Signs a spec as this builder and hands it to the group; one that is known already is left as it is.
  ///
  /// - Parameter priority: Where this builder's own queue puts the job among those that were submitted here; the
  ///   higher, the sooner.
  public func submit(_ spec: BuildSpec, priority: Int = 0) throws(PluginError) -> Digest {
    guard !hasEnded, !isStopping else {
      throw PluginError(.unavailable, "This node is stopping; ask another one")
    }
    try PluginError.refusing { () throws(ProofError) in try spec.validate() }
    let job = spec.jobID
    guard board.indexes[job] == nil else { return job }
    if board.status(of: job, publishedSize: 0) != nil {
      prefer(job, priority)
      return job
    }
    let message = Entry.submissionSignedBytes(
      job: job, submitter: configuration.name, chainID: configuration.group.chainID)
    let submission = Submission(
      spec: spec, submitter: configuration.name, signature: try plugins.signer.sign(message, as: .builder))
    let entry = Entry.submission(submission)
    guard !replica.state.isEnding else {
      throw PluginError(
        .unavailable, "The group's epoch is ending, and no new jobs are taken; try again once the next one has begun")
    }
    guard replica.state.admits(entry.encode()) else {
      throw PluginError(
        .unavailable,
        "The group does not take this job now: it may be too large, or this builder has its share of open jobs already"
          + " (\(replica.state.openJobs.count) are open in all); try again later")
    }
    prefer(job, priority)
    submit(entry)
    return job
  }

  private func prefer(_ job: Digest, _ priority: Int) {
    guard priority != 0 || priorities[job] != nil else { return }
    // A job that is admitted and never ordered leaves its priority behind.
    if priorities.count >= Node.prioritiesMax { priorities = priorities.filter { replica.state.job($0.key) != nil } }
    guard priorities.count < Node.prioritiesMax else { return }
    priorities[job] = priority
    Task { [runner] in await runner?.setPriority(priority, of: job) }
  }
}
