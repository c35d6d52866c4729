import Glibc
import SyncRuntime

/// What the engine says of itself, and what a run wants of it.
struct DockerProbe {
  struct Version: Decodable {
    struct Component: Decodable { let name: String }
    let version: String
    let apiVersion: String
    let minAPIVersion: String?
    var components: [Component]? = nil

    /// Docker or Podman, whose components have other names than Docker's.
    var product: String { components?.contains { $0.name == "Podman Engine" } == true ? "Podman" : "Docker" }
  }

  struct Info: Decodable {
    let memoryLimit: Bool?
    let swapLimit: Bool?
    let pidsLimit: Bool?
    let hasShares: Bool?
    let cgroupDriver: String?
    let cgroupVersion: String?
    let driver: String?
    let operatingSystemType: String?
    let securityOptions: [String]?
    /// Of Podman, which leaves it out of the options.
    var rootless: Bool? = nil

    var isRootless: Bool { rootless == true || securityOptions?.contains { $0.hasPrefix("name=rootless") } == true }

    // The engine's names, their first letter made small.
    enum CodingKeys: String, CodingKey {
      case memoryLimit, swapLimit, pidsLimit, cgroupDriver, cgroupVersion, driver, securityOptions, rootless
      case hasShares = "cPUShares"
      case operatingSystemType = "oSType"
    }
  }

  typealias Finding = SandboxProbe.Finding
  private static let namespaces = "engine's namespaces"

  static func findings(of engine: DockerEngine) async -> [Finding] {
    let version: Version
    let info: Info
    do throws(PluginError) {
      version = try await engine.call("GET", "/version").decoded(Version.self, "GET /version")
      info = try await engine.call("GET", "/info").decoded(Info.self, "GET /info")
    } catch {
      let advice =
        "; start the engine (systemctl start docker, or podman.socket), or name its socket with plugins.docker-socket"
      return [Finding(name: "engine", isMet: false, detail: error.message + advice)]
    }
    let found = "\(version.product) \(version.version) at \(engine.socketPath)"
    let rootless =
      info.isRootless
      ? RootlessEngine.look(
        at: engine.socketPath, product: version.product, driver: info.cgroupDriver ?? "unknown",
        isVersion2: info.cgroupVersion == "2") : nil
    let isApart = rootless == nil && EngineNamespaces.isApart(from: engine.socketPath)
    return [Finding(name: "engine", isMet: true, detail: found)]
      + judge(version, info, isRoot: geteuid() == 0, isApart: isApart, rootless: rootless)
  }

  /// - Parameters:
  ///   - isApart: Whether this node lives in a user namespace that is not the engine's.
  ///   - rootless: `nil` for an engine that runs as root.
  static func judge(
    _ version: Version, _ info: Info, isRoot: Bool, isApart: Bool = false, rootless: RootlessEngine?
  ) -> [Finding] {
    let security = info.securityOptions ?? []
    let isPodman = version.product == "Podman"
    let speaks =
      atLeast(version.apiVersion, DockerEngine.apiVersion)
      && atLeast(DockerEngine.apiVersion, version.minAPIVersion ?? "1.0")
    return [
      finding(
        "API", speaks, version.apiVersion,
        "is \(version.apiVersion) and \(version.minAPIVersion ?? "?") at least; \(DockerEngine.apiVersion) is wanted:"
          + " install Docker 20.10 or later, or set DOCKER_MIN_API_VERSION=\(DockerEngine.apiVersion) for the engine"),
      finding(
        "containers", info.operatingSystemType == "linux", "Linux, storage driver \(info.driver ?? "unknown")",
        "are of \(info.operatingSystemType ?? "an unknown system"); switch the engine to Linux containers"),
      rootless?.namespaces(namespaces) ?? rootful(isApart: isApart),
      finding("disk limit", isRoot, "a tmpfs for each run, mounted by root", DockerDisk.wantsRoot),
    ] + limits(info, rootless) + [filter(security, isPodman: isPodman)]
  }

  private static func rootful(isApart: Bool) -> Finding {
    guard isApart else {
      return Finding(name: namespaces, isMet: true, detail: "the engine runs as root, in the host's")
    }
    return Finding(
      name: namespaces, isMet: false,
      detail: "the engine runs as root, and this node is in a user namespace of its own, as podman unshare makes one:"
        + " the engine does not see what this node mounts; start the node as the host's root, without podman unshare,"
        + " or name the socket of this user's own Podman with plugins.docker-socket, or set plugins.sandbox ="
        + " \"chroot\", which needs no root",
      mend: "sudo synchronicity node ..., or plugins.docker-socket = \"$XDG_RUNTIME_DIR/podman/podman.sock\"")
  }

  private static func limits(_ info: Info, _ rootless: RootlessEngine?) -> [Finding] {
    if let rootless {
      return [
        rootless.limit("memory limit", controller: "memory"), rootless.limit("processes limit", controller: "pids"),
        rootless.limit("cpu limit", controller: "cpu"),
      ]
    }
    return [
      finding(
        "memory limit", info.memoryLimit == true && info.swapLimit == true, groups(info),
        controllerAdvice("memory or swap", "cgroup_enable=memory swapaccount=1", info)),
      finding(
        "processes limit", info.pidsLimit == true, groups(info),
        controllerAdvice("pids", "cgroup_enable=pids", info)),
      finding(
        "cpu limit", info.hasShares == true, groups(info),
        controllerAdvice("cpu", "cgroup_enable=cpu", info)),
    ]
  }

  private static func filter(_ security: [String], isPodman: Bool) -> Finding {
    let name = "system call filter"
    guard security.contains(where: { $0.hasPrefix("name=seccomp") && !$0.contains("profile=unconfined") }) else {
      return Finding(
        name: name, isMet: false, detail: "the engine filters no system calls",
        mend: "remove \"seccomp-profile\": \"unconfined\" from Docker's daemon.json, or seccomp_profile from Podman's"
          + " containers.conf")
    }
    guard EngineFilter.isThere else {
      return Finding(
        name: name, isMet: !isPodman,
        detail: isPodman ? EngineFilter.missing : "the engine's own, with vsock and io_uring: \(EngineFilter.missing)",
        isWeaker: !isPodman, mend: EngineFilter.mend)
    }
    return Finding(
      name: name, isMet: true, detail: "the usual calls, without namespaces, mounts, keyrings, vsock and io_uring")
  }

  private static func finding(_ name: String, _ isMet: Bool, _ found: String, _ advice: String) -> Finding {
    Finding(name: name, isMet: isMet, detail: isMet ? found : advice)
  }

  /// Under version 2 a controller must be handed down to where the engine makes its groups.
  private static func controllerAdvice(_ name: String, _ option: String, _ info: Info) -> String {
    info.cgroupVersion == "2"
      ? "the \(name) controller does not reach the engine's groups; echo +\(name.prefix { $0 != " " }) >"
        + " /sys/fs/cgroup/cgroup.subtree_control, or boot with \(option)"
      : "the kernel's \(name) controller is off; boot with \(option), or mount it below /sys/fs/cgroup"
  }

  private static func groups(_ info: Info) -> String {
    "cgroup version \(info.cgroupVersion ?? "1"), driver \(info.cgroupDriver ?? "unknown")"
  }

  /// Compares as numbers: 1.9 is before 1.41.
  static func atLeast(_ version: String, _ wanted: String) -> Bool {
    let (a, b) = (version.split(separator: ".").map { Int($0) ?? 0 }, wanted.split(separator: ".").map { Int($0) ?? 0 })
    return !a.lexicographicallyPrecedes(b)
  }
}
