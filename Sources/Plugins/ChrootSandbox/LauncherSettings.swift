import SyncRuntime

/// What the launcher reads from its standard input: a byte count, then NUL-terminated pairs of key and value.
enum LauncherSettings {
  static let runIDBytesMax = 100
  static let hostNameBytesMax = 64
  /// Keeps sums and multiples of limits in the launcher away from overflow.
  static let limitMax: UInt64 = 1 << 50

  static func encode(_ request: SandboxRequest, stateDirectory: String, toolchainDirectory: String)
    throws(PluginError) -> [UInt8]
  {
    try validate(request)
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

  private static func validate(_ request: SandboxRequest) throws(PluginError) {
    let runID = request.runID
    guard (1...runIDBytesMax).contains(runID.utf8.count), runID.utf8.allSatisfy(isNameByte), runID.first != "." else {
      throw PluginError(
        .invalid, "The run ID '\(runID)' is not 1 to \(runIDBytesMax) letters, digits, '-', '_' or '.' (not first)")
    }
    guard (1...hostNameBytesMax).contains(request.hostName.utf8.count), request.hostName.utf8.allSatisfy(isNameByte)
    else {
      throw PluginError(.invalid, "The host name '\(request.hostName)' is not 1 to \(hostNameBytesMax) letters")
    }
    guard let program = request.command.first else { throw PluginError(.invalid, "The command is empty") }
    try requirePath(program, "The program")
    try requirePath(request.workingDirectory, "The working directory")
    for mount in request.mounts {
      try requirePath(mount.hostPath, "The mount of the host's")
      try requirePath(mount.insidePath, "The mount at")
      guard mount.insidePath.utf8.count > 1 else { throw PluginError(.invalid, "Nothing can be mounted at / inside") }
    }
    let strings = request.command + request.environment.map(\.value)
    guard strings.allSatisfy({ !$0.utf8.contains(0) }) else {
      throw PluginError(.invalid, "An argument or environment value holds a NUL byte")
    }
    for (name, _) in request.environment where name.isEmpty || name.utf8.contains(0) || name.utf8.contains(0x3D) {
      throw PluginError(.invalid, "'\(name)' cannot be the name of an environment variable")
    }
    let limits = request.limits
    let bounds = [
      ("wallSeconds", limits.wallSeconds), ("cpuSeconds", limits.cpuSeconds), ("memoryBytes", limits.memoryBytes),
      ("processes", limits.processes), ("diskBytes", limits.diskBytes), ("transcriptBytes", limits.transcriptBytes),
    ]
    for (name, value) in bounds where !(1...limitMax).contains(value) {
      throw PluginError(.invalid, "The limit \(name) is \(value); 1 to \(limitMax) is allowed")
    }
    // Seconds are multiplied to nanoseconds.
    guard limits.wallSeconds <= 1 << 30, limits.cpuSeconds <= 1 << 30 else {
      throw PluginError(.invalid, "A time limit is longer than \(1 << 30) seconds")
    }
  }

  private static func requirePath(_ path: String, _ what: String) throws(PluginError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard path.utf8.first == 0x2F, path.utf8.count < 4096, !path.utf8.contains(0), !parts.contains("..") else {
      throw PluginError(.invalid, "\(what) '\(path)' is not an absolute path without '..'")
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
