import Glibc
import SyncRuntime

/// What a run has in sight besides its toolchain: the request's mounts, and the private folders of its disk.
struct RunMounts {
  private(set) var list: [ContainerSpec.Mount] = []
  private var writable: [(host: String, onDisk: String)] = []

  /// Makes the folders on the disk, and copies into the writable ones what the host's hold.
  init(_ request: SandboxRequest, disk: DockerDisk, needsWorkingFolder: Bool, isPodman: Bool) throws(PluginError) {
    // What the engine would put there itself: the host's devices, its own name servers. It takes these instead.
    let nothing = try disk.folder("nothing", mode: 0o555, owner: 0)
    let empty = try disk.file("empty")
    // Podman mounts the cgroups whatever /sys is, unless something else is wanted in their place.
    for name in ["sys", "sys/fs", "sys/fs/cgroup"] { _ = try disk.folder(name, mode: 0o555, owner: 0) }
    add(disk.path + "/sys", at: "/sys", readOnly: true)
    add(nothing, at: "/sys/fs/cgroup", readOnly: true)
    // Of Podman's own, writable beside the disk limit.
    for name in isPodman ? ["/run", "/var/tmp"] : [] { add(nothing, at: name, readOnly: true) }
    for name in ["hostname", "hosts", "resolv.conf"] { add(empty, at: "/etc/\(name)", readOnly: true) }
    add(try disk.folder("tmp", mode: 0o1777), at: "/tmp", readOnly: false)
    let shared = try disk.folder("shm", mode: 0o1777)
    try DockerInit.write(into: shared, bounds: ContainerSpec.bounds(of: request.limits))
    add(shared, at: "/dev/shm", readOnly: false)
    for mount in request.mounts {
      guard mount.isWritable else {
        add(mount.hostPath, at: mount.insidePath, readOnly: true)
        continue
      }
      let folder = try disk.folder("writable-\(writable.count)", mode: 0o755)
      try Self.fill(folder, from: mount.hostPath, limit: request.limits.diskBytes)
      writable.append((mount.hostPath, folder))
      add(folder, at: mount.insidePath, readOnly: false)
    }
    if needsWorkingFolder {
      add(try disk.folder("directory", mode: 0o755), at: request.workingDirectory, readOnly: false)
    }
  }

  private mutating func add(_ source: String, at target: String, readOnly: Bool) {
    list.append(ContainerSpec.Mount(source: source, target: target, readOnly: readOnly))
  }

  private static func fill(_ folder: String, from host: String, limit: UInt64) throws(PluginError) {
    do throws(FolderCopy.Failure) {
      if try FolderCopy.isEmpty(host) { return }
      var copy = FolderCopy(budget: limit, owner: DockerDisk.insideID)
      try copy.copy(from: host, to: folder)
    } catch {
      throw PluginError(.invalid, "What \(host) holds does not fit the disk limit of \(limit) bytes: \(error)")
    }
  }

  /// Whether the request's own mounts, or the folders that every run has, give it its working folder.
  static func covers(_ request: SandboxRequest) -> Bool {
    let wanted = request.workingDirectory
    if ["/", "/tmp", "/dev/shm"].contains(wanted) { return true }
    return request.mounts.contains { mount in
      guard wanted.hasPrefix(mount.insidePath + "/") else { return wanted == mount.insidePath }
      return access(mount.hostPath + wanted.dropFirst(mount.insidePath.count), F_OK) == 0
    }
  }

  /// Gives the host's folders what the run left. No process of the run may live.
  ///
  /// - Returns: False when it is more than the budget; then the folders are empty.
  func bringHome(budget: UInt64) throws(PluginError) -> Bool {
    var copy = FolderCopy(budget: budget)
    for (host, onDisk) in writable {
      do throws(FolderCopy.Failure) {
        try FolderCopy.empty(host)
        do throws(FolderCopy.Failure) { try copy.copy(from: onDisk, to: host) } catch .overflow {
          for (host, _) in writable { try FolderCopy.empty(host) }
          return false
        }
      } catch {
        throw PluginError(.io, "Cannot copy what the run wrote to \(host): \(error)")
      }
    }
    return true
  }
}
