import Foundation
import Glibc
import SyncRuntime

/// The group of an ordinary user's own service manager, below which a rootless engine makes those of its runs: what it
/// has been given to hold limits with.
///
/// The engine's own answer tells of the group that the engine itself is in, which is another one.
struct EngineGroups: Equatable {
  /// As this process sees it.
  let folder: String
  let controllers: Set<String>
  /// Whether the engine's user may make groups there.
  let isWritable: Bool

  init(folder: String, controllers: Set<String>, isWritable: Bool) {
    (self.folder, self.controllers, self.isWritable) = (folder, controllers, isWritable)
  }

  /// - Parameters:
  ///   - process: The engine's.
  ///   - root: What stands before every path that is read; tests give a tree of files.
  /// - Returns: `nil` where the process is in no such group, or version 2 of cgroups is not mounted.
  init?(process: Int32, root: String = "") {
    guard let mounts = Folder.readKernelFile(root + "/proc/self/mountinfo"),
      let mount = DockerGroups.hierarchies(mountinfo: mounts)[""],
      let text = Folder.readKernelFile("\(root)/proc/\(process)/cgroup"), let group = DockerGroups.groups(text)[""],
      let manager = Self.manager(of: group), mount.root == "/" || manager.hasPrefix(mount.root + "/")
    else { return nil }
    folder = mount.point + (mount.root == "/" ? manager : String(manager.dropFirst(mount.root.count)))
    let names = Folder.readKernelFile("\(root)\(folder)/cgroup.controllers") ?? ""
    controllers = Set(names.split { $0 == " " || $0 == "\n" }.map(String.init))
    let folder = root + folder
    isWritable = ["", "/cgroup.procs", "/cgroup.subtree_control"].allSatisfy { access(folder + $0, W_OK) == 0 }
  }

  /// `/user.slice/user-7.slice/user@7.service` of a group in it.
  static func manager(of group: String) -> String? {
    let parts = group.split(separator: "/")
    guard let at = parts.firstIndex(where: { $0.hasPrefix("user@") && $0.hasSuffix(".service") }) else { return nil }
    return "/" + parts[...at].joined(separator: "/")
  }
}
