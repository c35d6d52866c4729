import Foundation

/// The file that the launcher reads as an action: Sources/Plugins/ChrootSandboxInit/settings.c.
package enum LauncherSettings {
  /// - Throws: ``Fault/Code/invalid`` for a NUL in a value.
  package static func bytes(for request: ExecRequest) throws -> Data {
    guard let limits = request.limits, let command = request.command, let environment = request.environment,
      let mounts = request.mounts, let hostName = request.hostName, let directory = request.workingDirectory
    else { throw Fault(.invalid, "The request 'run' lacks a member") }
    var pairs = [
      ("run", request.runID), ("state", "/state"), ("toolchain", "/toolchain"), ("host-name", hostName),
      ("directory", directory), ("wall-seconds", "\(limits.wallSeconds)"), ("cpu-seconds", "\(limits.cpuSeconds)"),
      ("memory-bytes", "\(limits.memoryBytes)"), ("processes", "\(limits.processes)"),
      ("disk-bytes", "\(limits.diskBytes)"), ("transcript-bytes", "\(limits.transcriptBytes)"),
    ]
    pairs += command.map { ("argument", $0) }
    pairs += environment.map { ("environment", "\($0.name)=\($0.value)") }
    for (index, mount) in mounts.enumerated() {
      pairs += [(mount.writable ? "write" : "read", "/mount/\(index)"), ("at", mount.target)]
    }
    var body = Data()
    for (key, value) in pairs {
      guard !value.utf8.contains(0) else { throw Fault(.invalid, "The value of '\(key)' holds a NUL byte") }
      body += Array(key.utf8) + [0] + Array(value.utf8) + [0]
    }
    return withUnsafeBytes(of: UInt64(body.count).littleEndian) { Data($0) } + body
  }
}
