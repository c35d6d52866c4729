import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import ChrootSandbox

/// Real runs of the chroot sandbox. They follow one another: limits are measured in time.
@Suite(.serialized) struct ChrootSandboxTests {
  @Test(.enabled("no tiny toolchain or launcher: scripts/toolchain tiny builds one") { ChrootWorld.isPossible })
  func conformsToSandbox() async throws {
    try await ChrootWorld.with { world in
      let suite = SandboxCompatTest(
        sandbox: world.sandbox, toolchain: world.toolchain, archive: world.archive,
        scratchDirectory: world.folder("scratch"))
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count >= 45)
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func theWorkerIsNicedFilteredAndAloneInItsCgroup() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let text = try await world.text(
        "nice; busybox grep Seccomp: /proc/self/status; busybox grep -v ':/$' /proc/self/cgroup;"
          + " cat /proc/self/oom_score_adj; ulimit -c; tr -d '\\000' </proc/1/cmdline; echo"
      )
      #expect(text == "10\nSeccomp:\t2\n1000\n0\nrun\n")
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func aRunOpensItsOutputByName() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      #expect(try await world.text("echo a >/dev/stdout; echo b | tee /dev/stderr") == "a\nb\nb\n")
    }
  }

  /// What Landlock must leave to builds: moves between folders, sockets and FIFOs, devices, a process's own files.
  @Test(.enabled { ChrootWorld.isPossible }) func whatBuildsWriteIsWritable() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let output = world.folder("output")
      let mount = SandboxMount(hostPath: output, insidePath: "/output", isWritable: true)
      let text = try await world.text(
        """
        set -e; for d in /tmp /build /dev/shm /output; do
          mkdir -p $d/a/b $d/c; echo x >$d/a/b/f; mv $d/a/b/f $d/c/g; ln $d/c/g $d/a/h; ln -s g $d/c/l; mkfifo $d/p
          echo y >>$d/c/g; truncate -s 1 $d/c/g; mv $d/a $d/e; rm -r $d/e
        done
        echo x >/dev/null; echo name >/proc/self/comm; cat /dev/null; echo done
        """, mounts: [mount])
      #expect(text == "done\n")
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func aSignalOfTheWorkerIsNotAStatus() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      #expect(try await world.run("kill -11 $$").termination == .signalled(11))
      #expect(try await world.run("exit 139").termination == .exited(status: 139))
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func aProgramThatIsStillBeingWrittenIsWaitedFor() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let program = world.folder("input") + "/program"
      try Data("#!/bin/sh\necho here\n".utf8).write(to: URL(fileURLWithPath: program))
      chmod(program, 0o755)
      let mount = SandboxMount(hostPath: world.folder("input"), insidePath: "/input", isWritable: false)
      let writer = open(program, O_WRONLY | O_CLOEXEC)
      try #require(writer >= 0)
      var request = world.request("", mounts: [mount])
      request.command = ["/input/program"]
      let refused = try await world.sandbox.run(request)
      #expect(refused.termination == .exited(status: 126))
      #expect(String(decoding: refused.transcript, as: UTF8.self).hasSuffix("/input/program: Text file busy\n"))
      request.runID += "-again"
      async let running = world.sandbox.run(request)
      try await Task.sleep(for: .milliseconds(300))
      close(writer)
      let result = try await running
      #expect(result.termination == .exited(status: 0))
      #expect(String(decoding: result.transcript, as: UTF8.self) == "here\n")
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func theHostsPathsAreNotInMountOptions() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let line = try await world.text("busybox grep ' / / ' /proc/self/mountinfo")
      #expect(line.contains("lowerdir=lower,upperdir=upper,workdir=work"))
      #expect(!line.contains(world.root))
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func aWritableMountKeepsWhatItHad() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let output = world.folder("output")
      try Data("old".utf8).write(to: URL(fileURLWithPath: output + "/a"))
      try Data("gone".utf8).write(to: URL(fileURLWithPath: output + "/b"))
      let mount = SandboxMount(hostPath: output, insidePath: "/output", isWritable: true)
      #expect(try await world.text("cd /output; cat a; rm b; echo new >c", mounts: [mount]) == "old")
      #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "c"])
      let killed = try await world.run("rm /output/a; sleep 50", mounts: [mount]) { $0.wallSeconds = 1 }
      #expect(killed.termination == .wallTimeExceeded)
      #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == ["a", "c"])
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func oneRunIDIsOneRun() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      var request = world.request("echo up; sleep 60", runID: "same")
      request.onTranscript = { _ in signal.yield() }
      let first = Task { [request] in
        defer { signal.finish() }
        return try await world.sandbox.run(request)
      }
      for await _ in started { break }
      await #expect(throws: PluginError(.invalid, "")) { try await world.run("exit 0", runID: "same") }
      first.cancel()
      await #expect(throws: PluginError(.cancelled, "")) { try await first.value }
    }
  }

  /// A launcher that is killed takes its run along; the marks it leaves are cleared, and no others.
  @Test(.enabled { ChrootWorld.isPossible }) func aCrashedRunIsClearedAway() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let going = Task { try await world.run("sleep 3; echo done", runID: "going") }
      let crashed = Task { try await world.run("sleep 8641234", runID: "crashed") }
      let pid = try await world.launcher(of: "crashed")
      #expect(kill(pid, SIGKILL) == 0)
      let error = await #expect(throws: PluginError.self) { try await crashed.value }
      #expect(error?.code == .io)
      try await Task.sleep(for: .milliseconds(300))
      #expect(!world.hasProcess("8641234"))
      #expect(try await world.sandbox.removeLeftovers() == ["crashed"])
      #expect(world.cgroups(of: "crashed").isEmpty)
      #expect(try await world.sandbox.removeLeftovers() == [])
      #expect(try await String(decoding: going.value.transcript, as: UTF8.self) == "done\n")
    }
  }

  /// What a killed node leaves: the lifeline's other end is closed, and the launcher ends its run.
  @Test(.enabled { ChrootWorld.isPossible }) func theEndOfTheNodeIsTheEndOfTheRun() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let launcher = try Launcher(explicit: ChrootWorld.initPath)
      let settings = try LauncherSettings.encode(
        world.request("sleep 8645678"), stateDirectory: world.root + "/state",
        toolchainDirectory: world.root + "/state/toolchains/\(world.toolchain)")
      let child = try ChildProcess(path: launcher.path, arguments: ["run"], hasOutput: true)
      child.send(settings)
      while !world.hasProcess("8645678") { try await Task.sleep(for: .milliseconds(20)) }
      child.closeInput()
      child.wait()
      #expect(!world.hasProcess("8645678"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: world.root + "/state/runs").isEmpty)
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func twoStoresUnpackOnce() async throws {
    try await ChrootWorld.with { world in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            let sandbox = try ChrootSandbox(stateDirectory: world.root + "/state", initPath: ChrootWorld.initPath)
            try await sandbox.prepare(toolchain: world.toolchain, archive: world.archive)
          }
        }
        try await group.waitForAll()
      }
      let names = try FileManager.default.contentsOfDirectory(atPath: world.root + "/state/toolchains").sorted()
      #expect(names == ["", ".lock", ".record"].map { world.toolchain.hex + $0 })
    }
  }

  @Test(.enabled { ChrootWorld.isPossible && geteuid() == 0 }) func anOrdinaryUserSeesTheSame() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let script = "id; stat -c '%u %g %a %n' / /usr /dev /build /tmp /proc/self; cat /proc/sys/kernel/hostname; exit 3"
      let root = try await world.run(script)
      let user = try await world.runAsOrdinaryUser(script)
      #expect(user.report.fault == nil, "\(user.report.fault?.message ?? "")")
      #expect(user.report.termination == .exited(status: 3))
      #expect(user.transcript == root.transcript)
    }
  }

  @Test(.enabled { ChrootWorld.isPossible }) func theProbeNamesWhatEachLimitRestsOn() async throws {
    try await ChrootWorld.with { world in
      let probe = await world.sandbox.probe()
      #expect(probe.isUsable, "\(probe.findings)")
      let names =
        ["launcher", "tar", "namespaces"] + (geteuid() == 0 ? ["user namespace"] : [])
        + ["memory limit", "processes limit", "cpu limit", "disk limit", "system call filter", "Landlock"]
      #expect(probe.findings.map(\.name) == names)
      for finding in probe.findings where finding.name.hasSuffix(" limit") && finding.name != "disk limit" {
        #expect(finding.isWeaker ? finding.detail.contains("sampled") : finding.detail.hasPrefix("cgroup"))
      }
      #expect(probe.findings.allSatisfy { $0.isWeaker == ($0.mend != nil) && $0.isMet })
    }
  }

  @Test func aMissingLauncherIsASentence() async throws {
    let folder = NSTemporaryDirectory() + "chroot-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let sandbox = try ChrootSandbox(stateDirectory: folder, initPath: "/no/such/launcher")
    let probe = await sandbox.probe()
    #expect(!probe.isUsable)
    #expect(probe.findings.first?.detail.contains("/no/such/launcher") == true)
    #expect(probe.findings.first?.mend != nil)
    await #expect(throws: PluginError(.unavailable, "")) { try await sandbox.removeLeftovers() }
    #expect(throws: PluginError(.invalid, "")) { try ChrootSandbox(stateDirectory: "relative") }
  }
}

