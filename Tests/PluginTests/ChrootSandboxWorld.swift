import Foundation
import SyncProof
import SyncRuntime

@testable import ChrootSandbox
@testable import PluginSuites

/// A sandbox with folders of its own.
struct ChrootWorld: Sendable {
  let root: String
  let sandbox: ChrootSandbox
  let toolchain: Digest
  let archive: String

  /// False only where a missing engine may be passed over: with CI=true, tests run and fail.
  static var isPossible: Bool {
    let isStrict = ProcessInfo.processInfo.environment["CI"] == "true"
    return isStrict || (tinyToolchain != nil && initPath != nil)
  }

  /// The launcher that was built beside these tests.
  static let initPath: String? = {
    if let path = ProcessInfo.processInfo.environment["SYNC_SANDBOX_INIT"] { return path }
    var folders = CommandLine.arguments.compactMap { argument -> String? in
      guard let end = argument.range(of: "/", options: .backwards) else { return nil }
      return argument.contains(".xctest") || argument.contains("PackageTests")
        ? String(argument[..<end.lowerBound]) : nil
    }
    folders += folders.map { $0 + "/../.." } + folders.map { $0 + "/../../.." }
    folders.append(Bundle.main.bundlePath)
    return folders.map { $0 + "/synchronicity-sandbox-init" }.first { access($0, X_OK) == 0 }
  }()

  static let tinyToolchain: (archive: String, digest: Digest)? = {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["SYNC_TINY_TOOLCHAIN"] { return named(path) }
    let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/nonexistent") + "/.cache"
    let folder = (environment["SYNC_CACHE"] ?? cache + "/synchronicity") + "/toolchains"
    guard let index = try? String(contentsOfFile: folder + "/index", encoding: .utf8) else { return nil }
    let lines = index.split(separator: "\n").map { $0.split(separator: " ") }
    return lines.last { $0.first == "tiny" && $0.count == 3 }.flatMap { named("\(folder)/\($0[2]).tar") }
  }()

  private static func named(_ path: String) -> (archive: String, digest: Digest)? {
    let name = (path as NSString).lastPathComponent
    guard name.hasSuffix(".tar"), let digest = Digest(hex: String(name.dropLast(4))), access(path, R_OK) == 0 else {
      return nil
    }
    return (path, digest)
  }

  static func with(_ body: (ChrootWorld) async throws -> Void) async throws {
    guard let tiny = tinyToolchain else {
      throw PluginError(.notFound, "There is no tiny toolchain: run scripts/toolchain tiny")
    }
    let root = NSTemporaryDirectory() + "chroot-world-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    let sandbox = try ChrootSandbox(stateDirectory: root + "/state", initPath: initPath)
    try await body(ChrootWorld(root: root, sandbox: sandbox, toolchain: tiny.digest, archive: tiny.archive))
  }

  func folder(_ name: String) -> String {
    let path = "\(root)/\(name)"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  /// Makes the toolchain ready without unpacking it for each test.
  func prepare() async throws {
    let path = try await Self.unpacked.value
    try FileManager.default.createSymbolicLink(
      atPath: "\(root)/state/toolchains/\(toolchain)", withDestinationPath: path)
  }

  private static let shared = NSTemporaryDirectory() + "chroot-world-shared-\(getpid())"
  private static let unpacked = Task {
    atexit { try? FileManager.default.removeItem(atPath: ChrootWorld.shared) }
    guard let tiny = tinyToolchain else { throw PluginError(.notFound, "There is no tiny toolchain") }
    let sandbox = try ChrootSandbox(stateDirectory: shared, initPath: initPath)
    try await sandbox.prepare(toolchain: tiny.digest, archive: tiny.archive)
    return "\(shared)/toolchains/\(tiny.digest)"
  }

  func request(_ script: String, mounts: [SandboxMount] = [], runID: String? = nil) -> SandboxRequest {
    SandboxRequest(
      runID: runID ?? "test-\(UInt64.random(in: .min ... .max))", toolchain: toolchain,
      command: ["/bin/sh", "-c", script], environment: [("PATH", "/usr/bin:/bin")], workingDirectory: "/build",
      mounts: mounts,
      limits: SandboxLimits(
        wallSeconds: 60, cpuSeconds: 60, memoryBytes: 256 << 20, processes: 64, diskBytes: 64 << 20,
        transcriptBytes: 1 << 20),
      scratchDirectory: folder("scratch"))
  }

  /// By a process of its own: nobody can execute a file that any process has open for writing, and what this one has
  /// open, a process has too that it starts meanwhile.
  static func copyProgram(_ source: String, to target: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/cp")
    process.arguments = [source, target]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw PluginError(.io, "Cannot copy \(source) to \(target)") }
  }

