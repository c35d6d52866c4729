import SyncProof

/// A member asks the group for a rebuild.
public struct Submission: Hashable, Sendable {
  public let spec: BuildSpec
  /// Name of the member whose builder key signs.
  public let submitter: Text
  /// By the submitter's builder key on ``Entry/submissionSignedBytes(job:submitter:chainID:)``.
  public let signature: Signature

  public init(spec: BuildSpec, submitter: Text, signature: Signature) {
    (self.spec, self.submitter, self.signature) = (spec, submitter, signature)
  }
}

/// A builder has an outcome and hides it still.
public struct SignedCommitment: Hashable, Sendable {
  public let job: Digest
  public let builder: Text
  /// ``Reveal/commitment`` of the opening that the builder keeps.
  public let commitment: Digest
  /// By the builder's key on ``Entry/commitmentSignedBytes(job:builder:commitment:chainID:)``.
  public let signature: Signature

  public init(job: Digest, builder: Text, commitment: Digest, signature: Signature) {
    (self.job, self.builder, self.commitment, self.signature) = (job, builder, commitment, signature)
  }
}

/// A builder's own sandbox failed for good: it has no outcome and says so, rather than let the others wait.
public struct SignedAbstention: Hashable, Sendable {
  public let job: Digest
  public let builder: Text
  /// By the builder's key on ``Entry/abstentionSignedBytes(job:builder:chainID:)``.
  public let signature: Signature

  public init(job: Digest, builder: Text, signature: Signature) {
    (self.job, self.builder, self.signature) = (job, builder, signature)
  }
}

/// A builder opens its commitment.
public struct SignedReveal: Hashable, Sendable {
  public let reveal: Reveal
  /// By the builder's key on ``Reveal/signedBytes()``: it goes into the evidence, where anybody can check it.
  public let signature: Signature
  /// By the builder's key on ``Entry/revealSignedBytes(_:signature:chainID:)``.
  ///
  /// Why a second one: the evidence's signature names the group by its origin. Were it enough, an honest opening
  /// from a group of the same origin and keys (set up anew, or of another epoch) could be replayed here as a wrong
  /// opening.
  public let entrySignature: Signature

  public init(reveal: Reveal, signature: Signature, entrySignature: Signature) {
    (self.reveal, self.signature, self.entrySignature) = (reveal, signature, entrySignature)
  }
}

/// One thing that the group orders.
///
/// Encoding, by ``ByteWriter``: the version (one byte, 1), the kind (one byte), then the fields in the order below;
/// names, specs, reveals and records are counted, the rest is of fixed width. A value has one encoding, and other
/// bytes are refused.
///
/// | kind | fields |
/// |---|---|
/// | 1 submission | submitter, spec, signature |
/// | 2 commitment | job, builder, commitment, signature |
/// | 3 abstention | job, builder, signature |
/// | 4 reveal | reveal, signature, entry signature |
/// | 5 proposal | proposer, group file, signature |
/// | 6 approval | proposal, builder, signature, entry signature |
/// | 7 accusation | misbehaviour record |
public enum Entry: Hashable, Sendable {
  case submission(Submission)
  case commitment(SignedCommitment)
  case abstention(SignedAbstention)
  case reveal(SignedReveal)
  case proposal(SignedProposal)
  case approval(SignedApproval)
  /// What a member has signed and should not have. It bears no accuser's signature: it proves itself.
  case accusation(MisbehaviourRecord)

  private static let version: UInt8 = 1

  private enum Kind {
    static let submission: UInt8 = 1
    static let commitment: UInt8 = 2
    static let abstention: UInt8 = 3
    static let reveal: UInt8 = 4
    static let proposal: UInt8 = 5
    static let approval: UInt8 = 6
    static let accusation: UInt8 = 7
  }

