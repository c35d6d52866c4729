import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// One run of the suite: its folders on the host, and how it is asked for.
struct SandboxCompatRun: Sendable {
  let suite: SandboxCompatTest
  let runID: String
  /// Holds `output` and `input`, and is the request's scratch folder's parent.
  let folder: String

  static let limits = SandboxLimits(
    wallSeconds: 60, cpuSeconds: 60, memoryBytes: 256 << 20, processes: 64, diskBytes: 64 << 20,
    transcriptBytes: 8 << 20)

  /// A request for `/bin/sh -c script`.
  func request(_ script: String, limits: SandboxLimits = Self.limits) -> SandboxRequest {
    request(["/bin/sh", "-c", script], limits: limits)
  }

  func request(_ command: [String], limits: SandboxLimits = Self.limits) -> SandboxRequest {
    SandboxRequest(
      runID: runID, toolchain: suite.toolchain, command: command, environment: [("PATH", "/usr/bin:/bin")],
      workingDirectory: "/build",
      mounts: [
        SandboxMount(hostPath: folder + "/input", insidePath: "/input/package", isWritable: false),
        SandboxMount(hostPath: folder + "/output", insidePath: "/output", isWritable: true),
      ], limits: limits, scratchDirectory: folder + "/scratch")
  }

  /// Runs the script and gives back what it printed; anything but status 0 fails the check.
  @discardableResult
  func text(_ script: String) async throws -> String {
    let result = try await suite.sandbox.run(request(script))
    let text = String(decoding: result.transcript, as: UTF8.self)
    try require(result.termination == .exited(status: 0), "it ended with \(result.termination): \(text.suffix(500))")
    return text
  }

  func result(_ script: String, limits: SandboxLimits = Self.limits) async throws -> SandboxResult {
    try await suite.sandbox.run(request(script, limits: limits))
  }

  func output(_ name: String) throws -> [UInt8] {
    let path = "\(folder)/output/\(name)"
    return [UInt8](
      try requireValue(FileManager.default.contents(atPath: path), "/output/\(name) is not on the host"))
  }
}

extension SandboxCompatTest {
  /// Gives the body fresh folders, and checks that the run has left nothing on the host.
  func withRun<Value>(_ body: (SandboxCompatRun) async throws -> Value) async throws -> Value {
    let runID = "compat-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let folder = "\(scratchDirectory)/\(runID)"
    for name in ["input", "output", "scratch"] {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    try Data("given".utf8).write(to: URL(fileURLWithPath: folder + "/input/file"))
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let value = try await body(SandboxCompatRun(suite: self, runID: runID, folder: folder))
    let left = try FileManager.default.contentsOfDirectory(atPath: folder + "/scratch")
    try require(left.isEmpty, "\(left) are left in the run's scratch folder")
    let mounts = Folder.readKernelFile("/proc/self/mountinfo") ?? runID
    try require(!mounts.contains(runID), "a mount of the run is left")
    let groups = Self.groups(of: runID)
    try require(groups.isEmpty, "the cgroups \(groups) are left")
    return value
  }

  private static func groups(of runID: String) -> [String] {
    guard let entries = FileManager.default.enumerator(atPath: "/sys/fs/cgroup") else { return [] }
    return entries.compactMap { $0 as? String }.filter { $0.contains(runID) }
  }

  /// The host's processes whose arguments hold `word`.
  static func processes(with word: String) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { pid in
      guard pid != getpid(), let line = Folder.readKernelFile("/proc/\(pid)/cmdline") else {
        return false
      }
      // The launcher's and the shell's arguments hold the script; the program itself is what must be gone.
      return line.split(separator: "\0").contains { $0 == word }
    }
  }

  /// A duration for `sleep` that no other process of the host has.
  static func uniqueSleep() -> String { "864\(UInt32.random(in: 10_000...99_999))" }
}
