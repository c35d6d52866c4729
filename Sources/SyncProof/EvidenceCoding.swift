extension Evidence {
  /// The leaf's bytes, at most 65,535.
  public func encode() -> [UInt8] {
    var writer = LineWriter()
    writer.line("synchronicity-evidence/v1")
    writer.line("group", group)
    writer.line("epoch", epoch)
    writer.line("height", height)
    writer.line("time", timeMilliseconds)
    writer.line("submitter", submitter)
    writer.line("reproducers", UInt64(reproducers))
    writer.line("verdict", verdict.text)
    writer.line("agreeing", UInt64(agreeing))
    let text = spec.encode()
    writer.line("spec", Evidence.lineCount(text))
    writer.raw(text)
    for listed in outcomes { Evidence.write(listed, to: &writer) }
    for builder in builders { Evidence.write(builder, to: &writer) }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/unsupportedVersion``, ``ProofError/Code/tooLarge``,
  ///   ``ProofError/Code/invalidSpec``, or ``ProofError/Code/verdictMismatch`` if the verdict is not the one that the
  ///   lines give.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= ProofLimits.leafBytesMax else {
      throw ProofError(.tooLarge, "A leaf of \(bytes.count) bytes; at most \(ProofLimits.leafBytesMax) are possible")
    }
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-evidence/v1", .unsupportedVersion)
    let group = Text(utf8: try reader.value("group"))
    let epoch = try reader.decimal("epoch")
    let height = try reader.decimal("height")
    let time = try reader.decimal("time")
    let submitter = Text(utf8: try reader.value("submitter"))
    let people = UInt64(ProofLimits.buildersMax)
    let reproducers = Int(try reader.decimal("reproducers", in: 1...people))
    let verdictOffset = reader.offset
    guard let verdict = Verdict(word: try reader.value("verdict")) else {
      throw ProofError(.malformed, "The verdict is none that is known", at: verdictOffset)
    }
    let agreeing = Int(try reader.decimal("agreeing", in: 0...people))
    let specLines = Int(try reader.decimal("spec", in: 1...UInt64(ProofLimits.leafBytesMax)))
    let specStart = reader.offset
    let specText = try reader.block(lines: specLines)
    let spec = try ProofError.within(specStart, BuildSpec(parsing: specText))
    var outcomes: [ListedOutcome] = []
    while reader.isNext("outcome") {
      guard outcomes.count < ProofLimits.buildersMax else {
        throw ProofError(.tooLarge, "More outcomes than builders", at: reader.offset)
      }
      outcomes.append(try Evidence.readOutcome(&reader, spec: spec))
    }
    var builders: [BuilderLine] = []
    while !reader.isAtEnd {
      guard builders.count < ProofLimits.buildersMax else {
        throw ProofError(.tooLarge, "More than \(ProofLimits.buildersMax) builders", at: reader.offset)
      }
      builders.append(try Evidence.readBuilder(&reader, outcomeCount: outcomes.count))
    }
    self.init(
      group: group, epoch: epoch, height: height, timeMilliseconds: time, submitter: submitter,
      reproducers: reproducers, verdict: verdict, agreeing: agreeing, spec: spec, jobID: SHA256.hash(specText),
      outcomes: outcomes, builders: builders)
    try validate()
  }

  /// The most bytes that evidence about `spec` can take: 100 builders with the longest names and statements, who
  /// reveal 100 different outcomes, the first of them in full.
  public static func leafBytesWorst(for spec: BuildSpec) -> Int {
    leafBytesWorst(for: spec, textBytes: spec.encode().count)
  }

  /// - Parameter textBytes: How many `spec.encode()` writes.
  static func leafBytesWorst(for spec: BuildSpec, textBytes: Int) -> Int {
    let specLines = 14 + spec.features.count + spec.sources.count + spec.environment.count + spec.artifacts.count
    var count = leafBytesBesides + textBytes + Decimal.count(of: UInt64(specLines))
    count += Decimal.count(of: UInt64(2 + spec.artifacts.count))
    // Mode, size, digest and path.
    for path in spec.artifacts { count += 101 + path.utf8.count }
    return count
  }

  /// Bytes of the longest evidence without its spec, the artifacts of its first outcome and the two line counts: the
  /// lines before the spec, the first outcome's head, 99 outcomes by digest alone, 100 builders. A test writes them.
  private static let leafBytesBesides = 498 + 105 + 99 * 75 + 100 * 357

  /// The outcomes in full as long as they fit into `room` bytes beyond their digests, then by digest alone.
  static func listing(_ outcomes: [Outcome], room: Int) -> [ListedOutcome] {
    var left = room
    var listed: [ListedOutcome] = []
    for outcome in outcomes {
      let text = outcome.encode()
      // The line count's single digit is there already. What is left only shrinks, so from the first outcome that
      // does not fit on, none is listed in full.
      left -= text.count + Decimal.count(of: lineCount(text)) - 1
      listed.append(ListedOutcome(digest: SHA256.hash(text), outcome: left >= 0 ? outcome : nil))
    }
    return listed
  }

  /// What the parser cannot see line by line: names, order, counts, verdict.
  func validate() throws(ProofError) {
    guard Naming.isOrigin(group), Naming.isMember(submitter) else {
      throw ProofError(.malformed, "The evidence wants a bare host name as its group and a member as its submitter")
    }
    guard !builders.isEmpty, builders.count <= ProofLimits.buildersMax, (1...builders.count).contains(reproducers)
    else {
      throw ProofError(
        .malformed,
        "\(builders.count) builders with \(reproducers) that must agree; "
          + "wanted 1...\(ProofLimits.buildersMax) builders and no higher threshold")
    }
    for i in builders.indices {
      guard Naming.isMember(builders[i].name), i == 0 || builders[i - 1].name < builders[i].name else {
        throw ProofError(.malformed, "Builders are named members, sorted, each once")
      }
    }
    let supporters = supporters
    for i in outcomes.indices {
      guard supporters[i] > 0 else { throw ProofError(.malformed, "An outcome that no builder revealed is listed") }
      guard i == 0 ? outcomes[i].outcome != nil : outcomes[i].outcome == nil || outcomes[i - 1].outcome != nil else {
        throw ProofError(.malformed, "Outcomes are listed in full from the first on")
      }
      guard i > 0 else { continue }
      guard
        supporters[i - 1] > supporters[i]
          || (supporters[i - 1] == supporters[i] && outcomes[i - 1].digest < outcomes[i].digest)
      else { throw ProofError(.malformed, "Outcomes are sorted by their supporters, then by digest, each once") }
    }
    let judged = Evidence.judge(
      supporters: supporters, leaderIsBuilt: outcomes.first?.outcome?.isBuilt ?? false, reproducers: reproducers)
    guard judged == verdict, agreeing == supporters.first ?? 0 else {
      throw ProofError(
        .verdictMismatch,
        "The evidence says `\(verdict.text)` with \(agreeing) agreeing, its lines come to "
          + "`\(judged.text)` with \(supporters.first ?? 0); do not trust the log that holds it")
    }
  }

  private static func lineCount(_ text: [UInt8]) -> UInt64 {
    var count: UInt64 = 0
    for byte in text where byte == UInt8(ascii: "\n") { count += 1 }
    return count
  }

  private static func write(_ listed: ListedOutcome, to writer: inout LineWriter) {
    let text = listed.outcome?.encode() ?? []
    writer.line("outcome", fields: [Hex.encode(listed.digest.bytes), Decimal.encode(lineCount(text))])
    writer.raw(text)
  }

  private static func readOutcome(_ reader: inout LineReader, spec: BuildSpec) throws(ProofError) -> ListedOutcome {
    let start = reader.offset
    let fields = try reader.fields("outcome", count: 2)
    guard let digest = Digest(hex: fields[0]), let lines = Decimal.decode(fields[1]),
      lines <= UInt64(ProofLimits.artifactsMax) + 2
    else { throw ProofError(.malformed, "An outcome line wants a digest and a number of lines", at: start) }
    guard lines > 0 else { return ListedOutcome(digest: digest, outcome: nil) }
    let textStart = reader.offset
    let text = try reader.block(lines: Int(lines))
    let outcome = try ProofError.within(textStart, Outcome(parsing: text))
    guard SHA256.hash(text) == digest, outcome.answers(spec) else {
      throw ProofError(
        .malformed, "An outcome is not the one of its digest, or not about the spec's artifacts", at: start)
    }
    return ListedOutcome(digest: digest, outcome: outcome)
  }

  private static func write(_ line: BuilderLine, to writer: inout LineWriter) {
    switch line {
    case .absent(let name, let absence):
      writer.line("absent", fields: [name.utf8, absence.text.utf8])
    case .revealed(let name, let outcome, let nonce, let statement, let signature):
      let bar = [UInt8(ascii: "|")]
      writer.line(
        "builder",
        fields: [
          name.utf8, Decimal.encode(UInt64(outcome)), Base64.encode(nonce), Base64.encode(signature.bytes),
          statement.sandbox.utf8 + bar + statement.processor.utf8 + bar + statement.kernel.utf8,
        ])
    }
  }

  private static func readBuilder(_ reader: inout LineReader, outcomeCount: Int) throws(ProofError) -> BuilderLine {
    let start = reader.offset
    if reader.isNext("absent") {
      let fields = try reader.fields("absent", count: 2)
      guard let absence = Absence(word: fields[1]) else {
        throw ProofError(.malformed, "A builder is absent for a reason that is not known", at: start)
      }
      return .absent(name: Text(utf8: fields[0]), absence)
    }
    var fields = FieldReader(try reader.value("builder"))
    // The statement may hold spaces, so it is all that is left.
    guard let name = fields.next(), let listed = fields.next(), let nonceText = fields.next(),
      let signatureText = fields.next(), let said = fields.last(),
      let outcome = Decimal.decode(listed), outcome < UInt64(outcomeCount),
      let nonce = Base64.decode(nonceText), nonce.count == ProofLimits.nonceBytes,
      let bytes = Base64.decode(signatureText), let signature = Signature(bytes: bytes)
    else {
      throw ProofError(
        .malformed, "A builder line wants a name, a listed outcome, a nonce, a signature and a statement", at: start)
    }
    var parts = FieldReader(said, separator: UInt8(ascii: "|"))
    guard let sandbox = parts.next(), let processor = parts.next(), let kernel = parts.next(), parts.isAtEnd else {
      throw ProofError(.malformed, "A builder's statement has three parts: sandbox, processor, kernel", at: start)
    }
    return .revealed(
      name: Text(utf8: name), outcome: Int(outcome), nonce: nonce,
      statement: try BuilderStatement(
        sandbox: Text(utf8: sandbox), processor: Text(utf8: processor), kernel: Text(utf8: kernel)),
      signature: signature)
  }
}

