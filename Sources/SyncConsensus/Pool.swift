import DequeModule
import SyncProof

/// Entries that wait to be ordered: deduplicated, and bounded for each source, so that no peer can crowd out another.
struct Pool: Sendable {
  enum Source: Hashable, Sendable {
    case local
    case peer(ReplicaIndex)
  }

  private struct Item: Sendable {
    let bytes: [UInt8]
    var source: Source
    /// Its place among all that ever came.
    let number: UInt64
    /// For an entry that the state did not admit when it came: the height after which it is dropped.
    var parkedUntil: UInt64?
  }

  private struct Usage: Sendable {
    var entries = 0
    var bytes = 0
    var parked = 0
  }

  /// How many entries every decided block looks at again, whatever was decided.
  static let rechecksForEachBlock = 256
  /// How many decided blocks a parked entry waits for the state to admit it.
  static let parkedBlocks: UInt64 = 16
  /// Parked entries of one source.
  static let parkedEntriesMax = 256

  private var items: [Digest: Item] = [:]
  /// In the order in which they came; an item that is gone, or came again, is passed over by its number.
  private var order: Deque<(digest: Digest, number: UInt64)> = []
  /// Those of them that are parked, and some that no longer are.
  private var parked: [(digest: Digest, number: UInt64)] = []
  /// How many entries may be looked at again without costing more than what was decided since the last time.
  private var credit = 0
  /// Ready entries that a leader met since the last time and could not take.
  private var refusedCount = 0
  /// Whether all that waits was looked at since the last decided block: then there is nothing to be learnt from it.
  private(set) var isSettled = true
  private var lastNumber: UInt64 = 0
  private var usage: [Source: Usage] = [:]
  private var readyCount = 0
  private let local: Configuration.PoolBounds
  private let peer: Configuration.PoolBounds

  init(local: Configuration.PoolBounds, peer: Configuration.PoolBounds) { (self.local, self.peer) = (local, peer) }

  /// Whether an entry waits that the decided state admits.
  var isPending: Bool { readyCount > 0 }
  var count: Int { items.count }

  /// Takes an entry.
  ///
  /// What the state does not admit yet is parked, since its sender may be a block ahead; what it never will is not
  /// taken. The state is not asked about what is here already. An entry of a peer that is
  /// then submitted here becomes local, and is from then on sent to the others again until it is decided.
  /// - Returns: Whether it is new here, or new as a local entry.
  mutating func add(
    _ bytes: [UInt8], from source: Source, height: UInt64, isAdmitted: @autoclosure () -> Bool,
    mayBeLater: @autoclosure () -> Bool = true
  ) -> Bool {
    guard !bytes.isEmpty, bytes.count <= ConsensusLimits.entryBytesMax else { return false }
    let digest = SHA256.hash(bytes)
    if let known = items[digest] {
      guard source == .local, known.source != .local, charge(.local, known, 1) else { return false }
      _ = charge(known.source, known, -1)
      items[digest]?.source = .local
      return true
    }
    let isAdmitted = isAdmitted()
    guard isAdmitted || mayBeLater() else { return false }
    let item = Item(
      bytes: bytes, source: source, number: lastNumber &+ 1,
      parkedUntil: isAdmitted ? nil : height &+ Pool.parkedBlocks)
    guard charge(source, item, 1) else { return false }
    items[digest] = item
    order.append((digest, item.number))
    lastNumber = item.number
    if isAdmitted { readyCount += 1 } else { parked.append((digest, item.number)) }
    return true
  }

  /// Adds to or takes from a source's account.
  ///
  /// - Returns: `false`, and nothing happens, when a bound would be passed.
  private mutating func charge(_ source: Source, _ item: Item, _ sign: Int) -> Bool {
    var account = usage[source] ?? Usage()
    account.entries += sign
    account.bytes += sign * item.bytes.count
    account.parked += item.parkedUntil == nil ? 0 : sign
    let bounds = source == .local ? local : peer
    if sign > 0 {
      guard account.entries <= bounds.entriesMax, account.bytes <= bounds.bytesMax,
        account.parked <= Pool.parkedEntriesMax
      else { return false }
    }
    usage[source] = account
    return true
  }

