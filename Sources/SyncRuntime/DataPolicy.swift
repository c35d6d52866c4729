import SyncProof

/// What a node may hold of artifacts and sources, in bytes. ``RetentionPolicy`` has the rest; the journal stays whole.
public struct DataPolicy: Sendable, Equatable {
  public var artifactBytesMax: UInt64
  public var sourceBytesMax: UInt64
  /// Whether artifacts that a proof names stay although their room is full.
  public var keepsProven: Bool

  public init(
    artifactBytesMax: UInt64 = 50 << 30, sourceBytesMax: UInt64 = 20 << 30, keepsProven: Bool = true
  ) {
    self.artifactBytesMax = artifactBytesMax
    self.sourceBytesMax = sourceBytesMax
    self.keepsProven = keepsProven
  }
}

/// What a sweep leaves alone, whatever the policy says.
public struct DataPins: Sendable, Equatable {
  /// By SHA-256.
  public var artifacts: Set<Digest> = []
  /// By tree digest.
  public var sources: Set<Digest> = []

  public init() {}

  public mutating func formUnion(_ other: DataPins) {
    artifacts.formUnion(other.artifacts)
    sources.formUnion(other.sources)
  }
}

/// The decision of a sweep, without I/O.
enum DataPlan {
  struct Entry: Sendable, Equatable {
    let name: Digest
    let bytes: UInt64
    /// Unix nanoseconds.
    let lastUse: Int64
  }

  /// What has to go so that the rest fits: the least recently used first, equally old ones by name.
  ///
  /// - Parameters:
  ///   - pinned: Stays.
  ///   - before: What was used then or later stays too: a running attempt may just have made it.
  static func victims(_ entries: [Entry], bytesMax: UInt64, pinned: Set<Digest>, before: Int64) -> [Entry] {
    var excess = entries.reduce(into: UInt64(0)) { $0 += $1.bytes }
    guard excess > bytesMax else { return [] }
    excess -= bytesMax
    var victims: [Entry] = []
    for entry in entries.sorted(by: { ($0.lastUse, $0.name) < ($1.lastUse, $1.name) }) {
      guard excess > 0 else { break }
      guard entry.lastUse < before, !pinned.contains(entry.name) else { continue }
      victims.append(entry)
      excess -= min(excess, entry.bytes)
    }
    return victims
  }
}
