/// What a builder says of itself: signed, but outside of the outcome's digest, since it may differ.
public struct BuilderStatement: Hashable, Sendable {
  /// Plugin and version, such as `chroot/0.1`; at most 32 bytes.
  public let sandbox: Text
  /// At most 64 bytes.
  public let processor: Text
  /// At most 48 bytes.
  public let kernel: Text

  /// - Throws: ``ProofError/Code/malformed`` unless each is 1 byte up to its bound of printable ASCII without `|`,
  ///   with no space at either end.
  public init(sandbox: Text, processor: Text, kernel: Text) throws(ProofError) {
    guard BuilderStatement.isPhrase(sandbox, max: ProofLimits.sandboxBytesMax),
      BuilderStatement.isPhrase(processor, max: ProofLimits.processorBytesMax),
      BuilderStatement.isPhrase(kernel, max: ProofLimits.kernelBytesMax)
    else {
      throw ProofError(.malformed, "What a builder says of itself is printable ASCII without `|`, not empty, bounded")
    }
    (self.sandbox, self.processor, self.kernel) = (sandbox, processor, kernel)
  }

  /// Makes a statement of what a host reports: foreign characters become `?`, long text is cut, nothing is `unknown`.
  public init(reportedSandbox sandbox: Text, processor: Text, kernel: Text) {
    self.sandbox = BuilderStatement.phrase(sandbox, max: ProofLimits.sandboxBytesMax)
    self.processor = BuilderStatement.phrase(processor, max: ProofLimits.processorBytesMax)
    self.kernel = BuilderStatement.phrase(kernel, max: ProofLimits.kernelBytesMax)
  }

  private static func isPhrase(_ text: Text, max: Int) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, let last = bytes.last, bytes.count <= max, first != 0x20, last != 0x20 else {
      return false
    }
    for byte in bytes where byte < 0x20 || byte >= 0x7f || byte == UInt8(ascii: "|") { return false }
    return true
  }

  private static func phrase(_ text: Text, max: Int) -> Text {
    var bytes: [UInt8] = []
    for byte in text.utf8 where !(byte == 0x20 && bytes.isEmpty) && bytes.count < max {
      bytes.append(byte < 0x20 || byte >= 0x7f || byte == UInt8(ascii: "|") ? UInt8(ascii: "?") : byte)
    }
    while bytes.last == 0x20 { bytes.removeLast() }
    return bytes.isEmpty ? "unknown" : Text(utf8: bytes)
  }
}

/// The opening of a builder's commitment.
///
/// Formats: `synchronicity-commitment/v1` and `synchronicity-reveal/v1` in docs/FORMATS.md.
public struct Reveal: Hashable, Sendable {
  /// Origin of the group.
  public let group: Text
  /// SHA-256 of the spec's text.
  public let job: Digest
  /// Member name.
  public let builder: Text
  /// What the builder's run gave.
  public let outcome: Outcome
  /// 32 random bytes, which keep the commitment from being guessed.
  public let nonce: [UInt8]
  /// What the builder says of itself.
  public let statement: BuilderStatement

  /// - Throws: ``ProofError/Code/malformed`` if a name is none or the nonce is not 32 bytes.
  public init(
    group: Text, job: Digest, builder: Text, outcome: Outcome, nonce: [UInt8], statement: BuilderStatement
  ) throws(ProofError) {
    guard Naming.isOrigin(group), Naming.isMember(builder), nonce.count == ProofLimits.nonceBytes else {
      throw ProofError(.malformed, "A reveal wants an origin, a member's name and a nonce of 32 bytes")
    }
    self.group = group
    self.job = job
    self.builder = builder
    self.outcome = outcome
    self.nonce = nonce
    self.statement = statement
  }

  /// What the builder published before it could know the others' outcomes.
  public var commitment: Digest {
    Reveal.commitment(group: group, job: job, builder: builder, outcome: outcome.digest, nonce: nonce)
  }

  /// The commitment of an opening of which only the outcome's digest is known.
  public static func commitment(group: Text, job: Digest, builder: Text, outcome: Digest, nonce: [UInt8]) -> Digest {
    var writer = LineWriter()
    writer.line("synchronicity-commitment/v1")
    writeOpening(group: group, job: job, builder: builder, outcome: outcome, nonce: nonce, to: &writer)
    return SHA256.hash(writer.bytes)
  }

  /// What the builder's key signs.
  public func signedBytes() -> [UInt8] {
    Reveal.signedBytes(
      group: group, job: job, builder: builder, outcome: outcome.digest, nonce: nonce, statement: statement)
  }

  /// The signed bytes of a reveal of which only the outcome's digest is known.
  public static func signedBytes(
    group: Text, job: Digest, builder: Text, outcome: Digest, nonce: [UInt8], statement: BuilderStatement
  ) -> [UInt8] {
    var writer = LineWriter(capacity: 768)
    writer.line("synchronicity-reveal/v1")
    writeOpening(group: group, job: job, builder: builder, outcome: outcome, nonce: nonce, to: &writer)
    writer.line("sandbox", statement.sandbox)
    writer.line("processor", statement.processor)
    writer.line("kernel", statement.kernel)
    return writer.bytes
  }

  /// The signed bytes, then the outcome's text.
  public func encode() -> [UInt8] { signedBytes() + outcome.encode() }

  /// - Throws: ``ProofError/Code/malformed`` or ``ProofError/Code/unsupportedVersion``.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-reveal/v1", .unsupportedVersion)
    let group = Text(utf8: try reader.value("group"))
    let job = try reader.digest("job")
    let builder = Text(utf8: try reader.value("builder"))
    let digestOffset = reader.offset
    let digest = try reader.digest("outcome")
    let nonce = try reader.base64("nonce")
    let statement = try BuilderStatement(
      sandbox: Text(utf8: try reader.value("sandbox")), processor: Text(utf8: try reader.value("processor")),
      kernel: Text(utf8: try reader.value("kernel")))
    let text = reader.rest()
    guard SHA256.hash(text) == digest else {
      throw ProofError(.malformed, "The outcome behind the reveal is not the one that it names", at: digestOffset)
    }
    try self.init(
      group: group, job: job, builder: builder, outcome: try Outcome(parsing: text), nonce: nonce,
      statement: statement)
  }

  private static func writeOpening(
    group: Text, job: Digest, builder: Text, outcome: Digest, nonce: [UInt8], to writer: inout LineWriter
  ) {
    writer.line("group", group)
    writer.line("job", job)
    writer.line("builder", builder)
    writer.line("outcome", outcome)
    writer.line("nonce", base64: nonce)
  }
}
