import DequeModule
import SyncProof

/// One replica of the group: a value that turns inputs into effects.
///
/// It has no clock, thread, file or randomness: the same inputs at the same instants give the same effects. One
/// driver owns it, feeds it one input at a time and performs the effects in the order given. The rules are those of
/// DiemBFT v4 (two-chain HotStuff with timeout certificates); docs/consensus-protocol.md names the function for each.
public struct Replica<State: StateMachine>: Sendable {
  let configuration: Configuration
  var verifier: Verifier
  var safety: SafetyRules
  var tree: BlockTree<State>
  var pool: Pool

  /// The certificate of the highest view that was verified here.
  var highQC: Certificate
  /// The timeout certificate that led into the current view, where no QC did.
  var highTC: TimeoutCertificate?
  /// The log at the epoch's beginning.
  public let genesisLogSize: UInt64
  public let genesisLogRoot: Digest
  /// Proves the last decided block; `nil` while that is the genesis.
  var finality: Certificate?
  /// Proves a block that is not decided here yet, since ancestors are missing.
  var pendingCommit: Certificate?

  /// One for each author, for the current view and the next.
  var votes: [UInt64: [ReplicaIndex: Vote]] = [:]
  var timeouts: [UInt64: [ReplicaIndex: Timeout]] = [:]
  /// The first proposal of each that may lead a view: the current one, and the one that the highest certificate is
  /// about. Whose turn it is not is dropped as soon as the parent is here, which tells.
  var proposals: [UInt64: [Proposal]] = [:]
  var ownVote: Vote?
  var ownTimeout: Timeout?

  var viewDeadline: UInt64?
  /// When something began to wait for the current view's end, monotonic nanoseconds.
  var viewStart: UInt64?
  var pace = ViewPace()
  /// How often the current view's time was up.
  var resends: UInt64 = 0
  var fetch: Fetch?
  /// The views of blocks that are in the records alone, by their identity.
  var shelf: [Digest: UInt64] = [:]
  /// Peers for which records are being read.
  var loading: Set<ReplicaIndex> = []
  var helped: [ReplicaIndex: Help] = [:]
  /// The newest decided blocks, for peers that are a little behind.
  var recent: Deque<RecentBlock> = []
  var recentBytes = 0

  /// Present while nothing may be signed.
  var observation: Observation?
  /// Whether an observation has ended in this life: whatever it was about is over.
  var hasObserved = false
  /// The height up to which this replica has observed, over all lives: what was ordered up to there may have been
  /// answered by a life that is forgotten.
  public internal(set) var observedHeight: UInt64 = 0

  var kept: [MisbehaviourKey: Misbehaviour] = [:]
  var decidedEntries: Set<Digest> = []
  var hasDecided = false
  var outbox = Outbox<State>()
  var now = Instant(monotonicNanoseconds: 0, wallMilliseconds: 0)
  var haltReason: ConsensusError?

  /// Monotonic nanoseconds at which ``Input/wakeUp`` should be delivered; `nil` while there is nothing to wait for.
  /// Valid until the next step.
  public internal(set) var nextWakeUp: UInt64?

  struct MisbehaviourKey: Hashable, Sendable {
    let offender: ReplicaIndex
    let kind: Misbehaviour.Kind
  }

  struct RecentBlock: Sendable {
    let block: Block
    let finality: Certificate
    let byteCount: Int
  }

  /// The state after the last decided block.
  public var state: State { tree.rootState }
  /// The last decided block; the genesis, of height 0, at first.
  public var head: BlockInfo { tree.root }
  /// The decided time: the last decided block's, Unix milliseconds; 0 for the genesis.
  public var headTimeMilliseconds: UInt64 { tree.rootTimeMilliseconds }
  /// Where this replica would start again, if every block up to ``head`` is durable.
  public var snapshot: Snapshot<State> {
    Snapshot(
      position: SnapshotPosition(height: head.height, block: head.id, standing: tree.rootStanding),
      state: tree.rootState)
  }
  /// Proves ``head``; `nil` for the genesis.
  public var headCertificate: Certificate? { finality }
  /// Names the replicas of the next epoch once the end of this one is decided: nothing is ordered here any more.
  public var nextSetHash: Digest? { head.nextSetHash }
  /// Entered by certificates alone: one above the highest QC or TC.
  public var currentView: UInt64 {
    let highest = max(highQC.view, highTC?.view ?? 0)
    return highest == .max ? .max : highest + 1
  }
  /// Leader of the current view on top of the highest certified block; `nil` while that block is missing here.
  public var leader: ReplicaIndex? { leader(of: currentView, on: highQC.proposed.id) }

