import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import ExecSandbox
@testable import PluginSuites

/// An exec sandbox with folders of its own, and the commands that it is given.
struct ExecWorld: Sendable {
  let root: String
  let sandbox: ExecSandbox
  let toolchain: Digest
  let archive: String

  static let repository = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
  static func wrapper(_ name: String) -> String { "\(repository)/Sources/Plugins/ExecSandbox/wrappers/\(name)" }

  private static var isStrict: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }

  /// False only where a missing engine may be passed over: with CI=true, tests run and fail.
  static var hasBubblewrap: Bool {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return isStrict
      || (ChrootWorld.tinyToolchain != nil && folders.contains { access("\($0)/bwrap", X_OK) == 0 })
  }

  static var slurmConfiguration: String? { ProcessInfo.processInfo.environment["SYNC_SLURM_CONF"] }
  static var hasSlurm: Bool { isStrict || (hasBubblewrap && slurmConfiguration != nil) }

  static let bubblewrap = [wrapper("sync-exec-bwrap")]
  /// With its configuration named on the command line, since the tests' own environment is not the place for it.
  static var slurm: [String] {
    ["/usr/bin/env", "SLURM_CONF=\(slurmConfiguration ?? "/nonexistent")", wrapper("sync-exec-slurm")]
  }

  static func with(
    _ command: [String], grace: Duration = .seconds(10), _ body: (ExecWorld) async throws -> Void
  ) async throws {
    guard let tiny = ChrootWorld.tinyToolchain else {
      throw PluginError(.notFound, "There is no tiny toolchain: run scripts/toolchain tiny")
    }
    try await withFolder { root in
      let sandbox = try ExecSandbox(stateDirectory: root + "/state", command: command, grace: grace)
      try await body(ExecWorld(root: root, sandbox: sandbox, toolchain: tiny.digest, archive: tiny.archive))
      for name in ["runs", "calls"] {
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/state/\(name)").isEmpty)
      }
    }
  }

  static func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let root = NSTemporaryDirectory() + "exec-world-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    return try await body(root)
  }

  func folder(_ name: String) throws -> String {
    let path = "\(root)/\(name)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  func prepare() async throws { try await sandbox.prepare(toolchain: toolchain, archive: archive) }

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

  /// The host's processes that have `word` among their arguments.
  static func processes(_ word: String) -> [Int32] { SandboxCompatTest.processes(with: word) }

  static func wait(_ seconds: Int, until condition: () -> Bool) async throws -> Bool {
    for _ in 0..<seconds * 50 {
      if condition() { return true }
      try await Task.sleep(for: .milliseconds(20))
    }
    return condition()
  }
}
