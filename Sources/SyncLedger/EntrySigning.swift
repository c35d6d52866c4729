import SyncProof

/// What the builder key signs for each kind of entry: text lines behind one label, the chain's ID and the kind, so that
/// no signature means anything for another kind, another chain, or another version of this protocol.
///
/// ```
/// synchronicity-entry/v1
/// chain <64 hexadecimal digits>
/// kind submission | commitment | abstention | reveal | proposal | approval
/// job <64 hexadecimal digits>             (proposal and approval: handover)
/// member <name>
/// digest <64 hexadecimal digits>          (commitment, reveal and approval only)
/// ```
extension Entry {
  /// - Parameters:
  ///   - job: ``BuildSpec/jobID``.
  ///   - chainID: ``Group/chainID``.
  public static func submissionSignedBytes(job: Digest, submitter: Text, chainID: Digest) -> [UInt8] {
    signedBytes("submission", job, submitter, nil, chainID)
  }

  public static func commitmentSignedBytes(job: Digest, builder: Text, commitment: Digest, chainID: Digest) -> [UInt8] {
    signedBytes("commitment", job, builder, commitment, chainID)
  }

  public static func abstentionSignedBytes(job: Digest, builder: Text, chainID: Digest) -> [UInt8] {
    signedBytes("abstention", job, builder, nil, chainID)
  }

  /// The digest line holds the SHA-256 of ``Reveal/signedBytes()`` with the 64 bytes of `signature` behind it.
  ///
  /// - Parameter signature: The builder's on ``Reveal/signedBytes()``, which must be made first.
  public static func revealSignedBytes(_ reveal: Reveal, signature: Signature, chainID: Digest) -> [UInt8] {
    signedBytes(
      "reveal", reveal.job, reveal.builder, SHA256.hash(reveal.signedBytes() + signature.bytes), chainID)
  }

  /// The same of an opening whose outcome is known by its digest alone.
  static func openingSignedBytes(_ opening: SignedOpening, chainID: Digest) -> [UInt8] {
    signedBytes(
      "reveal", opening.job, opening.builder, SHA256.hash(opening.signedBytes() + opening.signature.bytes), chainID)
  }

  private static func signedBytes(
    _ kind: StaticString, _ job: Digest, _ member: Text, _ digest: Digest?, _ chainID: Digest
  ) -> [UInt8] {
    signedBytes(kind, about: "job", job, member, digest, chainID)
  }

  static func handoverSignedBytes(
    _ kind: StaticString, _ handover: Digest, _ member: Text, _ digest: Digest?, _ chainID: Digest
  ) -> [UInt8] {
    signedBytes(kind, about: "handover", handover, member, digest, chainID)
  }

  private static func signedBytes(
    _ kind: StaticString, about: StaticString, _ subject: Digest, _ member: Text, _ digest: Digest?, _ chainID: Digest
  ) -> [UInt8] {
    var writer = LineWriter()
    writer.line("synchronicity-entry/v1")
    writer.line("chain", chainID)
    writer.line("kind", Text(stringLiteral: kind))
    writer.line(about, subject)
    writer.line("member", member)
    if let digest { writer.line("digest", digest) }
    return writer.bytes
  }
}
