/// Why a builder has no outcome in the evidence.
public enum Absence: Hashable, Sendable {
  /// It committed to nothing before the deadline.
  case noCommitment
  /// It committed and never opened its commitment.
  case noReveal
  /// What it revealed was not what it had committed to.
  case wrongOpening
  /// Its sandbox failed, by its own word.
  case sandboxFault
}

/// What the group found out about a job.
public enum Verdict: Hashable, Sendable {
  /// At least `reproducers` builders, and more than any others, revealed the same artifacts.
  case reproduced
  /// Builders revealed different outcomes and none of them got that far.
  case diverged
  /// At least `reproducers` builders, and more than any others, revealed the same failure.
  case failed
  /// Too few revealed to say anything.
  case inconclusive
}

/// An outcome in the evidence, in full or, where the leaf has no room, by its digest alone.
public struct ListedOutcome: Hashable, Sendable {
  /// SHA-256 of the outcome's text.
  public let digest: Digest
  /// `nil` where only the digest is listed; never for the first.
  public let outcome: Outcome?
}

/// What the evidence says of one builder.
public enum BuilderLine: Hashable, Sendable {
  /// - Parameter outcome: Index into ``Evidence/outcomes``.
  case revealed(name: Text, outcome: Int, nonce: [UInt8], statement: BuilderStatement, signature: Signature)
  case absent(name: Text, Absence)

  public var name: Text {
    switch self {
    case .revealed(let name, _, _, _, _): name
    case .absent(let name, _): name
    }
  }

  /// Index into ``Evidence/outcomes``; `nil` for an absent builder.
  public var outcome: Int? {
    if case .revealed(_, let outcome, _, _, _) = self { return outcome }
    return nil
  }
}

/// What one builder gave, as the ledger hands it over to be judged.
public enum BuilderReport: Hashable, Sendable {
  case revealed(Reveal, Signature)
  case absent(name: Text, Absence)

  public var name: Text {
    switch self {
    case .revealed(let reveal, _): reveal.builder
    case .absent(let name, _): name
    }
  }
}

/// A leaf of the transparency log: everything that the group knows about one rebuild.
///
/// Format: `synchronicity-evidence/v1` in docs/FORMATS.md.
public struct Evidence: Hashable, Sendable {
  /// Origin of the group.
  public let group: Text
  /// The membership in force.
  public let epoch: UInt64
  /// Height of the decided block that gave the verdict.
  public let height: UInt64
  /// That block's decided time, Unix milliseconds.
  public let timeMilliseconds: UInt64
  /// Member that asked for the rebuild.
  public let submitter: Text
  /// How many builders had to agree, in force when the verdict fell.
  public let reproducers: Int
  /// What the group found out.
  public let verdict: Verdict
  /// Builders behind the first outcome; 0 without outcomes.
  public let agreeing: Int
  /// What was rebuilt.
  public let spec: BuildSpec
  /// Distinct, most supporters first, those with equally many by digest.
  public private(set) var outcomes: [ListedOutcome]
  /// Every member once, sorted by name.
  public let builders: [BuilderLine]

  /// SHA-256 of the spec's text.
  public let jobID: Digest

  /// The outcome that gave the verdict, where it is `reproduced` or `failed`.
  public var agreedOutcome: Outcome? {
    switch verdict {
    case .reproduced, .failed: outcomes.first?.outcome
    case .diverged, .inconclusive: nil
    }
  }

  /// The artifacts on which the builders agreed; empty unless the verdict is `reproduced`.
  public var artifacts: [Artifact] { verdict == .reproduced ? agreedOutcome?.artifacts ?? [] : [] }

  /// How many builders revealed each of ``outcomes``.
  public var supporters: [Int] { Evidence.supporters(of: outcomes.count, in: builders) }

  /// The count that gives the verdict, shared by the ledger and the verifier.
  ///
  /// - Parameters:
  ///   - supporters: Builders behind each distinct outcome, most first.
  ///   - leaderIsBuilt: Whether the first outcome is artifacts, not a failure.
  ///   - reproducers: How many must agree.
  public static func judge(supporters: [Int], leaderIsBuilt: Bool, reproducers: Int) -> Verdict {
    guard let most = supporters.first else { return .inconclusive }
    // Two outcomes that equally many builders stand behind are no agreement, however low the threshold is.
    let leads = supporters.count == 1 || supporters[1] < most
    if leads, most >= reproducers { return leaderIsBuilt ? .reproduced : .failed }
    return supporters.count > 1 ? .diverged : .inconclusive
  }

