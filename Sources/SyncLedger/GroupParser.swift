import SyncProof

extension Group {
  /// Reads what ``encode()`` writes, and nothing else: `encode()` of what was read gives the same bytes.
  ///
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/unsupportedVersion``, or ``ProofError/Code/tooLarge``
  ///   above ``LedgerLimits/groupBytesMax`` and ``LedgerLimits/membersMax``.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= LedgerLimits.groupBytesMax else {
      throw ProofError(
        .tooLarge, "A group file of \(bytes.count) bytes; at most \(LedgerLimits.groupBytesMax) are taken")
    }
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-group/v1", .unsupportedVersion)
    let origin = Text(utf8: try reader.value("origin"))
    let epoch = try reader.decimal("epoch")
    let reproducers = try reader.decimal("reproducers", in: 1...UInt64(LedgerLimits.membersMax))
    let commitSeconds = try reader.decimal("commit-seconds")
    let revealSeconds = try reader.decimal("reveal-seconds")
    var members: [GroupMember] = []
    while !reader.isAtEnd {
      guard members.count < LedgerLimits.membersMax else {
        throw ProofError(.tooLarge, "More than \(LedgerLimits.membersMax) members", at: reader.offset)
      }
      members.append(try Group.readMember(&reader))
    }
    try self.init(
      origin: origin, epoch: epoch, reproducers: Int(reproducers), commitSeconds: commitSeconds,
      revealSeconds: revealSeconds, members: members)
    guard encode() == bytes else {
      throw ProofError(.malformed, "The members do not stand in the order of their names")
    }
  }

  private static func readMember(_ reader: inout LineReader) throws(ProofError) -> GroupMember {
    let name = Text(utf8: try reader.value("member"))
    let address = Text(utf8: try reader.value("address"))
    let gateway = reader.isNext("gateway") ? Text(utf8: try reader.value("gateway")) : nil
    return GroupMember(
      name: name, address: address, gateway: gateway, logKey: try readKey("log-key", &reader),
      cosignerKey: try readKey("cosigner-key", &reader), builderKey: try readKey("builder-key", &reader),
      consensusKey: try readKey("consensus-key", &reader), transportKey: try readKey("transport-key", &reader))
  }

  private static func readKey(_ key: StaticString, _ reader: inout LineReader) throws(ProofError) -> PublicKey {
    let start = reader.offset
    guard let value = PublicKey(bytes: try reader.digest(key).bytes) else {
      throw ProofError(.malformed, "A key is 64 lower-case hexadecimal digits", at: start)
    }
    return value
  }
}
