import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization
import Testing

@testable import ChrootSandbox
@testable import DockerSandbox

/// Real runs on a real Docker Engine. They follow one another: limits are measured in time.
@Suite(.serialized) struct DockerSandboxTests {
  @Test(
    .enabled("no engine: scripts/docker-engine up DIR starts one, and says what to export") { DockerWorld.isPossible })
  func conformsToSandbox() async throws {
    try await DockerWorld.with { world in
      let suite = SandboxCompatTest(
        sandbox: world.sandbox, toolchain: world.toolchain, archive: world.archive,
        scratchDirectory: try world.folder("scratch"))
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count >= 45)
      #expect(try await world.containers().isEmpty)
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func theProbeNamesEveryLimit() async throws {
    try await DockerWorld.with { world in
      let probe = await world.sandbox.probe()
      #expect(probe.isUsable, "\(probe.findings)")
      let names = [
        "engine", "API", "containers", "rootful engine", "disk limit", "memory limit", "processes limit", "cpu limit",
        "system call filter",
      ]
      #expect(probe.findings.map(\.name) == names)
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func nothingOfTheHostIsInSight() async throws {
    try await DockerWorld.with { world in
      let text = try await world.text(
        "ls -A /sys /etc/hosts; cat /etc/hosts /etc/resolv.conf /etc/hostname; busybox grep Seccomp: /proc/self/status")
      #expect(text == "/etc/hosts\n\n/sys:\nSeccomp:\t2\n")
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func aSignalOfTheWorkerIsNotAStatus() async throws {
    try await DockerWorld.with { world in
      let (signal, status) = (try await world.run("kill -11 $$"), try await world.run("exit 139"))
      #expect(signal.termination == .signalled(11))
      #expect(status.termination == .exited(status: 139))
    }
  }

  /// What a build could forge, where the kernel lets it open process 1's streams, is its own end alone.
  @Test(.enabled { DockerWorld.isPossible }) func aForgedReportIsAnEnd() async throws {
    try await DockerWorld.with { world in
      let end = try await world.run("echo 'end 7' >/proc/1/fd/2 || exit 5; sleep 50").termination
      #expect(end == .exited(status: 7) || end == .exited(status: 5))
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func oneRunIDIsOneRun() async throws {
    try await DockerWorld.with { world in
      let first = Task { try await world.run("sleep 2", runID: "same-\(getpid())") }
      try await Task.sleep(for: .milliseconds(900))
      await #expect(throws: PluginError(.invalid, "")) {
        try await world.run("exit 0", runID: "same-\(getpid())")
      }
      #expect(try await world.sandbox.removeLeftovers() == [])
      #expect(try await first.value.termination == .exited(status: 0))
    }
  }

  /// The name leads to another image, which carries the label: its layer is not the toolchain's.
  @Test(.enabled { DockerWorld.isPossible }) func aTamperedNameIsNotTrusted() async throws {
    try await DockerWorld.with { world in
      let name = DockerImages.reference(world.toolchain)
      let good = try #require(try await DockerImages(engine: world.engine, directory: "/").trusted(world.toolchain))
      let tar = world.root + "/other.tar"
      try Data(count: 10_240).write(to: URL(fileURLWithPath: tar))
      let answer = try await world.engine.upload(
        "/images/create",
        query: [
          ("fromSrc", "-"), ("repo", DockerImages.repository), ("tag", world.toolchain.hex),
          ("changes", "LABEL \(DockerLabel.toolchain)=\(world.toolchain.hex)"),
        ], file: tar, bytes: 10_240)
      #expect(answer.status == 200)
      #expect(await !world.sandbox.hasToolchain(world.toolchain))
      await #expect(throws: PluginError(.notFound, "")) { try await world.run("exit 0") }
      _ = try await world.engine.call("DELETE", "/images/\(name)")
      let tag = try await world.engine.call(
        "POST", "/images/\(good)/tag", query: [("repo", DockerImages.repository), ("tag", world.toolchain.hex)])
      #expect(tag.status == 201)
      #expect(await world.sandbox.hasToolchain(world.toolchain))
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func aTranscriptFloodIsBoundedInMemory() async throws {
    try await DockerWorld.with { world in
      var request = world.request("cat /dev/zero")
      let seen = Mutex(0)
      request.onTranscript = { piece in seen.withLock { $0 += piece.count } }
      let before = Self.residentBytes()
      let result = try await world.sandbox.run(request)
      #expect(result.termination == .transcriptExceeded)
      #expect(result.transcript.count == 1 << 20 && seen.withLock { $0 } == 1 << 20)
      #expect(Self.residentBytes() - before < 64 << 20)
    }
  }

  private static func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4_096
  }

  /// A helper process is killed at different steps of a run; what it leaves is cleared away, and a run of ours is not.
  @Test(.enabled { DockerWorld.isPossible }, arguments: [60, 150, 300, 600, 1_200, 2_500])
  func aKilledProcessLeavesNothing(milliseconds: Int) async throws {
    try await DockerWorld.with { world in
      let word = "8642\(UInt32.random(in: 10_000...99_999))"
      let going = Task { try await world.run("sleep \(milliseconds / 1_000 + 3); echo done") }
      let helper = try world.helper("sleep \(word)")
      try await Task.sleep(for: .milliseconds(milliseconds))
      kill(helper.processIdentifier, SIGKILL)
      helper.waitUntilExit()
      try await world.sandbox.removeLeftovers()
      let own = try await world.containers()
      #expect(own.count <= 1)
      #expect(try !world.hasProcess(word))
      #expect(String(decoding: try await going.value.transcript, as: UTF8.self) == "done\n")
      #expect(try await world.containers().isEmpty)
      #expect(world.cgroups(of: own).isEmpty)
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func anEngineThatGoesAwayIsAFault() async throws {
    let folder = NSTemporaryDirectory() + "docker-gone-\(getpid())"
    try Self.engine("up", folder)
    defer { try? Self.engine("down", folder) }
    try await DockerWorld.with(socket: folder + "/docker.sock") { world in
      let word = "8643\(UInt32.random(in: 10_000...99_999))"
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      var request = world.request("echo up; sleep \(word)")
      request.onTranscript = { _ in signal.yield() }
      let run = Task { [request] in try await world.sandbox.run(request) }
      for await _ in started { break }
      let pid = try #require(Int32(try String(contentsOfFile: folder + "/docker.pid", encoding: .utf8)))
      kill(pid, SIGKILL)
      let error = await #expect(throws: PluginError.self) { try await run.value }
      #expect(error?.code == .unavailable || error?.code == .io)
      #expect(error?.message.contains("engine") == true)
      try await Task.sleep(for: .milliseconds(500))
      #expect(try !world.hasProcess(word))
      try Self.engine("up", folder)
      #expect(try await world.sandbox.removeLeftovers() == [request.runID])
      #expect(try await world.containers().isEmpty)
    }
  }

  private static func engine(_ verb: String, _ folder: String) throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: root + "/scripts/docker-engine")
    process.arguments = [verb, folder]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw PluginError(.io, "scripts/docker-engine \(verb) failed") }
  }

  /// The same request gives the same bytes in both sandboxes.
  @Test(.enabled { DockerWorld.isPossible && ChrootWorld.isPossible }) func bothSandboxesBuildTheSame() async throws {
    try await DockerWorld.with { world in
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
}

/// What needs no engine.
@Suite struct DockerSandboxPartsTests {
  @Test func framesPassInPiecesOfAnySize() {
    let bytes: [UInt8] =
      [1, 0, 0, 0, 0, 0, 0, 3] + [9, 8, 7] + [2, 0, 0, 0, 0, 0, 0, 0] + [2, 0, 0, 0, 0, 0, 0, 1, 5]
    for size in 1...bytes.count {
      var frames = DockerFrames()
      var (output, errors): ([UInt8], [UInt8]) = ([], [])
      for start in stride(from: 0, to: bytes.count, by: size) {
        let isWhole = frames.take(bytes[start..<min(start + size, bytes.count)]) { stream, piece in
          if stream == .output { output += piece } else { errors += piece }
        }
        #expect(isWhole)
      }
      #expect(output == [9, 8, 7] && errors == [5])
    }
  }

  @Test(arguments: [[3, 0, 0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 1], [1, 0, 0, 9, 0, 0, 0, 1]] as [[UInt8]])
  func whatIsNoFrameIsRefused(bytes: [UInt8]) {
    var frames = DockerFrames()
    #expect(!frames.take(bytes) { _, _ in })
  }

  static let reports: [(text: String, status: Int32?, wasSignalled: Bool)] = [
    ("end 0\n", 0, false), ("end 255\n", 255, false), ("end 137\n", 137, false), ("Killed\nend 137\n", 137, true),
    ("noise\nend 3\n", 3, false), ("end 0", nil, false), ("", nil, false), ("end x\n", nil, false),
    ("end 256\n", nil, false), ("end -1\n", nil, false), ("the end 0\n", nil, false),
  ]

  @Test(arguments: reports) func endsAreRead(_ row: (text: String, status: Int32?, wasSignalled: Bool)) {
    let end = DockerTranscript.end(in: [UInt8](row.text.utf8))
    #expect(end?.status == row.status)
    #expect(end?.wasSignalled ?? false == row.wasSignalled)
  }

  @Test func groupsAreFoundInBothLayouts() {
    let first = DockerGroups.groups("8:pids:/docker/x\n2:cpu,cpuacct:/docker/x\n0::/docker/x\n")
    #expect(first["pids"] == "/docker/x" && first["cpuacct"] == "/docker/x" && first[""] == "/docker/x")
    let mounts = DockerGroups.hierarchies(
      mountinfo: """
        30 1 0:26 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids
        31 1 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
        32 1 0:28 / /tmp rw - tmpfs tmpfs rw
        """)
    #expect(mounts["pids"]?.point == "/sys/fs/cgroup/pids" && mounts[""]?.point == "/sys/fs/cgroup/unified")
    #expect(mounts["tmpfs"] == nil)
  }

  @Test func versionsCompareAsNumbers() {
    #expect(DockerProbe.atLeast("1.41", "1.41") && DockerProbe.atLeast("1.100", "1.41"))
    #expect(!DockerProbe.atLeast("1.9", "1.41"))
  }

  @Test func eachUnmetFindingHasAdvice() {
    let version = DockerProbe.Version(version: "1", apiVersion: "1.24", minAPIVersion: nil)
    let info = DockerProbe.Info(
      memoryLimit: false, swapLimit: nil, pidsLimit: nil, hasShares: nil, cgroupDriver: nil, cgroupVersion: nil,
      driver: nil, operatingSystemType: "windows", securityOptions: ["name=rootless"])
    let findings = DockerProbe.judge(version, info, isRoot: false)
    #expect(findings.allSatisfy { !$0.isMet && $0.detail.count > 20 })
  }

  @Test func anEngineThatIsNotThereIsASentence() async throws {
    let folder = NSTemporaryDirectory() + "docker-none-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let sandbox = try DockerSandbox(stateDirectory: folder, socketPath: "/no/such/socket")
    let probe = await sandbox.probe()
    #expect(!probe.isUsable)
    #expect(probe.findings.first?.detail.contains("/no/such/socket") == true)
    await #expect(throws: PluginError(.unavailable, "")) { try await sandbox.removeLeftovers() }
    #expect(await !sandbox.hasToolchain(.zero))
    #expect(throws: PluginError(.invalid, "")) { try DockerSandbox(stateDirectory: "relative") }
  }
}
