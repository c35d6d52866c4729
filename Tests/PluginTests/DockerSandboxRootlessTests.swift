import Foundation
import SyncRuntime
import Testing

@testable import DockerSandbox

/// What is known of a rootless engine without one; `scripts/test-cgroup2 --rootless` runs the suites beside a real one.
@Suite struct DockerSandboxRootlessTests {
  private static let given = EngineGroups(
    folder: "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service", controllers: ["cpu", "io", "memory", "pids"],
    isWritable: true)

  private static func engine(
    product: String = "Podman", driver: String = "systemd", isVersion2: Bool = true, isOurs: Bool = true,
    groups: EngineGroups? = given
  ) -> RootlessEngine {
    RootlessEngine(
      product: product, driver: driver, isVersion2: isVersion2, isOurs: isOurs, owner: 7, groups: groups)
  }

  private static func lacks(_ controller: String) -> EngineGroups {
    EngineGroups(folder: given.folder, controllers: given.controllers.subtracting([controller]), isWritable: true)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let engine: RootlessEngine
    let unmet: [String]
    let word: String
  }

  private static let limits = ["memory limit", "processes limit", "cpu limit"]
  static let rows: [Row] = [
    Row(testDescription: "all is there", engine: engine(), unmet: [], word: ""),
    Row(
      testDescription: "Docker's", engine: engine(product: "Docker"), unmet: ["engine's namespaces"],
      word: "rootless Podman only"),
    Row(
      testDescription: "the node is outside", engine: engine(isOurs: false, groups: nil),
      unmet: ["engine's namespaces"] + limits, word: "does not see what this node mounts"),
    Row(
      testDescription: "version 1 of cgroups", engine: engine(isVersion2: false, groups: nil), unmet: limits,
      word: "version 1 of cgroups"),
    Row(
      testDescription: "a driver that makes no groups", engine: engine(driver: "cgroupfs"), unmet: limits,
      word: "would run builds without limits"),
    Row(
      testDescription: "no systemd of the user's", engine: engine(groups: nil), unmet: limits,
      word: "user@UID.service"),
    Row(
      testDescription: "no memory", engine: engine(groups: lacks("memory")), unmet: ["memory limit"],
      word: "'cpu io pids'"),
    Row(
      testDescription: "no processes", engine: engine(groups: lacks("pids")), unmet: ["processes limit"],
      word: "'cpu io memory'"),
    Row(
      testDescription: "no cpu", engine: engine(groups: lacks("cpu")), unmet: ["cpu limit"], word: "'io memory pids'"),
    Row(
      testDescription: "groups of another user's",
      engine: engine(
        groups: EngineGroups(folder: given.folder, controllers: given.controllers, isWritable: false)),
      unmet: limits, word: "may not make groups in /sys/fs/cgroup/user.slice"),
  ]

  @Test(arguments: rows) func whatLacksIsSaidWithItsMend(_ row: Row) {
    let version = DockerProbe.Version(
      version: "4.3.1", apiVersion: "1.41", minAPIVersion: nil, components: [.init(name: "Podman Engine")])
    // The engine's own claims, which are not believed.
    let info = DockerProbe.Info(
      memoryLimit: true, swapLimit: true, pidsLimit: true, hasShares: true, cgroupDriver: "systemd",
      cgroupVersion: "2", driver: "overlay", operatingSystemType: "linux",
      securityOptions: ["name=seccomp,profile=default"], rootless: true)
    let unmet = DockerProbe.judge(version, info, isRoot: true, rootless: row.engine)
      .filter { !$0.isMet && $0.name != "system call filter" }
    #expect(unmet.map(\.name) == row.unmet)
    #expect(unmet.isEmpty || unmet[0].detail.contains(row.word), "\(unmet)")
    #expect(unmet.isEmpty || unmet[0].mend != nil)
  }

  @Test func aNodeApartFromARootfulEngineIsToldHowToMeetIt() {
    let version = DockerProbe.Version(version: "27.0", apiVersion: "1.46", minAPIVersion: nil)
    let info = DockerProbe.Info(
      memoryLimit: true, swapLimit: true, pidsLimit: true, hasShares: true, cgroupDriver: "systemd",
      cgroupVersion: "2", driver: "overlay2", operatingSystemType: "linux",
      securityOptions: ["name=seccomp,profile=default"])
    for isApart in [false, true] {
      let finding = DockerProbe.judge(version, info, isRoot: true, isApart: isApart, rootless: nil)
        .first { $0.name == "engine's namespaces" }
      #expect(finding?.isMet == !isApart)
      #expect((finding?.mend != nil) == isApart)
    }
  }

