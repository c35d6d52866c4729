import SyncProof

/// Which part of a package is built, and how, in the package's own words. What is left out is the package's choice.
public struct BuildSelection: Sendable, Equatable {
  /// A profile that the package or its build tool knows, such as `dev`; `release` unless given.
  public var profile: String?
  /// What to build for, such as `wasm32-unknown-unknown`; the toolchain's own host unless given.
  public var target: String?
  /// Whether the features that are on by default are.
  public var withDefaultFeatures: Bool
  /// These programs alone; all, and the library, where neither programs nor the library are named.
  public var programs: [String]
  /// The library, with the named programs.
  public var library: Bool

  public init(
    profile: String? = nil, target: String? = nil, withDefaultFeatures: Bool = true, programs: [String] = [],
    library: Bool = false
  ) {
    self.profile = profile
    self.target = target
    self.withDefaultFeatures = withDefaultFeatures
    self.programs = programs
    self.library = library
  }

  /// Nothing is asked for but what a package builds by itself.
  public var isDefault: Bool { self == BuildSelection() }
}

/// What a submitter wants to have rebuilt, before its inputs are pinned.
public struct ResolveRequest: Sendable, Equatable {
  /// Such as `pkg:cargo/itoa@1.0.1`; without a version, the newest that the source has.
  public var package: String
  /// Cargo features beside the default ones.
  public var features: [String]
  public var selection: BuildSelection
  public var toolchain: Digest
  /// Zero, unless a fresh rebuild of a spec that was submitted before is wanted.
  public var rebuild: UInt64
  /// What the recipe shall hold still beside what every build has held; sorted, each once.
  public var normalise: [Normalisation]

  public init(
    package: String, features: [String] = [], selection: BuildSelection = BuildSelection(), toolchain: Digest,
    rebuild: UInt64 = 0, normalise: [Normalisation] = []
  ) {
    (self.package, self.features, self.toolchain, self.rebuild) = (package, features, toolchain, rebuild)
    (self.selection, self.normalise) = (selection, normalise)
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