  /// Counts the reports and writes down what they come to.
  ///
  /// As many outcomes are listed in full as fit, from the first on; the first always fits if the spec is valid.
  /// - Parameters:
  ///   - reports: One for each member, in any order, at most 100.
  ///   - reproducers: 1...the number of reports.
  /// - Throws: ``ProofError/Code/invalidSpec``, ``ProofError/Code/malformed`` if a report is about another job or
  ///   answers another spec, ``ProofError/Code/tooLarge``.
  public init(
    group: Text, epoch: UInt64, height: UInt64, timeMilliseconds: UInt64, submitter: Text, reproducers: Int,
    spec: BuildSpec, reports: [BuilderReport]
  ) throws(ProofError) {
    try spec.validate()
    let job = spec.jobID
    let sorted = reports.sorted { $0.name < $1.name }
    var ranked: [(digest: Digest, outcome: Outcome, supporters: Int)] = []
    for case .revealed(let reveal, _) in sorted {
      guard reveal.group == group, reveal.job == job, reveal.outcome.answers(spec) else {
        throw ProofError(
          .malformed, "The reveal by `\(reveal.builder)` is about another job or not about the spec's artifacts")
      }
      let digest = reveal.outcome.digest
      if let i = ranked.firstIndex(where: { $0.digest == digest }) {
        ranked[i].supporters += 1
      } else {
        ranked.append((digest, reveal.outcome, 1))
      }
    }
    ranked.sort { $0.supporters != $1.supporters ? $0.supporters > $1.supporters : $0.digest < $1.digest }

    var lines: [BuilderLine] = []
    for report in sorted {
      switch report {
      case .absent(let name, let absence):
        lines.append(.absent(name: name, absence))
      case .revealed(let reveal, let signature):
        let digest = reveal.outcome.digest
        let index = ranked.firstIndex { $0.digest == digest } ?? 0
        lines.append(
          .revealed(
            name: reveal.builder, outcome: index, nonce: reveal.nonce, statement: reveal.statement,
            signature: signature))
      }
    }
    let supporters = ranked.map { $0.supporters }
    self.group = group
    self.epoch = epoch
    self.height = height
    self.timeMilliseconds = timeMilliseconds
    self.submitter = submitter
    self.reproducers = reproducers
    self.spec = spec
    jobID = job
    builders = lines
    agreeing = supporters.first ?? 0
    verdict = Evidence.judge(
      supporters: supporters, leaderIsBuilt: ranked.first?.outcome.isBuilt ?? false, reproducers: reproducers)
    outcomes = ranked.map { ListedOutcome(digest: $0.digest, outcome: nil) }
    outcomes = Evidence.listing(ranked.map { $0.outcome }, room: ProofLimits.leafBytesMax - encode().count)
    try validate()
    let count = encode().count
    guard count <= ProofLimits.leafBytesMax else {
      throw ProofError(.tooLarge, "Evidence of \(count) bytes; a leaf has at most \(ProofLimits.leafBytesMax)")
    }
  }

  /// For the parser, which validates.
  init(
    group: Text, epoch: UInt64, height: UInt64, timeMilliseconds: UInt64, submitter: Text, reproducers: Int,
    verdict: Verdict, agreeing: Int, spec: BuildSpec, jobID: Digest, outcomes: [ListedOutcome], builders: [BuilderLine]
  ) {
    self.group = group
    self.epoch = epoch
    self.height = height
    self.timeMilliseconds = timeMilliseconds
    self.submitter = submitter
    self.reproducers = reproducers
    self.verdict = verdict
    self.agreeing = agreeing
    self.spec = spec
    self.jobID = jobID
    self.outcomes = outcomes
    self.builders = builders
  }

  static func supporters(of count: Int, in builders: [BuilderLine]) -> [Int] {
    var supporters = [Int](repeating: 0, count: count)
    for case .revealed(_, let outcome, _, _, _) in builders { supporters[outcome] += 1 }
    return supporters
  }
}
