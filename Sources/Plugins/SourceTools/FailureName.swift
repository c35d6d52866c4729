import SyncProof
import SyncRuntime

/// The names that the recipes of this package give their failures, which are those of a source's refusals too: what is
/// refused at submission is called as it would be in the evidence.
///
/// `docs/RECIPES.md` says what each means.
package enum FailureName: String, CaseIterable, Sendable {
  case archiveRefused = "archive-refused"
  case artifactNotBuilt = "artifact-not-built"
  case conditionNotHeld = "condition-not-held"
  case dependenciesDoNotFit = "dependencies-do-not-fit"
  case dependencyCycle = "dependency-cycle"
  case featureAbsent = "feature-absent"
  case manifestRefused = "manifest-refused"
  case missingDependency = "missing-dependency"
  case needsNetwork = "needs-network"
  case needsNewerCompiler = "needs-newer-compiler"
  case noManifest = "no-manifest"
  case otherLock = "other-lock"
  case otherToolchain = "other-toolchain"
  /// Told at submission alone: only a registry's index knows it.
  case yanked

  /// The code of a source's refusal.
  package var code: PluginError.Code {
    switch self {
    case .dependencyCycle: .cyclicDependency
    case .featureAbsent: .featureMissing
    case .missingDependency: .dependencyMissing
    case .needsNewerCompiler: .compilerTooOld
    case .archiveRefused, .noManifest: .manifestMissing
    case .yanked: .yanked
    case .artifactNotBuilt, .conditionNotHeld, .dependenciesDoNotFit, .manifestRefused, .needsNetwork, .otherLock,
      .otherToolchain:
      .invalid
    }
  }
}

extension PluginError {
  /// A refusal whose sentence ends in its name: `... has no Cargo.toml (no-manifest)`.
  package init(named name: FailureName, _ sentence: String) {
    self.init(name.code, "\(sentence) (\(name.rawValue))")
  }

  /// What a recipe's failed run makes of a package.
  ///
  /// - Parameter name: What the run itself calls its failure; one that no recipe of this package gives is told, and
  ///   has no code of its own.
  package init(named name: Text?, _ sentence: String) {
    let code = name.flatMap { FailureName(rawValue: $0.string) }?.code ?? .invalid
    self.init(code, name.map { "\(sentence) (\($0.string))" } ?? sentence)
  }
}
