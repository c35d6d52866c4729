import SyncProof

/// What a check has found, for people and machines.
public struct CheckReport: Sendable, Encodable {
  /// One condition's line.
  public struct Row: Sendable, Encodable {
    public enum State: String, Sendable, Encodable {
      /// The bytes do not change with it.
      case same
      case differs
      /// They change with it only when others are varied too.
      case together
      /// It could not be varied here; the reason says why.
      case notVaried = "not-varied"
      /// Nothing can be said, since the build failed or differs by itself.
      case unknown
    }
    public let name: Condition
    public let state: State
    public let heldBy: Condition.Holder
    public let reason: String?
  }

  /// What changed, with what.
  public struct Difference: Sendable, Encodable {
    /// Empty for what differs between two builds under the same conditions.
    public let conditions: [Condition]
    public let artifacts: [ArtifactDifference]
    /// How the varied build failed, if it did.
    public let failure: String?
  }

  public let package: String
  public let job: String
  public let toolchain: String
  /// What the recipe holds because the spec asks for it.
  public let normalise: [String]
  /// Whether nothing that was varied changed the bytes.
  public let reproducible: Bool
  /// Whether builders, who share what is held, would agree as far as this check can see.
  public let buildersAgree: Bool
  /// Why there is nothing to compare: how the first build failed.
  public let failure: String?
  /// Whether the build differs by itself though clock and random numbers are held still.
  public let unexplained: Bool
  public let conditions: [Row]
  public let differences: [Difference]
  public let builds: Int
  public let seconds: Double
  /// The same as ``differences``, with the builds.
  public let dependences: [Dependence]
  /// What the failed build printed.
  public let failureTranscript: [UInt8]

  private enum CodingKeys: String, CodingKey {
    case package, job, toolchain, normalise, reproducible, buildersAgree, failure, unexplained, conditions, differences
    case builds, seconds
  }

  init(
    spec: BuildSpec, conditions varied: [Condition], unvaried: [Condition: String], search: Search, failure: Rebuild?,
    isUnexplained: Bool
  ) {
    package = spec.package.string
    job = spec.jobID.hex
    toolchain = spec.toolchain.hex
    normalise = Normalisation.named(in: spec)
    dependences = (search.itself.map { [$0] } ?? []) + search.found
    differences = dependences.map {
      Difference(conditions: $0.conditions, artifacts: $0.artifacts, failure: $0.varied.outcome.failureText)
    }
    self.failure = failure?.outcome.failureText
    failureTranscript = failure?.transcript ?? []
    unexplained = isUnexplained
    let isUnknown = failure != nil || isUnexplained
    conditions = varied.map { condition in
      let cause = search.found.first { $0.conditions.contains(condition) }
      let state: Row.State =
        if unvaried[condition] != nil { .notVaried } else if let cause {
          cause.conditions.count == 1 ? .differs : .together
        } else { isUnknown ? .unknown : .same }
      return Row(
        name: condition, state: state, heldBy: condition.holder(in: spec), reason: unvaried[condition])
    }
    reproducible = failure == nil && !isUnexplained && dependences.isEmpty
    let isFree = { (condition: Condition) in condition.holder(in: spec) == .nobody }
    buildersAgree =
      failure == nil && search.itself == nil && !search.found.contains { $0.conditions.contains(where: isFree) }
    builds = search.builds.count
    let nanoseconds = search.builds.reduce(0) { $0 + $1.wallNanoseconds }
    seconds = Double(nanoseconds / 10_000_000) / 100
  }
}

extension Outcome {
  /// How a build failed, in the words of the evidence; `nil` for one that did not.
  public var failureText: String? {
    guard !isBuilt else { return nil }
    let lines = String(decoding: encode(), as: UTF8.self).split(separator: "\n")
    return lines.last.map { String($0.split(separator: " ", maxSplits: 1).last ?? $0) }
  }
}