  static let managers: [(group: String, manager: String?)] = [
    ("/user.slice/user-7.slice/user@7.service/app.slice/podman.service", "/user.slice/user-7.slice/user@7.service"),
    ("/user.slice/user-7.slice/user@7.service", "/user.slice/user-7.slice/user@7.service"),
    ("/user.slice/user-7.slice/session-1.scope", nil), ("/", nil), ("", nil), ("/user@7", nil),
  ]

  @Test(arguments: managers) func theUsersManagerIsFound(_ row: (group: String, manager: String?)) {
    #expect(EngineGroups.manager(of: row.group) == row.manager)
  }

  @Test func theGroupsAreReadWhereTheyAreMounted() throws {
    let root = NSTemporaryDirectory() + "docker-rootless-groups-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: root) }
    let folder = "/sys/fs/cgroup/user-7.slice/user@7.service"
    for (path, text) in [
      ("/proc/8/cgroup", "0::/user.slice/user-7.slice/user@7.service/app.slice/podman.service\n"),
      ("/proc/9/cgroup", "0::/user.slice/user-7.slice/session-1.scope\n"),
      ("/proc/self/mountinfo", "30 25 0:26 /user.slice /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
      (folder + "/cgroup.controllers", "cpu memory pids\n"), (folder + "/cgroup.procs", ""),
    ] {
      let parent = (root + path as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: root + path))
    }
    let wanted = EngineGroups(folder: folder, controllers: ["cpu", "memory", "pids"], isWritable: false)
    #expect(EngineGroups(process: 8, root: root) == wanted)
    try Data().write(to: URL(fileURLWithPath: root + folder + "/cgroup.subtree_control"))
    #expect(EngineGroups(process: 8, root: root)?.isWritable == true)
    #expect(EngineGroups(process: 9, root: root) == nil && EngineGroups(process: 10, root: root) == nil)
  }

  @Test func theOwnerIsReadFromTheMap() {
    #expect(EngineNamespaces.owner(map: "         0       7          1\n         1     100000      65536\n") == 7)
    #expect(EngineNamespaces.owner(map: "0 0 4294967295\n") == 0)
    #expect(EngineNamespaces.isHost(map: "         0          0 4294967295\n"))
    for map in [nil, "", "0 0 1\n", "0 7 1\n1 100000 65536\n", "0 0 4294967295\n5 7 1\n"] {
      #expect(!EngineNamespaces.isHost(map: map))
    }
    for map in ["", "5 7 1\n", "0 7\n", "a b c\n"] { #expect(EngineNamespaces.owner(map: map) == nil) }
  }

  /// Who listens and who holds the socket are found; another mount namespace is none of ours.
  @Test(.enabled(if: geteuid() == 0, "making a mount namespace needs root"))
  func theEngineIsFoundByItsSocket() async throws {
    // A service that a manager has listened for stays in our namespaces when the manager is in another one.
    let script = """
      import ctypes, os, socket, sys, time
      s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])
      keeper = sys.argv[2] == "keep" and os.fork()
      if keeper == 0 and sys.argv[2] == "keep": time.sleep(60)
      assert ctypes.CDLL(None).unshare(0x20000) == 0
      s.listen(); print(keeper or 0, flush=True); sys.stdin.read()
      if keeper: os.kill(keeper, 9)
      """
    for keeps in [true, false] {
      let path = NSTemporaryDirectory() + "engine-\(getpid())-\(keeps)"
      defer { unlink(path) }
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
      process.arguments = ["-c", script, path, keeps ? "keep" : "alone"]
      let (input, output) = (Pipe(), Pipe())
      (process.standardInput, process.standardOutput) = (input, output)
      try process.run()
      defer {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
      }
      let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
      let keeper = try #require(Int32(line.trimmingCharacters(in: .whitespacesAndNewlines)))
      #expect(EngineNamespaces.listener(at: path) == process.processIdentifier)
      #expect(
        EngineNamespaces.holders(of: path) == (keeps ? [keeper] : []) + [process.processIdentifier]
          || EngineNamespaces.holders(of: path) == [process.processIdentifier, keeper])
      #expect(EngineNamespaces.member(of: path) == (keeps ? keeper : nil))
      // A rootless engine lives elsewhere, whoever listens for it here.
      let engine = RootlessEngine.look(at: path, product: "Podman", driver: "systemd", isVersion2: true)
      #expect(engine.isOurs == (keeps && !EngineNamespaces.isHost()))
    }
    #expect(EngineNamespaces.member(of: "/no/such/socket") == nil)
  }
}
