import SourceTools
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

/// The recipe with the real cargo, in the real sandbox. Needs what `synchronicity doctor` asks for, and the toolchain
/// that `scripts/toolchain rust` makes or finds.
@Suite("Building crates by their specs", .serialized)
struct CratesSourceBuildTests {
  private let source = DirectorySource(root: fixtureCrates)

  private func resolve(_ purl: String, features: [String] = [], on bench: CrateWorkbench) async throws -> BuildSpec {
    try await bench.resolve(purl, features: features, from: source)
  }

  private func build(_ spec: BuildSpec, on bench: CrateWorkbench) async throws -> CrateWorkbench.Built {
    try await bench.build(spec, from: source)
  }

  @Test(
    "Two builds give the same bytes", .timeLimit(.minutes(20)),
    arguments: [
      ("pkg:cargo/sync-plain@0.1.0", ["loud"], ["libsync_plain.rlib"], 1),
      ("pkg:cargo/sync-messy@0.1.0", [], ["libsync_messy.rlib"], 1),
      ("pkg:cargo/sync-script@0.2.0", [], ["libsync_script.a", "libsync_script.rlib"], 1),
      ("pkg:cargo/sync-macro@0.1.0", [], ["libsync_macro.so"], 1),
      ("pkg:cargo/sync-program@1.0.0", [], ["greet"], 3),
    ] as [(String, [String], [String], Int)])
  func reproduces(_ row: (purl: String, features: [String], artifacts: [String], sources: Int)) async throws {
    try await CrateWorkbench.with { bench in
      let spec = try await resolve(row.purl, features: row.features, on: bench)
      #expect(spec.artifacts.map(\.string) == row.artifacts)
      #expect(spec.sources.count == row.sources)
      let (first, second) = (try await build(spec, on: bench), try await build(spec, on: bench))
      #expect(first.result.termination == .exited(status: 0), "\(Text(utf8: first.result.transcript).string)")
      #expect(!first.digests.isEmpty && first.digests == second.digests)
    }
  }

  @Test("A clock that gets into the bytes is seen", .timeLimit(.minutes(20)))
  func diverges() async throws {
    try await CrateWorkbench.with { bench in
      let spec = try await resolve("pkg:cargo/sync-clock@0.1.0", on: bench)
      let (first, second) = (try await build(spec, on: bench), try await build(spec, on: bench))
      #expect(first.digests.count == 1 && first.digests != second.digests)
    }
  }

  @Test("Each way to fail has its status or its name", .timeLimit(.minutes(20)))
  func fails() async throws {
    try await CrateWorkbench.with { bench in
      let broken = try await resolve("pkg:cargo/sync-broken@0.1.0", on: bench)
      let failed = try await build(broken, on: bench)
      #expect(failed.result.termination == .exited(status: 101) && failed.name == nil)

      let good = try await resolve("pkg:cargo/sync-plain@0.1.0", on: bench)
      for (name, value, failure) in [
        ("SYNC_LOCK_SHA256", Digest.zero.hex, "other-lock"), ("SYNC_ENABLE", "absent", "feature-absent"),
      ] as [(String, String, Text)] {
        var changed = good
        changed.environment.removeAll { $0.name.string == name }
        changed.environment.append(EnvironmentVariable(name: Text(name), value: Text(value)))
        let built = try await build(changed, on: bench)
        #expect(built.result.termination == .exited(status: 65) && built.name == failure, "\(name)")
      }
    }
  }

  @Test("What cannot be resolved says why", .timeLimit(.minutes(20)))
  func refuses() async throws {
    try await CrateWorkbench.with { bench in
      let rows: [(purl: String, features: [String], name: FailureName, words: String)] = [
        ("pkg:cargo/sync-orphan@0.1.0", [], .missingDependency, "sync-absent"),
        ("pkg:cargo/sync-messy@0.1.0", ["everything"], .missingDependency, "absent-"),
        ("pkg:cargo/sync-messy@0.1.0", ["silent"], .featureAbsent, "everything, loud, std"),
      ]
      for row in rows {
        let error = await #expect(throws: PluginError.self) {
          _ = try await resolve(row.purl, features: row.features, on: bench)
        }
        #expect(error?.code == row.name.code)
        #expect(error?.message.contains(row.words) == true, "\(error?.message ?? "")")
        #expect(error?.message.hasSuffix(" (\(row.name.rawValue))") == true, "\(error?.message ?? "")")
      }
    }
  }
}