/// The text between plugin and launcher, which needs no engine.
@Suite struct ChrootSandboxReportTests {
  static let rows: [(text: String, termination: SandboxTermination?)] = [
    ("end exited 0\n", .exited(status: 0)), ("end exited 255\n", .exited(status: 255)),
    ("end signalled 9\n", .signalled(9)), ("end wall\n", .wallTimeExceeded), ("end cpu\n", .cpuTimeExceeded),
    ("end memory\n", .memoryExceeded), ("end processes\n", .processesExceeded), ("end disk\n", .diskExceeded),
    ("end transcript\n", .transcriptExceeded), ("", nil), ("end\n", nil), ("end exited\n", nil),
    ("end exited x\n", nil), ("end wall 3\n", nil), ("noise end wall\n", nil),
  ]

  @Test(arguments: rows) func endsAreRead(_ row: (text: String, termination: SandboxTermination?)) {
    let report = LauncherReport(parsing: [UInt8]((row.text + "wall 5\ncpu 6\nmemory 7\n").utf8))
    #expect(report.termination == row.termination)
    #expect((report.wallNanoseconds, report.cpuNanoseconds, report.memoryPeakBytes) == (5, 6, 7))
    #expect(report.fault == nil)
  }

  @Test func findingsAreRead() {
    let text = "namespaces\tmet\tmade by root\t\nLandlock\tweaker\tnone\tboot another\nnoise\nx\tworse\ty\tz\n"
    let wanted = [
      SandboxProbe.Finding(name: "namespaces", isMet: true, detail: "made by root"),
      SandboxProbe.Finding(name: "Landlock", isMet: true, detail: "none", isWeaker: true, mend: "boot another"),
    ]
    #expect(LauncherProbe.findings(in: [UInt8](text.utf8)) == wanted)
  }

