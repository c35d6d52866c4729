import Foundation
import Glibc
import SyncRuntime

/// All that one run may write: a tmpfs of the disk limit's size, which this process mounts and gives to the container
/// folder by folder.
///
/// The engine has no bound of its own that covers several folders, and nothing of a stopped container's tmpfs can be
/// read. This one outlives the container, so that what is brought home is read when no process of the run lives.
struct DockerDisk: Sendable {
  static let insideID: uid_t = 1_000
  /// For process 1's program and, until the container is made, a filter: a run can fill all that its limit promises.
  private static let ownBytes: UInt64 = 64 << 10

  let path: String

  /// - Parameter path: Made, and mounted on.
  init(path: String, limits: SandboxLimits) throws(PluginError) {
    self.path = path
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Self.error("make", path) }
    // An inode for each 4 KiB: many empty files meet the limit as well.
    let size = limits.diskBytes + Self.ownBytes
    let options = "size=\(size),nr_inodes=\(limits.diskBytes / 4_096 + 1_024),mode=0755"
    guard mount("tmpfs", path, "tmpfs", Self.noSetUserID | Self.noDevices, options) == 0 else {
      let reason = Self.error("mount a tmpfs on", path)
      rmdir(path)
      throw geteuid() == 0 ? reason : PluginError(.unavailable, Self.wantsRoot)
    }
  }

  static let wantsRoot =
    "the disk limit of a Docker run rests on a tmpfs that root mounts: run the node as root, or beside a rootless"
    + " Podman in its namespaces (podman unshare synchronicity node ...), or take the chroot sandbox, which needs no"
    + " root"

  // MS_NOSUID and MS_NODEV of <sys/mount.h>.
  private static let noSetUserID: UInt = 2
  private static let noDevices: UInt = 4

  /// Makes a folder that belongs to the run.
  func folder(_ name: String, mode: mode_t, owner: uid_t = insideID) throws(PluginError) -> String {
    let path = "\(path)/\(name)"
    guard mkdir(path, mode) == 0, chmod(path, mode) == 0, chown(path, owner, owner) == 0 else {
      throw Self.error("make", path)
    }
    return path
  }

  /// Makes a file that the run can read.
  func file(_ name: String, _ content: Data = Data()) throws(PluginError) -> String {
    let path = "\(path)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o444)
    guard descriptor >= 0 else { throw Self.error("make", path) }
    defer { close(descriptor) }
    let count = content.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard count == content.count, fchmod(descriptor, 0o444) == 0 else { throw Self.error("write", path) }
    return path
  }

  var isFull: Bool {
    var info = statvfs()
    return statvfs(path, &info) == 0 && (info.f_bfree == 0 || info.f_ffree == 0)
  }

  /// Gives the memory back. The folder's own name goes too.
  func remove() throws(PluginError) { try Self.remove(path) }

  /// Unmounts and removes what a run has left at `path`; nothing there is no error.
  static func remove(_ path: String) throws(PluginError) {
    while umount2(path, 0) == 0 {}
    // A killed container's process may hold it for a moment longer.
    if errno == EBUSY { while umount2(path, Int32(MNT_DETACH)) == 0 {} }
    if rmdir(path) == 0 || errno == ENOENT { return }
    // An engine that does not see the mount makes below it the folders that it is to bind.
    if errno == ENOTEMPTY { try? FolderCopy.empty(path) }
    guard rmdir(path) == 0 else { throw error("remove", path) }
  }

  static func error(_ verb: String, _ path: String) -> PluginError {
    PluginError(.io, "Cannot \(verb) \(path): \(String(cString: strerror(errno)))")
  }
}
