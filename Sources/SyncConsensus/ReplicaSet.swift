import SyncProof

/// A replica's position in its epoch's set, which is sorted by name.
public struct ReplicaIndex: Hashable, Comparable, Sendable {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }
  public static func < (a: ReplicaIndex, b: ReplicaIndex) -> Bool { a.rawValue < b.rawValue }
}

extension ReplicaIndex: CustomStringConvertible {
  public var description: String { "\(rawValue)" }
}

/// The replicas of one epoch and the sizes of their quorums.
public struct ReplicaSet: Hashable, Sendable {
  /// A replica as its peers know it.
  public struct Member: Hashable, Sendable {
    public let name: Text
    /// The key for consensus, and for nothing else.
    public let key: PublicKey

    public init(name: Text, key: PublicKey) { (self.name, self.key) = (name, key) }
  }

  public let epoch: UInt64
  /// Ascending by name; names and keys are unique.
  public let members: [Member]

  /// - Parameter members: 1 to ``ConsensusLimits/membersMax`` of them, in any order.
  /// - Throws: ``ConsensusError/Code/configuration`` for a bad count, a repeated name or a repeated key.
  public init(epoch: UInt64, members: [Member]) throws(ConsensusError) {
    guard (1...ConsensusLimits.membersMax).contains(members.count) else {
      throw ConsensusError(
        .configuration, "A set has 1 to \(ConsensusLimits.membersMax) replicas, not \(members.count)")
    }
    let sorted = members.sorted { $0.name < $1.name }
    let names = Set(sorted.map(\.name))
    let keys = Set(sorted.map(\.key))
    guard names.count == sorted.count, keys.count == sorted.count else {
      throw ConsensusError(.configuration, "Two replicas of the set share a name or a key")
    }
    self.epoch = epoch
    self.members = sorted
  }

  public var count: Int { members.count }

  /// The most replicas that may be faulty: ⌊(n − 1) / 3⌋.
  public var faultyMax: Int { (count - 1) / 3 }

  /// Distinct signers that a certificate needs: n − ⌊(n − 1) / 3⌋.
  public var quorum: Int { count - faultyMax }

  /// Every index of the set, ascending.
  public var indices: [ReplicaIndex] { (0..<count).map { ReplicaIndex(rawValue: UInt16($0)) } }

  public func contains(_ index: ReplicaIndex) -> Bool { Int(index.rawValue) < count }

  /// The key at `index`, `nil` outside the set.
  public func key(of index: ReplicaIndex) -> PublicKey? {
    contains(index) ? members[Int(index.rawValue)].key : nil
  }

  /// The index of the member with this name, `nil` where there is none.
  public func index(of name: Text) -> ReplicaIndex? {
    members.firstIndex { $0.name == name }.map { ReplicaIndex(rawValue: UInt16($0)) }
  }

  /// Whose turn to lead `view` is: round robin over the sorted set. Who has failed is passed over, see ``Standing``.
  public func turn(of view: UInt64) -> ReplicaIndex {
    ReplicaIndex(rawValue: UInt16(view % UInt64(count)))
  }

  /// The replica behind `index`, round and round.
  func next(after index: ReplicaIndex) -> ReplicaIndex {
    ReplicaIndex(rawValue: UInt16((Int(index.rawValue) + 1) % count))
  }

  /// Whether there is a chain on top of which `index` leads `view`: at most f replicas are passed over.
  func mayLead(_ index: ReplicaIndex, _ view: UInt64) -> Bool {
    contains(index) && (Int(index.rawValue) + count - Int(turn(of: view).rawValue)) % count <= faultyMax
  }
}
