import SyncProof

/// Bounds that hold in every group: what passes them is refused before it is copied or verified.
public enum ConsensusLimits {
  /// Replicas in a set.
  public static let membersMax = 100
  /// An encoded message; the same as every transport's bound.
  public static let messageBytesMax = 4 << 20
  /// One entry of a block or of the pool.
  public static let entryBytesMax = 256 << 10
  /// Entries of one block.
  public static let blockEntriesMax = 4_096
  /// Sum of the entries' bytes of one block.
  public static let blockBytesMax = 1 << 20
  /// Blocks in one answer to a fetch.
  public static let fetchBlocksMax = 32
  /// Sum of the encoded blocks' bytes in one answer to a fetch.
  public static let fetchBytesMax = 2 << 20
  /// Undecided blocks without a certificate that are held; the oldest go first.
  public static let uncertifiedBlocksMax = 64
  /// Decided blocks that are served from memory.
  public static let recentBlocksMax = 64
  /// Sum of their encoded bytes.
  public static let recentBytesMax = 4 << 20
  /// The longest view timer, in nanoseconds.
  public static let timeoutNanosecondsMax: UInt64 = 60_000_000_000
}

/// Everything a replica is told once, at its start.
public struct Configuration: Sendable {
  /// Names the group; part of everything that is signed.
  public var chainID: Digest
  public var set: ReplicaSet
  public var own: ReplicaIndex
  /// The shortest view timer and the interval at which what matters is sent again, in nanoseconds, 1 ms to 60 s; both
  /// grow with what views are seen to last. 250 ms in one room, 1 s across the world.
  public var timeoutBaseNanoseconds: UInt64
  /// How far a block's time may be ahead of this replica's clock, in milliseconds.
  public var clockSkewMaxMilliseconds: UInt64
  /// Bounds of the pool for what was submitted here.
  public var localPool: PoolBounds
  /// Bounds of the pool for what one peer sent.
  public var peerPool: PoolBounds
  /// Whether the records may be older than what this replica has signed, as after a restored backup or on a new disk:
  /// it observes, and signs nothing until that is safe. Stays so over restarts without being said again.
  public var isRestored = false
  /// A number that no earlier start of this replica had; an observer's questions carry it, and no old answer counts.
  public var startNumber: UInt64 = 0
  /// Whether an own signature that the records do not know makes this replica an observer.
  package var noticesUnknownSignatures = true
  /// Checks a signature. Only a simulation of many replicas in one process puts something else here: the same check,
  /// remembered for all of them.
  package var acceptsSignature: @Sendable (PublicKey, Signature, [UInt8]) -> Bool = { $0.accepts($1, on: $2) }

  /// How much one source may hold in the pool.
  public struct PoolBounds: Hashable, Sendable {
    public var entriesMax: Int
    public var bytesMax: Int
    public init(entriesMax: Int, bytesMax: Int) { (self.entriesMax, self.bytesMax) = (entriesMax, bytesMax) }
  }

  /// - Throws: ``ConsensusError/Code/configuration`` when `own` is not in the set or the timeout is out of bounds.
  public init(
    chainID: Digest, set: ReplicaSet, own: ReplicaIndex, timeoutBaseNanoseconds: UInt64 = 250_000_000,
    clockSkewMaxMilliseconds: UInt64 = 5_000,
    localPool: PoolBounds = PoolBounds(entriesMax: 20_000, bytesMax: 32 << 20),
    peerPool: PoolBounds = PoolBounds(entriesMax: 20_000, bytesMax: 8 << 20)
  ) throws(ConsensusError) {
    guard set.contains(own) else {
      throw ConsensusError(.configuration, "Replica \(own) is outside its set of \(set.count)")
    }
    guard (1_000_000...ConsensusLimits.timeoutNanosecondsMax).contains(timeoutBaseNanoseconds) else {
      throw ConsensusError(.configuration, "The timeout is 1 ms to 60 s, not \(timeoutBaseNanoseconds) ns")
    }
    self.chainID = chainID
    self.set = set
    self.own = own
    self.timeoutBaseNanoseconds = timeoutBaseNanoseconds
    self.clockSkewMaxMilliseconds = clockSkewMaxMilliseconds
    self.localPool = localPool
    self.peerPool = peerPool
  }
}