  /// Who is passed over on top of the highest certified block: the oldest failure first, at most f.
  public var passedOver: [ReplicaIndex] {
    tree.standing(of: highQC.proposed.id).map { Array($0.passedOver(in: replicas)) } ?? []
  }

  /// Who may propose in `view` on top of `parent`; `nil` while that block is missing here.
  func leader(of view: UInt64, on parent: Digest) -> ReplicaIndex? {
    tree.standing(of: parent)?.leader(of: view, in: replicas)
  }
  /// Why the replica stopped for good; `nil` while it works.
  public var halted: ConsensusError? { haltReason }
  /// Every proof that is kept, ascending by offender and kind.
  public var misbehaviours: [Misbehaviour] {
    kept.values.sorted { ($0.offender, $0.kind.rawValue) < ($1.offender, $1.kind.rawValue) }
  }
  /// Entries that wait here to be ordered.
  public var poolCount: Int { pool.count }
  package var safetyState: SafetyState { safety.state }

  var replicas: ReplicaSet { configuration.set }
  var own: ReplicaIndex { configuration.own }

  /// Takes one input and says what is to be done about it.
  ///
  /// - Complexity: Bounded by the size of the input and of the undecided chain.
  public mutating func step(_ input: Input, now: Instant) -> [Effect<State>] {
    guard haltReason == nil else { return [] }
    self.now = now
    switch input {
    case .start: resignAfterRestart()
    case .message(let peer, let bytes): receive(bytes, from: peer)
    case .submit(let entries): submit(entries)
    case .wakeUp: wake()
    case .signed(let request, let signature): release(request, signature)
    case .peerConnected(let peer): greet(peer)
    case .loaded(let request, let records): serve(request, records)
    }
    advance()
    if let haltReason {
      outbox = Outbox()
      nextWakeUp = nil
      return [.halted(haltReason)]
    }
    return flush()
  }

  /// Everything that may have become possible through the input.
  private mutating func advance() {
    absorbProposals()
    resolveCommit()
    observe()
    refilterPool()
    vote()
    propose()
    shelve()
    advanceFetch()
    armTimer()
  }

  mutating func halt(_ code: ConsensusError.Code, _ message: String) {
    if haltReason == nil { haltReason = ConsensusError(code, message) }
  }

  // MARK: Effects of one step

  private mutating func flush() -> [Effect<State>] {
    var effects = outbox.free
    if !outbox.records.isEmpty || !outbox.durable.isEmpty {
      var records = outbox.lazyRecords + outbox.records
      outbox.lazyRecords = []
      if !outbox.isSafetyStored {
        outbox.isSafetyStored = true
        if !records.contains(where: { $0.key == RecordKey.safety }) { records.append(safety.record) }
      }
      let certificates = SyncInfo(highQC: highQC, highTC: highTC, finality: nil)
      if outbox.storedCertificates != certificates {
        outbox.storedCertificates = certificates
        records.append(StoredRecord(key: RecordKey.pacemaker, value: certificates.encode()))
      }
      effects.append(.persist(records, then: outbox.durable))
    }
    outbox.clear()
    return effects
  }

  /// Everything before a signature: its safety record, then, once that is durable, the signing itself.
  mutating func sign(_ permit: SafetyRules.Permit) {
    outbox.records.append(permit.record)
    outbox.durable.append(.sign(permit.request))
  }

  mutating func send(_ body: Message.Body, to peer: ReplicaIndex) {
    outbox.free.append(.send(to: peer, encode(body)))
  }

  mutating func broadcast(_ body: Message.Body) {
    if replicas.count > 1 { outbox.free.append(.broadcast(encode(body))) }
  }

  private func encode(_ body: Message.Body) -> [UInt8] {
    Message(epoch: replicas.epoch, sync: syncInfo, body: body).encode()
  }

  var syncInfo: SyncInfo {
    let isShown = highQC.commit?.id == head.id
    return SyncInfo(highQC: highQC, highTC: highTC, finality: isShown ? nil : finality)
  }
}

/// What one step wants done, by what has to be durable first.
struct Outbox<State: StateMachine>: Sendable {
  var free: [Effect<State>] = []
  var records: [StoredRecord] = []
  /// Performed once `records` are durable.
  var durable: [Effect<State>] = []
  /// What nobody waits for: written with the next records, before them. A crash loses it, and nothing with it.
  var lazyRecords: [StoredRecord] = []
  var isSafetyStored = false
  var storedCertificates: SyncInfo?

  mutating func clear() {
    free = []
    records = []
    durable = []
  }
}
