import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// One run, from its mark to its removal. Owned by one task, which is not cancelled: `signal` is.
struct DockerRun {
  private static let tick = Duration.milliseconds(20)
  private static let drainTicksMax = 500

  let engine: DockerEngine
  let marks: RunMarks
  let facts: ToolchainFacts
  let request: SandboxRequest
  let image: DockerImages.Trusted
  let labels: [String: String]
  let diskPath: String
  let signal: RunSignal
  let onStep: DockerStepHandler

  private var container: DockerContainer?
  private var started: ContinuousClock.Instant?
  private var usage = DockerGroups.Usage()
  private var wasFull = false

  init(
    engine: DockerEngine, marks: RunMarks, facts: ToolchainFacts, request: SandboxRequest,
    image: DockerImages.Trusted, state: String, diskPath: String, signal: RunSignal,
    onStep: @escaping DockerStepHandler
  ) {
    (self.engine, self.marks, self.facts, self.request, self.image) = (engine, marks, facts, request, image)
    labels = [DockerLabel.run: request.runID, DockerLabel.state: state]
    (self.diskPath, self.signal, self.onStep) = (diskPath, signal, onStep)
  }

  mutating func execute() async throws(PluginError) -> SandboxResult {
    guard let mark = try marks.lock(request.runID) else {
      throw PluginError(.invalid, "A run of the name '\(request.runID)' is going on")
    }
    onStep(.marked)
    let result: Result<SandboxResult, PluginError>
    do throws(PluginError) { result = .success(try await live()) } catch { result = .failure(error) }
    do throws(PluginError) {
      try await removeContainer()
      try DockerDisk.remove(diskPath)
      onStep(.unmounted)
    } catch {
      // The mark stays, unlocked: the next ``DockerSandbox/removeLeftovers()`` finishes this.
      try? DockerDisk.remove(diskPath)
      marks.release(mark)
      throw signal.isCancelled ? PluginError(.cancelled, "The run was cancelled; \(error.message)") : error
    }
    marks.remove(request.runID, mark)
    if signal.isCancelled { throw PluginError(.cancelled, "The run was cancelled") }
    return try result.get()
  }

  private mutating func live() async throws(PluginError) -> SandboxResult {
    try DockerDisk.remove(diskPath)
    let needsFolder = try await needsWorkingFolder()
    try stopIfCancelled()
    let disk = try DockerDisk(path: diskPath, limits: request.limits)
    onStep(.mounted)
    let mounts = try RunMounts(
      request, disk: disk, needsWorkingFolder: needsFolder, isPodman: image.isPodman)
    var spec = ContainerSpec(request, image: image.id, labels: labels, mounts: mounts.list)
    // Podman reads a file when the container is made; Docker takes the text.
    let filter = image.isPodman ? try disk.file("filter", EngineFilter.profile()) : nil
    if let filter {
      spec.hostConfig.securityOpt.append("seccomp=\(filter)")
    } else if EngineFilter.isThere {
      spec.hostConfig.securityOpt.append("seccomp=" + String(decoding: try EngineFilter.profile(), as: UTF8.self))
    }
    let container = try await DockerContainer.create(engine, name: DockerLabel.containerName(request.runID), spec)
    if let filter { unlink(filter) }
    self.container = container
    onStep(.created)
    let signal = signal
    let transcript = DockerTranscript(
      bytesMax: request.limits.transcriptBytes, onPiece: request.onTranscript, wake: { signal.wake() })
    let body = try await container.attach()
    let reader = Task { await transcript.read(body) }
    defer { reader.cancel() }
    onStep(.attached)
    try stopIfCancelled()
    try await container.start()
    started = ContinuousClock.now
    onStep(.started)
    let struck = try await watch(container, spec.hostConfig, transcript, disk)
    let stopped = ContinuousClock.now
    onStep(.ended)
    try await removeContainer()
    await drain(transcript)
    onStep(.removed)
    try stopIfCancelled()
    let end = transcript.now
    var overflowed = false
    if struck == nil, end.ended != nil { overflowed = try !mounts.bringHome(budget: request.limits.diskBytes) }
    onStep(.harvested)
    return SandboxResult(
      termination: termination(struck, end, overflowed), transcript: end.kept,
      wallNanoseconds: nanoseconds(from: started, to: end.ended?.at ?? stopped),
      cpuNanoseconds: usage.cpuNanoseconds, memoryPeakBytes: usage.memoryPeakBytes)
  }

