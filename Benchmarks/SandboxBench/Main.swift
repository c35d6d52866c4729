import ChrootSandbox
import DockerSandbox
import Foundation
import SyncProof
import SyncRuntime

/// One sandbox from the command line, for what needs a process of its own.
///
///     SandboxBench time RUNS SANDBOX STATE ARCHIVE [SOCKET]    milliseconds of each run of `true`, one a line
///     SandboxBench run SCRIPT SANDBOX STATE ARCHIVE [SOCKET]   one run, whose transcript it prints
///
/// SANDBOX is `chroot` or `docker`, STATE the plugin's folder, ARCHIVE a toolchain's tar named by its SHA-256.
@main
enum SandboxBench {
  static func main() async throws {
    let words = Array(CommandLine.arguments.dropFirst())
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
      let parts = (ContinuousClock.now - start).components
      let milliseconds = Double(parts.seconds) * 1e3 + Double(parts.attoseconds) / 1e15
      guard words[0] == "time" else { return print(String(decoding: result.transcript, as: UTF8.self), terminator: "") }
      guard result.termination == .exited(status: 0) else {
        throw PluginError(.io, "true ended with \(result.termination)")
      }
      if number > 0 { print(String(format: "%.2f", milliseconds)) }
    }
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
