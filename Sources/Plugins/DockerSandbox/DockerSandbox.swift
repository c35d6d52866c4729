import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// Runs builds in containers of a Docker Engine on this host, over the HTTP API on its unix socket. Podman's service
/// speaks the same API and is as good.
///
/// A run has no network, no capability, no new privilege, the engine's default system call filter, a read-only root
/// from an image whose one layer is the toolchain's tar, and namespaces of its own. Paths, user (1000), umask, host
/// name and environment are those of the chroot sandbox, so that both build the same bytes.
///
/// **What a run may write** is `/tmp`, `/dev/shm`, its working directory (made when the toolchain has none of that
/// name) and the writable mounts; all of it lies on one tmpfs whose size is the disk limit. This process mounts it, so
/// it must be root and share the engine's mounts. A writable mount starts with the content of its host folder; when the
/// run has ended by itself, the host folder gets what the run left: regular files and folders readable by their owner,
/// hard links as files of their own, symbolic links as they are, anything else as a FIFO, and nothing of a set-user-ID
/// bit. A run that was killed leaves the host folder as it was.
///
/// **What differs from the chroot sandbox inside**: `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` are empty
/// files, `/.dockerenv` (not under Podman) and an empty `/sys/fs/cgroup` are there, process 1 is a program of the
/// sandbox, and the files of inputs belong to their owner on the host. Under Podman `/run` and `/var/tmp` are empty and
/// read-only.
///
/// **Limits.** Memory: what the processes have for themselves, looked at every 20 ms; the kernel's own bound is that
/// plus the disk limit, since the run's files live in memory too. Processes: threads count. CPU time: the sum over the
/// tree, looked at every 20 ms; the container's own start counts (some hundredths of a second).
///
/// **How a run ended**, when several things are true: the first limit that killed it (wall time, CPU time, memory,
/// transcript); else memory, if the kernel killed any process for it; else CPU time; else, when the writable mounts
/// hold more than the disk limit (holes of files counted), disk; else success; and a run that failed ended by
/// processes if one was refused, by disk if the disk was seen full, else by its own status or signal. A command that
/// is not there has status 127, one that cannot be executed 126.
public struct DockerSandbox: LeftoverSandbox {
  /// Where Docker's packages put the engine's socket.
  public static let defaultSocketPath = "/var/run/docker.sock"
  // A mark of a run that was cut off so lately may belong to a container that the engine is still making.
  private static let freshSeconds = 10
  private static let freshAttempts = 10

  public let name = "docker"
  public let version = "0.1"

  private let engine: DockerEngine
  private let images: DockerImages
  private let marks: RunMarks
  private let facts = ToolchainFacts()
  private let stateDirectory: String
  private let state: String
  private let onStep: DockerStepHandler

  /// - Parameters:
  ///   - stateDirectory: Holds the marks and disks of runs under way; made if missing, readable by its owner only.
  ///     Several processes may share it. Toolchains are the engine's images.
  ///   - socketPath: The engine's unix socket.
  /// - Throws: ``PluginError/Code/io`` when the folders cannot be made, ``PluginError/Code/invalid`` when a path is
  ///   not absolute.
  public init(stateDirectory: String, socketPath: String = defaultSocketPath) throws(PluginError) {
    try self.init(stateDirectory: stateDirectory, socketPath: socketPath, onStep: { _ in })
  }

  package init(stateDirectory: String, socketPath: String, onStep: @escaping DockerStepHandler) throws(PluginError) {
    for path in [stateDirectory, socketPath] where !path.hasPrefix("/") {
      throw PluginError(.invalid, "The Docker sandbox's path '\(path)' is not absolute")
    }
    engine = DockerEngine(socketPath: socketPath)
    marks = RunMarks(directory: stateDirectory + "/runs")
    self.onStep = onStep
    state = DockerLabel.stateValue(stateDirectory)
    images = DockerImages(
      engine: engine, marks: RunMarks(directory: stateDirectory + "/toolchains"), state: state, onStep: onStep)
    for folder in ["", "/toolchains", "/runs", "/disks"] { try Folder.make(stateDirectory + folder, mode: 0o700) }
    self.stateDirectory = stateDirectory
  }

