import ChrootSandbox
import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import CratesSource
@testable import ExecSandbox

/// Real runs on a real engine of the Remote Execution API, through the command that takes them there.
@Suite(.serialized) struct RemoteExecutionTests {
  private static let environment = ProcessInfo.processInfo.environment

  /// False only where a missing engine may be passed over: with CI=true, tests run and fail.
  static var hasEngine: Bool {
    environment["CI"] == "true"
      || (ChrootWorld.tinyToolchain != nil && environment["SYNC_REMOTE_ENGINE"] != nil
        && environment["SYNC_REMOTE_PROGRAM"] != nil)
  }

  /// BuildBox makes the action root unless it is told otherwise, and root there may map nobody.
  private static func command(_ remote: String, _ more: [String] = []) -> [String] {
    [environment["SYNC_REMOTE_PROGRAM"] ?? "/nonexistent", "--remote=\(remote)"]
      + ["--platform=unixUID=1000", "--platform=unixGID=1000"] + more
  }

  private static var plain: [String] { command(environment["SYNC_REMOTE_ENGINE"] ?? "grpc://127.0.0.1:1") }

  private static func secure(shows: Bool, trusts: Bool = true) -> [String] {
    let keys = environment["SYNC_REMOTE_KEYS"] ?? "/nonexistent"
    var more: [String] = []
    if trusts { more.append("--tls-authorities=\(keys)/ca.pem") }
    if shows { more += ["--tls-certificate=\(keys)/client.pem", "--tls-key=\(keys)/client.key"] }
    return command(environment["SYNC_REMOTE_TLS"] ?? "grpcs://localhost:1", more)
  }

