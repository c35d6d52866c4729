import CSodium
import SyncConsensus
import SyncProof

/// A deterministic generator (SplitMix64): the same seed gives the same simulation on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number below `bound`, which is above zero.
  public mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }

  /// Whether an event of this many in a thousand happens.
  public mutating func happens(perMille: UInt64) -> Bool { below(1_000) < perMille }
}

/// A signing key made from a number, for tests only.
public struct FixtureKey: Sendable {
  public let publicKey: PublicKey
  private let secret: [UInt8]

  public init(_ number: UInt64) {
    var seed = [UInt8](repeating: 0x5A, count: 32)
    for i in 0..<8 { seed[i] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(i))) }
    var key = [UInt8](repeating: 0, count: 32)
    var secret = [UInt8](repeating: 0, count: 64)
    crypto_sign_seed_keypair(&key, &secret, seed)
    guard let publicKey = PublicKey(bytes: key) else { preconditionFailure("libsodium's keys have 32 bytes") }
    self.publicKey = publicKey
    self.secret = secret
  }

  public func sign(_ message: [UInt8]) -> Signature {
    var bytes = [UInt8](repeating: 0, count: Signature.byteCount)
    crypto_sign_detached(&bytes, nil, message, UInt64(message.count), secret)
    guard let signature = Signature(bytes: bytes) else { preconditionFailure("libsodium's signatures have 64 bytes") }
    return signature
  }
}

/// A group of replicas with fixture keys.
public struct FixtureGroup: Sendable {
  public let chainID: Digest
  public let set: ReplicaSet
  /// By replica index.
  public let keys: [FixtureKey]
  /// Of the state machine's log, as the epoch begins.
  private let log: (size: UInt64, root: Digest)

  init(chainID: Digest, set: ReplicaSet, keys: [FixtureKey], logSize: UInt64 = 0, logRoot: Digest) {
    (self.chainID, self.set, self.keys, log) = (chainID, set, keys, (logSize, logRoot))
  }

  /// What the epoch's chain stands on.
  var genesis: BlockInfo {
    .genesis(chainID: chainID, epoch: set.epoch, logSize: log.size, logRoot: log.root)
  }

  /// For ``AppendLog``.
  public init(replicas: Int, epoch: UInt64 = 1) throws {
    keys = (0..<replicas).map { FixtureKey(UInt64($0) + 1) }
    log = (0, AppendLog().logRoot)
    chainID = SHA256.hash(Array("fixture".utf8))
    set = try ReplicaSet(
      epoch: epoch,
      members: keys.enumerated().map { (i, key) in
        ReplicaSet.Member(name: Text(utf8: [UInt8(97 + i / 26), UInt8(97 + i % 26)]), key: key.publicKey)
      })
  }

  /// One that takes a second process with its key for granted, as where that is the test.
  public func configuration(
    of index: Int, timeoutBaseNanoseconds: UInt64 = 100_000_000, skewMilliseconds: UInt64 = 5_000
  ) throws -> Configuration {
    var configuration = try Configuration(
      chainID: chainID, set: set, own: ReplicaIndex(rawValue: UInt16(index)),
      timeoutBaseNanoseconds: timeoutBaseNanoseconds, clockSkewMaxMilliseconds: skewMilliseconds)
    configuration.noticesUnknownSignatures = false
    return configuration
  }
}
