import ChrootSandbox
import DockerSandbox
import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// One sandbox from the command line, for what needs a process of its own: figures, and runs that are killed.
@main
enum SandboxBench {
  private static let usage = """
    usage: SandboxBench run SCRIPT SANDBOX STATE ARCHIVE [SOCKET]     one run, whose transcript it prints
           SandboxBench kill STEP RUN STATE ARCHIVE SOCKET            a Docker run that ends this process at a step
           SandboxBench pair RUNS SANDBOX STATE ARCHIVE SOCKET -- COMMAND…
                                  milliseconds of `true` in the sandbox, and of the command, by turns
           SandboxBench build STATE ARCHIVE INPUT OUTPUT SCRIPT       milliseconds of a script in the chroot sandbox
           SandboxBench spawn -- COMMAND…                             milliseconds of a command
           SandboxBench prepare SANDBOX STATE ARCHIVE [SOCKET]        milliseconds of making a toolchain ready
           SandboxBench probe SANDBOX STATE ARCHIVE [SOCKET]          what is not met on this host, with the mends
           SandboxBench collect STORE FOLDER [keep]                   takes all files of FOLDER as artifacts, and prints
                                  the milliseconds; keep: until they are on the disk

    SANDBOX is chroot or docker, STATE the plugin's folder, ARCHIVE a toolchain's tar named by its SHA-256.
    """

  static func main() async {
    do { try await perform(Array(CommandLine.arguments.dropFirst())) } catch {
      FileHandle.standardError.write(Data("SandboxBench: \(error)\n".utf8))
      exit(1)
    }
  }

  private static func perform(_ words: [String]) async throws {
    let own = Array(words.prefix { $0 != "--" })
    let command = Array(words.dropFirst(own.count + 1))
    switch (own.first, own.count) {
    case ("run", 5...6): try await run(own[1], on: Bench(own[2], own[3], own[4], socket: own.dropFirst(5).first))
    case ("kill", 6): try await kill(own[1], run: own[2], state: own[3], archive: own[4], socket: own[5])
    case ("pair", 6) where !command.isEmpty:
      try await pair(Int(own[1]) ?? 1, Bench(own[2], own[3], own[4], socket: own[5]), command)
    case ("build", 6): try await build(Bench("chroot", own[1], own[2], socket: nil), Array(own[3...]))
    case ("spawn", 1) where !command.isEmpty: try await time(command)
    case ("prepare", 4...5): try await prepare(Bench(own[1], own[2], own[3], socket: own.dropFirst(4).first))
    case ("probe", 4...5): await probe(try Bench(own[1], own[2], own[3], socket: own.dropFirst(4).first))
    case ("collect", 3...4): try collect(into: own[1], from: own[2], keeps: own.count == 4)
    default:
      FileHandle.standardError.write(Data((usage + "\n").utf8))
      exit(2)
    }
  }

  private static func run(_ script: String, on bench: Bench) async throws {
    try await bench.prepare()
    let result = try await bench.run(["/bin/sh", "-c", script])
    print(String(decoding: result.transcript, as: UTF8.self), terminator: "")
  }

  /// The import is a step of its own: of a toolchain that is there, no step of an import is met.
  private static func kill(_ name: String, run: String, state: String, archive: String, socket: String) async throws {
    guard let wanted = DockerStep(rawValue: name) else { throw PluginError(.invalid, "There is no step '\(name)'") }
    let sandbox = try DockerSandbox(stateDirectory: state, socketPath: socket) { step in
      if step == wanted { Glibc.kill(getpid(), SIGKILL) }
    }
    var bench = try Bench(sandbox, state, archive)
    try await bench.prepare()
    let folder = state + "/" + run
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    bench.mounts = [SandboxMount(hostPath: folder, insidePath: "/output", isWritable: true)]
    let result = try await bench.run(["/bin/sh", "-c", "echo out >/output/file; sleep 0.2"], runID: run)
    throw PluginError(.io, "The step '\(name)' was not met; the run ended with \(result.termination)")
  }

  private static func pair(_ runs: Int, _ bench: Bench, _ command: [String]) async throws {
    try await bench.prepare()
    // A first run warms what is read from the disk.
    for number in 0...runs {
      let ours = try await milliseconds { try await bench.mustSucceed(["/bin/true"]) }
      let theirs = try await milliseconds { try spawn(command) }
      if number > 0 { print(String(format: "%.2f %.2f", ours, theirs)) }
    }
  }

