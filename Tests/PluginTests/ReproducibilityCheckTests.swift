import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

/// Crates that are not reproducible, each for a reason of its own, with the real cargo in the real sandbox.
@Suite("Why bytes differ", .serialized)
struct ReproducibilityCheckTests {
  struct Fixture: Sendable {
    let crate: String
    /// What the bytes depend on, sorted.
    let causes: [Condition]
    /// Whether two builds under the same conditions differ already.
    var byItself = false
    /// What mends it; nothing where every build has held what the bytes depend on.
    var cure: [Normalisation] = []
    var vary = "usual"
  }

  static let fixtures = [
    Fixture(crate: "sync-clock", causes: [.clock], byItself: true, cure: [.clock]),
    Fixture(crate: "sync-nr-time", causes: [.clock], cure: [.clock]),
    Fixture(crate: "sync-nr-time-sde", causes: [.sourceDateEpoch]),
    Fixture(crate: "sync-nr-ctime", causes: [.sourceDateEpoch]),
    Fixture(crate: "sync-nr-host", causes: [.hostName, .user]),
    Fixture(crate: "sync-nr-nproc", causes: [.cpus], cure: [.cpus]),
    Fixture(crate: "sync-nr-readdir", causes: [.readdir], cure: [.readdir]),
    Fixture(crate: "sync-nr-umask", causes: [.umask]),
    Fixture(crate: "sync-nr-random", causes: [.random], byItself: true, cure: [.random]),
    Fixture(crate: "sync-nr-constrandom", causes: [.random], byItself: true, cure: [.random]),
    Fixture(crate: "sync-nr-kernel", causes: [.kernel], cure: [.kernel]),
    Fixture(crate: "sync-nr-path", causes: [.path], vary: "all"),
  ]

  private let source = DirectorySource(root: fixtureCrates)

  private func check(
    _ crate: String, holding normalise: [Normalisation] = [], vary: String, on bench: CrateWorkbench
  ) async throws -> CheckReport {
    let request = ResolveRequest(package: "pkg:cargo/\(crate)@0.1.0", toolchain: bench.toolchain, normalise: normalise)
    let spec = try await source.resolve(request, sandbox: bench.sandbox, scratchDirectory: bench.scratch)
    #expect(Normalisation.named(in: spec) == normalise.map(\.rawValue))
    let conditions = try Condition.parse([vary], spec: spec)
    return try await withScratch { folder in
      let rebuild = try LocalRebuild(sandbox: bench.sandbox, source: source, directory: folder)
      let kit = try await rebuild.kit(for: spec)
      #expect(kit.unvaried == [:])
      return try await ReproducibilityCheck(
        spec: spec, conditions: conditions, unvaried: kit.unvaried, repeats: 1, stillSeconds: 1_790_000_000
      ) { (conditions) throws(PluginError) in
        try await rebuild.rebuild(spec, under: conditions, with: kit)
      }.run()
    }
  }

  @Test("Each crate is caught with its cause named, and each cure works", .timeLimit(.minutes(20)), arguments: fixtures)
  func catchesAndCures(_ fixture: Fixture) async throws {
    try await CrateWorkbench.with { bench in
      // With a cure, nothing matters any more; what every build has held is left alone, as it is for builders.
      let vary = fixture.cure.isEmpty ? "free" : "usual"
      async let second = check(fixture.crate, holding: fixture.cure, vary: vary, on: bench)
      let caught = try await check(fixture.crate, vary: fixture.vary, on: bench)
      #expect(caught.failure == nil, "\(Text(utf8: caught.failureTranscript).string)")
      let found = caught.differences.map(\.conditions)
      #expect(found.filter { !$0.isEmpty } == fixture.causes.map { [$0] }, "\(caught.differences)")
      #expect(found.contains([]) == fixture.byItself)
      #expect(caught.differences.allSatisfy { !$0.artifacts.isEmpty && $0.failure == nil })
      #expect(caught.buildersAgree == fixture.cure.isEmpty)

      let cured = try await second
      #expect(cured.failure == nil, "\(Text(utf8: cured.failureTranscript).string)")
      #expect(cured.reproducible && cured.buildersAgree, "\(cured.differences)")
      #expect(cured.builds == 2)
    }
  }

  @Test("All normalisations together, and the recipe still fits its bounds", .timeLimit(.minutes(20)))
  func everything() async throws {
    try await CrateWorkbench.with { bench in
      for crate in ["sync-program@1.0.0", "sync-script@0.2.0"] {
        let request = ResolveRequest(
          package: "pkg:cargo/\(crate)", toolchain: bench.toolchain, normalise: Normalisation.allCases)
        let spec = try await source.resolve(request, sandbox: bench.sandbox, scratchDirectory: bench.scratch)
        let (first, second) = (try await bench.build(spec, from: source), try await bench.build(spec, from: source))
        #expect(first.result.termination == .exited(status: 0), "\(Text(utf8: first.result.transcript).string)")
        #expect(!first.digests.isEmpty && first.digests == second.digests)
      }
    }
  }

  @Test("A container is varied like a namespace", .enabled(if: DockerWorld.isPossible), .timeLimit(.minutes(20)))
  func containers() async throws {
    try await CrateWorkbench.with { bench in
      try await DockerWorld.with { world in
        try await world.sandbox.prepare(toolchain: bench.toolchain, archive: bench.archive)
        let spec = try await bench.resolve("pkg:cargo/sync-nr-host@0.1.0", from: source)
        let rebuild = try LocalRebuild(
          sandbox: world.sandbox, source: source, directory: try world.folder("rebuild"))
        let kit = try await rebuild.kit(for: spec)
        #expect(kit.unvaried == [:])
        let conditions: [Condition] = [.hostName, .umask]
        let report = try await ReproducibilityCheck(
          spec: spec, conditions: conditions, repeats: 1, stillSeconds: 1_790_000_000
        ) { (conditions) throws(PluginError) in
          try await rebuild.rebuild(spec, under: conditions, with: kit)
        }.run()
        #expect(report.differences.map(\.conditions) == [[.hostName]], "\(report.failure ?? "")")
      }
    }
  }

  @Test("What no recipe can hold is refused by it", .timeLimit(.minutes(20)))
  func refuses() async throws {
    try await CrateWorkbench.with { bench in
      let request = ResolveRequest(
        package: "pkg:cargo/sync-plain@0.1.0", toolchain: bench.toolchain, normalise: [.clock])
      var spec = try await source.resolve(request, sandbox: bench.sandbox, scratchDirectory: bench.scratch)
      spec.environment.removeAll { $0.name.string == Normalisation.variable }
      spec.environment.append(EnvironmentVariable(name: Text(Normalisation.variable), value: "weather"))
      #expect(try await bench.build(spec, from: source).name == "condition-not-held")
    }
  }
}
