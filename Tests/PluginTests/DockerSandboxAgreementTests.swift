import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import ChrootSandbox
@testable import CratesSource
@testable import DockerSandbox

/// What a proof rests on: builders with different sandboxes make the same bytes of one spec.
@Suite("The sandboxes agree", .serialized) struct DockerSandboxAgreementTests {
  /// The same request gives the same bytes in both sandboxes.
  @Test(arguments: DockerEngineKind.wanted) func bothSandboxesBuildTheSame(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let chroot = try ChrootSandbox(stateDirectory: world.root + "/chroot", initPath: ChrootWorld.initPath)
      try await chroot.prepare(toolchain: world.toolchain, archive: world.archive)
      let script = """
        set -e; env; id; umask; pwd; ulimit -n; ulimit -s; cat /proc/sys/kernel/hostname; cd /output; mkdir -p d
        sha256sum /bin/bash /usr/bin/env >sums; ln -s sums link; printf 'a\\000b' >d/x; chmod 750 d/x; chmod 4755 sums
        busybox tar c -f d/tar -C /input . ; ls -l | cut -c 1-10; stat -c '%a %u %s %n' d/x /tmp /build /output
        """
      var seen: [[String]] = []
      for sandbox in [world.sandbox, chroot] as [any Sandbox] {
        let output = try world.folder("output-\(sandbox.name)")
        let input = try world.folder("input")
        try Data("given".utf8).write(to: URL(fileURLWithPath: input + "/file"))
        chown(input, 1_000, 1_000)
        var request = world.request(
          script,
          mounts: [
            SandboxMount(hostPath: input, insidePath: "/input", isWritable: false),
            SandboxMount(hostPath: output, insidePath: "/output", isWritable: true),
          ])
        request.environment.append(("SOURCE_DATE_EPOCH", "1700000000"))
        let result = try await sandbox.run(request)
        #expect(result.termination == .exited(status: 0))
        let files = try ["sums", "d/x"].map { try FileDigest.sha256(path: "\(output)/\($0)").digest.hex }
        seen.append([String(decoding: result.transcript, as: UTF8.self)] + files)
      }
      #expect(seen[0] == seen[1])
    }
  }

  /// Each as a builder does it: the real cargo, sources that are pinned and fetched, the recipe of the spec.
  @Test(
    "Crates have the same bytes from both sandboxes",
    .enabled { DockerWorld.isPossible && CrateWorkbench.isPossible }, .timeLimit(.minutes(20)))
  func cratesAgree() async throws {
    try await CrateWorkbench.with { bench in
      try await DockerWorld.with { world in
        let archive = bench.archive
        try await world.sandbox.prepare(toolchain: bench.toolchain, archive: archive)
        let debian = DebianCratesSource(cacheDirectory: try world.folder("debian"))
        let fixtures = DirectorySource(root: fixtureCrates)
        let rows: [(purl: String, source: any Source)] = [
          ("pkg:cargo/itoa@1.0.1", debian), ("pkg:cargo/semver@1.0.14", debian),
          ("pkg:cargo/sync-script@0.2.0", fixtures), ("pkg:cargo/sync-macro@0.1.0", fixtures),
          ("pkg:cargo/sync-program@1.0.0", fixtures),
        ]
        for row in rows {
          let spec = try await bench.resolve(row.purl, from: row.source)
          let chroot = try await bench.build(spec, from: row.source)
          let docker = try await bench.build(spec, from: row.source, in: world.sandbox)
          for built in [chroot, docker] {
            #expect(built.result.termination == .exited(status: 0), "\(Text(utf8: built.result.transcript).string)")
          }
          #expect(!chroot.digests.isEmpty && chroot.digests == docker.digests, "\(row.purl)")
        }
      }
    }
  }
}
