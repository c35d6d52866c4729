import ChrootSandbox
import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import CratesSource
@testable import ExecSandbox

/// Real runs through the two commands that are shipped. They follow one another: limits are measured in time.
@Suite(.serialized) struct ExecSandboxTests {
  private func conforms(_ command: [String]) async throws {
    try await ExecWorld.with(command) { world in
      let suite = SandboxCompatTest(
        sandbox: world.sandbox, toolchain: world.toolchain, archive: world.archive,
        scratchDirectory: try world.folder("scratch"))
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count >= 45)
    }
  }

  @Test(.enabled("no bubblewrap or tiny toolchain: scripts/setup, scripts/toolchain tiny") { ExecWorld.hasBubblewrap })
  func bubblewrapConformsToSandbox() async throws { try await conforms(ExecWorld.bubblewrap) }

  @Test(.enabled("no Slurm: scripts/slurm-engine up DIR") { ExecWorld.hasSlurm })
  func slurmConformsToSandbox() async throws { try await conforms(ExecWorld.slurm) }

  @Test(.enabled { ExecWorld.hasBubblewrap }) func theProbeSpeaksOfEveryLimit() async throws {
    try await ExecWorld.with(ExecWorld.bubblewrap) { world in
      let probe = await world.sandbox.probe()
      #expect(probe.isUsable, "\(probe.findings)")
      let names = probe.findings.map(\.name)
      #expect(names.first == "command" && ExecSandbox.properties.allSatisfy(names.contains))
    }
  }

  @Test(.enabled { ExecWorld.hasBubblewrap }) func aWritableMountKeepsWhatItHad() async throws {
    try await ExecWorld.with(ExecWorld.bubblewrap) { world in
      try await world.prepare()
      let output = try world.folder("output")
      try Data("old".utf8).write(to: URL(fileURLWithPath: output + "/a"))
      try Data("gone".utf8).write(to: URL(fileURLWithPath: output + "/b"))
      let mount = SandboxMount(hostPath: output, insidePath: "/output", isWritable: true)
      let first = try await world.sandbox.run(world.request("cd /output; cat a; rm b; echo new >c", mounts: [mount]))
      #expect(first.transcript == [UInt8]("old".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "c"])
      var killed = world.request("rm /output/a; sleep 50", mounts: [mount])
      killed.limits.wallSeconds = 1
      #expect(try await world.sandbox.run(killed).termination == .wallTimeExceeded)
      #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "c"])
    }
  }

  @Test(.enabled { ExecWorld.hasBubblewrap }) func oneRunIDIsOneRun() async throws {
    try await ExecWorld.with(ExecWorld.bubblewrap) { world in
      try await world.prepare()
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      var request = world.request("echo up; sleep 2", runID: "same")
      request.onTranscript = { _ in signal.yield() }
      let first = Task { [request] in try await world.sandbox.run(request) }
      for await _ in started { break }
      await #expect(throws: PluginError(.invalid, "")) {
        try await world.sandbox.run(world.request("exit 0", runID: "same"))
      }
      #expect(try await first.value.termination == .exited(status: 0))
    }
  }

  /// What a killed node leaves: the lifeline's other end is closed, the command ends its run, `clean` the rest.
  @Test(
    .enabled { ExecWorld.hasBubblewrap }, arguments: ["bubblewrap", "slurm"])
  func aCrashedRunIsClearedAway(_ which: String) async throws {
    guard which == "bubblewrap" || ExecWorld.hasSlurm else { return }
    let command = which == "bubblewrap" ? ExecWorld.bubblewrap : ExecWorld.slurm
    try await ExecWorld.with(command) { world in
      try await world.prepare()
      let word = "8647\(UInt32.random(in: 10_000...99_999))"
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      var request = world.request("echo up; sleep \(word)")
      request.onTranscript = { _ in signal.yield() }
      let crashed = Task { [request] in try await world.sandbox.run(request) }
      for await _ in started { break }
      #expect(try await ExecWorld.wait(20) { !ExecWorld.processes(word).isEmpty })
      // As if the node and all that it started were killed at once: the launcher, and what leads to it.
      for pid in ExecWorld.processes("run") where Self.isOfRun(pid, in: world.root) { kill(pid, SIGKILL) }
      let error = await #expect(throws: PluginError.self) { try await crashed.value }
      #expect(error?.code == .io || error?.code == .unavailable, "\(error?.message ?? "")")
      #expect(try await ExecWorld.wait(20) { ExecWorld.processes(word).isEmpty })
      // The mark of a node that died so: put back, with the folder that the command would find.
      try FileManager.default.createDirectory(
        atPath: "\(world.root)/state/calls/\(request.runID)/scratch", withIntermediateDirectories: true)
      #expect(FileManager.default.createFile(atPath: "\(world.root)/state/runs/\(request.runID)", contents: nil))
      #expect(try await world.sandbox.removeLeftovers() == [request.runID])
      #expect(Self.cgroups(of: request.runID).isEmpty)
      #expect(try await world.sandbox.removeLeftovers() == [])
    }
  }

  /// A launcher, by its mount namespace, in which this world's toolchain is mounted.
  private static func isOfRun(_ pid: Int32, in root: String) -> Bool {
    Folder.readKernelFile("/proc/\(pid)/mountinfo")?.contains((root as NSString).lastPathComponent) == true
  }

  private static func cgroups(of runID: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: "/sys/fs/cgroup")?.compactMap { $0 as? String } ?? []
    return names.filter { $0.contains(runID) }
  }

  /// The same crate gives the same bytes as in the chroot sandbox.
  @Test(.enabled { ExecWorld.hasBubblewrap && CrateWorkbench.isPossible }, .timeLimit(.minutes(20)))
  func aCrateHasTheBytesOfTheChrootSandbox() async throws {
    try await CrateWorkbench.with { bench in
      let source = DirectorySource(root: fixtureCrates)
      let spec = try await bench.resolve("pkg:cargo/sync-plain@0.1.0", from: source)
      let chroot = try await bench.build(spec, from: source)
      let command = try ExecSandbox(stateDirectory: bench.cache + "/exec", command: ExecWorld.bubblewrap)
      try await command.prepare(toolchain: bench.toolchain, archive: "\(bench.cache)/\(bench.toolchain.hex).tar")
      let other = CrateWorkbench(
        sandbox: command, toolchain: bench.toolchain, scratch: bench.scratch, cache: bench.cache)
      let exec = try await other.build(spec, from: source)
      #expect(exec.result.termination == .exited(status: 0), "\(Text(utf8: exec.result.transcript).string)")
      #expect(exec.digests.count == 1 && exec.digests == chroot.digests)
    }
  }
}
