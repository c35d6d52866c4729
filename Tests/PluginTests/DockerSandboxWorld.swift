import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import DockerSandbox
@testable import PluginSuites

/// What speaks Docker's API on this host.
enum DockerEngineKind: String, CaseIterable, Sendable {
  case docker, podman

  /// Names the socket; `scripts/docker-engine` and `scripts/podman-engine` bring the engines up.
  var variable: String { "SYNC_\(rawValue.uppercased())_SOCKET" }
  var socket: String? { ProcessInfo.processInfo.environment[variable] }

  /// Those that tests run on: all with CI=true, where a missing one fails; else those that are there.
  static var wanted: [DockerEngineKind] {
    let isStrict = ProcessInfo.processInfo.environment["CI"] == "true"
    return allCases.filter { isStrict || ($0.socket != nil && ChrootWorld.tinyToolchain != nil) }
  }
}

/// A Docker sandbox with a state folder of its own, on one of the engines.
struct DockerWorld: Sendable {
  let root: String
  let sandbox: DockerSandbox
  let toolchain: Digest
  let archive: String
  let socket: String

  /// False only where a missing engine may be passed over: with CI=true, tests run and fail.
  static var isPossible: Bool { DockerEngineKind.wanted.contains(.docker) }

  static func with(
    _ kind: DockerEngineKind = .docker, socket: String? = nil, _ body: (DockerWorld) async throws -> Void
  ) async throws {
    guard let tiny = ChrootWorld.tinyToolchain, let socket = socket ?? kind.socket else {
      throw PluginError(
        .notFound,
        "\(kind.variable) or the tiny toolchain is missing: scripts/\(kind)-engine, scripts/toolchain tiny")
    }
    let root = NSTemporaryDirectory() + "docker-world-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let sandbox = try DockerSandbox(stateDirectory: root + "/state", socketPath: socket)
    try await sandbox.prepare(toolchain: tiny.digest, archive: tiny.archive)
    let world = DockerWorld(
      root: root, sandbox: sandbox, toolchain: tiny.digest, archive: tiny.archive, socket: socket)
    try await body(world)
    try world.expectNothingLeft()
  }

  var engine: DockerEngine { DockerEngine(socketPath: socket) }

  /// The toolchain's image.
  func trusted() async throws -> DockerImages.Trusted? {
    let marks = RunMarks(directory: root + "/state/toolchains")
    return try await DockerImages(engine: engine, marks: marks, state: "", onStep: { _ in }).trusted(toolchain)
  }

  func folder(_ name: String) throws -> String {
    let path = "\(root)/\(name)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  func request(_ script: String, mounts: [SandboxMount] = [], runID: String? = nil) -> SandboxRequest {
    SandboxRequest(
      runID: runID ?? "test-\(UInt64.random(in: .min ... .max))", toolchain: toolchain,
      command: ["/bin/sh", "-c", script], environment: [("PATH", "/usr/bin:/bin")], workingDirectory: "/build",
      mounts: mounts,
      limits: SandboxLimits(
        wallSeconds: 60, cpuSeconds: 60, memoryBytes: 256 << 20, processes: 64, diskBytes: 64 << 20,
        transcriptBytes: 1 << 20),
      scratchDirectory: root)
  }

  func run(_ script: String, runID: String? = nil) async throws -> SandboxResult {
    try await sandbox.run(request(script, runID: runID))
  }

  func text(_ script: String) async throws -> String {
    let result = try await run(script)
    try #require(result.termination == .exited(status: 0))
    return String(decoding: result.transcript, as: UTF8.self)
  }

  /// The IDs of this world's containers, running or not.
  func containers() async throws -> [String] {
    struct Listed: Decodable { let id: String }
    let label = "\(DockerLabel.state)=\(DockerLabel.stateValue(root + "/state"))"
    let answer = try await engine.call(
      "GET", "/containers/json", query: [("all", "1"), try DockerLabel.filter(["label": [label]])])
    return try answer.decoded([Listed].self, "the list").map(\.id)
  }

  func mounts() -> [String] {
    (Folder.readKernelFile("/proc/self/mountinfo") ?? root).split(separator: "\n").map(String.init)
      .filter { $0.contains(root) }
  }

  /// How long an engine's monitor of a container may take to end once the engine has removed the container: it starts
  /// a program of the engine's first, which cleans up.
  private static let monitorPatience = Duration.seconds(120)

  /// The groups of these containers. Where systemd makes them, the monitor of each has one of its own, which goes with
  /// the monitor; anywhere else none may be there.
  func leftGroups(of containers: [String]) async throws -> [String] {
    try await left(within: EngineNamespaces.owner() == 0 ? .zero : Self.monitorPatience) {
      let names = FileManager.default.enumerator(atPath: "/sys/fs/cgroup")?.compactMap { $0 as? String } ?? []
      return names.filter { name in containers.contains { name.contains($0) } }
    }
  }

  /// The arguments of processes that name one of these containers.
  func leftProcesses(of containers: [String]) async throws -> [String] {
    try await left(within: Self.monitorPatience) {
      containers.flatMap { SandboxCompatTest.processes(with: $0) }
        .map { Folder.readKernelFile("/proc/\($0)/cmdline") ?? "process \($0)" }
    }
  }

  private func left(within patience: Duration, _ look: () -> [String]) async throws -> [String] {
    let end = ContinuousClock.now + patience
    while true {
      let found = look()
      if found.isEmpty || ContinuousClock.now >= end { return found }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  func expectNothingLeft() throws {
    #expect(mounts().isEmpty)
    for name in ["runs", "disks", "toolchains"] {
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/state/\(name)").isEmpty)
    }
  }

  /// Whether a process of the host has `word` among its arguments.
  func hasProcess(_ word: String) -> Bool { !SandboxCompatTest.processes(with: word).isEmpty }

  /// A process of its own that imports a toolchain and does one run of this world's, and is killed at a step.
  func helper(killedAt step: DockerStep, runID: String, archive: String? = nil) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.bench)
    process.arguments = ["kill", step.rawValue, runID, root + "/state", archive ?? self.archive, socket]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return process
  }

  private static var bench: String {
    (ChrootWorld.initPath ?? "").split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/SandboxBench"
  }

  /// What a process of its own that is started through a command says: to `probe`, what is unmet, a line for each and
  /// one for its mend; to `run` and a script, what that printed, or an error.
  func bench(_ words: [String], through command: [String]) throws -> (isGood: Bool, text: String) {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command + [Self.bench] + words + ["docker", root + "/state", archive, socket]
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    (process.standardOutput, process.standardError) = (output, output)
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationReason == .exit && process.terminationStatus == 0, text)
  }

  /// The IDs and names of all images that carry this world's label, and of those of the given name.
  func images(named reference: String) async throws -> [String] {
    struct Listed: Decodable {
      let id: String
      let repoTags: [String]?
      let labels: [String: String]?
    }
    let answer = try await engine.call("GET", "/images/json", query: [("all", "1")])
    let state = DockerLabel.stateValue(root + "/state")
    // The world's own toolchain bears its label too where the engine did not have it before.
    let own = DockerImages.reference(toolchain)
    return try answer.decoded([Listed].self, "the list").filter { image in
      let names = image.repoTags ?? []
      return names.contains { $0.hasSuffix(reference) }
        || image.labels?[DockerLabel.state] == state && !names.contains { $0.hasSuffix(own) }
    }.map(\.id)
  }
}
