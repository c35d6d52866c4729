import SyncProof

/// What a node does when builders differ.
public struct DivergencePolicy: Sendable, Equatable {
  public enum Comparing: String, Sendable, CaseIterable {
    /// Every job whose builders differ.
    case all
    /// Those that were submitted here.
    case submitted
    case none
  }
  public var comparing = Comparing.all
  /// A root file system with diffoscope, as `scripts/toolchain diff` makes it; without one the report has the summary
  /// alone.
  public var toolchain: Digest?
  /// Bounds of one run of diffoscope.
  public var wallSeconds: UInt64 = 300
  public var memoryBytes: UInt64 = 1 << 30
  /// How long a builder that gave nothing is left in peace before it is asked again, for each further round.
  public var roundPauses: [Duration] = [.seconds(5), .seconds(30), .seconds(120)]
  /// How long a peer's answer may take.
  public var answerTimeout = Duration.seconds(10)

  public init() {}
}

/// How long a node keeps what it has no need of for the consensus. A number of days and of bytes each; what is older
/// goes, then the oldest until the rest fits.
public struct RetentionPolicy: Sendable, Equatable {
  /// Artifacts that differ, one's own and others'.
  public var divergedDays = 30
  public var divergedBytes: UInt64 = 4 << 30
  public var reportDays = 365
  public var reportBytes: UInt64 = 1 << 30
  public var transcriptDays = 365
  public var transcriptBytes: UInt64 = 1 << 30

  public init() {}
}
