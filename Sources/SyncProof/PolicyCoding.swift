extension Policy {
  /// The policy as text: logs, witnesses, builders, groups in the order of their definition, the two thresholds.
  public func encode() -> [UInt8] {
    var writer = LineWriter()
    writeCommon(to: &writer)
    for builder in builders { writer.line("builder", fields: [builder.name.utf8, builder.key.vkey]) }
    for group in groups { Policy.write(group, to: &writer) }
    writer.line("quorum", quorum ?? "none")
    writer.line("reproducers", reproducers)
    return writer.bytes
  }

  /// The policy for tools that know C2SP tlog-policy alone: without builders, their groups and the reproducers.
  ///
  /// It checks half of what this policy asks for: that the log is the one everyone sees.
  public func exportTlogPolicy() -> [UInt8] {
    var writer = LineWriter()
    writeCommon(to: &writer)
    var builderNames: [Text] = []
    for builder in builders { Policy.insert(builder.name, into: &builderNames) }
    for group in groups {
      if let first = group.members.first, Policy.contains(builderNames, first) {
        Policy.insert(group.name, into: &builderNames)
      } else {
        Policy.write(group, to: &writer)
      }
    }
    writer.line("quorum", quorum ?? "none")
    return writer.bytes
  }

  private func writeCommon(to writer: inout LineWriter) {
    for log in logs { writer.line("log", fields: [log.key.vkey] + Policy.optional(log.url)) }
    for witness in witnesses {
      writer.line("witness", fields: [witness.name.utf8, witness.key.vkey] + Policy.optional(witness.url))
    }
  }

  private static func optional(_ url: Text?) -> [[UInt8]] {
    guard let url else { return [] }
    return [url.utf8]
  }

  private static func write(_ group: PolicyGroup, to writer: inout LineWriter) {
    let threshold: [UInt8]
    if group.threshold == group.members.count {
      threshold = Text("all").utf8
    } else if group.threshold == 1 {
      threshold = Text("any").utf8
    } else {
      threshold = Decimal.encode(UInt64(group.threshold))
    }
    writer.line("group", fields: [group.name.utf8, threshold] + group.members.map { $0.utf8 })
  }

  /// Parses a policy file: lenient in white space, comments and order, strict in everything else.
  ///
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge``, ``ProofError/Code/invalidKey`` or
  ///   ``ProofError/Code/invalidPolicy``.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= ProofLimits.policyBytesMax else {
      throw ProofError(
        .tooLarge, "A policy of \(bytes.count) bytes; at most \(ProofLimits.policyBytesMax) are taken")
    }
    var reader = LineReader(bytes)
    var parser = PolicyParser()
    while !reader.isAtEnd {
      let start = reader.offset
      try parser.take(try reader.line(), at: start)
    }
    self = try parser.finish()
  }
}

/// Collects the lines of a policy.
private struct PolicyParser {
  private var logs: [PolicyLog] = []
  private var witnesses: [PolicyWitness] = []
  private var builders: [PolicyBuilder] = []
  private var groups: [PolicyGroup] = []
  private var quorum: Text?
  private var reproducers: Text?
  /// Every name so far, sorted: what a line may refer to.
  private var defined: [Text] = []
  /// Of the line at hand.
  private var words: [Bytes] = []