  func run(
    _ script: String, mounts: [SandboxMount] = [], runID: String? = nil,
    limits change: (inout SandboxLimits) -> Void = { _ in }
  ) async throws -> SandboxResult {
    var request = request(script, mounts: mounts, runID: runID)
    change(&request.limits)
    return try await sandbox.run(request)
  }

  func text(_ script: String, mounts: [SandboxMount] = []) async throws -> String {
    String(decoding: try await run(script, mounts: mounts).transcript, as: UTF8.self)
  }

  /// The process that holds the run's lock.
  func launcher(of runID: String) async throws -> pid_t {
    let path = root + "/state/runs/" + runID
    for _ in 0..<500 {
      for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
        guard let pid = pid_t(name), link("/proc/\(pid)/exe")?.hasSuffix("/synchronicity-sandbox-init") == true,
          let status = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8), status.hasPrefix("synchro")
        else { continue }
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        if open.contains(where: { link("/proc/\(pid)/fd/\($0)") == path }), hasProcess("8641234") { return pid }
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw PluginError(.notFound, "No launcher of \(runID) is running")
  }

  private func link(_ path: String) -> String? { try? FileManager.default.destinationOfSymbolicLink(atPath: path) }

  /// Whether a process of the host has `word` among its arguments.
  func hasProcess(_ word: String) -> Bool { !SandboxCompatTest.processes(with: word).isEmpty }

  func cgroups(of runID: String) -> [String] {
    guard let all = FileManager.default.enumerator(atPath: "/sys/fs/cgroup") else { return [] }
    return all.compactMap { $0 as? String }.filter { $0.hasSuffix("synchronicity-\(runID)") }
  }

  /// Runs with copies of launcher and toolchain that belong to a user without any right.
  func runAsOrdinaryUser(_ script: String) async throws -> (transcript: [UInt8], report: LauncherReport) {
    let user: uid_t = 61_234
    let state = folder("user")
    for name in ["runs", "mountpoint"] { _ = folder("user/" + name) }
    let launcher = root + "/launcher"
    try Self.copyProgram(ChrootWorld.initPath ?? "", to: launcher)
    try FileManager.default.copyItem(atPath: try await Self.unpacked.value, toPath: state + "/toolchain")
    chmod(root, 0o755)
    for path in ["", "/runs", "/mountpoint", "/toolchain"] { chown(state + path, user, user) }
    let all = FileManager.default.enumerator(atPath: state + "/toolchain")
    while let path = all?.nextObject() as? String { lchown("\(state)/toolchain/\(path)", user, user) }
    let settings = try LauncherSettings.encode(
      request(script), stateDirectory: state, toolchainDirectory: state + "/toolchain")
    let child = try ChildProcess(
      path: "setpriv",
      arguments: ["--reuid=\(user)", "--regid=\(user)", "--clear-groups", launcher, "run"], hasOutput: true)
    let output = try await LauncherProcess(child: child, input: settings, onOutput: nil).finish()
    return (output.transcript, LauncherReport(parsing: output.report))
  }
}
