import Glibc

/// What a request may hold: the same for every sandbox, checked before anything is made of it.
extension SandboxRequest {
  public static let runIDBytesMax = 100
  public static let hostNameBytesMax = 64
  /// Keeps sums and multiples of limits away from overflow.
  public static let limitMax: UInt64 = 1 << 50
  /// Seconds are multiplied to nanoseconds.
  public static let secondsMax: UInt64 = 1 << 30

  /// Checks the request alone; whether the mounts are there is for the sandbox to find.
  ///
  /// - Parameter hostNameBytesMax: For an engine that allows less than Linux does.
  /// - Throws: ``PluginError/Code/invalid`` with what was got and what is allowed.
  public func validate(hostNameBytesMax: Int = Self.hostNameBytesMax) throws(PluginError) {
    guard (1...Self.runIDBytesMax).contains(runID.utf8.count), runID.utf8.allSatisfy(Self.isNameByte),
      runID.first != "."
    else {
      throw PluginError(
        .invalid,
        "The run ID '\(runID)' is not 1 to \(Self.runIDBytesMax) letters, digits, '-', '_' or '.' (not first)")
    }
    guard (1...hostNameBytesMax).contains(hostName.utf8.count), hostName.utf8.allSatisfy(Self.isNameByte) else {
      throw PluginError(.invalid, "The host name '\(hostName)' is not 1 to \(hostNameBytesMax) letters")
    }
    guard let program = command.first else { throw PluginError(.invalid, "The command is empty") }
    try Self.requirePath(program, "The program")
    try Self.requirePath(workingDirectory, "The working directory")
    for mount in mounts {
      try Self.requirePath(mount.hostPath, "The mount of the host's")
      try Self.requirePath(mount.insidePath, "The mount at")
      guard mount.insidePath.utf8.count > 1 else { throw PluginError(.invalid, "Nothing can be mounted at / inside") }
    }
    guard (command + environment.map(\.value)).allSatisfy({ !$0.utf8.contains(0) }) else {
      throw PluginError(.invalid, "An argument or environment value holds a NUL byte")
    }
    for (name, _) in environment where name.isEmpty || name.utf8.contains(0) || name.utf8.contains(0x3D) {
      throw PluginError(.invalid, "'\(name)' cannot be the name of an environment variable")
    }
    try Self.validate(limits)
  }

  private static func validate(_ limits: SandboxLimits) throws(PluginError) {
    let bounds = [
      ("wallSeconds", limits.wallSeconds), ("cpuSeconds", limits.cpuSeconds), ("memoryBytes", limits.memoryBytes),
      ("processes", limits.processes), ("diskBytes", limits.diskBytes), ("transcriptBytes", limits.transcriptBytes),
    ]
    for (name, value) in bounds where !(1...limitMax).contains(value) {
      throw PluginError(.invalid, "The limit \(name) is \(value); 1 to \(limitMax) is allowed")
    }
    guard limits.wallSeconds <= secondsMax, limits.cpuSeconds <= secondsMax else {
      throw PluginError(.invalid, "A time limit is longer than \(secondsMax) seconds")
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

extension SandboxMount {
  /// Looks the host's path up, through links.
  ///
  /// - Throws: ``PluginError/Code/invalid`` when it is not there, or is no folder and shall be written to.
  package func examine() throws(PluginError) -> stat {
    var info = stat()
    guard stat(hostPath, &info) == 0 else {
      throw PluginError(.invalid, "Cannot mount \(hostPath): \(String(cString: strerror(errno)))")
    }
    guard info.st_mode & S_IFMT == S_IFDIR || !isWritable else {
      throw PluginError(.invalid, "Cannot mount \(hostPath) to be written to: it is no folder")
    }
    return info
  }
}