  static let hosts: [(settings: [String: String], isRoot: Bool, mend: String?)] = [
    ([:], false, nil),
    ([:], true, "give the node CAP_SYS_ADMIN (docker run --privileged), or run it as an ordinary user"),
    (["user/max_user_namespaces": "0"], false, "sysctl -w user.max_user_namespaces=15000"),
    (["user/max_user_namespaces": "31"], false, nil),
    (["kernel/unprivileged_userns_clone": "0"], false, "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
      ["kernel/apparmor_restrict_unprivileged_userns": "1"], false,
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    ),
    (["user/max_net_namespaces": "0"], true, "sysctl -w user.max_net_namespaces=15000"),
  ]

  @Test(arguments: hosts)
  func whatForbidsNamespacesHasItsLine(_ row: (settings: [String: String], isRoot: Bool, mend: String?)) {
    let mend = HostSettings.mendForNamespaces(isRoot: row.isRoot) { path in
      row.settings[String(path.dropFirst("/proc/sys/".count))]
    }
    #expect(mend == row.mend)
  }

  @Test func theFirstFaultIsTold() {
    let report = LauncherReport(parsing: [UInt8]("libc: oops\nfault 4 One thing.\nfault 5 Another.\n".utf8))
    #expect(report.fault == PluginError(.invalid, ""))
    #expect(report.fault?.message == "One thing.")
    #expect(report.cpuNanoseconds == nil)
  }

  @Test func settingsHaveALengthAndPairs() throws {
    let request = SandboxRequest(
      runID: "r", toolchain: .zero, command: ["/bin/sh", "-c", "x"], environment: [("A", "b=c")],
      workingDirectory: "/build",
      mounts: [SandboxMount(hostPath: "/h", insidePath: "/i", isWritable: true)],
      limits: SandboxLimits(
        wallSeconds: 1, cpuSeconds: 2, memoryBytes: 3, processes: 4, diskBytes: 5, transcriptBytes: 6),
      scratchDirectory: "/s")
    let bytes = try LauncherSettings.encode(request, stateDirectory: "/state", toolchainDirectory: "/t")
    #expect(bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } == bytes.count - 8)
    let words = bytes.dropFirst(8).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    #expect(words.count.isMultiple(of: 2))
    #expect(words.suffix(10) == ["argument", "-c", "argument", "x", "environment", "A=b=c", "write", "/h", "at", "/i"])
  }
}