  public func probe() async -> SandboxProbe { SandboxProbe(findings: await DockerProbe.findings(of: engine)) }

  public func prepare(toolchain: Digest, archive: String) async throws(PluginError) {
    try await images.prepare(toolchain, archive: archive)
  }

  /// False also when the engine does not answer.
  public func hasToolchain(_ toolchain: Digest) async -> Bool {
    do throws(PluginError) { return try await images.trusted(toolchain) != nil } catch { return false }
  }

  public func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    try DockerRequest.validate(request)
    if Task.isCancelled { throw PluginError(.cancelled, "The run was cancelled before it began") }
    let signal = RunSignal()
    // Not a child task: what cleans up must not be cancelled with the run.
    let task = Task { () -> Result<SandboxResult, PluginError> in
      do throws(PluginError) { return .success(try await run(request, signal)) } catch { return .failure(error) }
    }
    let result = await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      signal.cancel()
    }
    return try result.get()
  }

  private func run(_ request: SandboxRequest, _ signal: RunSignal) async throws(PluginError) -> SandboxResult {
    guard let image = try await images.trusted(request.toolchain) else {
      throw PluginError(
        .notFound, "The Docker engine has no image that is the toolchain \(request.toolchain); prepare it from its tar")
    }
    var run = DockerRun(
      engine: engine, marks: marks, facts: facts, request: request, image: image, state: state,
      diskPath: diskPath(of: request.runID), signal: signal, onStep: onStep)
    return try await run.execute()
  }

  /// Removes containers, disks and marks of runs whose process was killed, the locks and half images of imports that
  /// were cut off, and images that have lost their name; what is going on, in this process or another one, is left
  /// alone.
  ///
  /// - Returns: The run IDs and images that were cleared away.
  @discardableResult
  public func removeLeftovers() async throws(PluginError) -> [String] {
    var cleared: [String] = []
    var runs = Set(try marks.all())
    for container in try await containers() {
      if let run = container.labels?[DockerLabel.run] { runs.insert(run) }
    }
    for run in runs.sorted() {
      let isFresh = marks.age(of: run) < Self.freshSeconds
      guard let mark = try marks.lock(run) else { continue }
      do throws(PluginError) {
        try await removeContainer(of: run, isFresh: isFresh)
        try DockerDisk.remove(diskPath(of: run))
      } catch {
        marks.release(mark)
        throw error
      }
      marks.remove(run, mark)
      cleared.append(run)
    }
    return cleared + (try await images.removeLeftovers())
  }

  private struct Listed: Decodable {
    let id: String
    let labels: [String: String]?
  }

  /// All of this state folder's, whether they run or not.
  private func containers() async throws(PluginError) -> [Listed] {
    let filter = try DockerLabel.filter(["label": ["\(DockerLabel.state)=\(state)"]])
    let answer = try await engine.call("GET", "/containers/json", query: [("all", "1"), filter])
    guard answer.status == 200 else {
      throw PluginError(.io, "The Docker engine cannot list containers: \(answer.message)")
    }
    return try answer.decoded([Listed].self, "GET /containers/json")
  }

  private func removeContainer(of run: String, isFresh: Bool) async throws(PluginError) {
    for attempt in 1... {
      let found = try await containers().filter { $0.labels?[DockerLabel.run] == run }
      for container in found { try await DockerContainer(engine: engine, id: container.id).remove() }
      // A request that the killed process sent may still be on its way through the engine.
      guard isFresh, found.isEmpty, attempt < Self.freshAttempts else { return }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  private func diskPath(of run: String) -> String { "\(stateDirectory)/disks/\(run)" }
}