extension Verdict {
  /// The word in the evidence: `reproduced`, `diverged`, `failed`, `inconclusive`.
  public var text: Text {
    switch self {
    case .reproduced: "reproduced"
    case .diverged: "diverged"
    case .failed: "failed"
    case .inconclusive: "inconclusive"
    }
  }

  /// - Returns: `nil` for any other word.
  public init?(text: Text) { self.init(word: text.utf8[...]) }

  init?(word: Bytes) {
    switch word {
    case "reproduced": self = .reproduced
    case "diverged": self = .diverged
    case "failed": self = .failed
    case "inconclusive": self = .inconclusive
    default: return nil
    }
  }
}

extension Absence {
  /// The word in the evidence: `no-commitment`, `no-reveal`, `wrong-opening`, `sandbox-fault`.
  public var text: Text {
    switch self {
    case .noCommitment: "no-commitment"
    case .noReveal: "no-reveal"
    case .wrongOpening: "wrong-opening"
    case .sandboxFault: "sandbox-fault"
    }
  }

  /// - Returns: `nil` for any other word.
  public init?(text: Text) { self.init(word: text.utf8[...]) }

  init?(word: Bytes) {
    switch word {
    case "no-commitment": self = .noCommitment
    case "no-reveal": self = .noReveal
    case "wrong-opening": self = .wrongOpening
    case "sandbox-fault": self = .sandboxFault
    default: return nil
    }
  }
}
