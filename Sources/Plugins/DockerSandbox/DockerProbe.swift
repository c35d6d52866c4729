import Glibc
import SyncRuntime

/// What the engine says of itself, and what a run wants of it.
struct DockerProbe {
  struct Version: Decodable {
    let version: String
    let apiVersion: String
    let minAPIVersion: String?
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

    // The engine's names, their first letter made small.
    enum CodingKeys: String, CodingKey {
      case memoryLimit, swapLimit, pidsLimit, cgroupDriver, cgroupVersion, driver, securityOptions
      case hasShares = "cPUShares"
      case operatingSystemType = "oSType"
    }
  }

  typealias Finding = SandboxProbe.Finding

  static func findings(of engine: DockerEngine) async -> [Finding] {
    let version: Version
    let info: Info
    do throws(PluginError) {
      version = try await engine.call("GET", "/version").decoded(Version.self, "GET /version")
      info = try await engine.call("GET", "/info").decoded(Info.self, "GET /info")
    } catch {
      let advice = "; start the engine (systemctl start docker), or name its socket with plugins.docker-socket"
      return [Finding(name: "engine", isMet: false, detail: error.message + advice)]
    }
    return [Finding(name: "engine", isMet: true, detail: "\(version.version) at \(engine.socketPath)")]
      + judge(version, info, isRoot: geteuid() == 0)
  }

  static func judge(_ version: Version, _ info: Info, isRoot: Bool) -> [Finding] {
    let security = info.securityOptions ?? []
    let isRootless = security.contains { $0.hasPrefix("name=rootless") }
    let hasFilter = security.contains { $0.hasPrefix("name=seccomp") && !$0.contains("profile=unconfined") }
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
      finding(
        "rootful engine", !isRootless, "the engine runs as root",
        "the engine is rootless and does not see what this node mounts; use the chroot sandbox, which needs no root"),
      finding("disk limit", isRoot, "a tmpfs for each run, mounted by root", DockerDisk.wantsRoot),
      finding(
        "memory limit", info.memoryLimit == true && info.swapLimit == true, groups(info),
        "the kernel's memory or swap controller is off; boot with cgroup_enable=memory swapaccount=1"),
      finding(
        "processes limit", info.pidsLimit == true, groups(info),
        "the kernel's pids controller is off; boot with cgroup_enable=pids or mount it"),
      finding(
        "cpu limit", info.hasShares == true, groups(info),
        "the kernel's cpu controller is off; mount it, or delegate it to the engine's cgroup"),
      finding(
        "system call filter", hasFilter, "the engine's default profile",
        "the engine filters no system calls; remove \"seccomp-profile\": \"unconfined\" from its daemon.json"),
    ]
  }

  private static func finding(_ name: String, _ isMet: Bool, _ found: String, _ advice: String) -> Finding {
    Finding(name: name, isMet: isMet, detail: isMet ? found : advice)
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
