import SyncProof

/// What a submitter wants to have rebuilt, before its inputs are pinned.
public struct ResolveRequest: Sendable, Equatable {
  /// Such as `pkg:cargo/itoa@1.0.1`; without a version, the newest that the source has.
  public var package: String
  /// Cargo features beside the default ones.
  public var features: [String]
  public var toolchain: Digest
  /// Zero, unless a fresh rebuild of a spec that was submitted before is wanted.
  public var rebuild: UInt64
  /// What the recipe shall hold still beside what every build has held; sorted, each once.
  public var normalise: [Normalisation]
  public init(
    package: String, features: [String] = [], toolchain: Digest, rebuild: UInt64 = 0, normalise: [Normalisation] = []
  ) {
    (self.package, self.features, self.toolchain, self.rebuild) = (package, features, toolchain, rebuild)
    self.normalise = normalise
  }
}

/// Finds packages and fetches their sources by name and checksum.
///
/// Thread: any; calls may overlap.
public protocol Source: Sendable {
  /// The name by which the configuration chooses it, such as `debian-crates`.
  var name: String { get }
  /// Pins every input of the package: its source, each dependency, the lock, the recipe and the artifacts.
  ///
  /// Done once, by the submitter. May run the toolchain's package manager, in `sandbox` only.
  func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String) async throws(PluginError)
    -> BuildSpec
  /// Puts the source tree of `item` into `directory` (which must not exist yet), checked against its digest.
  ///
  /// - Throws: ``PluginError/Code/notFound`` when there is no such source, ``PluginError/Code/checksumMismatch``
  ///   when there is one with other bytes.
  func fetch(_ item: SourceItem, into directory: String) async throws(PluginError)
}
