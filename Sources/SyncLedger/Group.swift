import SyncProof

/// A group of builders in one epoch: who they are, how many make a quorum, how long the phases last.
///
/// Its canonical text is the group file, which every member and every consumer holds alike; see ``encode()``.
public struct Group: Hashable, Sendable {
  /// The log's origin: a bare host name.
  public let origin: Text
  public let epoch: UInt64
  /// How many builders must agree on an outcome: 1...members.
  public let reproducers: Int
  /// How long builders may rebuild before the commit phase ends, 1...``LedgerLimits/phaseSecondsMax``.
  public let commitSeconds: UInt64
  /// How long builders may take to open their commitments, 1...``LedgerLimits/phaseSecondsMax``.
  public let revealSeconds: UInt64
  /// Sorted by name; 1...``LedgerLimits/membersMax``, no name and no key twice, whatever the key's role.
  public let members: [GroupMember]

  /// - Parameters:
  ///   - reproducers: `nil` stands for the quorum.
  ///   - members: In any order.
  /// - Throws: ``ProofError/Code/malformed`` or ``ProofError/Code/tooLarge`` with the rule that is broken.
  public init(
    origin: Text, epoch: UInt64, reproducers: Int? = nil, commitSeconds: UInt64, revealSeconds: UInt64,
    members: [GroupMember]
  ) throws(ProofError) {
    self.origin = origin
    self.epoch = epoch
    self.reproducers = reproducers ?? Group.quorum(of: members.count)
    self.commitSeconds = commitSeconds
    self.revealSeconds = revealSeconds
    self.members = members.sorted { $0.name < $1.name }
    try validate()
  }

  /// How many replicas decide, and how many cosigners stand behind a published tree head: n − ⌊(n − 1)/3⌋.
  public var quorum: Int { Group.quorum(of: members.count) }

  /// The identity of the chain of blocks, and of everything that is signed for it: SHA-256 over the group file's lines
  /// without addresses and gateways, so that a member may move, under a label of its own.
  public var chainID: Digest {
    SHA256.hash(lines(format: "synchronicity-chain/v1", withPlaces: false))
  }

  /// What the members' transports agree on: of the origin alone, so that who is an epoch behind is still let in.
  /// Messages are bound to their epoch by what is signed in them.
  public var networkID: Digest {
    var writer = LineWriter()
    writer.line("synchronicity-network/v1")
    writer.line("origin", origin)
    return SHA256.hash(writer.bytes)
  }

  /// The member of this name; O(log n).
  public func member(named name: Text) -> GroupMember? { position(of: name).map { members[$0] } }

  /// Where the member of this name stands in ``members``.
  func position(of name: Text) -> Int? {
    var (low, high) = (0, members.count)
    while low < high {
      let middle = (low + high) / 2
      if members[middle].name < name { low = middle + 1 } else { high = middle }
    }
    return low < members.count && members[low].name == name ? low : nil
  }

  private static func quorum(of count: Int) -> Int { count - max(0, count - 1) / 3 }

  private func validate() throws(ProofError) {
    guard HostRules.isHostName(origin.utf8[...]) else {
      throw ProofError(
        .malformed, "The origin \"\(origin.string)\"; write a bare host name such as builds.example, in lower case")
    }
    guard (1...LedgerLimits.membersMax).contains(members.count) else {
      throw ProofError(.tooLarge, "A group of \(members.count) members; 1 to \(LedgerLimits.membersMax) are taken")
    }
    guard (1...members.count).contains(reproducers) else {
      throw ProofError(
        .malformed, "\(reproducers) reproducers in a group of \(members.count); write 1 to \(members.count)")
    }
    for seconds in [commitSeconds, revealSeconds] where !(1...LedgerLimits.phaseSecondsMax).contains(seconds) {
      throw ProofError(
        .malformed, "A phase of \(seconds) seconds; write 1 to \(LedgerLimits.phaseSecondsMax)")
    }
    for member in members { try member.validate() }
    for i in members.indices.dropFirst() where members[i - 1].name == members[i].name {
      throw ProofError(.malformed, "Two members are named \(members[i].name.string); give each its own name")
    }
    let keys = members.flatMap(\.keys).sorted()
    for i in keys.indices.dropFirst() where keys[i - 1] == keys[i] {
      throw ProofError(
        .malformed,
        "The key \(Digest(bytes: keys[i].bytes)?.hex ?? "") stands twice; each member and each role has its own")
    }
    _ = try makePolicy()
  }

  // MARK: - Text

  /// The canonical text: one `key value` line each, in this order, ended by line feeds.
  ///
  /// ```
  /// synchronicity-group/v1
  /// origin builds.example
  /// epoch 0
  /// reproducers 3
  /// commit-seconds 3600
  /// reveal-seconds 60
  /// member ada                        for each member, in the order of the names:
  /// address ada.example:7001
  /// gateway https://ada.example       may be missing
  /// log-key <64 hexadecimal digits>
  /// cosigner-key <64 hexadecimal digits>
  /// builder-key <64 hexadecimal digits>
  /// consensus-key <64 hexadecimal digits>
  /// transport-key <64 hexadecimal digits>
  /// ```
  public func encode() -> [UInt8] { lines(format: "synchronicity-group/v1", withPlaces: true) }

  private func lines(format: StaticString, withPlaces: Bool) -> [UInt8] {
    var writer = LineWriter()
    writer.line(format)
    writer.line("origin", origin)
    writer.line("epoch", epoch)
    writer.line("reproducers", UInt64(reproducers))
    writer.line("commit-seconds", commitSeconds)
    writer.line("reveal-seconds", revealSeconds)
    for member in members {
      writer.line("member", member.name)
      if withPlaces {
        writer.line("address", member.address)
        if let gateway = member.gateway { writer.line("gateway", gateway) }
      }
      writer.line("log-key", Hex.encode(member.logKey.bytes))
      writer.line("cosigner-key", Hex.encode(member.cosignerKey.bytes))
      writer.line("builder-key", Hex.encode(member.builderKey.bytes))
      writer.line("consensus-key", Hex.encode(member.consensusKey.bytes))
      writer.line("transport-key", Hex.encode(member.transportKey.bytes))
    }
    return writer.bytes
  }
}
