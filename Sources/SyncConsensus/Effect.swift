import SyncProof

/// What the driver tells the core, one at a time.
public enum Input: Sendable {
  /// The first input of a process's life, once.
  case start
  /// Bytes from an authenticated peer, whole.
  case message(from: ReplicaIndex, [UInt8])
  /// Entries that somebody handed to this replica; what the state does not admit is dropped. Those that have come at
  /// once, in one input: they leave in one message.
  case submit([[UInt8]])
  /// ``Replica/nextWakeUp`` has come; too early or too often does no harm.
  case wakeUp
  /// The signer's answer to ``Effect/sign(_:)``.
  case signed(SigningRequest, Signature)
  /// A working connection to the peer stands (again): what was sent before may be lost.
  case peerConnected(ReplicaIndex)
  /// Answer to ``Effect/load(_:)``: the records found, ascending by key; fewer than asked for, or none, is an answer.
  case loaded(LoadRequest, [StoredRecord])
}

/// What the core asks the driver to do; effects are performed in the order given.
public indirect enum Effect<State: StateMachine>: Sendable {
  /// Makes the records durable in one transaction, then performs `then` in order; when that fails, the process ends.
  case persist([StoredRecord], then: [Effect<State>])
  /// Signs ``SigningRequest/message`` with the consensus key and feeds back ``Input/signed(_:_:)``; stands only inside
  /// the `then` of a ``persist(_:then:)``.
  case sign(SigningRequest)
  case send(to: ReplicaIndex, [UInt8])
  /// To every other replica of the set.
  case broadcast([UInt8])
  /// A block is final, and durable where it has entries or passes a deadline; of others the record comes with the next
  /// ones. Heights come in order, each once in a process's life.
  case decided(DecidedBlock<State>)
  /// A replica signed what no honest one signs; each kind once for each offender, over all restarts.
  case misbehaviour(Misbehaviour)
  /// The replica signs nothing from here on, or signs again; the record of it is durable.
  case observation(ObservationChange)
  /// Reads records and feeds back ``Input/loaded(_:_:)``.
  case load(LoadRequest)
  /// The replica has stopped for good and ignores every input: state and quorum contradict each other, or the key is
  /// not its own. An operator must look.
  case halted(ConsensusError)
}

/// One key of the consensus' part of the storage; the driver puts its own prefix before it.
public struct StoredRecord: Hashable, Sendable {
  public var key: [UInt8]
  /// `nil` deletes the key.
  public var value: [UInt8]?

  public init(key: [UInt8], value: [UInt8]?) { (self.key, self.value) = (key, value) }
}

/// Blocks to be read from the storage: decided ones for a peer that is far behind, or an undecided one that memory had
/// no place for.
public struct LoadRequest: Hashable, Sendable {
  /// All keys to be read start with this.
  public let prefix: [UInt8]
  /// The first key.
  public let from: [UInt8]
  /// The most records.
  public let limit: Int

  package let peer: ReplicaIndex
  /// The block that the peer has just below; on another one the answer starts at `fallbackHeight`.
  package let expectedParent: Digest?
  package let fallbackHeight: UInt64
  /// The one undecided block that is wanted, and the question that it answers.
  package let block: Digest?
  package let fetch: FetchRequest?

  package init(height: UInt64, limit: Int, peer: ReplicaIndex, expectedParent: Digest?, fallbackHeight: UInt64) {
    self.prefix = RecordKey.decidedPrefix
    self.from = RecordKey.decided(height)
    self.limit = limit
    self.peer = peer
    self.expectedParent = expectedParent
    self.fallbackHeight = fallbackHeight
    (block, fetch) = (nil, nil)
  }

  package init(block: Digest, peer: ReplicaIndex, fetch: FetchRequest?) {
    prefix = RecordKey.block(block)
    from = prefix
    limit = 1
    self.peer = peer
    (expectedParent, fallbackHeight) = (nil, 0)
    (self.block, self.fetch) = (block, fetch)
  }
}

/// A final block, the certificate that proves it, and what it did.
public struct DecidedBlock<State: StateMachine>: Sendable {
  public let block: Block
  /// What the quorum signed of the block: height, identity, log size and root after it.
  public let info: BlockInfo
  /// Proves finality by itself: its ``Certificate/commit`` is this block or a descendant of it.
  public let certificate: Certificate
  /// What ``StateMachine/apply(entries:height:timeMilliseconds:)`` returned.
  public let events: [State.Event]
  /// The state after the block.
  public let state: State
  let standing: Standing

  /// Where a replica can start again, once the block is durable.
  public var snapshot: Snapshot<State> {
    Snapshot(position: SnapshotPosition(height: info.height, block: block.id, standing: standing), state: state)
  }

  public var height: UInt64 { info.height }
  public var timeMilliseconds: UInt64 { block.timeMilliseconds }

  init(_ node: BlockTree<State>.Node, certificate: Certificate) {
    block = node.block
    info = node.info
    self.certificate = certificate
    events = node.events
    state = node.state
    standing = node.standing
  }
}
