import Glibc
import SyncRuntime

/// What Docker wants of a request beyond the common rules, checked before anything is made of it.
enum DockerRequest {
  static let hostNameBytesMax = 63

  static func validate(_ request: SandboxRequest) throws(PluginError) {
    try request.validate(hostNameBytesMax: hostNameBytesMax)
    // `env` would take it for a variable.
    if let program = request.command.first, program.contains("=") {
      throw PluginError(.invalid, "The program's path '\(program)' holds a '='")
    }
    for mount in request.mounts { try validate(mount) }
  }

  private static func validate(_ mount: SandboxMount) throws(PluginError) {
    let info = try mount.examine()
    let isFolder = info.st_mode & S_IFMT == S_IFDIR
    // Bound as it is, with its owner: a build that cannot read its inputs would fail for a fault of this host.
    let rights: mode_t = isFolder ? 0o005 : 0o004
    guard mount.isWritable || info.st_uid == DockerDisk.insideID || info.st_mode & rights == rights else {
      throw PluginError(
        .unavailable,
        "User 1000 of a Docker run may not read \(mount.hostPath); run the node with umask 022, and remove its"
          + " data folder's sources")
    }
  }
}
