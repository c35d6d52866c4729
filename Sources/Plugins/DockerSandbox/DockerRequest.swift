import Foundation
import Glibc
import SyncRuntime

/// What a request may hold, checked before anything is made of it.
enum DockerRequest {
  static let runIDBytesMax = 100
  static let hostNameBytesMax = 63
  /// Keeps sums and multiples of limits away from overflow.
  static let limitMax: UInt64 = 1 << 50

  static func validate(_ request: SandboxRequest) throws(PluginError) {
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
    // `env` would take it for a variable.
    guard !program.contains("=") else { throw PluginError(.invalid, "The program's path '\(program)' holds a '='") }
    try requirePath(request.workingDirectory, "The working directory")
    for mount in request.mounts { try validate(mount) }
    let strings = request.command + request.environment.map(\.value)
    guard strings.allSatisfy({ !$0.utf8.contains(0) }) else {
      throw PluginError(.invalid, "An argument or environment value holds a NUL byte")
    }
    for (name, _) in request.environment where name.isEmpty || name.utf8.contains(0) || name.utf8.contains(0x3D) {
      throw PluginError(.invalid, "'\(name)' cannot be the name of an environment variable")
    }
    try validate(request.limits)
  }

  private static func validate(_ mount: SandboxMount) throws(PluginError) {
    try requirePath(mount.hostPath, "The mount of the host's")
    try requirePath(mount.insidePath, "The mount at")
    guard mount.insidePath.utf8.count > 1 else { throw PluginError(.invalid, "Nothing can be mounted at / inside") }
    var info = stat()
    guard stat(mount.hostPath, &info) == 0 else {
      throw PluginError(.invalid, "Cannot mount \(mount.hostPath): \(String(cString: strerror(errno)))")
    }
    let isFolder = info.st_mode & S_IFMT == S_IFDIR
    guard isFolder || !mount.isWritable else {
      throw PluginError(.invalid, "Cannot mount \(mount.hostPath) to be written to: it is no folder")
    }
    // Bound as it is, with its owner: a build that cannot read its inputs would fail for a fault of this host.
    let rights: mode_t = isFolder ? 0o005 : 0o004
    guard mount.isWritable || info.st_uid == DockerDisk.insideID || info.st_mode & rights == rights else {
      throw PluginError(
        .unavailable,
        "User 1000 of a Docker run may not read \(mount.hostPath); run the node with umask 022, and remove its"
          + " data folder's sources")
    }
  }

  private static func validate(_ limits: SandboxLimits) throws(PluginError) {
    let bounds = [
      ("wallSeconds", limits.wallSeconds), ("cpuSeconds", limits.cpuSeconds), ("memoryBytes", limits.memoryBytes),
      ("processes", limits.processes), ("diskBytes", limits.diskBytes), ("transcriptBytes", limits.transcriptBytes),
    ]
    for (name, value) in bounds where !(1...limitMax).contains(value) {
      throw PluginError(.invalid, "The limit \(name) is \(value); 1 to \(limitMax) is allowed")
    }
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
