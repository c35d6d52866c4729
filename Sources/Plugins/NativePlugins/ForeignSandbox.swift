import CSyncNode
import SyncProof
import SyncRuntime

/// A sandbox whose methods are C functions. Thread: any; runs may overlap.
public struct ForeignSandbox: LeftoverSandbox, ClosablePlugin {
  public let name: String
  public let version: String
  private let instance: ForeignInstance
  private let patience: Duration

  /// - Parameter settings: `patience-seconds` is how long a run may take beyond its own bound, such as in a queue.
  public init(_ plugin: NativePlugin, node: String, stateDirectory: String, settings: [String: String])
    async throws(PluginError)
  {
    guard let patience = UInt32(settings["patience-seconds"] ?? "300"), (1...1_000_000).contains(patience) else {
      throw PluginError(.invalid, "settings.\(plugin.name).patience-seconds must be a number from 1 to 1000000")
    }
    (name, version, self.patience) = (plugin.name, plugin.version, .seconds(patience))
    instance = try await ForeignInstance(plugin, node: node, stateDirectory: stateDirectory, settings: settings)
  }

  public func close() async { await instance.close() }

  public func probe() async -> SandboxProbe {
    let method = instance.plugin.table.sandbox.probe
    do throws(PluginError) {
      let answer = try await instance.call("probe", expected: .done, deadline: ForeignInstance.short) {
        plain(method, $1, $2)
      }
      guard !answer.findings.isEmpty else {
        throw PluginError(.io, "The sandbox \(name) (probe) gave no finding: at least one is wanted")
      }
      return SandboxProbe(findings: answer.findings)
    } catch {
      return SandboxProbe(findings: [.init(name: "plugin", isMet: false, detail: error.message)])
    }
  }

  public func prepare(toolchain: Digest, archive: String) async throws(PluginError) {
    try await ask("prepare", instance.plugin.table.sandbox.prepare, toolchain, archive, ForeignInstance.long)
  }

  public func hasToolchain(_ toolchain: Digest) async -> Bool {
    let method = instance.plugin.table.sandbox.has_toolchain
    do throws(PluginError) {
      try await ask("has_toolchain", method, toolchain, "", ForeignInstance.short)
      return true
    } catch {
      return false
    }
  }

  private func ask(
    _ name: String,
    _ method: (
      @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<sync_toolchain_request>?, OpaquePointer?) -> Int32
    )?, _ toolchain: Digest, _ archive: String, _ deadline: Duration
  ) async throws(PluginError) {
    _ = try await instance.call(name, expected: .done, deadline: deadline) { arena, instance, call in
      let (size, version) = head(of: sync_toolchain_request.self)
      var request = sync_toolchain_request(
        struct_size: size, abi_version: version, toolchain: arena.text(toolchain.hex), archive: arena.text(archive))
      return method?(instance, &request, call) ?? SYNC_PLUGIN_INVALID
    }
  }

  public func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    try request.validate()
    for mount in request.mounts { _ = try mount.examine() }
    let method = instance.plugin.table.sandbox.run
    let limits = request.limits
    let answer = try await instance.call(
      "run", expected: .run, deadline: .seconds(limits.wallSeconds) + patience,
      transcriptBytesMax: Int(limits.transcriptBytes), onTranscript: request.onTranscript
    ) { arena, instance, call in
      var form = ForeignSandbox.form(request, arena)
      return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
    }
    guard let result = answer.run else { throw PluginError(.io, "The sandbox \(name) (run) gave no result") }
    return SandboxResult(
      // Whoever printed more than it may has ended so, whatever the plugin makes of it.
      termination: answer.isCut ? .transcriptExceeded : try termination(result), transcript: answer.transcript,
      wallNanoseconds: result.wall_nanoseconds,
      cpuNanoseconds: result.cpu_nanoseconds == 0 ? nil : result.cpu_nanoseconds,
      memoryPeakBytes: result.memory_peak_bytes == 0 ? nil : result.memory_peak_bytes)
  }

  private static func form(_ request: SandboxRequest, _ arena: RequestArena) -> sync_run_request {
    let mounts = request.mounts.map { mount in
      sync_mount(
        host_path: arena.text(mount.hostPath), inside_path: arena.text(mount.insidePath),
        is_writable: mount.isWritable ? 1 : 0, reserved: 0)
    }
    let (size, version) = head(of: sync_run_request.self)
    return sync_run_request(
      struct_size: size, abi_version: version, run_id: arena.text(request.runID),
      toolchain: arena.text(request.toolchain.hex), command: arena.texts(request.command),
      command_count: request.command.count,
      environment: arena.texts(request.environment.map { "\($0.name)=\($0.value)" }),
      environment_count: request.environment.count, working_directory: arena.text(request.workingDirectory),
      mounts: arena.structs(mounts), mounts_count: mounts.count, host_name: arena.text(request.hostName),
      scratch_directory: arena.text(request.scratchDirectory), wall_seconds: request.limits.wallSeconds,
      cpu_seconds: request.limits.cpuSeconds, memory_bytes: request.limits.memoryBytes,
      processes: request.limits.processes, disk_bytes: request.limits.diskBytes,
      transcript_bytes: request.limits.transcriptBytes)
  }

  private func termination(_ result: sync_run_result) throws(PluginError) -> SandboxTermination {
    switch (result.ending, result.status) {
    case (SYNC_RUN_EXITED, 0...255): return .exited(status: result.status)
    case (SYNC_RUN_SIGNALLED, 1...64): return .signalled(result.status)
    case (SYNC_RUN_WALL_TIME_EXCEEDED, 0): return .wallTimeExceeded
    case (SYNC_RUN_CPU_TIME_EXCEEDED, 0): return .cpuTimeExceeded
    case (SYNC_RUN_MEMORY_EXCEEDED, 0): return .memoryExceeded
    case (SYNC_RUN_PROCESSES_EXCEEDED, 0): return .processesExceeded
    case (SYNC_RUN_DISK_EXCEEDED, 0): return .diskExceeded
    case (SYNC_RUN_TRANSCRIPT_EXCEEDED, 0): return .transcriptExceeded
    default:
      throw PluginError(
        .io,
        "The sandbox \(name) (run) gave the ending \(result.ending) with the status \(result.status), which none has")
    }
  }

  public func removeLeftovers() async throws(PluginError) -> [String] {
    guard let method = instance.plugin.table.sandbox.remove_leftovers else { return [] }
    return try await instance.call("remove_leftovers", expected: .done, deadline: .seconds(600)) {
      plain(method, $1, $2)
    }.texts
  }
}

typealias PlainMethod =
  @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<sync_plain_request>?, OpaquePointer?)
  -> Int32

/// Calls a method that is asked nothing.
func plain(_ method: PlainMethod?, _ instance: UnsafeMutableRawPointer?, _ call: OpaquePointer?) -> Int32 {
  let (size, version) = head(of: sync_plain_request.self)
  var request = sync_plain_request(struct_size: size, abi_version: version)
  return method?(instance, &request, call) ?? SYNC_PLUGIN_INVALID
}
