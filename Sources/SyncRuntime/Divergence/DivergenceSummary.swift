import SyncProof

/// What differs between the builders' outcomes of one job, as one node found it.
///
/// The node's own statement: it is not signed, not logged and no evidence. Format: docs/DIVERGENCE.md.
public struct DivergenceSummary: Sendable, Equatable, Codable {
  public static let formatVersion = 1
  public static let statement =
    "What the node named here found by itself. It is no evidence: the log and the proofs do not hold it."

  public let version: Int
  public let statement: String
  public let node: String
  public let job: String
  public let package: String
  public let verdict: String
  public let outcomes: [OutcomeStatus]
  public let absent: [AbsentBuilder]
  /// Outcomes that were not compared, since there are too many.
  public let outcomesOmitted: Int
  public let artifacts: [ArtifactDivergence]
  /// Pairs of artifacts that were not compared, since there are too many.
  public let comparisonsOmitted: Int
  /// All causes found, in the order of their words.
  public let causes: [DivergenceCause.Code]
  public let fetchFailures: [FetchFailure]
  public var diffoscope: DiffoscopeStatus

  public struct FetchFailure: Sendable, Equatable, Codable {
    public let builder: String
    public let sha256: String
    /// A word of ``ExchangeError/Code``.
    public let error: String
  }
}

/// One declared artifact and who has what in its place.
public struct ArtifactDivergence: Sendable, Equatable, Codable {
  public enum Difference: String, Sendable, Codable {
    case identical
    /// Some builders failed and have none; those that have it agree.
    case missing
    /// The same bytes with other permissions.
    case mode
    case size
    /// As many bytes, but others.
    case bytes
  }
  public struct Variant: Sendable, Equatable, Codable {
    /// Absent where these builders failed, or where the evidence lists their outcome by digest alone.
    public let sha256: String?
    public let size: UInt64?
    public let mode: String?
    public let builders: [String]
    /// Whether this node had the bytes when it compared.
    public let isHeld: Bool
  }
  public let path: String
  public let difference: Difference
  public let variants: [Variant]
  public let comparisons: [ArtifactComparison]
}

/// Two variants of one artifact, byte by byte.
public struct ArtifactComparison: Sendable, Equatable, Codable {
  public struct Place: Sendable, Equatable, Codable {
    /// Member or section; empty for a file without parts.
    public let name: String
    /// Offset in the first file.
    public let offset: UInt64
    public let differingBytes: UInt64
  }
  public static let placesMax = 16

  /// SHA-256 of the two.
  public let first: String
  public let second: String
  /// `ar`, `elf`, `zip`, `gzip`, `text` or `bytes`, of the first.
  public let format: String
  /// How many bytes of each were looked at; fewer than the file has where it is too large.
  public let examinedBytes: [UInt64]
  public let firstDifference: UInt64?
  public let differingBytes: UInt64
  public let places: [Place]
  public let placesOmitted: Int
  public let onlyFirst: [String]
  public let onlySecond: [String]
  public let causes: [DivergenceCause]

  init(first: Digest, second: Digest, _ comparison: ByteComparison, clock: BuildClock) {
    self.first = first.hex
    self.second = second.hex
    format = comparison.firstStructure.format
    examinedBytes = [UInt64(comparison.first.count), UInt64(comparison.second.count)]
    firstDifference = comparison.firstDifference.map(UInt64.init)
    differingBytes = UInt64(comparison.differingBytes)
    places = comparison.differences.prefix(ArtifactComparison.placesMax).map {
      Place(
        name: $0.place, offset: UInt64($0.regions.first?.first.lowerBound ?? 0),
        differingBytes: UInt64($0.differingBytes))
    }
    placesOmitted = max(0, comparison.differences.count - ArtifactComparison.placesMax)
    onlyFirst = Array(comparison.onlyFirst.prefix(ArtifactComparison.placesMax))
    onlySecond = Array(comparison.onlySecond.prefix(ArtifactComparison.placesMax))
    causes = CauseGuess(comparison, clock: clock).causes
  }
}

