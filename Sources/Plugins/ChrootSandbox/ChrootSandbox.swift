import Glibc
import SyncProof
import SyncRuntime

/// Runs builds in Linux namespaces of its own: no daemon, some milliseconds to start, as root or as an ordinary user.
///
/// A run has its own mount, PID, network, IPC, UTS and cgroup namespaces (and a user namespace), an overlay over the
/// read-only toolchain, a private `/proc`, `/dev` and `/tmp`, no network device that is up, no capability, no new
/// privilege, and a system call filter. `synchronicity-sandbox-init`, a small C program, sets this up.
///
/// **What a run may write** is `/tmp`, `/dev/shm`, its working directory (made when the toolchain has none of that
/// name) and the writable mounts; all of it lies on one tmpfs whose size is the disk limit. A writable mount starts
/// with the content of its host folder; when the run has ended by itself, the host folder gets what the run left:
/// regular files and folders readable by their owner, hard links as files of their own, symbolic links as they are,
/// anything else as a FIFO, and nothing of a set-user-ID bit. A run that was killed leaves the host folder as it was.
///
/// **Limits.** Memory: what the processes have for themselves; the kernel's own bound is that plus the disk limit,
/// since the run's files live in memory too. Processes: threads count. CPU time: the sum over the tree. Where no
/// cgroup can be written, the limits are sampled every 50 ms, and ``probe()`` says so.
///
/// **How a run ended**, when several things are true: the first limit that killed it (wall time, CPU time, memory,
/// transcript); else memory, if the kernel killed any process for it; else CPU time; else, when the writable mounts
/// hold more than the disk limit (holes of files counted), disk; else success; and a run that failed ended by
/// processes if one was refused, by disk if the disk was seen full, else by its own status or signal. A command that
/// is not there has status 127, one that cannot be executed 126.
public struct ChrootSandbox: LeftoverSandbox {
  public let name = "chroot"
  public let version = "0.1"

  private let stateDirectory: String
  private let initPath: String?
  let toolchains: ToolchainStore

  /// - Parameters:
  ///   - stateDirectory: Holds unpacked toolchains and the marks of runs under way; made if missing, readable by its
  ///     owner only. Several processes may share it.
  ///   - initPath: Where `synchronicity-sandbox-init` is; by default beside the program or in
  ///     `../libexec/synchronicity`.
  /// - Throws: ``PluginError/Code/io`` when the folders cannot be made, ``PluginError/Code/invalid`` when the path is
  ///   not absolute.
  public init(stateDirectory: String, initPath: String? = nil) throws(PluginError) {
    guard stateDirectory.hasPrefix("/") else {
      throw PluginError(.invalid, "The state directory '\(stateDirectory)' is not an absolute path")
    }
    self.stateDirectory = stateDirectory
    self.initPath = initPath
    toolchains = ToolchainStore(directory: stateDirectory + "/toolchains")
    for folder in ["", "/toolchains", "/runs", "/mountpoint"] { try Folder.make(stateDirectory + folder, mode: 0o700) }
  }

  public func probe() async -> SandboxProbe {
    let launcher: Launcher
    do throws(PluginError) { launcher = try Launcher(explicit: initPath) } catch {
      let mend = "swift build --product \(Launcher.fileName), and put it beside the program"
      return SandboxProbe(findings: [.init(name: "launcher", isMet: false, detail: error.message, mend: mend)])
    }
    var findings = [SandboxProbe.Finding(name: "launcher", isMet: true, detail: launcher.path)]
    findings.append(toolchains.probe())
    do throws(PluginError) {
      let output = try await launcher.start(["probe", stateDirectory], input: nil, onOutput: nil).finish()
      if let fault = LauncherReport(parsing: output.report).fault { throw fault }
      findings += LauncherProbe.findings(in: output.transcript)
    } catch {
      let mend = HostSettings.mendForNamespaces(isRoot: geteuid() == 0)
      findings.append(.init(name: "namespaces", isMet: false, detail: error.message, mend: mend))
    }
    return SandboxProbe(findings: findings)
  }

  public func prepare(toolchain: Digest, archive: String) async throws(PluginError) {
    try await toolchains.prepare(toolchain, archive: archive)
  }

  public func hasToolchain(_ toolchain: Digest) async -> Bool { toolchains.has(toolchain) }

  public func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    let use = try await toolchains.use(request.toolchain)
    defer { close(use) }
    let settings = try LauncherSettings.encode(
      request, stateDirectory: stateDirectory, toolchainDirectory: toolchains.path(of: request.toolchain))
    let launcher = try Launcher(explicit: initPath)
    if Task.isCancelled { throw PluginError(.cancelled, "The run was cancelled before it began") }
    let process = try launcher.start(["run"], input: settings, onOutput: request.onTranscript)
    let output = try await process.finish()
    let report = LauncherReport(parsing: output.report)
    if let fault = report.fault { throw fault }
    guard let termination = report.termination else {
      throw PluginError(.io, "\(launcher.path) ended without a report; was it killed from outside?")
    }
    return SandboxResult(
      termination: termination, transcript: output.transcript, wallNanoseconds: report.wallNanoseconds,
      cpuNanoseconds: report.cpuNanoseconds, memoryPeakBytes: report.memoryPeakBytes)
  }

  /// Removes the cgroups and marks of runs whose launcher was killed; a run that is going on, in this process or
  /// another one, is left alone. Mounts and processes of a crashed run have gone with it.
  ///
  /// - Returns: The run IDs that were cleared away.
  @discardableResult
  public func removeLeftovers() async throws(PluginError) -> [String] {
    let launcher = try Launcher(explicit: initPath)
    let output = try await launcher.start(["clean", stateDirectory], input: nil, onOutput: nil).finish()
    return String(decoding: output.transcript, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