  /// Drops what was decided and what the new state does not admit; takes in what it now does.
  ///
  /// Of many entries that wait, those that are not parked are looked at again only once about as many were decided, so
  /// that a block costs about what is in it.
  ///
  /// - Parameter isWhole: All are looked at now, as they are where a leader met many that it could not take.
  mutating func refilter(decided: Set<Digest>, height: UInt64, isWhole: Bool = false, admits: ([UInt8]) -> Bool) {
    credit += decided.count + Pool.rechecksForEachBlock
    for digest in decided { if let item = items.removeValue(forKey: digest) { forget(item) } }
    isSettled = isWhole || credit >= items.count || refusedCount > Pool.rechecksForEachBlock
    if isSettled {
      (credit, refusedCount) = (0, 0)
      recheckReady(admits)
    }
    recheckParked(height, admits)
  }

  private mutating func recheckReady(_ admits: ([UInt8]) -> Bool) {
    var kept: Deque<(digest: Digest, number: UInt64)> = []
    kept.reserveCapacity(items.count)
    for place in order {
      guard let item = items[place.digest], item.number == place.number else { continue }
      if item.parkedUntil == nil, !admits(item.bytes) {
        remove(place.digest, item)
      } else {
        kept.append(place)
      }
    }
    order = kept
  }

  private mutating func recheckParked(_ height: UInt64, _ admits: ([UInt8]) -> Bool) {
    var waiting: [(digest: Digest, number: UInt64)] = []
    for place in parked {
      guard let item = items[place.digest], item.number == place.number, let until = item.parkedUntil else { continue }
      if admits(item.bytes) {
        unpark(place.digest, item)
      } else if until > height {
        waiting.append(place)
      } else {
        remove(place.digest, item)
      }
    }
    parked = waiting
  }

  private mutating func remove(_ digest: Digest, _ item: Item) {
    items[digest] = nil
    forget(item)
  }

  private mutating func forget(_ item: Item) {
    _ = charge(item.source, item, -1)
    if item.parkedUntil == nil { readyCount -= 1 }
  }

  private mutating func unpark(_ digest: Digest, _ item: Item) {
    usage[item.source]?.parked -= 1
    items[digest]?.parkedUntil = nil
    readyCount += 1
  }

  /// All that waits, in its order: what it is, whether it is this replica's own, and until when it is parked. When it
  /// is looked at again is left out: where fewer wait than ``rechecksForEachBlock``, behind each block.
  func encodeShape(to writer: inout ByteWriter) {
    for (digest, item) in ordered {
      writer.write(digest)
      writer.write(UInt8(item.source == .local ? 1 : 0))
      writer.write(item.parkedUntil ?? .max)
    }
  }

  /// The items in the order in which they came.
  private var ordered: some Sequence<(digest: Digest, item: Item)> {
    order.lazy.compactMap { place in
      items[place.digest].flatMap { $0.number == place.number ? (place.digest, $0) : nil }
    }
  }

  /// Entries for a block, oldest first, within a block's bounds.
  mutating func select(excluding taken: Set<Digest>, admits: ([UInt8]) -> Bool) -> [[UInt8]] {
    var chosen: [[UInt8]] = []
    var bytes = 0
    refusedCount = 0
    for (digest, item) in ordered where item.parkedUntil == nil && !taken.contains(digest) {
      guard chosen.count < ConsensusLimits.blockEntriesMax else { break }
      guard bytes + item.bytes.count <= ConsensusLimits.blockBytesMax else { break }
      guard admits(item.bytes) else {
        refusedCount += 1
        continue
      }
      chosen.append(item.bytes)
      bytes += item.bytes.count
    }
    return chosen
  }

  /// Entries of peers that are sent again at once: one is enough for the others to wait with this replica.
  static let resentPeerEntriesMax = 16

  /// The oldest local entries, then, where wanted, the oldest few of the peers that the state admits; at most
  /// `bytesMax` bytes of them.
  func entriesToResend(includingPeers: Bool, bytesMax: Int) -> [[UInt8]] {
    var chosen: [[UInt8]] = []
    var bytes = 0
    let all = ordered.map(\.item)
    let local = all.filter { $0.source == .local }
    let others = includingPeers ? all.filter { $0.source != .local && $0.parkedUntil == nil } : []
    for item in local + others.prefix(Pool.resentPeerEntriesMax) {
      guard bytes + item.bytes.count <= bytesMax, chosen.count < ConsensusLimits.blockEntriesMax else { break }
      chosen.append(item.bytes)
      bytes += item.bytes.count
    }
    return chosen
  }
}
