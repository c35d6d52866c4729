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
  static func environment(selection: FeatureSelection, enabled: [String], plan: CargoPlan) -> [String: String] {
    var environment = baseEnvironment
    let own = [
      "SYNC_FEATURES": selection.table, "SYNC_DROP": selection.dropped.joined(separator: " "),
      "SYNC_ENABLE": enabled.joined(separator: ","), "SYNC_OPTIONS": plan.options.joined(separator: " "),
      "SYNC_DIRECTORY": plan.directory == CargoPlan.usualDirectory ? "" : plan.directory,
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