  private static func build(_ bench: Bench, _ words: [String]) async throws {
    var bench = bench
    let (input, output, script) = (words[0], words[1], words[2])
    bench.mounts = [
      SandboxMount(hostPath: input, insidePath: "/input", isWritable: false),
      SandboxMount(hostPath: output, insidePath: "/output", isWritable: true),
    ]
    try await bench.prepare()
    print(String(format: "%.2f", try await milliseconds { try await bench.mustSucceed(["/bin/sh", "-c", script]) }))
  }

  private static func time(_ command: [String]) async throws {
    print(String(format: "%.2f", try await milliseconds { try spawn(command) }))
  }

  private static func prepare(_ bench: Bench) async throws {
    let time = try await milliseconds {
      try await bench.sandbox.prepare(toolchain: bench.toolchain, archive: bench.archive)
    }
    print(String(format: "%.2f", time))
  }

  private static func probe(_ bench: Bench) async {
    for finding in await bench.sandbox.probe().findings where !finding.isMet {
      print("\(finding.name): \(finding.detail)\n  \(finding.mend ?? "no mend is known")")
    }
  }

  private static func collect(into store: String, from folder: String, keeps: Bool) throws {
    let started = ContinuousClock.now
    let store = try ArtifactStore(root: store)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { Text($0) }
    let outcome = try OutputCollector.collect(names, from: folder, bytesMax: 1 << 40, into: store)
    let collected = ContinuousClock.now
    guard outcome.artifacts.count == names.count, try store.keep(outcome.artifacts.map(\.sha256)).isEmpty else {
      throw PluginError(.io, "The outcome is \(outcome)")
    }
    print(milliseconds((keeps ? ContinuousClock.now : collected) - started))
  }

  private static func milliseconds(_ body: () async throws -> Void) async throws -> Double {
    let start = ContinuousClock.now
    try await body()
    return milliseconds(ContinuousClock.now - start)
  }

  private static func milliseconds(_ duration: Duration) -> Double {
    let parts = duration.components
    return Double(parts.seconds) * 1e3 + Double(parts.attoseconds) / 1e15
  }

  /// Starts a program and waits for it, as lean as this process can.
  private static func spawn(_ command: [String]) throws {
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    var status: Int32 = -1
    let error = posix_spawnp(&child, command[0], nil, nil, &arguments, environ)
    guard error == 0, waitpid(child, &status, 0) == child, status == 0 else {
      throw PluginError(.io, "\(command.joined(separator: " ")) failed (\(error), status \(status))")
    }
  }
}

/// A sandbox, and the toolchain that it runs.
private struct Bench {
  let sandbox: any Sandbox
  let state: String
  let archive: String
  let toolchain: Digest
  var mounts: [SandboxMount] = []

  init(_ sandbox: String, _ state: String, _ archive: String, socket: String?) throws {
    let plugin: any Sandbox =
      sandbox == "docker"
      ? try DockerSandbox(stateDirectory: state, socketPath: socket ?? DockerSandbox.defaultSocketPath)
      : try ChrootSandbox(stateDirectory: state)
    try self.init(plugin, state, archive)
  }

  init(_ sandbox: any Sandbox, _ state: String, _ archive: String) throws {
    let name = (archive as NSString).lastPathComponent
    guard name.hasSuffix(".tar"), let toolchain = Digest(hex: String(name.dropLast(4))) else {
      throw PluginError(.invalid, "'\(archive)' is not named as a toolchain's tar is, SHA256.tar")
    }
    (self.sandbox, self.state, self.archive, self.toolchain) = (sandbox, state, archive, toolchain)
  }

  func prepare() async throws {
    if await sandbox.hasToolchain(toolchain) { return }
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
  }

  func run(_ command: [String], runID: String? = nil) async throws -> SandboxResult {
    try await sandbox.run(
      SandboxRequest(
        runID: runID ?? "bench-\(getpid())", toolchain: toolchain, command: command,
        environment: [("PATH", "/usr/bin:/bin")], workingDirectory: "/build", mounts: mounts,
        limits: SandboxLimits(
          wallSeconds: 900, cpuSeconds: 900, memoryBytes: 2 << 30, processes: 256, diskBytes: 1 << 30,
          transcriptBytes: 1 << 20),
        scratchDirectory: state))
  }

  func mustSucceed(_ command: [String]) async throws {
    let result = try await run(command)
    guard result.termination == .exited(status: 0) else {
      let end = String(decoding: result.transcript.suffix(500), as: UTF8.self)
      throw PluginError(.io, "\(command) ended with \(result.termination): \(end)")
    }
  }
}