  /// Looks every 20 ms, and when the transcript has news, until the worker has ended or a limit has struck.
  private mutating func watch(
    _ container: DockerContainer, _ asked: ContainerSpec.Host, _ transcript: DockerTranscript, _ disk: DockerDisk
  ) async throws(PluginError) -> SandboxTermination? {
    let state = try await container.state()
    guard let state, state.running else { return try await unreported(container) }
    let groups: DockerGroups
    do throws(PluginError) {
      groups = try DockerGroups(process: state.pid, container: container.id)
      if let broken = groups.broken(memoryBytes: asked.memory, processes: asked.pidsLimit) {
        throw PluginError(
          .unavailable,
          "The Docker engine does not hold a limit of the run: \(broken); synchronicity node doctor says what is wanted"
        )
      }
    } catch {
      // Of a container that has just ended there is nothing to read.
      if let state = try await container.state(), state.running { throw error }
      return try await unreported(container)
    }
    let signal = signal
    let ticker = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.tick)
        signal.wake()
      }
    }
    defer { ticker.cancel() }
    onStep(.running)
    signal.wake()
    for await _ in signal.wakings {
      try stopIfCancelled()
      let news = transcript.news
      let latest = groups.usage()
      // Of a container that has just ended there is nothing to read.
      if latest.cpuNanoseconds != nil { usage = latest }
      if disk.isFull { wasFull = true }
      if news.hasEnded { return nil }
      if news.isExceeded { return .transcriptExceeded }
      if news.isClosed { return try await unreported(container) }
      if let struck = strike() { return struck }
    }
    return nil
  }

  /// The limit that the run has met by now.
  private func strike() -> SandboxTermination? {
    let limits = request.limits
    if nanoseconds(from: started, to: .now) >= limits.wallSeconds * 1_000_000_000 { return .wallTimeExceeded }
    if usage.cpuNanoseconds ?? 0 >= limits.cpuSeconds * 1_000_000_000 { return .cpuTimeExceeded }
    if usage.memoryKills > 0 || usage.memoryBytes ?? 0 > limits.memoryBytes { return .memoryExceeded }
    return nil
  }

  /// Process 1 has ended and told nothing: memory's end may have taken it; else someone outside has.
  private func unreported(_ container: DockerContainer) async throws(PluginError) -> SandboxTermination {
    let state: DockerContainer.State?
    do throws(PluginError) { state = try await container.state() } catch {
      throw PluginError(.io, "The Docker engine went away in the middle of a run: \(error.message)")
    }
    if let state, !state.running, state.isOutOfMemory { return .memoryExceeded }
    throw PluginError(
      .io, "The run's container ended without a report; did someone stop it, or the Docker engine?")
  }

  /// The order is documented at ``DockerSandbox``.
  private func termination(_ struck: SandboxTermination?, _ end: DockerTranscript.State, _ overflowed: Bool)
    -> SandboxTermination
  {
    if let struck { return struck }
    if end.isExceeded { return .transcriptExceeded }
    if usage.memoryKills > 0 { return .memoryExceeded }
    if usage.cpuNanoseconds ?? 0 >= request.limits.cpuSeconds * 1_000_000_000 { return .cpuTimeExceeded }
    if overflowed { return .diskExceeded }
    let own = end.ended?.how ?? .exited(status: 0)
    if own == .exited(status: 0) { return own }
    if usage.processRefusals > 0 { return .processesExceeded }
    if wasFull { return .diskExceeded }
    return own
  }

  /// The engine sends what is left of the streams once the container has ended.
  private func drain(_ transcript: DockerTranscript) async {
    for _ in 0..<Self.drainTicksMax where !transcript.news.isClosed { try? await Task.sleep(for: .milliseconds(2)) }
  }

  private mutating func removeContainer() async throws(PluginError) {
    guard let container else { return }
    do throws(PluginError) { try await container.remove() } catch {
      container.killWithoutEngine()
      throw error
    }
    self.container = nil
  }

  /// Whether the working folder must be made: neither toolchain nor mounts have it.
  private mutating func needsWorkingFolder() async throws(PluginError) -> Bool {
    let wanted = request.workingDirectory
    if RunMounts.covers(request) { return false }
    if let isThere = facts.has(image.id, wanted) { return !isThere }
    var spec = ContainerSpec(request, image: image.id, labels: labels, mounts: [])
    // The engine makes the working folder when there is none.
    spec.workingDir = "/"
    let probe = try await DockerContainer.create(engine, name: DockerLabel.containerName(request.runID), spec)
    container = probe
    onStep(.asked)
    let isThere = try await probe.has(wanted)
    try await removeContainer()
    facts.learn(image.id, wanted, isThere)
    return !isThere
  }

  private func stopIfCancelled() throws(PluginError) {
    if signal.isCancelled { throw PluginError(.cancelled, "The run was cancelled") }
  }

  private func nanoseconds(from start: ContinuousClock.Instant?, to end: ContinuousClock.Instant) -> UInt64 {
    guard let start, end > start else { return 0 }
    let parts = (end - start).components
    return UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds / 1_000_000_000)
  }
}
