import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import SyncConsensus
import SyncLedger
import SyncProof
import Synchronization

extension Ledger: StateMachine {
  public func mayAdmitLater(_ entry: [UInt8]) -> Bool { refusal(of: entry)?.mayPass ?? true }
}

/// One member of a group: replica, builder, cosigner and keeper of the log, in one process.
///
/// The node owns the consensus core and performs its effects in the order given: what must be durable is durable
/// before anything leaves. It runs on the event loop it was given, one step at a time; every public method may be
/// called from any thread.
public actor Node: NodeView, Service {
  static let mailboxBytesMaxPerPeer = 32 << 20
  static let submissionsMax = 16
  static let prioritiesMax = 10_000
  static let shareInterval = TimeAmount.seconds(2)
  public static let version = "0.1.0"

  let configuration: NodeConfiguration
  let plugins: NodePlugins
  let logger: Logger
  let own: (index: Int, member: GroupMember)
  let journal: Journal
  let workshop: Workshop
  let divergences: DivergenceStore
  let statement: BuilderStatement
  let observer: (@Sendable (NodeEvent) -> Void)?
  let executor: NodeExecutor
  /// The status that ``currentStatus()`` told last.
  nonisolated let toldStatus = Mutex<(status: NodeStatus, figures: NodeStatus.Figures)?>(nil)

  var board: JobBoard { followed.board }
  var log: TransparencyLog { followed.log }

  let room: ConsensusRoom
  var replica: Replica<Ledger>
  /// The epoch before this one.
  var past: PastEpoch?
  /// The group of the next epoch, once this node has done what there is to do for its own.
  var entered: Group?
  /// The epoch is over, and this builder is no member of the next.
  var isRetired = false
  /// The next epoch's group, once the end of this one is stored; the node stays a moment longer.
  var enters: Group?
  var handoverTask: Scheduled<Void>?
  /// When each peer last asked for a proof or gave one, monotonic nanoseconds.
  var handoverTimes: [String: UInt64] = [:]
  /// Kept from the epochs before.
  let formerMisbehaviours: [MisbehaviourStatus]
  var isStopping = false
  var followed: FollowedLog
  /// Of the newest snapshot: its height and size; and about how many bytes of blocks came behind it.
  var snapshotHeight: UInt64
  var snapshotBytes: Int
  var bytesSinceSnapshot = 0
  var assembler: CheckpointAssembler
  var runner: BuildRunner?
  var desk: DivergenceDesk?
  let sweeper: DataSweeper
  var isSweeping = false
  /// Rooms that the last sweep could not bring below their bound; each is told once.
  var fullRooms: [String] = []
  /// Told at submission, for open jobs only; a restart forgets them.
  var priorities: [Digest: Int] = [:]
  /// Open jobs whose artifacts are waited for until they are on the disk.
  var keeping: Set<Digest> = []
  /// Those whose artifacts were lost behind the commitment: how often they were built again, and whether they are now.
  var rebuilds: [Digest: Int] = [:]
  var rebuilding: Set<Digest> = []
  /// What else must stay on disk, beside what open jobs and running builds need.
  var pinned: [@Sendable () async -> DataPins] = []
  var connected: Set<String> = []
  /// Those that open jobs name, as the file ``NodeToolchains`` has them.
  var openToolchains: Set<Digest> = []
  var submissions = 0
  /// Views of which this node, which is of one epoch, has signed a timeout, and the last of them.
  var viewsGivenUp: UInt64 = 0
  var viewGivenUp: UInt64 = 0
  /// Height at which this node last looked for what it can prove and the log has not, and how many blocks later it does
  /// again.
  var accusedHeight: UInt64 = 0
  static let accusationBlocks: UInt64 = 64
  var inputs: [Input] = []
  var isProcessing = false
  private var wakeUp: (at: UInt64, task: Scheduled<Void>)?
  private var shareTask: Scheduled<Void>?
  private var failure: PluginError?
  private var isStopped = false
  private var isEnding = false
  private var ended: AsyncStream<Void>.Continuation?
  /// While the transport starts, which a plugin's may do for a minute.
  private var starting: Task<Result<Void, PluginError>, Never>?
  private let mailbox = Mailbox<TransportEvent>(bytesMaxPerSender: Node.mailboxBytesMaxPerPeer)

  /// Where a task asks this node without a change of threads; it must not block there.
  nonisolated public let taskExecutor: any TaskExecutor

  nonisolated public var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Opens the journal and starts from its last snapshot and the decided blocks behind that.
  ///
  /// - Parameter observer: Told of what happens, on the node's event loop, which waits for it: it returns at once.
  /// - Throws: ``PluginError/Code/invalid`` when the signer's keys are not the group's, ``PluginError/Code/io`` when
  ///   the journal cannot be read or does not check.
  public init(
    configuration: NodeConfiguration, plugins: NodePlugins, logger: Logger,
    observer: (@Sendable (NodeEvent) -> Void)? = nil
  ) throws(PluginError) {
    var logger = logger
    logger[metadataKey: "node"] = "\(configuration.name.string)"
    var configuration = configuration
    configuration.group = try Node.currentGroup(file: configuration.group, storage: plugins.storage)
    let own = try configuration.ownMember(signer: plugins.signer)
    let journal = Journal(plugins.storage)
    try Node.sweep(configuration.dataDirectory)
    let recovered = try Node.recover(configuration, own.index, journal, logger)
    past = recovered.past
    room = ConsensusRoom(epoch: configuration.group.epoch)
    formerMisbehaviours = try FormerMisbehaviours.read(journal)

    self.configuration = configuration
    self.plugins = plugins
    self.logger = logger
    self.observer = observer
    self.own = own
    self.journal = journal
    replica = recovered.replica
    followed = recovered.followed
    (snapshotHeight, snapshotBytes) = (recovered.snapshotHeight, recovered.snapshotBytes)
    executor = NodeExecutor(plugins.eventLoop)
    taskExecutor = NodeExecutor.Tasks(executor)
    assembler = CheckpointAssembler(
      group: configuration.group, ownName: configuration.name,
      published: try Node.publishedNote(journal, recovered.followed.log.size))
    workshop = Workshop(
      sandbox: plugins.sandbox, source: plugins.source,
      artifacts: try ArtifactStore(root: configuration.dataDirectory + "/artifacts"),
      directory: configuration.dataDirectory, transcripts: TranscriptStore(configuration),
      toolchainDirectories: configuration.toolchainDirectories)
    divergences = DivergenceStore(directory: configuration.dataDirectory, retention: configuration.retention)
    sweeper = DataSweeper(
      directory: configuration.dataDirectory, policy: configuration.dataPolicy, holds: workshop.holds)
    statement = BuilderStatement.ofThisHost(sandbox: plugins.sandbox)
  }

  /// Takes part in the group until the service group shuts down, the task is cancelled or the journal fails.
  ///
  /// - Throws: ``PluginError`` when the port is taken, or when the journal failed: then nothing was signed that is
  ///   not stored, and the node may be started again once the cause is removed.
  public func run() async throws {
    let (ends, continuation) = AsyncStream<Void>.makeStream()
    ended = continuation
    if isEnding { continuation.finish() }
    do {
      try await start()
      await cancelWhenGracefulShutdown {
        for await _ in ends { break }
      }
    } catch {
      await stop()
      // Whoever ends it while it starts wants no transport any more.
      if isEnding, failure == nil, error.code == .cancelled { return }
      throw error
    }
    await stop()
    if let failure { throw failure }
  }

  private func start() async throws(PluginError) {
    runner = BuildRunner(
      workshop: workshop, capacity: configuration.capacity, pauses: configuration.faultPauses, logger: logger,
      finished: { [weak self] job, outcome in await self?.finished(job, outcome) })
    let exchange = openDesk()
    try journal.settle()
    try sweepAttempts()
    process([.start])
    try await startTransport { [weak self, mailbox] event in
      let mustWake =
        switch event {
        case .message(let sender, let bytes) where bytes.first == MessageRoom.artifact.rawValue:
          exchange.take(Array(bytes.dropFirst()), from: sender)
        case .message(let sender, let bytes): mailbox.put(event, from: sender, bytes: bytes.count)
        case .connected, .disconnected: mailbox.put(event, from: nil, bytes: 0)
        }
      if mustWake { Task { await self?.drain() } }
    }
    logger.info("Started", metadata: ["height": "\(replica.head.height)", "logSize": "\(log.size)"])
    try noteOpenToolchains()
    for job in replica.state.openJobs { resume(job) }
    accuse()
    sweepData()
    if log.size > 0 { beginCheckpoint() }
    endEpoch()
    observer?(.started)
  }

  private func startTransport(_ deliver: @escaping @Sendable (TransportEvent) -> Void) async throws(PluginError) {
    let task = Task { [transport = plugins.transport] () -> Result<Void, PluginError> in
      do throws(PluginError) { return .success(try await transport.start(deliver: deliver)) } catch {
        return .failure(error)
      }
    }
    starting = task
    if isEnding { task.cancel() }
    let result = await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
    starting = nil
    try result.get()
  }

  private func stop() async {
    logger.info("Stopping")
    isStopping = true
    await plugins.transport.stop()
    await runner?.stop()
    _ = await BlockingThread.run { [workshop] () throws(PluginError) in workshop.artifacts.settle() }
    await desk?.stop()
    // From here on nothing is stepped any more: the journal is about to close.
    isStopped = true
    wakeUp?.task.cancel()
    shareTask?.cancel()
    handoverTask?.cancel()
    journal.close()
  }

  /// Ends the node after an error beyond which nothing may be signed.
  func fail(_ error: PluginError) {
    guard failure == nil else { return }
    logger.critical("Stopping: \(error.message)")
    failure = error
    observer?(.fault(error))
    ended?.finish()
  }

  /// Ends the node without an error; one that does not run yet ends as soon as it has started.
  public func finish() {
    isEnding = true
    starting?.cancel()
    ended?.finish()
  }

  /// For a node that does not run, or no longer: closes transport and journal, and needs the event loop no more.
  /// What is asked of it behind that is answered on another thread.
  public nonisolated func close() async {
    await plugins.transport.stop()
    await closeJournal()
    await executor.close()
  }

  private func closeJournal() {
    isStopped = true
    journal.close()
  }

  /// Whether nothing may be stepped, signed or stored any more.
  var hasEnded: Bool { isClosed || entered != nil }

  /// Whether the journal has failed, or is closed.
  private var isClosed: Bool { failure != nil || isStopped }

  // MARK: Inputs

  private func drain() {
    var batch: [Input] = []
    for event in mailbox.takeAll() {
      // What it has failed at, or closed, is not asked again.
      guard !isClosed else { return }
      switch event {
      case .message(let sender, let bytes): receive(bytes, from: sender, into: &batch)
      case .connected(let sender):
        connected.insert(sender)
        logger.debug("Connected", metadata: ["peer": "\(sender)"])
        if let peer = index(of: sender) { batch.append(.peerConnected(peer)) }
        greetInPast(sender)
        sendOwnShare(to: sender, asks: true)
      case .disconnected(let sender):
        connected.remove(sender)
        logger.debug("Disconnected", metadata: ["peer": "\(sender)"])
      }
    }
    process(batch)
  }

  private func receive(_ bytes: [UInt8], from sender: String, into batch: inout [Input]) {
    guard let room = bytes.first.flatMap(MessageRoom.init), let peer = index(of: sender) else { return }
    switch room {
    case .consensus:
      let message = Array(bytes.dropFirst())
      if epochOfMessage(message) == past?.group.epoch, past != nil {
        receiveFromPast(message, from: sender)
      } else {
        batch.append(.message(from: peer, message))
      }
    case .handover: receiveHandover(Array(bytes.dropFirst()), from: sender)
    case .checkpoint: receiveShare(Array(bytes.dropFirst()), from: sender)
    // Goes to the exchange before it comes here.
    case .artifact: break
    }
  }

  func index(of name: String) -> ReplicaIndex? {
    configuration.group.members.firstIndex { $0.name == Text(name) }.map { ReplicaIndex(rawValue: UInt16($0)) }
  }

  /// Arms the one timer of the consensus; an idle group has none.
  func scheduleWakeUp() {
    let wanted = hasEnded ? nil : replica.nextWakeUp
    guard wanted != wakeUp?.at else { return }
    wakeUp?.task.cancel()
    wakeUp = wanted.map { at in
      let task = plugins.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(at)) { [weak self] in
        _ = Task { await self?.wake() }
      }
      return (at, task)
    }
  }

  /// What waits comes first: a node that was held up, by its disk or its host, would give up a view whose certificate
  /// it has got.
  private func wake() {
    wakeUp = nil
    drain()
    process([.wakeUp])
  }

  // MARK: Checkpoints

  /// Signs the newest tree head, as the log and as a cosigner, and hands the signatures to the others.
  func beginCheckpoint() {
    guard !replica.isObserving else { return }
    let checkpoint = Checkpoint(origin: configuration.group.origin, treeSize: log.size, root: log.root)
    let body = checkpoint.body()
    let timestamp = Clock.now().wallMilliseconds / 1_000
    do throws(PluginError) {
      let share = CheckpointShare(
        wantsAnswer: true, treeSize: checkpoint.treeSize, root: checkpoint.root,
        logSignature: try plugins.signer.sign(body, as: .log), timestamp: timestamp,
        cosignature: try plugins.signer.sign(Cosignature.message(timestamp: timestamp, body: body), as: .cosigner))
      publish(try PluginError.refusing { () throws(ProofError) in try assembler.begin(checkpoint, own: share) })
      shareOwn()
    } catch {
      logger.error("Cannot sign the checkpoint of size \(checkpoint.treeSize): \(error.message)")
    }
  }

  private func receiveShare(_ bytes: [UInt8], from sender: String) {
    do throws(ProofError) {
      let share = try CheckpointShare(parsing: bytes)
      publish(try assembler.add(share, from: Text(sender)))
      // An answer asks for nothing, else two nodes without a quorum would answer each other for ever.
      if share.wantsAnswer { sendOwnShare(to: sender, asks: false) }
    } catch {
      logger.warning("Refused a checkpoint share: \(error.message)", metadata: ["peer": "\(sender)"])
    }
  }

  private func publish(_ note: [UInt8]?) {
    guard let note, !isClosed, let published = assembler.published else { return }
    var batch = StorageBatch()
    batch.put(.value, Node.checkpointKey, note)
    do {
      try journal.write(batch, durable: false)
    } catch {
      return fail(error)
    }
    logger.info("Cosigned", metadata: ["treeSize": "\(published.treeSize)"])
    observer?(.cosigned(treeSize: published.treeSize))
    endEpoch()
  }

  /// Sends the own share to all, and again from time to time until a quorum has answered.
  private func shareOwn() {
    for member in configuration.group.members where member.name != configuration.name {
      sendOwnShare(to: member.name.string, asks: true)
    }
    shareTask?.cancel()
    guard assembler.isWaiting, !hasEnded else { return }
    shareTask = plugins.eventLoop.scheduleTask(in: Node.shareInterval) { [weak self] in
      _ = Task { await self?.shareOwnAgain() }
    }
  }

  private func shareOwnAgain() {
    if assembler.isWaiting { shareOwn() }
  }

  private func sendOwnShare(to peer: String, asks: Bool) {
    guard var share = assembler.ownShare else { return }
    share.wantsAnswer = asks && assembler.isWaiting
    plugins.transport.send(MessageRoom.checkpoint.frame(share.encode()), to: peer)
  }

  static let checkpointKey = [UInt8]("checkpoint".utf8)

  /// The stored note, unless the log that was replayed is shorter than it: then it belongs to another journal.
  private static func publishedNote(_ journal: Journal, _ logSize: UInt64) throws(PluginError) -> (
    note: [UInt8], treeSize: UInt64
  )? {
    guard let note = try journal.get(.value, checkpointKey) else { return nil }
    let size = try PluginError.refusing { () throws(ProofError) in
      try Checkpoint(parsingBody: try SignedNote(parsing: note).text).treeSize
    }
    guard size <= logSize else {
      throw PluginError(
        .io,
        "The journal holds a checkpoint of \(size) leaves but blocks for \(logSize) only: it is not"
          + " whole. Do not vote with it: move it away, with what is beside it, and start with --restored"
      )
    }
    return (note, size)
  }
}

/// Who a message between nodes is for; its first byte.
enum MessageRoom: UInt8 {
  case consensus = 1
  case checkpoint = 2
  /// Requests for artifacts and answers: what the group can do without.
  case artifact = 3
  /// The question for the proof of the hand-over that ended an epoch, and the proof.
  case handover = 4

  func frame(_ body: [UInt8]) -> [UInt8] { [rawValue] + body }
}

enum Clock {
  static func now() -> Instant {
    var wall = timespec()
    clock_gettime(CLOCK_REALTIME, &wall)
    let milliseconds = UInt64(max(0, wall.tv_sec)) * 1_000 + UInt64(max(0, wall.tv_nsec)) / 1_000_000
    return Instant(
      monotonicNanoseconds: NIODeadline.now().uptimeNanoseconds, wallMilliseconds: milliseconds)
  }
}

extension PluginError {
  /// Runs a pure function and says its refusal in the shell's terms.
  static func refusing<T>(_ body: () throws(ProofError) -> T) throws(PluginError) -> T {
    do {
      return try body()
    } catch {
      throw PluginError(.invalid, error.message)
    }
  }
}
