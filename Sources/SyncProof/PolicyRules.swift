extension Policy {
  func validate() throws(ProofError) {
    let most = max(logs.count, witnesses.count, builders.count, groups.count)
    guard most <= ProofLimits.policyNamesMax else {
      throw ProofError(.tooLarge, "A policy with \(most) entries of a kind; at most \(ProofLimits.policyNamesMax)")
    }
    try validateKeys()
    let (witnessNames, builderNames) = try validateNames()
    if let quorum, !Policy.contains(witnessNames, quorum) {
      throw Policy.invalid("The quorum `\(Naming.printable(quorum.utf8))` is no witness or group of witnesses")
    }
    guard Policy.contains(builderNames, reproducers) else {
      throw Policy.invalid(
        "`reproducers \(Naming.printable(reproducers.utf8))` names no builder or group of builders")
    }
  }

  private func validateKeys() throws(ProofError) {
    var keys: [PublicKey] = []
    keys.reserveCapacity(logs.count + witnesses.count + builders.count)
    for log in logs { try Policy.add(log.key, as: .ed25519, "log", to: &keys) }
    for witness in witnesses { try Policy.add(witness.key, as: .cosignatureV1, "witness", to: &keys) }
    for builder in builders { try Policy.add(builder.key, as: .ed25519, "builder", to: &keys) }
    // Name and key ID are how a signature line finds its key, so together they must be of one key.
    let signers = logs.map { $0.key } + witnesses.map { $0.key }
    for i in signers.indices {
      for j in 0..<i where signers[i].keyID == signers[j].keyID && signers[i].name == signers[j].name {
        throw Policy.invalid("Two keys have one name and one key ID; replace one of them")
      }
    }
    for log in logs { try Policy.validate(url: log.url) }
    for witness in witnesses { try Policy.validate(url: witness.url) }
  }

  /// - Returns: The names of witnesses and their groups, and those of builders and theirs, each sorted.
  private func validateNames() throws(ProofError) -> (witnesses: [Text], builders: [Text]) {
    var witnessNames: [Text] = []
    var builderNames: [Text] = []
    var members: [Text] = []
    witnessNames.reserveCapacity(witnesses.count + groups.count)
    builderNames.reserveCapacity(builders.count + groups.count)
    members.reserveCapacity(witnesses.count + builders.count)
    for witness in witnesses { try Policy.define(witness.name, in: &witnessNames, besides: builderNames) }
    for builder in builders { try Policy.define(builder.name, in: &builderNames, besides: witnessNames) }
    for group in groups {
      guard let first = group.members.first else {
        throw Policy.invalid("The group `\(Naming.printable(group.name.utf8))` has no members")
      }
      guard (1...group.members.count).contains(group.threshold) else {
        throw Policy.invalid(
          "The group `\(Naming.printable(group.name.utf8))` wants \(group.threshold) of \(group.members.count) members")
      }
      let areBuilders = Policy.contains(builderNames, first)
      for member in group.members {
        guard Policy.contains(areBuilders ? builderNames : witnessNames, member) else {
          throw Policy.invalid(
            "`\(Naming.printable(member.utf8))` in the group `\(Naming.printable(group.name.utf8))` is not defined "
              + "before it, or is a builder among witnesses")
        }
        guard !Policy.contains(members, member) else {
          throw Policy.invalid("`\(Naming.printable(member.utf8))` is a member of a group twice; once is all it counts")
        }
        Policy.insert(member, into: &members)
      }
      if areBuilders {
        try Policy.define(group.name, in: &builderNames, besides: witnessNames)
      } else {
        try Policy.define(group.name, in: &witnessNames, besides: builderNames)
      }
    }
    return (witnessNames, builderNames)
  }

  private static func define(_ name: Text, in names: inout [Text], besides others: [Text]) throws(ProofError) {
    guard isWord(name), !name.utf8[...].equals("none"), name.utf8.count <= ProofLimits.keyNameBytesMax else {
      throw invalid("`\(Naming.printable(name.utf8))` may not be a name: `none`, empty, long, or with white space")
    }
    guard !contains(names, name), !contains(others, name) else {
      throw invalid(
        "`\(Naming.printable(name.utf8))` is defined twice; witnesses, builders and groups share their names")
    }
    insert(name, into: &names)
  }

  private static func validate(url: Text?) throws(ProofError) {
    guard let url, !isWord(url) else { return }
    throw invalid("A URL is empty or has white space or control characters")
  }

  /// Octets that are neither white space nor control characters, opaque above ASCII (C2SP tlog-policy).
  private static func isWord(_ text: Text) -> Bool {
    guard !text.utf8.isEmpty else { return false }
    for byte in text.utf8 where byte <= 0x20 || byte == 0x7f { return false }
    return true
  }

  /// - Parameter keys: Every one so far, sorted.
  private static func add(
    _ key: NoteKey, as kind: NoteKey.Kind, _ role: StaticString, to keys: inout [PublicKey]
  ) throws(ProofError) {
    guard key.kind == kind else {
      throw invalid(
        "The \(role) key `\(Naming.printable(key.vkey))` has the type \(key.kind.rawValue), wanted \(kind.rawValue)")
    }
    guard !contains(keys, key.key) else {
      throw invalid("One public key stands twice; each log, witness and builder has a key of its own")
    }
    insert(key.key, into: &keys)
  }

  static func invalid(_ message: Text, at offset: Int? = nil) -> ProofError {
    ProofError(.invalidPolicy, message, at: offset)
  }
}
