/// A variable of the sandbox's environment.
public struct EnvironmentVariable: Hashable, Sendable {
  /// A letter or `_`, then letters, digits and `_`; at most 64 bytes.
  public let name: Text
  /// Printable ASCII, at most 1,024 bytes, may be empty.
  public let value: Text

  public init(name: Text, value: Text) { (self.name, self.value) = (name, value) }
}

/// What one attempt may use; passing any is an outcome of its own.
public struct Limits: Hashable, Sendable {
  /// Time on the clock, 1...604,800.
  public var wallSeconds: UInt64
  /// Processor time of all processes together, 1...604,800,000.
  public var cpuSeconds: UInt64
  /// 1...2^50.
  public var memoryBytes: UInt64
  /// At one time, 1...2^22.
  public var processes: UInt64
  /// Below the writable folders, 1...2^50.
  public var diskBytes: UInt64
  /// 1...2^40.
  public var transcriptBytes: UInt64

  public init(
    wallSeconds: UInt64, cpuSeconds: UInt64, memoryBytes: UInt64, processes: UInt64, diskBytes: UInt64,
    transcriptBytes: UInt64
  ) {
    self.wallSeconds = wallSeconds
    self.cpuSeconds = cpuSeconds
    self.memoryBytes = memoryBytes
    self.processes = processes
    self.diskBytes = diskBytes
    self.transcriptBytes = transcriptBytes
  }
}

/// Everything that may influence the bytes of a build.
///
/// Format: `synchronicity-spec/v1` in docs/FORMATS.md.
public struct BuildSpec: Hashable, Sendable {
  /// Package URL of what is built; one of `sources`.
  public var package: Text
  /// A number that was not used before asks for a fresh rebuild of the same spec.
  public var rebuild: UInt64
  /// SHA-256 of the root file system's archive.
  public var toolchain: Digest
  /// Such as `x86_64-unknown-linux-gnu`; 1...128 letters, digits and `._-`.
  public var target: Text
  /// Such as `release`; 1...64 letters, digits and `._-`.
  public var profile: Text
  /// Sorted, each once.
  public var features: [Text]
  /// Sorted by purl, each once, the package itself among them.
  public var sources: [SourceItem]
  /// SHA-256 of the Cargo.lock that the recipe must arrive at.
  public var lock: Digest?
  /// Sorted by name, each once.
  public var environment: [EnvironmentVariable]
  /// What an attempt may use, part of the job's identity.
  public var limits: Limits
  /// POSIX shell script, run by `/bin/sh` inside the sandbox.
  public var recipe: [UInt8]
  /// Paths below the output folder, sorted, each once, 1...1,000.
  public var artifacts: [Text]

  public init(
    package: Text, rebuild: UInt64, toolchain: Digest, target: Text, profile: Text, features: [Text],
    sources: [SourceItem], lock: Digest?, environment: [EnvironmentVariable], limits: Limits, recipe: [UInt8],
    artifacts: [Text]
  ) {
    self.package = package
    self.rebuild = rebuild
    self.toolchain = toolchain
    self.target = target
    self.profile = profile
    self.features = features
    self.sources = sources
    self.lock = lock
    self.environment = environment
    self.limits = limits
    self.recipe = recipe
    self.artifacts = artifacts
  }

  /// SHA-256 of ``encode()``: the job's identity.
  public var jobID: Digest { SHA256.hash(encode()) }

  /// The source that is the package itself; `nil` only in a spec that ``validate()`` refuses.
  public var root: SourceItem? { sources.first { $0.purl == package } }

  /// Whether the item is the package itself.
  public func isRoot(_ item: SourceItem) -> Bool { item.purl == package }
}
