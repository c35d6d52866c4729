import SourceTools
import SyncProof
import Testing

@testable import CratesSource
@testable import SyncRuntime

/// Crates with one defect each, in specs of somebody else's making: what a submission would refuse comes before the
/// builders, and their outcomes name it. The real cargo in the real sandbox.
@Suite("Failures by name", .serialized)
struct RecipeNamesTests {
  struct Defect: Sendable {
    /// A folder of Tests/Fixtures/defects.
    let crate: String
    /// The pinned dependencies.
    var beside: [String] = []
    /// What the spec's environment has otherwise than the crate's own spec would.
    var change: [String: String] = [:]
    let reason: FailureReason
  }

  static let root = String(fixtureCrates.dropLast("crates".count)) + "defects"

  static let defects = [
    Defect(crate: "sync-bare-0.1.0", reason: .recipe("no-manifest")),
    Defect(crate: "sync-torn-0.1.0", reason: .recipe("manifest-refused")),
    Defect(crate: "sync-missing-0.1.0", reason: .recipe("missing-dependency")),
    Defect(crate: "sync-range-0.1.0", beside: ["sync-leaf-0.1.0"], reason: .recipe("missing-dependency")),
    Defect(
      crate: "sync-conflict-0.1.0", beside: ["sync-leaf-0.1.0", "sync-leaf-0.1.1", "sync-pin-0.1.0"],
      reason: .recipe("dependencies-do-not-fit")),
    Defect(
      crate: "sync-cycle-0.1.0", beside: ["sync-back-0.1.0", "sync-ring-0.1.0"],
      change: ["SYNC_FEATURES": "round=dep:sync-ring", "SYNC_ENABLE": "round"], reason: .recipe("dependency-cycle")),
    Defect(crate: "sync-silver-0.1.0", beside: ["sync-leaf-0.1.0"], reason: .recipe("feature-absent")),
    Defect(crate: "sync-leaf-0.1.0", change: ["SYNC_ENABLE": "silver"], reason: .recipe("feature-absent")),
    Defect(
      crate: "sync-leaf-0.1.0", change: ["SYNC_LOCK_SHA256": Digest.zero.hex], reason: .recipe("other-lock")),
    Defect(crate: "sync-git-0.1.0", reason: .recipe("needs-network")),
    Defect(crate: "sync-network-0.1.0", reason: .recipe("needs-network")),
    Defect(crate: "sync-late-0.1.0", reason: .recipe("needs-newer-compiler")),
    Defect(crate: "sync-needs-late-0.1.0", beside: ["sync-late-0.1.0"], reason: .recipe("needs-newer-compiler")),
    Defect(crate: "sync-compiler-0.1.0", reason: .recipe("needs-newer-compiler")),
    Defect(crate: "sync-unstable-0.1.0", reason: .recipe("needs-newer-compiler")),
    Defect(
      crate: "sync-leaf-0.1.0",
      change: ["SYNC_NORMALISE": "weather"], reason: .recipe("condition-not-held")),
    Defect(
      crate: "sync-leaf-0.1.0", change: ["SYNC_ARTIFACTS": "libother.rlib"],
      reason: .missingArtifact("libsync_leaf.rlib")),
    // What is no defect of a kind of its own stays cargo's status, whatever the crate itself writes.
    Defect(crate: "sync-broken-0.1.0", reason: .exitStatus(101)),
    Defect(crate: "sync-liar-0.1.0", reason: .exitStatus(101)),
  ]

  @Test(
    "Each defect has one name, alike at submission and in the outcomes of independent builders",
    .timeLimit(.minutes(20)))
  func names() async throws {
    try await CrateWorkbench.with { bench in
      for defect in Self.defects {
        let spec = try await spec(defect, on: bench)
        var outcomes: [Outcome] = []
        for _ in 1...2 {
          try await withScratch { folder in
            let builder = try LocalRebuild(
              sandbox: bench.sandbox, source: DirectorySource(root: Self.root), directory: folder)
            let kit = ConditionKit(library: nil, unvaried: [:])
            let rebuild = try await builder.rebuild(spec, under: BuildConditions(), with: kit)
            outcomes.append(rebuild.outcome)
            if rebuild.outcome != .failed(defect.reason) {
              Issue.record("\(defect.crate): \(rebuild.outcome), \(Text(utf8: rebuild.transcript).string)")
            }
          }
        }
        #expect(outcomes[0].encode() == outcomes[1].encode() && outcomes[0].answers(spec), "\(defect.crate)")
      }
    }
  }

  private func spec(_ defect: Defect, on bench: CrateWorkbench) async throws -> BuildSpec {
    let items = try ([defect.crate] + defect.beside).map { folder in
      let (name, version) = try #require(CrateName.split(folder: folder))
      return SourceItem(
        purl: Text("pkg:cargo/\(name)@\(version.text)"),
        tree: try TreeDigest.sha256(directory: "\(Self.root)/\(folder)"),
        claim: nil, origin: Text("pkg:generic/\(name)@\(version.text)"))
    }
    let (name, _) = try #require(CrateName.split(folder: defect.crate))
    let library = "lib\(name.replacing("-", with: "_")).rlib"
    var environment = CargoRecipe.baseEnvironment.merging(defect.change) { _, changed in changed }
    environment["SYNC_LOCK_SHA256"] = try await lock(defect, environment: environment, on: bench)
    environment["SYNC_ARTIFACTS"] = library
    var request = ResolveRequest(package: items[0].purl.string, toolchain: bench.toolchain)
    // A condition that is none takes the place of the one that the prelude is there for.
    if defect.change[Normalisation.variable] != nil { request.normalise = [.cpus] }
    var spec = try SpecWriter(
      request: request, recipe: CargoRecipe.script, limits: CargoRecipe.buildLimits, target: "x86_64-unknown-linux-gnu",
      environment: environment, artifacts: [library]
    ).write(items)
    for (name, value) in defect.change {
      spec.environment.removeAll { $0.name.string == name }
      spec.environment.append(EnvironmentVariable(name: Text(name), value: Text(value)))
    }
    spec.environment.sort { $0.name < $1.name }
    try spec.validate()
    return spec
  }

  /// What cargo locks, as a submission asks it; where it refuses, its refusal must have the same name.
  private func lock(_ defect: Defect, environment: [String: String], on bench: CrateWorkbench) async throws -> String {
    try await withScratch { scratch in
      try CrateFiles.makeFolder(scratch + "/input/package")
      try CrateFiles.copyTree("\(Self.root)/\(defect.crate)", to: scratch + "/input/package")
      try CrateFiles.write(CargoRecipe.script, to: scratch + "/input/recipe.sh")
      for folder in defect.beside {
        try CrateFiles.makeFolder("\(scratch)/registry/\(folder)")
        try CrateFiles.copyTree("\(Self.root)/\(folder)", to: "\(scratch)/registry/\(folder)")
      }
      let run = RecipeRun(
        sandbox: bench.sandbox, toolchain: bench.toolchain, scratch: scratch, crate: defect.crate, title: "nowhere")
      do {
        let registry = defect.beside.isEmpty ? nil : scratch + "/registry"
        return SHA256.hash(try await run.lock(registry: registry, environment: environment)).hex
      } catch let error as PluginError {
        guard case .recipe(let name) = defect.reason else { throw error }
        #expect(error.message.hasSuffix(" (\(name.string))"), "\(error.message)")
        #expect(error.code == FailureName(rawValue: name.string)?.code)
        return Digest.zero.hex
      }
    }
  }
}
