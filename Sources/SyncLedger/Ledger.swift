import HashTreeCollections
import SyncProof

/// The replicated build protocol as a value: decided blocks in, events and evidence leaves out.
///
/// Every replica applies the same blocks and gets the same events, the same leaves, the same root. Nothing else goes
/// in: no clock, no randomness, no files. Time is what decided blocks say it is.
///
/// A copy is made for each speculative block, so all that grows is in persistent maps and shared with the parent: one
/// costs a few words, a change O(log n). Closed jobs keep what lookups and duplicates need; the rest is in the log.
///
/// Complexity: an entry costs its parsing, at most two Ed25519 checks, and O(members); an accusation three, or as many
/// as the certificates have that it calls forged.
public struct Ledger: Sendable {
  public let group: Group
  let chainID: Digest
  /// Checks a signature. What is put here in its place is the same check, with a memory: a node's own, or in a
  /// simulation one for all replicas of the process.
  package var acceptsSignature: @Sendable (PublicKey, Signature, [UInt8]) -> Bool = { $0.accepts($1, on: $2) }
  /// Whether a replica's record proves what it says: the consensus' own statements are not the ledger's to read. A pure
  /// function, the same on every replica.
  let judge: @Sendable (MisbehaviourRecord, Group) -> Bool

  var log = MerkleFrontier()
  var open: TreeDictionary<Digest, OpenJob> = [:]
  var closed: TreeDictionary<Digest, ClosedJob> = [:]
  var committing = JobQueue()
  var revealing = JobQueue()
  /// What each member's open submissions use, in the order of the members.
  var shares: [Share]
  var sequence: UInt64 = 0
  /// For the next epoch, in the order in which they were ordered.
  var proposals: [Proposal] = []
  /// The proposal that ends the epoch.
  var ending: Int?
  /// The hand-over stands in the log: nothing is taken any more.
  var isOver = false
  /// Of which kinds the log has a record against each member, as ``MisbehaviourRecord/Kind/bit``s.
  var accused: [UInt8]
  /// Of the last block; the time of a block before it would be taken for it.
  var timeMilliseconds: UInt64 = 0

  struct Share: Sendable {
    var jobs = 0
    var specBytes = 0
  }

  /// The ledger of a group's epoch at its beginning: with an empty log, or behind the epochs before.
  ///
  /// - Parameter judge: Whether a record of a replica's misbehaviour proves what it says, in a group. Pure; without it
  ///   none is taken.
  public init(
    group: Group, history: LedgerHistory = LedgerHistory(),
    judge: @escaping @Sendable (MisbehaviourRecord, Group) -> Bool = { _, _ in false }
  ) {
    self.group = group
    self.judge = judge
    chainID = group.chainID
    shares = Array(repeating: Share(), count: group.members.count)
    accused = Array(repeating: 0, count: group.members.count)
    log = history.log
    closed = TreeDictionary(uniqueKeysWithValues: history.closed)
  }

  /// Leaves in the log.
  public var logSize: UInt64 { log.size }
  /// RFC 6962 root of the log's ``logSize`` leaves.
  public var logRoot: Digest { log.root }

  /// The earliest deadline of an open job, Unix milliseconds: the state wants a block with this time even if nothing
  /// else is to be ordered. `nil` without open jobs.
  public var nextDeadlineMilliseconds: UInt64? {
    switch (committing.head?.deadlineMilliseconds, revealing.head?.deadlineMilliseconds) {
    case (let commit?, let reveal?): min(commit, reveal)
    case (let commit, let reveal): commit ?? reveal
    }
  }

  /// `nil` for a job that was never ordered.
  public func job(_ id: Digest) -> JobState? {
    if let job = open[id] { return .open(job) }
    return closed[id].map { .closed($0) }
  }

  /// Open jobs in the order in which they were ordered; O(m log m) for m open jobs.
  public var openJobs: [Digest] {
    open.map { (sequence: $0.value.order.sequence, id: $0.key) }.sorted { $0.sequence < $1.sequence }.map(\.id)
  }

  /// Name of the member that submitted an open job.
  public func submitter(of job: OpenJob) -> Text { group.members[job.order.submitter].name }

  /// Whether the entry would change the state if it were ordered next, its time aside.
  ///
  /// What a replica does not admit it neither keeps nor proposes; ``apply(entries:height:timeMilliseconds:)`` asks the
  /// same question again, since a block may hold anything.
  public func admits(_ entry: [UInt8]) -> Bool {
    switch step(for: entry) {
    case .refuse: false
    default: true
    }
  }

  /// Why ``admits(_:)`` says no; `nil` where it says yes.
  public func refusal(of entry: [UInt8]) -> Refusal? {
    if case .refuse(let reason) = step(for: entry) { reason } else { nil }
  }

  /// Applies one block: first what its time ends, then its entries in order, each phase ending as soon as it is
  /// complete.
  ///
  /// Total: bytes that are no valid entry are skipped with ``LedgerEvent/refused(entry:reason:)``.
  ///
  /// - Parameters:
  ///   - height: Of the block; it stands in the evidence.
  ///   - timeMilliseconds: Of the block, Unix time. The consensus lets it only grow; were it to go back, the last
  ///     block's time would count.
  public mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [LedgerEvent] {
    self.timeMilliseconds = max(self.timeMilliseconds, timeMilliseconds)
    var block = Block(height: height, timeMilliseconds: self.timeMilliseconds)
    endOverduePhases(&block)
    endEpochIfDrained(&block)
    for entry in entries {
      take(step(for: entry), of: entry, &block)
      endEpochIfDrained(&block)
    }
    return block.events
  }

  /// What is known of the block that is being applied, and what it has done so far.
  struct Block {
    let height: UInt64
    let timeMilliseconds: UInt64
    var events: [LedgerEvent] = []
  }
}
