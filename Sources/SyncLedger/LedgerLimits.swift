import SyncProof

/// The bounds of the ledger, each with what it protects.
public enum LedgerLimits {
  /// Members of a group: evidence with a line for each of them must fit a leaf.
  public static let membersMax = ProofLimits.buildersMax
  /// Bytes of a member's name, which stands in every key name and in every evidence.
  public static let memberNameBytesMax = ProofLimits.memberNameBytesMax
  /// Bytes of a group file.
  public static let groupBytesMax = 256 * 1024
  /// Seconds of a phase: 31 days.
  public static let phaseSecondsMax: UInt64 = 31 * 24 * 60 * 60
  /// Bytes of one entry: a spec or an outcome fits a leaf, and the rest of an entry is small.
  public static let entryBytesMax = 72 * 1024
  /// Bytes of a builder's signed opening without its outcome.
  public static let openingBytesMax = 2 * 1024
  /// Open jobs of a group. Each member may use its equal share, so no member can keep the others out.
  public static let openJobsMax = 10_000
  /// Hand-overs that one member may propose in an epoch; they are held until it ends.
  public static let proposalsMax = 4
  /// Bytes of the open jobs' specs, shared in the same way: they are held in memory by every replica.
  public static let openSpecBytesMax = 64 * 1024 * 1024
}
