/// A log that is believed when it signs a checkpoint.
public struct PolicyLog: Hashable, Sendable {
  /// Type 0x01; its name is the log's origin.
  public let key: NoteKey
  /// Where the log is; unused for verifying.
  public let url: Text?

  public init(key: NoteKey, url: Text? = nil) { (self.key, self.url) = (key, url) }
}

/// A cosigner whose signature counts towards the quorum.
public struct PolicyWitness: Hashable, Sendable {
  /// Means something inside the policy alone.
  public let name: Text
  /// Type 0x04.
  public let key: NoteKey
  public let url: Text?

  public init(name: Text, key: NoteKey, url: Text? = nil) { (self.name, self.key, self.url) = (name, key, url) }
}

/// A builder whose reveals count towards the reproducers.
public struct PolicyBuilder: Hashable, Sendable {
  /// Means something inside the policy alone.
  public let name: Text
  /// Type 0x01; its name is `<member>.<origin>`, which ties it to the lines of that group's evidence.
  public let key: NoteKey

  public init(name: Text, key: NoteKey) { (self.name, self.key) = (name, key) }
}

/// `threshold` of its members, which are all witnesses (or groups of such) or all builders (or groups of such).
public struct PolicyGroup: Hashable, Sendable {
  public let name: Text
  /// 1...the number of members.
  public let threshold: Int
  public let members: [Text]

  public init(name: Text, threshold: Int, members: [Text]) {
    (self.name, self.threshold, self.members) = (name, threshold, members)
  }
}

/// Whom a consumer believes: C2SP tlog-policy with two lines of our own, `builder` and `reproducers`.
///
/// Both thresholds are always there: the quorum of witnesses says which log everyone sees, the reproducers say who
/// rebuilt the bytes.
public struct Policy: Hashable, Sendable {
  /// Any one of them may sign the checkpoint.
  public let logs: [PolicyLog]
  /// Whose cosignatures count towards ``quorum``.
  public let witnesses: [PolicyWitness]
  /// Whose reveals count towards ``reproducers``.
  public let builders: [PolicyBuilder]
  /// A group's members are defined before it.
  public let groups: [PolicyGroup]
  /// A witness or a group of witnesses; `nil` is `none`: no cosignature is asked for.
  public let quorum: Text?
  /// A builder or a group of builders.
  public let reproducers: Text

  /// - Throws: ``ProofError/Code/invalidPolicy`` if a name or key stands twice, a name is not defined, a group mixes
  ///   witnesses and builders, or a threshold is out of range; ``ProofError/Code/tooLarge``.
  public init(
    logs: [PolicyLog], witnesses: [PolicyWitness], builders: [PolicyBuilder], groups: [PolicyGroup], quorum: Text?,
    reproducers: Text
  ) throws(ProofError) {
    self.logs = logs
    self.witnesses = witnesses
    self.builders = builders
    self.groups = groups
    self.quorum = quorum
    self.reproducers = reproducers
    try validate()
  }

  /// Whether those of the witnesses or builders in `names` come to what the name `root` asks for.
  ///
  /// - Parameter names: Names of witnesses or of builders of this policy; repeated ones count once.
  public func satisfies(_ root: Text, by names: [Text]) -> Bool {
    var held: [Text] = []
    held.reserveCapacity(names.count + groups.count)
    for name in names where !Policy.contains(held, name) { Policy.insert(name, into: &held) }
    for group in groups {
      var count = 0
      for member in group.members where Policy.contains(held, member) { count += 1 }
      if count >= group.threshold { Policy.insert(group.name, into: &held) }
    }
    return Policy.contains(held, root)
  }

  /// Whether cosignatures by these witnesses are enough; names of this policy.
  public func meetsQuorum(_ witnesses: [Text]) -> Bool {
    guard let quorum else { return true }
    return satisfies(quorum, by: witnesses)
  }

  /// Whether reveals of one outcome by these builders are enough; names of this policy.
  public func meetsReproducers(_ builders: [Text]) -> Bool { satisfies(reproducers, by: builders) }

  /// The first place in `sorted` that does not precede `name`.
  static func place<Name: Comparable>(of name: Name, in sorted: [Name]) -> Int {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < name { low = middle + 1 } else { high = middle }
    }
    return low
  }

  static func contains<Name: Comparable>(_ sorted: [Name], _ name: Name) -> Bool {
    let i = place(of: name, in: sorted)
    return i < sorted.count && sorted[i] == name
  }

  static func insert<Name: Comparable>(_ name: Name, into sorted: inout [Name]) {
    sorted.insert(name, at: place(of: name, in: sorted))
  }
}
