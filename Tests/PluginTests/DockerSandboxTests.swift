import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization
import Testing

@testable import DockerSandbox

/// Real runs on real engines: Docker's, and Podman's that speaks the same. They follow one another: limits are measured
/// in time.
@Suite(.serialized) struct DockerSandboxTests {
  @Test(arguments: DockerEngineKind.wanted) func conformsToSandbox(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let suite = SandboxCompatTest(
        sandbox: world.sandbox, toolchain: world.toolchain, archive: world.archive,
        scratchDirectory: try world.folder("scratch"))
      let findings = await suite.run()
      for finding in findings {
        if engine == .podman && Self.hasVersion1 && finding.name == "two runs of one request give the same bytes" {
          // Podman gives no cgroup namespace there, and /proc/self/cgroup holds the container's random name.
          withKnownIssue { #expect(finding.hasPassed, "\(finding)") }
        } else {
          #expect(finding.hasPassed, "\(finding)")
        }
      }
      #expect(findings.count >= 45)
      #expect(try await world.containers().isEmpty)
    }
  }

  private static var hasVersion1: Bool { access("/sys/fs/cgroup/cgroup.controllers", F_OK) != 0 }

  @Test(arguments: DockerEngineKind.wanted) func theProbeNamesEveryLimit(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let probe = await world.sandbox.probe()
      #expect(probe.isUsable, "\(probe.findings)")
      let names = [
        "engine", "API", "containers", "engine's namespaces", "disk limit", "memory limit", "processes limit",
        "cpu limit",
        "system call filter",
      ]
      #expect(probe.findings.map(\.name) == names)
      #expect(probe.findings[0].detail.lowercased().hasPrefix(engine.rawValue))
      // In a user namespace these tests run beside the rootless engine that lives there.
      let isRootless = EngineNamespaces.owner() != 0
      #expect(probe.findings[3].detail.contains("the engine is rootless") == isRootless)
    }
  }

  @Test(arguments: DockerEngineKind.wanted) func nothingOfTheHostIsInSight(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let text = try await world.text(
        """
        busybox find /sys /run /var/tmp /dev/shm; cat /etc/hosts /etc/resolv.conf /etc/hostname
        busybox grep Seccomp: /proc/self/status
        for d in /run /var/tmp /sys /; do (: >$d/file) 2>/dev/null && echo $d is writable; done; true
        """)
      #expect(text == "/sys\n/sys/fs\n/sys/fs/cgroup\n/run\n/var/tmp\n/dev/shm\nSeccomp:\t2\n")
    }
  }

  /// Process 1 has the build's user, and is out of its reach all the same.
  @Test(arguments: DockerEngineKind.wanted) func theReportCannotBeForged(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let text = try await world.text(
        """
        for f in /proc/1/fd/2 /proc/1/mem /proc/1/environ; do (exec 3<$f) 2>/dev/null && echo $f opens; done
        (echo 'end 0700' >/proc/1/fd/2) 2>/dev/null && echo forged; kill -9 1; kill -TERM 1; sleep 0.2; echo alive
        """)
      #expect(text == "alive\n")
    }
  }

  /// Also where the engine has forgotten them. With a core of no byte at all, a crash would still start the program of
  /// the host's that takes cores.
  @Test(arguments: DockerEngineKind.wanted) func theBoundsOfARunHold(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let text = try await world.text("while read -r line; do echo $line; done </proc/self/limits")
      for (name, bound) in [
        ("cpu time", 62), ("file size", 65 << 20), ("stack size", 8 << 20), ("core file size", 1),
        ("open files", 4_096), ("locked memory", 64 << 10),
      ] { #expect(text.contains("\nMax \(name) \(bound) \(bound) "), "\(text)") }
    }
  }

  @Test(.enabled { DockerWorld.isPossible }) func oneRunIDIsOneRun() async throws {
    try await DockerWorld.with { world in
      let runID = "same-\(getpid())"
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      var request = world.request("echo up; sleep 60", runID: runID)
      request.onTranscript = { _ in signal.yield() }
      let first = Task { [request] in
        defer { signal.finish() }
        return try await world.sandbox.run(request)
      }
      for await _ in started { break }
      await #expect(throws: PluginError(.invalid, "")) { try await world.run("exit 0", runID: runID) }
      let removed = try await world.sandbox.removeLeftovers()
      #expect(!removed.contains(runID))
      first.cancel()
      await #expect(throws: PluginError(.cancelled, "")) { try await first.value }
    }
  }

  /// The name leads to another image, which carries the label: its layer is not the toolchain's.
  @Test(.enabled { DockerWorld.isPossible }) func aTamperedNameIsNotTrusted() async throws {
    try await DockerWorld.with { world in
      let name = DockerImages.reference(world.toolchain)
      let good = try #require(try await world.trusted())
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
        "POST", "/images/\(good.id)/tag", query: [("repo", DockerImages.repository), ("tag", world.toolchain.hex)])
      #expect(tag.status == 201)
      #expect(await world.sandbox.hasToolchain(world.toolchain))
    }
  }

  /// A real one, of a user without any right, seen from outside its namespaces.
  @Test(.enabled { DockerEngineKind.wanted.contains(.podman) && EngineNamespaces.owner() == 0 })
  func aRootlessEngineIsRefused() async throws {
    let folder = NSTemporaryDirectory() + "docker-rootless-\(getpid())"
    let user: uid_t = 61_235
    try FileManager.default.createDirectory(atPath: folder + "/home", withIntermediateDirectories: true)
    for path in [folder, folder + "/home"] { chown(path, user, user) }
    func engine(_ verb: String) throws {
      try Self.engine(
        verb, folder + "/engine", kind: .podman, as: user,
        environment: ["HOME": folder + "/home", "XDG_RUNTIME_DIR": folder + "/home"])
    }
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try engine("up")
    defer {
      try? engine("down")
      Self.stopAll(with: folder)
    }
    let sandbox = try DockerSandbox(stateDirectory: folder + "/state", socketPath: folder + "/engine/podman.sock")
    let unmet = await sandbox.probe().findings.filter { !$0.isMet }
    let finding = try #require(unmet.first { $0.name == "engine's namespaces" })
    for word in ["rootless", "plugins.docker-socket", "chroot"] { #expect(finding.detail.contains(word)) }
    #expect(finding.mend?.contains("podman unshare") == true)
    // And its limits, where nothing holds them.
    if Self.hasVersion1 { #expect(unmet.filter { $0.detail.contains("version 1 of cgroups") }.count == 3) }
  }

  /// A node that was started with `podman unshare` beside an engine that runs as root: its mounts are its own.
  @Test(.enabled { DockerWorld.isPossible && EngineNamespaces.owner() == 0 })
  func aNodeApartFromARootfulEngineIsRefused() async throws {
    try await DockerWorld.with { world in
      #expect(try world.bench(["probe"], through: []) == (true, ""))
      let (isGood, unmet) = try world.bench(["probe"], through: ["unshare", "--user", "--map-root-user", "--mount"])
      #expect(isGood && unmet.hasPrefix("engine's namespaces: the engine runs as root"), "\(unmet)")
      for word in ["podman unshare", "plugins.docker-socket", "sudo"] { #expect(unmet.contains(word)) }
      #expect(unmet.split(separator: "\n").count == 2, "\(unmet)")
    }
  }

  /// Podman makes the folders that it is to bind and does not see: the run fails, and they go.
  @Test(arguments: DockerEngineKind.wanted)
  func anEngineThatDoesNotSeeTheMountsRunsNothing(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      #expect(try world.bench(["run", "echo up"], through: []) == (true, "up\n"))
      let (isGood, text) = try world.bench(["run", "echo up"], through: ["unshare", "--mount"])
      #expect(!isGood && text.contains("The Docker engine cannot "), "\(text)")
      #expect(try await world.containers().isEmpty)
    }
  }

  /// Processes whose environment names the folder: Podman leaves one behind that holds the user's namespace.
  private static func stopAll(with folder: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let pid = pid_t(name), let environment = Folder.readKernelFile("/proc/\(pid)/environ"),
        environment.contains("=\(folder)/")
      else { continue }
      kill(pid, SIGKILL)
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
    let text = Folder.readKernelFile("/proc/self/statm") ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4_096
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
      #expect(!world.hasProcess(word))
      try Self.engine("up", folder)
      #expect(try await world.sandbox.removeLeftovers() == [request.runID])
      #expect(try await world.containers().isEmpty)
    }
  }

  private static func engine(
    _ verb: String, _ folder: String, kind: DockerEngineKind = .docker, as user: uid_t? = nil,
    environment: [String: String] = [:]
  ) throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    let command = [root + "/scripts/\(kind.rawValue)-engine", verb, folder]
    let change = user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups"] } ?? []
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = change + command
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw PluginError(.io, "scripts/\(kind)-engine \(verb) failed") }
  }
}
