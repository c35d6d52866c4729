import Glibc
import SyncRuntime

/// An engine that an ordinary user runs: what a run wants of it beyond what a rootful one must have.
///
/// The node does what it does beside a rootful engine, but lives in the engine's user and mount namespaces: root over
/// what the engine's runs write, without any right on the host that the engine's user lacks.
struct RootlessEngine {
  let product: String
  /// `systemd` or `cgroupfs`.
  let driver: String
  let isVersion2: Bool
  /// Whether the engine lives in this process's user and mount namespaces.
  let isOurs: Bool
  /// The engine's user as the host numbers it.
  let owner: UInt32?
  let groups: EngineGroups?

  static func look(at socketPath: String, product: String, driver: String, isVersion2: Bool) -> RootlessEngine {
    // Such an engine is in no namespace of the host's: who is there and answers has listened for it.
    let process = EngineNamespaces.isHost() ? nil : EngineNamespaces.member(of: socketPath)
    return RootlessEngine(
      product: product, driver: driver, isVersion2: isVersion2, isOurs: process != nil,
      owner: EngineNamespaces.owner(), groups: process.flatMap { EngineGroups(process: $0) })
  }

  func namespaces(_ name: String) -> DockerProbe.Finding {
    guard product == "Podman" else {
      return DockerProbe.Finding(
        name: name, isMet: false,
        detail: "\(product) is rootless, and this sandbox can use rootless Podman only; name the socket of a rootful"
          + " engine or of Podman with plugins.docker-socket, or set plugins.sandbox = \"chroot\", which needs no root",
        mend:
          "systemctl --user start podman.socket, and plugins.docker-socket = \"$XDG_RUNTIME_DIR/podman/podman.sock\"")
    }
    guard isOurs else {
      return DockerProbe.Finding(
        name: name, isMet: false,
        detail: "\(product) is rootless, and no process that answers at its socket is in this node's user and mount"
          + " namespaces: it does not see what this node mounts; start the node as the engine's user and in its"
          + " namespaces, on the engine's host, or name the socket of a rootful engine with plugins.docker-socket, or"
          + " set plugins.sandbox = \"chroot\", which needs no root",
        mend: "podman unshare synchronicity node ...")
    }
    let user = owner.map { "user \($0)" } ?? "an ordinary user"
    return DockerProbe.Finding(
      name: name, isMet: true, detail: "the engine is rootless, of \(user); this node lives in its namespaces")
  }

  /// Podman takes a limit that it cannot hold, and says nothing: what holds it is looked at here, and at each run.
  func limit(_ name: String, controller: String) -> DockerProbe.Finding {
    func unmet(_ detail: String, _ mend: String?) -> DockerProbe.Finding {
      DockerProbe.Finding(name: name, isMet: false, detail: detail, mend: mend)
    }
    guard isVersion2 else {
      return unmet(
        "a rootless engine holds no limit under version 1 of cgroups; boot with version 2 alone, or take a rootful"
          + " engine or the chroot sandbox",
        "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line")
    }
    guard driver == "systemd" else {
      return unmet(
        "rootless \(product) with the driver \(driver) may not make groups, and would run builds without limits; it"
          + " must ask the user's systemd for them",
        "set cgroup_manager = \"systemd\" below [engine] in ~/.config/containers/containers.conf, and install"
          + " dbus-user-session")
    }
    guard isOurs else {
      return unmet("the engine's groups are not to be told from outside its namespaces; see above", nil)
    }
    guard let groups else {
      return unmet(
        "the engine is in no group of its user's systemd (user@UID.service), so that what it may limit is not known;"
          + " start it by the user's systemd",
        "loginctl enable-linger, and systemctl --user restart podman.socket")
    }
    guard groups.isWritable, groups.controllers.contains(controller) else {
      let has = groups.controllers.sorted().joined(separator: " ")
      return unmet(
        groups.isWritable
          ? "the \(controller) controller is not given to \(groups.folder), which has '\(has)'"
          : "the engine's user may not make groups in \(groups.folder)",
        "systemctl edit user@.service, with Delegate=cpu memory pids below [Service]; then log in anew")
    }
    return DockerProbe.Finding(
      name: name, isMet: true, detail: "cgroup version 2, driver systemd, given to \(groups.folder)")
  }
}