/// What became of diffoscope.
public struct DiffoscopeStatus: Sendable, Equatable, Codable {
  public enum State: String, Sendable, Codable {
    case done
    /// This node has no toolchain to compare with.
    case noToolchain = "no-toolchain"
    /// There are no two variants whose bytes are here.
    case nothingToCompare = "nothing-to-compare"
    /// It passed a limit, or could not be run.
    case failed
  }
  public let state: State
  /// For people.
  public let detail: String
}

/// The outcomes of one job that are compared, and what has to be here for that.
struct DivergencePlan: Sendable {
  /// Outcomes with artifacts that are compared: the first with each of the others.
  static let outcomesMax = 4
  static let comparisonsMax = 64

  struct Side: Sendable {
    let digest: Digest
    let outcome: Outcome?
    let builders: [String]
    var artifacts: [Artifact] { outcome?.artifacts ?? [] }
  }
  struct Wanted: Sendable, Equatable {
    let sha256: Digest
    let size: UInt64
    let builders: [String]
  }

  let evidence: Evidence
  let sides: [Side]

  /// - Parameter texts: Outcomes that the evidence lists by digest alone and that were found elsewhere.
  init(_ evidence: Evidence, texts: [Digest: Outcome] = [:]) {
    self.evidence = evidence
    sides = evidence.outcomes.enumerated().map { index, listed in
      Side(
        digest: listed.digest, outcome: listed.outcome ?? texts[listed.digest],
        builders: evidence.names(behind: index))
    }
  }

  /// Sides that have artifacts, as far as they are compared.
  var compared: [Side] { Array(sides.filter { !$0.artifacts.isEmpty }.prefix(DivergencePlan.outcomesMax)) }

  var outcomesOmitted: Int { sides.count(where: { !$0.artifacts.isEmpty }) - compared.count }

  /// Artifacts that two compared sides have in different forms, each once, in the order of the sides.
  var wanted: [Wanted] {
    var found: [Wanted] = []
    let compared = compared
    for (number, side) in compared.enumerated() {
      for (index, artifact) in side.artifacts.enumerated() {
        let others = compared.enumerated().filter { $0.offset != number }.map { $0.element.artifacts[index] }
        guard others.contains(where: { $0.sha256 != artifact.sha256 }) else { continue }
        if let place = found.firstIndex(where: { $0.sha256 == artifact.sha256 }) {
          found[place] = Wanted(
            sha256: artifact.sha256, size: artifact.size, builders: found[place].builders + side.builders)
        } else {
          found.append(Wanted(sha256: artifact.sha256, size: artifact.size, builders: side.builders))
        }
      }
    }
    return found
  }

  /// Pairs of digests to compare, by path: the first compared side's with each other one.
  func pairs(at index: Int) -> [(first: Digest, second: Digest)] {
    let digests = compared.map { $0.artifacts[index].sha256 }
    var pairs: [(first: Digest, second: Digest)] = []
    for digest in digests.dropFirst() where digest != digests[0] && !pairs.contains(where: { $0.second == digest }) {
      pairs.append((digests[0], digest))
    }
    return pairs
  }

  /// Who has what in the place of the artifact at `index`.
  func variants(at index: Int, isHeld: (Digest) -> Bool) -> [ArtifactDivergence.Variant] {
    var variants: [ArtifactDivergence.Variant] = []
    for side in sides {
      guard !side.artifacts.isEmpty else {
        variants.append(.init(sha256: nil, size: nil, mode: nil, builders: side.builders, isHeld: false))
        continue
      }
      let artifact = OutcomeArtifact(side.artifacts[index])
      let place = variants.firstIndex { $0.sha256 == artifact.sha256 && $0.mode == artifact.mode }
      let builders = (place.map { variants[$0].builders } ?? []) + side.builders
      let variant = ArtifactDivergence.Variant(
        sha256: artifact.sha256, size: artifact.size, mode: artifact.mode, builders: builders.sorted(),
        isHeld: isHeld(side.artifacts[index].sha256))
      if let place { variants[place] = variant } else { variants.append(variant) }
    }
    return variants
  }

  static func difference(_ variants: [ArtifactDivergence.Variant]) -> ArtifactDivergence.Difference {
    let there = variants.filter { $0.sha256 != nil }
    if Set(there.map(\.size)).count > 1 { return .size }
    if Set(there.map(\.sha256)).count > 1 { return .bytes }
    if there.count > 1 { return .mode }
    return there.count == variants.count ? .identical : .missing
  }
}
