import SyncProof
import SyncRuntime

/// The recipe of a crate's build, and what it is told through the environment.
enum CargoRecipe {
  /// `cargo-recipe.sh`; the same bytes resolve and build.
  static let script = PackageResources.cargo_recipe_sh

  /// What every run has; the sandbox adds nothing.
  static let baseEnvironment = [
    "CARGO_HOME": "/build/cargo",
    "CARGO_INCREMENTAL": "0",
    "CARGO_TERM_COLOR": "never",
    "HOME": "/build/home",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    // As cargo does for dependencies: a lint of a later compiler must not fail an older crate, nor fill transcripts.
    "RUSTFLAGS": "--cap-lints=allow",
    "SOURCE_DATE_EPOCH": "1",
    "TZ": "UTC",
  ]

  /// Variables that would be empty are left out.
  static func environment(selection: FeatureSelection, enabled: [String]) -> [String: String] {
    var environment = baseEnvironment
    let own = [
      "SYNC_FEATURES": selection.table, "SYNC_DROP": selection.dropped.joined(separator: " "),
      "SYNC_ENABLE": enabled.joined(separator: ","),
    ]
    for (name, value) in own where !value.isEmpty { environment[name] = value }
    return environment
  }

  /// What describing and locking may use.
  static let resolveLimits = SandboxLimits(
    wallSeconds: 300, cpuSeconds: 300, memoryBytes: 4 << 30, processes: 512, diskBytes: 4 << 30,
    transcriptBytes: 4 << 20)

  /// What a build may use, as the spec tells every builder.
  static let buildLimits = Limits(
    wallSeconds: 1_800, cpuSeconds: 3_600, memoryBytes: 4 << 30, processes: 512, diskBytes: 4 << 30,
    transcriptBytes: 4 << 20)
}

/// Puts the pinned inputs into the canonical spec.
enum SpecWriter {
  static func write(
    request: ResolveRequest, features: [String], sources: [SourceItem], lock: Digest, environment: [String: String],
    artifacts: [String], target: String
  ) throws(PluginError) -> BuildSpec {
    var environment = environment
    if !request.normalise.isEmpty {
      environment[Normalisation.variable] = request.normalise.map(\.rawValue).joined(separator: " ")
    }
    let spec = BuildSpec(
      package: sources[0].purl, rebuild: request.rebuild, toolchain: request.toolchain, target: Text(target),
      profile: "release", features: features.map { Text($0) }, sources: sources.sorted(), lock: lock,
      environment: environment.map { EnvironmentVariable(name: Text($0.key), value: Text($0.value)) }.sorted {
        $0.name < $1.name
      },
      limits: CargoRecipe.buildLimits, recipe: Normalisation.recipe(CargoRecipe.script, holding: request.normalise),
      artifacts: artifacts.map { Text($0) })
    do { try spec.validate() } catch {
      throw PluginError(.invalid, "\(spec.package.string) cannot be put into a spec: \(error.message)")
    }
    return spec
  }
}