  public func encode() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(Entry.version)
    switch self {
    case .submission(let submission):
      writer.write(Kind.submission)
      writer.writeCounted(submission.submitter.utf8)
      writer.writeCounted(submission.spec.encode())
      writer.write(submission.signature)
    case .commitment(let signed):
      writer.write(Kind.commitment)
      writer.write(signed.job)
      writer.writeCounted(signed.builder.utf8)
      writer.write(signed.commitment)
      writer.write(signed.signature)
    case .abstention(let signed):
      writer.write(Kind.abstention)
      writer.write(signed.job)
      writer.writeCounted(signed.builder.utf8)
      writer.write(signed.signature)
    case .reveal(let signed):
      writer.write(Kind.reveal)
      writer.writeCounted(signed.reveal.encode())
      writer.write(signed.signature)
      writer.write(signed.entrySignature)
    case .proposal(let signed):
      writer.write(Kind.proposal)
      writer.writeCounted(signed.proposer.utf8)
      writer.writeCounted(signed.group)
      writer.write(signed.signature)
    case .approval(let signed):
      writer.write(Kind.approval)
      writer.write(signed.proposal)
      writer.writeCounted(signed.builder.utf8)
      writer.write(signed.signature)
      writer.write(signed.entrySignature)
    case .accusation(let record):
      writer.write(Kind.accusation)
      writer.writeCounted(record.encode())
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge`` above ``LedgerLimits/entryBytesMax``,
  ///   ``ProofError/Code/unsupportedVersion``, and what ``BuildSpec``, ``Reveal`` and ``MisbehaviourRecord`` throw.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= LedgerLimits.entryBytesMax else {
      throw ProofError(
        .tooLarge, "An entry of \(bytes.count) bytes; at most \(LedgerLimits.entryBytesMax) are taken")
    }
    var reader = ByteReader(bytes)
    let version = try reader.read(UInt8.self)
    guard version == Entry.version else {
      throw ProofError(.unsupportedVersion, "An entry of version \(version); this replica knows 1", at: 0)
    }
    let kind = try reader.read(UInt8.self)
    switch kind {
    case Kind.submission:
      let submitter = try Entry.readName(&reader)
      let spec = try BuildSpec(parsing: try reader.readCounted(max: ProofLimits.leafBytesMax))
      self = .submission(Submission(spec: spec, submitter: submitter, signature: try reader.readSignature()))
    case Kind.commitment:
      let job = try reader.readDigest()
      let builder = try Entry.readName(&reader)
      let commitment = try reader.readDigest()
      self = .commitment(
        SignedCommitment(job: job, builder: builder, commitment: commitment, signature: try reader.readSignature()))
    case Kind.abstention:
      let job = try reader.readDigest()
      let builder = try Entry.readName(&reader)
      self = .abstention(SignedAbstention(job: job, builder: builder, signature: try reader.readSignature()))
    case Kind.reveal:
      let reveal = try Reveal(parsing: try reader.readCounted(max: LedgerLimits.entryBytesMax))
      let signature = try reader.readSignature()
      self = .reveal(
        SignedReveal(reveal: reveal, signature: signature, entrySignature: try reader.readSignature()))
    case Kind.proposal:
      let proposer = try Entry.readName(&reader)
      let group = try reader.readCounted(max: LedgerLimits.entryBytesMax)
      self = .proposal(SignedProposal(group: group, proposer: proposer, signature: try reader.readSignature()))
    case Kind.approval:
      let proposal = try reader.readDigest()
      let builder = try Entry.readName(&reader)
      let signature = try reader.readSignature()
      self = .approval(
        SignedApproval(
          proposal: proposal, builder: builder, signature: signature, entrySignature: try reader.readSignature()))
    case Kind.accusation:
      self = .accusation(
        try MisbehaviourRecord(parsing: try reader.readCounted(max: LedgerLimits.entryBytesMax)))
    default:
      throw ProofError(.malformed, "An entry of the unknown kind \(kind)", at: 1)
    }
    try reader.expectEnd()
  }

  private static func readName(_ reader: inout ByteReader) throws(ProofError) -> Text {
    Text(utf8: try reader.readCounted(max: ProofLimits.memberNameBytesMax))
  }
}