  @Test(.enabled("no engine: scripts/remote-engine up DIR, scripts/build-remote-execution") { hasEngine })
  func itConformsToSandbox() async throws {
    try await ExecWorld.with(Self.plain) { world in
      let suite = SandboxCompatTest(
        sandbox: world.sandbox, toolchain: world.toolchain, archive: world.archive,
        scratchDirectory: try world.folder("scratch"))
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count >= 45)
    }
  }

  @Test(.enabled { hasEngine }) func theProbeSpeaksOfEveryLimit() async throws {
    try await ExecWorld.with(Self.plain) { world in
      let probe = await world.sandbox.probe()
      #expect(probe.isUsable, "\(probe.findings)")
      let names = probe.findings.map(\.name)
      #expect(names.first == "command" && ExecSandbox.properties.allSatisfy(names.contains))
    }
  }

  @Test(.enabled { hasEngine }) func aRunBehindCertificates() async throws {
    try await ExecWorld.with(Self.secure(shows: true)) { world in
      try await world.prepare()
      #expect(try await world.sandbox.run(world.request("echo up")).transcript == [UInt8]("up\n".utf8))
    }
    for command in [Self.secure(shows: false), Self.secure(shows: true, trusts: false)] {
      try await ExecWorld.with(command) { world in
        let error = await #expect(throws: PluginError.self) { try await world.prepare() }
        #expect(error?.code == .unavailable, "\(error?.message ?? "")")
      }
    }
  }

  /// Two runs of one request are two executions: neither the engine's cache nor work under way answers for the other.
  @Test(.enabled { hasEngine }) func noAnswerComesFromACache() async throws {
    try await ExecWorld.with(Self.plain) { world in
      try await world.prepare()
      let script = "cat /proc/sys/kernel/random/uuid"
      async let first = world.sandbox.run(world.request(script))
      async let second = world.sandbox.run(world.request(script))
      let third = try await world.sandbox.run(world.request(script))
      let said = Set([try await first.transcript, try await second.transcript, third.transcript])
      #expect(said.count == 3)
    }
  }

  @Test(.enabled { hasEngine }) func aWritableMountKeepsWhatItHad() async throws {
    try await ExecWorld.with(Self.plain) { world in
      try await world.prepare()
      let output = try world.folder("output")
      try Data("old".utf8).write(to: URL(fileURLWithPath: output + "/a"))
      try Data("gone".utf8).write(to: URL(fileURLWithPath: output + "/b"))
      let mount = SandboxMount(hostPath: output, insidePath: "/output", isWritable: true)
      let first = try await world.sandbox.run(world.request("cd /output; cat a; rm b; echo new >c", mounts: [mount]))
      #expect(first.transcript == [UInt8]("old".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "c"])
    }
  }

  /// What a killed node leaves: the engine goes on, until `clean` tells it to end.
  @Test(.enabled { hasEngine }) func aCrashedRunIsClearedAway() async throws {
    try await ExecWorld.with(Self.plain) { world in
      try await world.prepare()
      let word = "8648\(UInt32.random(in: 10_000...99_999))"
      let request = world.request("sleep \(word)")
      let crashed = Task { try await world.sandbox.run(request) }
      #expect(try await ExecWorld.wait(20) { !ExecWorld.processes(word).isEmpty })
      let calls = "\(world.root)/state/calls/\(request.runID)"
      let operation = try String(contentsOfFile: calls + "/scratch/operation", encoding: .utf8)
      // The command alone: what is left at the engine is the point.
      let program = Self.plain[0]
      for pid in ExecWorld.processes("run")
      where Folder.readKernelFile("/proc/\(pid)/cmdline")?.hasPrefix(program) == true {
        kill(pid, SIGKILL)
      }
      let error = await #expect(throws: PluginError.self) { try await crashed.value }
      #expect(error?.code == .io || error?.code == .unavailable, "\(error?.message ?? "")")
      // The node called `clean` behind it.
      #expect(try await ExecWorld.wait(20) { ExecWorld.processes(word).isEmpty })
      // As a node finds it that was killed itself.
      try FileManager.default.createDirectory(atPath: calls + "/scratch", withIntermediateDirectories: true)
      try Data(operation.utf8).write(to: URL(fileURLWithPath: calls + "/scratch/operation"))
      #expect(FileManager.default.createFile(atPath: "\(world.root)/state/runs/\(request.runID)", contents: nil))
      #expect(try await world.sandbox.removeLeftovers() == [request.runID])
    }
  }

  /// The engine hears of it, and ends the work. BuildBox has killed it by then and waits for bubblewrap's own process
  /// alone: the rest of its namespace the kernel may still be clearing away (strace shows them end side by side).
  @Test(.enabled { hasEngine }) func aCancelledRunEndsAtTheEngine() async throws {
    try await ExecWorld.with(Self.plain) { world in
      try await world.prepare()
      let word = "8649\(UInt32.random(in: 10_000...99_999))"
      let request = world.request("sleep \(word)")
      let run = Task { try await world.sandbox.run(request) }
      #expect(try await ExecWorld.wait(20) { !ExecWorld.processes(word).isEmpty })
      let begin = ContinuousClock.now
      run.cancel()
      await #expect(throws: PluginError(.cancelled, "")) { try await run.value }
      #expect(ContinuousClock.now - begin < .seconds(8))
      #expect(try await ExecWorld.wait(2) { ExecWorld.processes(word).isEmpty })
    }
  }

  /// One that stands still for longer than the call waits: the node's run ends once it has heard.
  @Test(.enabled { hasEngine }) func aSlowEngineHearsOfACancelledRun() async throws {
    let port = try #require(Self.environment["SYNC_REMOTE_ENGINE"]?.split(separator: ":").last)
    let engines = ExecWorld.processes("--bind=127.0.0.1:\(port)")
    let engine = try #require(engines.first)
    #expect(engines.count == 1)
    try await ExecWorld.with(Self.plain) { world in
      try await world.prepare()
      let word = "8650\(UInt32.random(in: 10_000...99_999))"
      let request = world.request("sleep \(word)")
      let run = Task { try await world.sandbox.run(request) }
      #expect(try await ExecWorld.wait(20) { !ExecWorld.processes(word).isEmpty })
      let begin = ContinuousClock.now
      #expect(kill(engine, SIGSTOP) == 0)
      let goesOn = Task {
        try? await Task.sleep(for: .seconds(10))
        return kill(engine, SIGCONT)
      }
      run.cancel()
      await #expect(throws: PluginError(.cancelled, "")) { try await run.value }
      let passed = ContinuousClock.now - begin
      #expect(passed > .seconds(9) && passed < .seconds(60), "\(passed)")
      #expect(try await ExecWorld.wait(2) { ExecWorld.processes(word).isEmpty })
      #expect(await goesOn.value == 0)
    }
  }

  /// As engines lay out an action that keep every file read-only, and by hand: this one's engine does not.
  @Test(.enabled { hasEngine && geteuid() == 0 }) func anActionGivesFilesTheirUsualModes() throws {
    let program = try #require(Self.environment["SYNC_REMOTE_PROGRAM"])
    let tiny = try #require(ChrootWorld.tinyToolchain)
    let folder = NSTemporaryDirectory() + "action-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let script = "cd /input/package; stat -c '%n %a' . file sub sub/program; exit 3"
    let pairs = [
      ("run", "r"), ("state", "/state"), ("toolchain", "/toolchain"), ("host-name", "b"), ("directory", "/build"),
      ("wall-seconds", "9"), ("cpu-seconds", "9"), ("memory-bytes", "99999999"), ("processes", "40"),
      ("disk-bytes", "9999999"), ("transcript-bytes", "9999"), ("argument", "/bin/sh"), ("argument", "-c"),
      ("argument", script), ("environment", "PATH=/usr/bin:/bin"), ("read", "/mount/0"), ("at", "/input/package"),
    ]
    let body = pairs.flatMap { key, value -> [UInt8] in Array(key.utf8) + [0] + Array(value.utf8) + [0] }
    let head: [UInt8] = (0..<8).map { UInt8(truncatingIfNeeded: body.count >> (8 * $0)) }
    let manager = FileManager.default
    try manager.createDirectory(atPath: folder + "/mount/0/sub", withIntermediateDirectories: true)
    try manager.createDirectory(atPath: folder + "/toolchain", withIntermediateDirectories: true)
    let launcher = (program as NSString).deletingLastPathComponent + "/sync-remote-launcher"
    for (name, bytes, mode) in [
      ("settings", head + body, 0o444), ("mount/0/file", [1], 0o444), ("mount/0/sub/program", [2], 0o555),
    ] {
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      chmod("\(folder)/\(name)", mode_t(mode))
    }
    chmod(folder + "/mount/0/sub", 0o777)
    // The copy is made by a process of its own: nobody can execute what a child of this one has open for writing.
    let act = """
      cp '\(launcher)' '\(folder)/launcher'
      tar xf '\(tiny.archive)' -C '\(folder)/toolchain' '--exclude=./dev/*' --no-same-owner
      chown -R nobody '\(folder)' && cd '\(folder)'
      setpriv --reuid nobody --regid nogroup --clear-groups ./launcher action </dev/null
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-ec", act]
    try process.run()
    process.waitUntilExit()
    let report = try String(contentsOfFile: folder + "/answer/report", encoding: .utf8)
    #expect(report.hasPrefix("end exited 3\n") && report.hasSuffix("packed\n"), "\(report)")
    let said = try String(contentsOfFile: folder + "/answer/transcript", encoding: .utf8)
    #expect(said == ". 755\nfile 644\nsub 755\nsub/program 755\n", "\(said)")
  }

  /// The same crate gives the same bytes as in the chroot sandbox.
  @Test(.enabled { hasEngine && CrateWorkbench.isPossible }, .timeLimit(.minutes(20)))
  func aCrateHasTheBytesOfTheChrootSandbox() async throws {
    try await CrateWorkbench.with { bench in
      let source = DirectorySource(root: fixtureCrates)
      let spec = try await bench.resolve("pkg:cargo/sync-plain@0.1.0", from: source)
      let chroot = try await bench.build(spec, from: source)
      let command = try ExecSandbox(stateDirectory: bench.cache + "/remote", command: Self.plain)
      try await command.prepare(toolchain: bench.toolchain, archive: "\(bench.cache)/\(bench.toolchain.hex).tar")
      let other = CrateWorkbench(
        sandbox: command, toolchain: bench.toolchain, scratch: bench.scratch, cache: bench.cache)
      let remote = try await other.build(spec, from: source)
      #expect(remote.result.termination == .exited(status: 0), "\(Text(utf8: remote.result.transcript).string)")
      #expect(remote.digests.count == 1 && remote.digests == chroot.digests)
    }
  }
}
