import ChrootSandbox
import DockerSandbox
import Foundation
import SyncProof
import SyncRuntime

/// One sandbox from the command line, for what needs a process of its own.
///
///     SandboxBench time RUNS SANDBOX STATE ARCHIVE [SOCKET]    milliseconds of each run of `true`, one a line
///     SandboxBench run SCRIPT SANDBOX STATE ARCHIVE [SOCKET]   one run, whose transcript it prints
///     SandboxBench compare RUNS STATE ARCHIVE COMMAND…         runs of `true` in the chroot sandbox and the command in
///                                                              turns: milliseconds of both, one pair a line
///
/// SANDBOX is `chroot` or `docker`, STATE the plugin's folder, ARCHIVE a toolchain's tar named by its SHA-256.
@main
enum SandboxBench {
  static func main() async throws {
    let words = Array(CommandLine.arguments.dropFirst())
    if words.count >= 5, words[0] == "compare", let count = Int(words[1]) {
      return try await compare(count, state: words[2], archive: words[3], command: Array(words[4...]))
    }
    guard words.count >= 5, let toolchain = Digest(hex: String(name(of: words[4]).dropLast(4))) else {
      throw PluginError(.invalid, "usage: SandboxBench time RUNS | run SCRIPT, then SANDBOX STATE ARCHIVE [SOCKET]")
    }
    let sandbox: any Sandbox =
      words[2] == "docker"
      ? try DockerSandbox(stateDirectory: words[3], socketPath: words.count > 5 ? words[5] : "/var/run/docker.sock")
      : try ChrootSandbox(stateDirectory: words[3])
    try await sandbox.prepare(toolchain: toolchain, archive: words[4])
    // A first run warms what is read from the disk.
    let count = words[0] == "time" ? (Int(words[1]) ?? 1) + 1 : 1
    let script = words[0] == "time" ? ["/bin/true"] : ["/bin/sh", "-c", words[1]]
    for number in 0..<count {
      let request = request(toolchain, script, number, state: words[3])
      let start = ContinuousClock.now
      let result = try await sandbox.run(request)
      let taken = milliseconds(ContinuousClock.now - start)
      guard words[0] == "time" else { return print(String(decoding: result.transcript, as: UTF8.self), terminator: "") }
      guard result.termination == .exited(status: 0) else {
        throw PluginError(.io, "true ended with \(result.termination)")
      }
      if number > 0 { print(String(format: "%.2f", taken)) }
    }
  }

  /// Both sides are started from this process by `posix_spawn` and waited for, so that nobody's start is left out.
  private static func compare(_ count: Int, state: String, archive: String, command: [String]) async throws {
    guard let toolchain = Digest(hex: String(name(of: archive).dropLast(4))) else {
      throw PluginError(.invalid, "\(archive) is not named by its SHA-256")
    }
    let sandbox = try ChrootSandbox(stateDirectory: state)
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
    for number in -2..<count {
      let request = request(toolchain, ["/bin/true"], number + 2, state: state)
      let start = ContinuousClock.now
      let result = try await sandbox.run(request)
      let middle = ContinuousClock.now
      let status = try spawn(command)
      let end = ContinuousClock.now
      guard result.termination == .exited(status: 0), status == 0 else {
        throw PluginError(.io, "a run ended with \(result.termination), the command with status \(status)")
      }
      if number >= 0 {
        print(String(format: "%.3f %.3f", milliseconds(middle - start), milliseconds(end - middle)))
      }
    }
  }

  private static func milliseconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) * 1e3 + Double(duration.components.attoseconds) / 1e15
  }

  private static func spawn(_ command: [String]) throws -> Int32 {
    var (child, status): (pid_t, Int32) = (0, 0)
    var words = command.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    let error = posix_spawnp(&child, command[0], nil, nil, &words, environ)
    guard error == 0 else { throw PluginError(.io, "Cannot start \(command[0]): \(String(cString: strerror(error)))") }
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  private static func name(of path: String) -> String { (path as NSString).lastPathComponent }

  private static func request(_ toolchain: Digest, _ command: [String], _ number: Int, state: String) -> SandboxRequest
  {
    SandboxRequest(
      runID: "bench-\(getpid())-\(number)", toolchain: toolchain, command: command,
      environment: [("PATH", "/usr/bin:/bin")], workingDirectory: "/build", mounts: [],
      limits: SandboxLimits(
        wallSeconds: 300, cpuSeconds: 60, memoryBytes: 256 << 20, processes: 64, diskBytes: 64 << 20,
        transcriptBytes: 1 << 20),
      scratchDirectory: state)
  }
}
