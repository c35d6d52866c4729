/// A builder's signature on a hand-over.
public struct HandoverApproval: Hashable, Sendable {
  /// Member name, of the epoch that ends.
  public let builder: Text
  /// By its builder key, on ``Handover/signedBytes(group:epoch:policy:builder:)``.
  public let signature: Signature

  public init(builder: Text, signature: Signature) { (self.builder, self.signature) = (builder, signature) }
}

/// A leaf of the transparency log by which a group's builders hand over to those of the next epoch: the trust policy
/// that takes the place of theirs, and their signatures on it.
///
/// It is believed as evidence is, by the policy that it replaces and by no other: see ``PolicyChain``.
/// Format: `synchronicity-handover/v1` in docs/FORMATS.md.
public struct Handover: Hashable, Sendable {
  /// Origin of the group.
  public let group: Text
  /// The epoch that ends; the policy is that of the next. Below 2^64 - 1.
  public let epoch: UInt64
  /// What takes the place of the policy under which the hand-over is believed. Its logs and builders are the group's.
  public let policy: Policy
  /// SHA-256 of the policy's canonical text.
  public let policyDigest: Digest
  /// Sorted by the builders' names, each once; 1...100.
  public let approvals: [HandoverApproval]

  /// - Parameters:
  ///   - epoch: The one that ends.
  ///   - approvals: In any order.
  /// - Throws: ``ProofError/Code/malformed`` if the policy trusts a log or builder that is not the group's, or a name,
  ///   the epoch or the number of approvals is out of range; ``ProofError/Code/tooLarge`` if it does not fit a leaf.
  public init(group: Text, epoch: UInt64, policy: Policy, approvals: [HandoverApproval]) throws(ProofError) {
    self.init(
      group: group, epoch: epoch, policy: policy, policyDigest: SHA256.hash(policy.encode()),
      approvals: approvals.sorted { $0.builder < $1.builder })
    try validate()
    let count = encode().count
    guard count <= ProofLimits.leafBytesMax else {
      throw ProofError(
        .tooLarge,
        "A hand-over of \(count) bytes; a leaf has at most \(ProofLimits.leafBytesMax). Leave the URLs out of the "
          + "policy, or give shorter names")
    }
  }

  /// What a builder's key signs to approve of a hand-over.
  ///
  /// - Parameters:
  ///   - epoch: The one that ends.
  ///   - policy: SHA-256 of the new policy's canonical text.
  ///   - builder: Member name.
  public static func signedBytes(group: Text, epoch: UInt64, policy: Digest, builder: Text) -> [UInt8] {
    var writer = LineWriter(capacity: 512)
    writer.line("synchronicity-handover-approval/v1")
    writer.line("group", group)
    writer.line("epoch", epoch)
    writer.line("policy", policy)
    writer.line("builder", builder)
    return writer.bytes
  }

  /// The leaf's bytes, at most 65,535.
  public func encode() -> [UInt8] {
    let text = policy.encode()
    var lines: UInt64 = 0
    for byte in text where byte == UInt8(ascii: "\n") { lines += 1 }
    var writer = LineWriter(capacity: text.count + 512 + 160 * approvals.count)
    writer.line("synchronicity-handover/v1")
    writer.line("group", group)
    writer.line("epoch", epoch)
    writer.line("policy", fields: [Hex.encode(policyDigest.bytes), Decimal.encode(lines)])
    writer.raw(text)
    for approval in approvals {
      writer.line("builder", fields: [approval.builder.utf8, Base64.encode(approval.signature.bytes)])
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/unsupportedVersion``, ``ProofError/Code/tooLarge``, or
  ///   what ``Policy/init(parsing:)`` throws.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= ProofLimits.leafBytesMax else {
      throw ProofError(.tooLarge, "A leaf of \(bytes.count) bytes; at most \(ProofLimits.leafBytesMax) are possible")
    }
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-handover/v1", .unsupportedVersion)
    let group = Text(utf8: try reader.value("group"))
    let epoch = try reader.decimal("epoch", in: 0...UInt64.max - 1)
    let start = reader.offset
    let fields = try reader.fields("policy", count: 2)
    guard let digest = Digest(hex: fields[0]), let lines = Decimal.decode(fields[1]),
      lines <= UInt64(ProofLimits.leafBytesMax)
    else { throw ProofError(.malformed, "A policy line wants a digest and a number of lines", at: start) }
    let textStart = reader.offset
    let text = [UInt8](try reader.block(lines: Int(lines)))
    guard SHA256.hash(text) == digest else {
      throw ProofError(.malformed, "The policy in the hand-over is not the one of its digest", at: start)
    }
    let policy = try ProofError.within(textStart, Policy(parsing: text))
    guard policy.encode() == text else {
      throw ProofError(.malformed, "The policy in the hand-over is not in its canonical form", at: textStart)
    }
    var approvals: [HandoverApproval] = []
    while !reader.isAtEnd {
      let start = reader.offset
      guard approvals.count < ProofLimits.buildersMax else {
        throw ProofError(.tooLarge, "More than \(ProofLimits.buildersMax) builders", at: start)
      }
      let fields = try reader.fields("builder", count: 2)
      guard let bytes = Base64.decode(fields[1]), let signature = Signature(bytes: bytes) else {
        throw ProofError(.malformed, "A builder line wants a name and a signature of 64 bytes in base64", at: start)
      }
      approvals.append(HandoverApproval(builder: Text(utf8: fields[0]), signature: signature))
    }
    self.init(group: group, epoch: epoch, policy: policy, policyDigest: digest, approvals: approvals)
    try validate()
  }

  /// Whether the leaf says that it is a hand-over, of whatever version.
  package static func isNamed(by leaf: [UInt8]) -> Bool { leaf[...].holds("synchronicity-handover/", at: 0) }

  private init(group: Text, epoch: UInt64, policy: Policy, policyDigest: Digest, approvals: [HandoverApproval]) {
    self.group = group
    self.epoch = epoch
    self.policy = policy
    self.policyDigest = policyDigest
    self.approvals = approvals
  }

  /// What the parser cannot see line by line.
  private func validate() throws(ProofError) {
    guard Naming.isOrigin(group) else {
      throw ProofError(.malformed, "A hand-over wants a bare host name as its group")
    }
    guard epoch < UInt64.max else { throw ProofError(.malformed, "No epoch comes after \(epoch)") }
    // Whoever trusts several groups gives none of them a say in what another one's log or builder is.
    for log in policy.logs where log.key.name != group {
      throw ProofError(
        .malformed, "The hand-over of `\(group)` names a log of `\(Naming.printable(log.key.name.utf8))`")
    }
    for builder in policy.builders where !builder.key.isOfMember(at: group) {
      throw ProofError(
        .malformed,
        "The hand-over of `\(group)` names the builder `\(Naming.printable(builder.key.name.utf8))`, which is not a "
          + "member's of that group")
    }
    guard (1...ProofLimits.buildersMax).contains(approvals.count) else {
      throw ProofError(
        approvals.isEmpty ? .malformed : .tooLarge,
        "A hand-over with \(approvals.count) builders; wanted 1...\(ProofLimits.buildersMax)")
    }
    for i in approvals.indices {
      guard Naming.isMember(approvals[i].builder), i == 0 || approvals[i - 1].builder < approvals[i].builder else {
        throw ProofError(.malformed, "Builders of a hand-over are named members, sorted, each once")
      }
    }
  }
}
