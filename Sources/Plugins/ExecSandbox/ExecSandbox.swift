import Glibc
import SyncProof
import SyncRuntime

/// Runs builds through a command of the operator's choice: the door to build farms that exist already.
///
/// The command is started once for each run, with `run` as its last argument and one JSON object on its standard
/// input, which stays open as its lifeline; it prints the transcript on its standard output and tells how the run ended
/// in a result file. `docs/EXEC_SANDBOX.md` is the whole contract, `synchronicity-exec/1`; two commands are shipped
/// beside this plugin, for bubblewrap and for Slurm.
///
/// **Trust.** The command and the farm behind it are the builder's own: it signs for what they built. Isolation and the
/// limits of the spec are theirs to keep; ``probe()`` shows what the command says of each. This plugin bounds the
/// command itself: its time, its transcript, its result, what it leaves, what it inherits. A command that breaks the
/// contract costs one run, which has no outcome.
///
/// **Writable mounts** are folders of this plugin's while the command runs. When the run has ended by itself, the
/// host's folder gets what they hold, up to the disk limit: regular files and folders, hard links as files of their
/// own, symbolic links as they are, anything else as a FIFO.
public struct ExecSandbox: LeftoverSandbox {
  public let name = "exec"
  public let version = "0.1"

  /// What the command must speak about when it is probed.
  public static let properties = [
    "network", "privileges", "wall time limit", "cpu time limit", "memory limit", "processes limit", "disk limit",
    "transcript limit",
  ]

  private static let probeTime = Duration.seconds(120)
  private static let cleanTime = Duration.seconds(120)
  private static let prepareTime = Duration.seconds(3_600)
  private static let wordsMax: UInt64 = 1 << 20

  private let command: ExecCommand
  private let stateDirectory: String
  private let patience: Duration
  private let marks: RunMarks

  /// - Parameters:
  ///   - stateDirectory: Holds what the command keeps of toolchains, and the folders of runs under way; made if
  ///     missing, readable by its owner only. Several processes may share it. A farm's nodes must see it at this path.
  ///   - command: An absolute path, then arguments that stand before the verb.
  ///   - environment: Names of variables that the command gets from this process, besides PATH, HOME and LANG.
  ///   - patience: What a run may take beyond its wall time limit: waiting for a place, starting, bringing files home.
  ///   - grace: What the command may take to stop once its lifeline has ended, before it is killed.
  /// - Throws: ``PluginError/Code/io`` when the folders cannot be made, ``PluginError/Code/invalid`` for settings that
  ///   cannot be used.
  public init(
    stateDirectory: String, command: [String], environment: [String] = [], patience: Duration = .seconds(300),
    grace: Duration = .seconds(10)
  ) throws(PluginError) {
    guard stateDirectory.hasPrefix("/") else {
      throw PluginError(.invalid, "The exec sandbox's state directory '\(stateDirectory)' is not an absolute path")
    }
    self.command = try ExecCommand(
      path: command.first ?? "", arguments: Array(command.dropFirst()), environmentNames: environment, grace: grace)
    (self.stateDirectory, self.patience) = (stateDirectory, patience)
    marks = RunMarks(directory: stateDirectory + "/runs")
    for folder in ["", "/toolchains", "/runs", "/calls"] { try Folder.make(stateDirectory + folder, mode: 0o700) }
  }

  public func probe() async -> SandboxProbe {
    let told: [SandboxProbe.Finding]
    do throws(PluginError) { told = try await findings() } catch {
      return SandboxProbe(findings: [.init(name: "command", isMet: false, detail: error.message)])
    }
    let silent = Self.properties.filter { name in !told.contains { $0.name == name } }
    return SandboxProbe(
      findings: [.init(name: "command", isMet: true, detail: command.path)] + told
        + silent.map {
          .init(name: $0, isMet: false, detail: "the command says nothing of it; count on nothing, or mend its 'probe'")
        })
  }

