import SyncProof

/// What shows, to anyone who has the group file, that a member signed what an honest one does not: a file, and a leaf
/// of the transparency log.
///
/// Lines, each ending in a newline, and no other text: `synchronicity-misbehaviour/v1`, `chain` and the group's chain
/// ID, `member` and its name, `kind` and the word of ``Kind``, then lines `statement` with base64: of a replica one, of
/// a builder two. Format: `synchronicity-misbehaviour/v1` in docs/FORMATS.md.
public struct MisbehaviourRecord: Hashable, Sendable {
  /// What was signed; the words are those of the file.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Two votes in one view.
    case votes
    /// Two proposals in one view by its leader.
    case proposals
    /// Two timeouts of one view that name different certificates.
    case timeouts
    /// A proposal with a certificate that no quorum made.
    case forgedCertificate = "forged-certificate"
    /// Two commitments to one job.
    case doubleCommitment = "double-commitment"
    /// A reveal that does not open the builder's commitment.
    case wrongOpening = "wrong-opening"

    /// Whether it is the consensus' affair, not the ledger's.
    public var isOfReplica: Bool {
      switch self {
      case .votes, .proposals, .timeouts, .forgedCertificate: true
      case .doubleCommitment, .wrongOpening: false
      }
    }

    /// Its place in a set of bits.
    var bit: UInt8 {
      switch self {
      case .votes: 1
      case .proposals: 2
      case .timeouts: 4
      case .forgedCertificate: 8
      case .doubleCommitment: 16
      case .wrongOpening: 32
      }
    }
  }

  /// ``Group/chainID`` of the epoch in which it was signed.
  public let chainID: Digest
  public let member: Text
  public let kind: Kind
  /// Of a replica's what the consensus encodes, of a builder's a commitment and what contradicts it.
  public let statements: [[UInt8]]

  /// The most that a record has: it must fit a leaf, and a certificate of 100 replicas must fit a record.
  public static let bytesMax = 48 * 1024

  /// - Parameter statements: As many as the kind has, and few enough for ``bytesMax``.
  public init(chainID: Digest, member: Text, kind: Kind, statements: [[UInt8]]) {
    (self.chainID, self.member, self.kind, self.statements) = (chainID, member, kind, statements)
  }

  public func encode() -> [UInt8] {
    var writer = LineWriter()
    writer.line("synchronicity-misbehaviour/v1")
    writer.line("chain", chainID)
    writer.line("member", member)
    writer.line("kind", Array(kind.rawValue.utf8))
    for statement in statements { writer.line("statement", base64: statement) }
    return writer.bytes
  }

  /// Reads the lines; what the statements are worth, they do not say.
  ///
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge`` above ``bytesMax``,
  ///   ``ProofError/Code/unsupportedVersion``.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= MisbehaviourRecord.bytesMax else {
      throw ProofError(
        .tooLarge,
        "A proof of misbehaviour of \(bytes.count) bytes; at most \(MisbehaviourRecord.bytesMax) are taken")
    }
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-misbehaviour/v1", .unsupportedVersion)
    chainID = try reader.digest("chain")
    let memberOffset = reader.offset
    member = Text(utf8: [UInt8](try reader.value("member")))
    guard Naming.isMember(member) else {
      throw ProofError(.malformed, "`\(Naming.printable(member.utf8))` is no member's name", at: memberOffset)
    }
    let kindOffset = reader.offset
    let word = [UInt8](try reader.value("kind"))
    guard let kind = Kind.allCases.first(where: { Array($0.rawValue.utf8) == word }) else {
      throw ProofError(.malformed, "The kind `\(Naming.printable(word))` is not known", at: kindOffset)
    }
    self.kind = kind
    var statements: [[UInt8]] = []
    for _ in 0..<(kind.isOfReplica ? 1 : 2) { statements.append(try reader.base64("statement")) }
    self.statements = statements
    try reader.expectEnd()
  }

  /// Whether a leaf says that it is such a record, of whatever version.
  package static func isNamed(by leaf: [UInt8]) -> Bool {
    let name = Array("synchronicity-misbehaviour/".utf8)
    return leaf.prefix(name.count).elementsEqual(name)
  }
}

/// A builder's opening of a commitment without the outcome itself: enough to show that it opens none.
public struct SignedOpening: Hashable, Sendable {
  public let group: Text
  public let job: Digest
  public let builder: Text
  /// ``Outcome/digest``.
  public let outcome: Digest
  public let nonce: [UInt8]
  public let statement: BuilderStatement
  public let signature: Signature
  public let entrySignature: Signature

  public init(_ signed: SignedReveal) {
    let reveal = signed.reveal
    (group, job, builder, nonce) = (reveal.group, reveal.job, reveal.builder, reveal.nonce)
    (outcome, statement) = (reveal.outcome.digest, reveal.statement)
    (signature, entrySignature) = (signed.signature, signed.entrySignature)
  }

  /// The commitment that it does open.
  public var commitment: Digest {
    Reveal.commitment(group: group, job: job, builder: builder, outcome: outcome, nonce: nonce)
  }

  /// What the evidence's signature is on.
  public func signedBytes() -> [UInt8] {
    Reveal.signedBytes(
      group: group, job: job, builder: builder, outcome: outcome, nonce: nonce, statement: statement)
  }

  /// The signed bytes, counted, then both signatures.
  public func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.writeCounted(signedBytes())
    writer.write(signature)
    writer.write(entrySignature)
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed`` or ``ProofError/Code/unsupportedVersion``.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    var lines = LineReader(try reader.readCounted(max: LedgerLimits.openingBytesMax))
    signature = try reader.readSignature()
    entrySignature = try reader.readSignature()
    try reader.expectEnd()
    try lines.expect("synchronicity-reveal/v1", .unsupportedVersion)
    group = Text(utf8: [UInt8](try lines.value("group")))
    job = try lines.digest("job")
    builder = Text(utf8: [UInt8](try lines.value("builder")))
    outcome = try lines.digest("outcome")
    nonce = try lines.base64("nonce")
    statement = try BuilderStatement(
      sandbox: Text(utf8: [UInt8](try lines.value("sandbox"))),
      processor: Text(utf8: [UInt8](try lines.value("processor"))),
      kernel: Text(utf8: [UInt8](try lines.value("kernel"))))
    try lines.expectEnd()
    guard Naming.isOrigin(group), Naming.isMember(builder), nonce.count == ProofLimits.nonceBytes else {
      throw ProofError(.malformed, "An opening wants an origin, a member's name and a nonce of 32 bytes")
    }
  }
}