  mutating func take(_ line: Bytes, at offset: Int) throws(ProofError) {
    for byte in line where (byte < 0x20 && byte != 0x09) || byte == 0x7f {
      throw ProofError(.malformed, "A policy has no control characters but tab and newline", at: offset)
    }
    divide(line)
    guard let keyword = words.first, keyword.first != UInt8(ascii: "#") else { return }
    switch keyword {
    case "log":
      try expect(2...3, "log <vkey> [<url>]", offset)
      logs.append(PolicyLog(key: try key(words[1], offset), url: words.count > 2 ? Text(utf8: words[2]) : nil))
    case "witness":
      try expect(3...4, "witness <name> <vkey> [<url>]", offset)
      witnesses.append(
        PolicyWitness(
          name: try define(words[1], offset), key: try key(words[2], offset),
          url: words.count > 3 ? Text(utf8: words[3]) : nil))
    case "builder":
      try expect(3...3, "builder <name> <vkey>", offset)
      builders.append(PolicyBuilder(name: try define(words[1], offset), key: try key(words[2], offset)))
    case "group":
      try takeGroup(offset)
    case "quorum":
      try expect(2...2, "quorum <name>", offset)
      guard quorum == nil else { throw Policy.invalid("A policy has one quorum line", at: offset) }
      quorum = words[1].equals("none") ? "none" : try refer(words[1], offset)
    case "reproducers":
      try expect(2...2, "reproducers <name>", offset)
      guard reproducers == nil else { throw Policy.invalid("A policy has one reproducers line", at: offset) }
      reproducers = try refer(words[1], offset)
    default:
      throw ProofError(
        .malformed,
        "`\(Naming.printable(keyword))` begins no line of a policy; known are log, witness, builder, group, quorum, "
          + "reproducers", at: offset)
    }
    guard max(logs.count, witnesses.count, builders.count, groups.count) <= ProofLimits.policyNamesMax else {
      throw ProofError(.tooLarge, "More than \(ProofLimits.policyNamesMax) lines of a kind", at: offset)
    }
  }

  func finish() throws(ProofError) -> Policy {
    guard let quorum else {
      throw Policy.invalid("The policy has no quorum line; `quorum none` asks for no cosignatures")
    }
    guard let reproducers else {
      throw Policy.invalid("The policy has no reproducers line; it says which builders must have rebuilt the bytes")
    }
    return try Policy(
      logs: logs, witnesses: witnesses, builders: builders, groups: groups, quorum: quorum == "none" ? nil : quorum,
      reproducers: reproducers)
  }

  private mutating func takeGroup(_ offset: Int) throws(ProofError) {
    try expect(4...Int.max, "group <name> all|any|<k> <name>...", offset)
    var members: [Text] = []
    members.reserveCapacity(words.count - 3)
    for word in words[3...] { members.append(try refer(word, offset)) }
    let threshold: UInt64?
    switch words[2] {
    case "all": threshold = UInt64(members.count)
    case "any": threshold = 1
    default: threshold = Decimal.decode(words[2])
    }
    guard let threshold, threshold >= 1, threshold <= UInt64(members.count) else {
      throw Policy.invalid("A group's threshold is `all`, `any` or a number from 1 to \(members.count)", at: offset)
    }
    groups.append(PolicyGroup(name: try define(words[1], offset), threshold: Int(threshold), members: members))
  }

  private mutating func divide(_ line: Bytes) {
    words.removeAll(keepingCapacity: true)
    var start = line.startIndex
    for i in line.indices where line[i] == 0x20 || line[i] == 0x09 {
      if start < i { words.append(line[start..<i]) }
      start = i + 1
    }
    if start < line.endIndex { words.append(line[start...]) }
  }

  private func key(_ word: Bytes, _ offset: Int) throws(ProofError) -> NoteKey {
    do {
      return try NoteKey(vkey: word)
    } catch {
      throw ProofError(error.code, error.sentence, at: offset)
    }
  }

  private func expect(
    _ range: ClosedRange<Int>, _ form: StaticString, _ offset: Int
  ) throws(ProofError) {
    guard range.contains(words.count) else {
      throw ProofError(.malformed, "The line wants the form `\(form)`", at: offset)
    }
  }

  private mutating func define(_ word: Bytes, _ offset: Int) throws(ProofError) -> Text {
    let name = Text(utf8: word)
    guard !Policy.contains(defined, name) else {
      throw Policy.invalid("`\(Naming.printable(word))` is defined twice", at: offset)
    }
    Policy.insert(name, into: &defined)
    return name
  }

  private func refer(_ word: Bytes, _ offset: Int) throws(ProofError) -> Text {
    let name = Text(utf8: word)
    guard Policy.contains(defined, name) else {
      throw Policy.invalid("`\(Naming.printable(word))` is not defined on a line before", at: offset)
    }
    return name
  }
}