  private func findings() async throws(PluginError) -> [SandboxProbe.Finding] {
    let runID = "probe-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let answer = try await marked(runID) { folder, _ throws(PluginError) in
      try await command.call(
        ExecMessage(.probe, runID: runID, folder: folder), in: folder, time: Self.probeTime,
        outputBytesMax: Self.wordsMax
      ).answer.get()
    }
    guard case .findings(let findings) = answer else { throw tooMuch("probe") }
    return findings
  }

  public func hasToolchain(_ toolchain: Digest) async -> Bool { isReady(toolchain) }

  private func isReady(_ toolchain: Digest) -> Bool { access(toolchainFolder(toolchain) + ".ready", F_OK) == 0 }

  private func toolchainFolder(_ toolchain: Digest) -> String { "\(stateDirectory)/toolchains/\(toolchain.hex)" }

  /// Lets the command make the toolchain ready, once its bytes are known to be the toolchain's.
  public func prepare(toolchain: Digest, archive: String) async throws(PluginError) {
    if isReady(toolchain) { return }
    let own = toolchainFolder(toolchain)
    let lock = try await WorkLock.take(own + ".lock", to: "prepare \(toolchain)")
    defer { close(lock) }
    if isReady(toolchain) { return }
    let found = await BlockingThread.run { () throws(PluginError) in try FileDigest.sha256(path: archive).digest }
    let digest = try found.get()
    guard digest == toolchain else {
      throw PluginError(.checksumMismatch, "\(archive) has SHA-256 \(digest); \(toolchain) is wanted")
    }
    // A command that was cut off has left half of it.
    try ExecFolder.remove(own)
    try Folder.make(own, mode: 0o755)
    let runID = "prepare-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let answer = try await marked(runID) { folder, _ throws(PluginError) in
      var message = ExecMessage(.prepare, runID: runID, folder: folder)
      message.toolchain = ExecMessage.Toolchain(digest: toolchain.hex, folder: own)
      message.archive = archive
      let reply = try await command.call(
        message, in: folder, time: Self.prepareTime, outputBytesMax: Self.wordsMax)
      return try reply.answer.get()
    }
    guard answer == .ready else { throw tooMuch("prepare") }
    // The mark must not be on the disk before the content is.
    sync()
    let mark = open(own + ".ready", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard mark >= 0 else { throw Folder.error("write", own + ".ready") }
    close(mark)
  }

  private func tooMuch(_ verb: String) -> PluginError {
    PluginError(.io, "\(command.who) printed more than \(Self.wordsMax) bytes for '\(verb)'; nothing is wanted there")
  }

  public func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    try request.validate()
    for mount in request.mounts { _ = try mount.examine() }
    guard isReady(request.toolchain) else {
      throw PluginError(.notFound, "The toolchain \(request.toolchain) is not prepared; prepare it from its tar first")
    }
    if Task.isCancelled { throw PluginError(.cancelled, "The run was cancelled before it began") }
    return try await marked(request.runID) { folder, isLeft throws(PluginError) in
      try await run(request, in: folder, isLeft: &isLeft)
    }
  }

  private func run(_ request: SandboxRequest, in folder: ExecFolder, isLeft: inout Bool) async throws(PluginError)
    -> SandboxResult
  {
    let limits = request.limits
    let sources = try folder.stage(request.mounts, diskBytes: limits.diskBytes)
    let message = ExecMessage(
      request, toolchain: toolchainFolder(request.toolchain), folder: folder, sources: sources)
    let reply = try await command.call(
      message, in: folder, time: .seconds(Int64(limits.wallSeconds)) + patience,
      outputBytesMax: limits.transcriptBytes, onOutput: request.onTranscript)
    if reply.leavesWork {
      // A farm may still be building. Not a child task: this one may have been cancelled.
      isLeft = await Task { (try? await clean(request.runID)) == nil }.value
    }
    guard case .ended(let end) = try reply.answer.get() else {
      // The command went on printing: whatever it would have told, this is the end that everybody can see.
      let parts = reply.elapsed.components
      return SandboxResult(
        termination: .transcriptExceeded, transcript: reply.output,
        wallNanoseconds: UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds / 1_000_000_000),
        cpuNanoseconds: nil, memoryPeakBytes: nil)
    }
    var termination = end.termination
    if end.leavesOutputs,
      try !ExecFolder.bringHome(request.mounts, from: sources, diskBytes: limits.diskBytes)
    {
      termination = .diskExceeded
    }
    return SandboxResult(
      termination: termination, transcript: reply.output, wallNanoseconds: end.wallNanoseconds,
      cpuNanoseconds: end.cpuNanoseconds, memoryPeakBytes: end.memoryPeakBytes)
  }

  /// Gives the body folders of its own, under a mark by which leftovers are known. The body says whether the farm may
  /// have some; then the mark stays, for the next ``removeLeftovers()``.
  private func marked<Value>(
    _ runID: String, _ body: (ExecFolder, inout Bool) async throws(PluginError) -> Value
  ) async throws(PluginError) -> Value {
    guard let mark = try marks.lock(runID) else {
      throw PluginError(.invalid, "A run of the name '\(runID)' is going on")
    }
    let path = "\(stateDirectory)/calls/\(runID)"
    var isLeft = false
    do throws(PluginError) {
      let folder = try ExecFolder(making: path)
      let value = try await body(folder, &isLeft)
      if isLeft {
        marks.release(mark)
      } else {
        try folder.remove()
        marks.remove(runID, mark)
      }
      return value
    } catch {
      if !isLeft, (try? ExecFolder.remove(path)) != nil { marks.remove(runID, mark) } else { marks.release(mark) }
      throw error
    }
  }

  /// Lets the command clear away what runs of a killed process have left with it, and removes their folders; a run that
  /// is going on, in this process or another one, is left alone.
  ///
  /// - Returns: The run IDs that were cleared away.
  @discardableResult
  public func removeLeftovers() async throws(PluginError) -> [String] {
    var cleared: [String] = []
    for runID in try marks.all() {
      guard let mark = try marks.lock(runID) else { continue }
      do throws(PluginError) { try await clean(runID) } catch {
        marks.release(mark)
        throw error
      }
      marks.remove(runID, mark)
      cleared.append(runID)
    }
    return cleared
  }

  private func clean(_ runID: String) async throws(PluginError) {
    // The crashed run's own scratch folder stays as it is until the command has looked at it.
    let left = "\(stateDirectory)/calls/\(runID)"
    let folder = try ExecFolder(reopening: left)
    let reply = try await command.call(
      ExecMessage(.clean, runID: runID, folder: folder), in: folder, time: Self.cleanTime,
      outputBytesMax: Self.wordsMax)
    guard try reply.answer.get() == .cleaned else { throw tooMuch("clean") }
    try folder.remove()
  }
}
