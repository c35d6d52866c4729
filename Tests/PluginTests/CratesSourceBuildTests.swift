import ChrootSandbox
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

/// The recipe with the real cargo, in the real sandbox. Needs what `synchronicity doctor` asks for, and the toolchain
/// that `scripts/toolchain rust` makes or finds.
@Suite("Building crates by their specs", .serialized)
struct CratesSourceBuildTests {
  private static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
  private let source = DirectorySource(root: fixtureCrates)

  struct Workbench {
    let sandbox: ChrootSandbox
    let toolchain: Digest
    let scratch: String
  }

  private func withWorkbench<Result>(_ body: (Workbench) async throws -> Result) async throws -> Result {
    let out = try await Tool(name: "bash", timeoutSeconds: 900).run([
      Self.root + "/scripts/toolchain", "rust", "--path",
    ])
    let archive = String(decoding: out, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
    let name = archive.split(separator: "/").last.map { String($0.dropLast(".tar".count)) } ?? ""
    let toolchain = try #require(Digest(hex: name), "scripts/toolchain printed '\(archive)'")
    // The unpacked toolchain is kept beside its archive for the next run of the tests.
    let folder = archive.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    let sandbox = try ChrootSandbox(stateDirectory: folder + "/chroot")
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
    return try await withScratch { scratch in
      try await body(Workbench(sandbox: sandbox, toolchain: toolchain, scratch: scratch))
    }
  }

  private func resolve(_ purl: String, features: [String] = [], on bench: Workbench) async throws -> BuildSpec {
    let request = ResolveRequest(package: purl, features: features, toolchain: bench.toolchain)
    return try await source.resolve(request, sandbox: bench.sandbox, scratchDirectory: bench.scratch)
  }

  /// What a builder does: fetches every source, runs the recipe.
  ///
  /// - Returns: How it ended, and the digests of the artifacts when it ended well.
  private func build(_ spec: BuildSpec, on bench: Workbench) async throws -> (result: SandboxResult, digests: [Digest])
  {
    try await withScratch { folder in
      try CrateFiles.makeFolder(folder + "/input")
      try CrateFiles.makeFolder(folder + "/output")
      try CrateFiles.makeFolder(folder + "/registry")
      try CrateFiles.makeFolder(folder + "/own")
      try CrateFiles.openToAll(folder + "/output")
      for item in spec.sources {
        let inside = spec.isRoot(item) ? "/input/package" : "/registry/\(item.directoryName.string)"
        try await source.fetch(item, into: folder + inside)
      }
      try CrateFiles.write(spec.recipe, to: folder + "/input/recipe.sh")
      let limits = spec.limits
      let result = try await bench.sandbox.run(
        SandboxRequest(
          runID: "test-\(UInt64.random(in: .min ... .max))", toolchain: spec.toolchain,
          command: ["/bin/sh", "/input/recipe.sh"],
          environment: spec.environment.map { ($0.name.string, $0.value.string) }, workingDirectory: "/build",
          mounts: [
            SandboxMount(hostPath: folder + "/input", insidePath: "/input", isWritable: false),
            SandboxMount(hostPath: folder + "/output", insidePath: "/output", isWritable: true),
            SandboxMount(hostPath: folder + "/registry", insidePath: "/registry", isWritable: false),
          ],
          limits: SandboxLimits(
            wallSeconds: limits.wallSeconds, cpuSeconds: limits.cpuSeconds, memoryBytes: limits.memoryBytes,
            processes: limits.processes, diskBytes: limits.diskBytes, transcriptBytes: limits.transcriptBytes),
          scratchDirectory: folder + "/own"))
      guard result.termination == .exited(status: 0) else { return (result, []) }
      var digests: [Digest] = []
      for artifact in spec.artifacts {
        digests.append(try FileDigest.sha256(path: "\(folder)/output/\(artifact.string)").digest)
      }
      return (result, digests)
    }
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
    try await withWorkbench { bench in
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
    try await withWorkbench { bench in
      let spec = try await resolve("pkg:cargo/sync-clock@0.1.0", on: bench)
      let (first, second) = (try await build(spec, on: bench), try await build(spec, on: bench))
      #expect(first.digests.count == 1 && first.digests != second.digests)
    }
  }

  @Test("Each way to fail has its status", .timeLimit(.minutes(20)))
  func fails() async throws {
    try await withWorkbench { bench in
      let broken = try await resolve("pkg:cargo/sync-broken@0.1.0", on: bench)
      #expect(try await build(broken, on: bench).result.termination == .exited(status: 101))

      let good = try await resolve("pkg:cargo/sync-plain@0.1.0", on: bench)
      for (name, value, status) in [
        ("SYNC_LOCK_SHA256", Digest.zero.hex, 66), ("SYNC_ARTIFACTS", "libsync_other.rlib", 67),
        ("SYNC_ENABLE", "absent", 101),
      ] as [(String, String, Int32)] {
        var changed = good
        changed.environment.removeAll { $0.name.string == name }
        changed.environment.append(EnvironmentVariable(name: Text(name), value: Text(value)))
        let result = try await build(changed, on: bench).result
        #expect(result.termination == .exited(status: status), "\(name): \(Text(utf8: result.transcript).string)")
      }
    }
  }

  @Test("What cannot be resolved says why", .timeLimit(.minutes(20)))
  func refuses() async throws {
    try await withWorkbench { bench in
      let rows: [(purl: String, features: [String], words: String)] = [
        ("pkg:cargo/sync-orphan@0.1.0", [], "sync-absent"), ("pkg:cargo/sync-messy@0.1.0", ["everything"], "absent-"),
        ("pkg:cargo/sync-messy@0.1.0", ["silent"], "everything, loud, std"),
      ]
      for row in rows {
        let error = await #expect(throws: PluginError.self) {
          _ = try await resolve(row.purl, features: row.features, on: bench)
        }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains(row.words) == true, "\(error?.message ?? "")")
      }
    }
  }
}
