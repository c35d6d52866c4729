extension Report {
  /// What a proof that holds says, for people: each line valid UTF-8 without its newline.
  public static func verificationLines(_ verification: Verification) -> [[UInt8]] {
    let evidence = verification.evidence
    let spec = evidence.spec
    let checkpoint = verification.checkpoint
    let log = checkpoint.origin
    let count = evidence.artifacts.count
    var what: Text = count == 1 ? "1 artifact" : "\(count) artifacts"
    if let artifact = verification.artifact { what = shown(artifact.path) }
    var source: Text = "none"
    if let root = spec.root { source = "\(root.tree)" }
    var lines: [Text] = [
      "package      \(shown(spec.package)) (\(what))",
      "source tree  \(source)",
      "toolchain    \(spec.toolchain)",
      "rebuilt by   \(joined(verification.reproducers.map { short($0, in: log) }))",
    ]
    var others: [Text] = []
    for (i, line) in evidence.builders.enumerated() where !verification.reproducerIndices.contains(i) {
      others.append("\(shown(line.name)) (\(brief(line)))")
    }
    if !others.isEmpty { lines.append("not counted  \(joined(others))") }
    lines.append("decided      \(time(seconds: evidence.timeMilliseconds / 1_000))")
    lines.append(
      "logged at    \(shown(log)), index \(verification.index), in a tree of \(checkpoint.treeSize) leaves")
    lines.append("cosigned by  \(joined(verification.cosigners.map { short($0.name, in: log) }))")
    let times = verification.cosigners.map { $0.timestamp }
    if let first = times.min(), let last = times.max() {
      let end: Text = first == last ? "" : " to \(time(seconds: last))"
      lines.append("cosigned at  \(time(seconds: first))\(end)")
    }
    return lines.map { $0.utf8 }
  }

  /// What a proof says of itself, for people.
  public static func inspectionLines(_ inspection: Inspection) -> [[UInt8]] {
    let (proof, evidence) = (inspection.proof, inspection.evidence)
    let spec = evidence.spec
    let (checkpoint, builders) = (proof.checkpoint, evidence.builders)
    var lines: [Text] = [
      "NOT VERIFIED: the file says this of itself. Check: synchronicity verify --policy POLICY --proof FILE ARTIFACT",
      "",
      "package    \(shown(spec.package))",
      "job        \(spec.jobID)",
      "toolchain  \(spec.toolchain)",
      "verdict    \(evidence.verdict.text), \(evidence.agreeing) of \(builders.count) builders agree, "
        + "\(evidence.reproducers) wanted",
      "decided    \(time(seconds: evidence.timeMilliseconds / 1_000)), block \(evidence.height), submitted by "
        + shown(evidence.submitter),
      "log        \(shown(checkpoint.origin)), index \(proof.index), tree of \(checkpoint.treeSize) leaves",
      "signatures on the tree head",
    ]
    for signature in proof.note.signatures {
      var when: Text = ""
      if let cosignature = Cosignature(parsing: signature.blob) { when = "  \(time(seconds: cosignature.timestamp))" }
      lines.append("  \(shown(signature.name))\(when)")
    }
    lines.append("sources")
    for source in spec.sources {
      lines.append("  \(shown(source.purl))  tree \(source.tree)  from \(shown(source.origin))")
    }
    lines.append("artifacts")
    for artifact in evidence.artifacts { lines.append("  \(artifact.sha256)  \(shown(artifact.path))") }
    lines.append("builders")
    for line in builders {
      var host: Text = ""
      if case .revealed(_, _, _, let statement, _) = line {
        host = "  (\(shown(statement.sandbox)); \(shown(statement.processor)); \(shown(statement.kernel)))"
      }
      lines.append("  \(shown(line.name))  \(describe(line, in: evidence))\(host)")
    }
    for (i, listed) in evidence.outcomes.enumerated() {
      if case .failed(let reason) = listed.outcome {
        lines.append("outcome \(i + 1) is a failure: \(shown(Text(utf8: failure(reason))))")
      }
    }
    return lines.map { $0.utf8 }
  }

  /// What a builder gave, in words.
  static func describe(_ line: BuilderLine, in evidence: Evidence) -> Text {
    switch line {
    case .revealed(_, let number, _, _, _):
      "revealed outcome \(number + 1), \(evidence.outcomes[number].digest)"
    case .absent(_, let absence): "absent: \(absence.text)"
    }
  }

  private static func brief(_ line: BuilderLine) -> Text {
    switch line {
    case .revealed(_, let number, _, _, _): number == 0 ? "not in the policy" : "revealed another outcome"
    case .absent(_, let absence): "absent: \(absence.text)"
    }
  }

  /// The way in which a build failed, as its outcome names it: `exit-status 101`.
  public static func failure(_ reason: FailureReason) -> [UInt8] {
    // The second line of the outcome, without its first word.
    let lines = Outcome.failed(reason).encode().split(separator: UInt8(ascii: "\n"))
    return lines.count > 1 ? [UInt8](lines[1].dropFirst("failed ".utf8.count)) : []
  }

  /// A name of the policy, for people: without what all of them share, the origin of the group and the role.
  public static func short(_ name: Text, in log: Text) -> Text {
    var name = name.utf8[...]
    for suffix in [Text("/cosigner").utf8, [UInt8(ascii: ".")] + log.utf8] {
      if name.count > suffix.count, name.suffix(suffix.count).elementsEqual(suffix) {
        name = name.dropLast(suffix.count)
      }
    }
    return shown(Text(utf8: [UInt8](name)))
  }

  private static func shown(_ text: Text) -> Text { Text(utf8: VisibleText.encode(text.utf8)) }

  private static func joined(_ names: [Text]) -> Text {
    var out: Text = ""
    for (i, name) in names.enumerated() { out = i == 0 ? name : "\(out), \(name)" }
    return out
  }

  /// A time of the proleptic Gregorian calendar, such as `2025-11-23 15:12:04 UTC`.
  static func time(seconds: UInt64) -> Text {
    // The last second of the year 9999; clocks that are further off are shown as they are.
    guard seconds <= 253_402_300_799 else { return "\(seconds) s after 1970" }
    var (year, month, day): (UInt64, Int, UInt64) = (1970, 0, seconds / 86_400)
    while day >= daysInYear(year) {
      day -= daysInYear(year)
      year += 1
    }
    let months: [UInt64] = [31, daysInYear(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    while day >= months[month] {
      day -= months[month]
      month += 1
    }
    let clock = seconds % 86_400
    return "\(padded(year, 4))-\(padded(UInt64(month) + 1, 2))-\(padded(day + 1, 2)) "
      + "\(padded(clock / 3_600, 2)):\(padded(clock / 60 % 60, 2)):\(padded(clock % 60, 2)) UTC"
  }

  private static func daysInYear(_ year: UInt64) -> UInt64 {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365
  }

  private static func padded(_ value: UInt64, _ width: Int) -> Text {
    let digits = Decimal.encode(value)
    let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, width - digits.count))
    return Text(utf8: zeros + digits)
  }
}
