import SyncRuntime

/// What the launcher reads from its standard input: a byte count, then NUL-terminated pairs of key and value.
enum LauncherSettings {
  static func encode(_ request: SandboxRequest, stateDirectory: String, toolchainDirectory: String)
    throws(PluginError) -> [UInt8]
  {
    try request.validate()
    let limits = request.limits
    var pairs: [(String, String)] = [
      ("run", request.runID), ("state", stateDirectory), ("toolchain", toolchainDirectory),
      ("host-name", request.hostName), ("directory", request.workingDirectory),
      ("wall-seconds", "\(limits.wallSeconds)"), ("cpu-seconds", "\(limits.cpuSeconds)"),
      ("memory-bytes", "\(limits.memoryBytes)"), ("processes", "\(limits.processes)"),
      ("disk-bytes", "\(limits.diskBytes)"), ("transcript-bytes", "\(limits.transcriptBytes)"),
    ]
    pairs += request.command.map { ("argument", $0) }
    pairs += request.environment.map { ("environment", "\($0.name)=\($0.value)") }
    for mount in request.mounts {
      pairs += [(mount.isWritable ? "write" : "read", mount.hostPath), ("at", mount.insidePath)]
    }
    var bytes: [UInt8] = []
    for (key, value) in pairs {
      bytes += key.utf8
      bytes.append(0)
      bytes += value.utf8
      bytes.append(0)
    }
    return (0..<8).map { UInt8(truncatingIfNeeded: UInt64(bytes.count) >> (8 * $0)) } + bytes
  }
}
