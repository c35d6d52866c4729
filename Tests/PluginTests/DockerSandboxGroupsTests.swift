import Foundation
import SyncRuntime
import Testing

@testable import DockerSandbox

/// The counters of a run, read from trees of files: every layout, whatever this host has.
@Suite struct DockerSandboxGroupsTests {
  struct Layout: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Of `/proc/7/cgroup` and `/proc/self/mountinfo`.
    let groups: String
    let mounts: String
    let files: [String: String]
    /// `nil` where the layout is refused.
    let usage: DockerGroups.Usage?
  }

  private static let id = String(repeating: "c0ffee00", count: 8)
  private static let unifiedMount = "30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
  private static func unified(
    _ folder: String, peak: Bool = true, refusals: [String: String] = [:]
  ) -> [String: String] {
    var files = [
      "\(folder)/cpu.stat": "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\n",
      "\(folder)/memory.stat": "anon 4096\nfile 8192\nkernel 16384\n",
      "\(folder)/memory.events": "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 0\n",
      "\(folder)/pids.events": "max 3\n",
    ]
    if peak { files["\(folder)/memory.peak"] = "65536\n" }
    return files.merging(refusals) { $1 }
  }
  private static let unifiedUsage = DockerGroups.Usage(
    cpuNanoseconds: 2_500_000, memoryBytes: 4_096, memoryPeakBytes: 65_536, memoryKills: 2, processRefusals: 3)

  private static func first(_ name: String, _ folder: String) -> String { "/sys/fs/cgroup/\(name)\(folder)" }
  private static func firstFiles(_ folder: String) -> [String: String] {
    [
      first("cpu,cpuacct", folder) + "/cpuacct.usage": "1234567\n",
      first("memory", folder) + "/memory.stat": "cache 8192\nrss 1\ntotal_cache 8192\ntotal_rss 4096\n",
      first("memory", folder) + "/memory.max_usage_in_bytes": "65536\n",
      first("memory", folder) + "/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
      first("pids", folder) + "/pids.events": "max 9\n",
    ]
  }
  private static let firstMounts = """
    30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
    31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
    32 25 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
    33 25 0:29 / /tmp rw - tmpfs tmpfs rw

    """
  private static let firstUsage = DockerGroups.Usage(
    cpuNanoseconds: 1_234_567, memoryBytes: 4_096, memoryPeakBytes: 65_536, memoryKills: 1, processRefusals: 9)

  static let layouts: [Layout] = [
    Layout(
      testDescription: "version 1, Docker's own driver",
      groups: "4:pids:/docker/\(id)\n3:memory:/docker/\(id)\n2:cpu,cpuacct:/docker/\(id)\n", mounts: firstMounts,
      files: firstFiles("/docker/\(id)"), usage: firstUsage),
    Layout(
      testDescription: "both versions at once: the limits are version 1's",
      groups: "4:pids:/docker/\(id)\n3:memory:/docker/\(id)\n2:cpu,cpuacct:/docker/\(id)\n0::/docker/\(id)\n",
      mounts: firstMounts + "34 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
      files: firstFiles("/docker/\(id)"), usage: firstUsage),
    Layout(
      testDescription: "version 2, Docker by systemd", groups: "0::/system.slice/docker-\(id).scope\n",
      mounts: unifiedMount, files: unified("/sys/fs/cgroup/system.slice/docker-\(id).scope"), usage: unifiedUsage),
    Layout(
      testDescription: "version 2, Docker's own driver", groups: "0::/docker/\(id)\n", mounts: unifiedMount,
      files: unified("/sys/fs/cgroup/docker/\(id)"), usage: unifiedUsage),
    Layout(
      testDescription: "version 2, Podman: processes in a group below, refusals told at the one with the limit",
      groups: "0::/machine.slice/libpod-\(id).scope/container\n", mounts: unifiedMount,
      files: unified(
        "/sys/fs/cgroup/machine.slice/libpod-\(id).scope/container",
        refusals: [
          "/sys/fs/cgroup/machine.slice/libpod-\(id).scope/container/pids.events": "max 0\n",
          "/sys/fs/cgroup/machine.slice/libpod-\(id).scope/pids.events": "max 3\n",
          "/sys/fs/cgroup/machine.slice/pids.events": "max 99\n",
        ]), usage: unifiedUsage),
    Layout(
      testDescription: "version 2 of a kernel before 5.19, which keeps no peak", groups: "0::/docker/\(id)\n",
      mounts: unifiedMount, files: unified("/sys/fs/cgroup/docker/\(id)", peak: false),
      usage: DockerGroups.Usage(
        cpuNanoseconds: 2_500_000, memoryBytes: 4_096, memoryPeakBytes: nil, memoryKills: 2, processRefusals: 3)),
    Layout(
      testDescription: "version 2, of which a part is mounted", groups: "0::/outer/docker/\(id)\n",
      mounts: "30 25 0:26 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      files: unified("/sys/fs/cgroup/docker/\(id)"), usage: unifiedUsage),
    Layout(
      testDescription: "version 2, of which another part is mounted", groups: "0::/outermost/docker/\(id)\n",
      mounts: "30 25 0:26 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", files: [:], usage: nil),
    Layout(
      testDescription: "nothing is mounted", groups: "0::/docker/\(id)\n",
      mounts: "33 25 0:29 / /tmp rw - tmpfs tmpfs rw\n", files: [:], usage: nil),
    Layout(
      testDescription: "a process of something else", groups: "0::/docker/other\n", mounts: unifiedMount, files: [:],
      usage: nil),
    Layout(
      testDescription: "no sense", groups: "\n:\n::\n0:\n\(id)", mounts: "\n - \n1 2 - 3\n", files: [:],
      usage: nil),
  ]

  @Test(arguments: layouts) func countersAreFound(in layout: Layout) throws {
    let root = NSTemporaryDirectory() + "docker-groups-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: root) }
    let own = ["/proc/7/cgroup": layout.groups, "/proc/self/mountinfo": layout.mounts]
    for (path, text) in own.merging(layout.files, uniquingKeysWith: { $1 }) {
      let folder = (root + path as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: root + path))
    }
    guard let wanted = layout.usage else {
      let error = #expect(throws: PluginError.self) { try DockerGroups(process: 7, container: Self.id, root: root) }
      #expect(error?.code == .unavailable && error?.message.count ?? 0 > 20)
      return
    }
    #expect(try DockerGroups(process: 7, container: Self.id, root: root).usage() == wanted)
  }

  struct Bounds: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let files: [String: String]
    /// Of the sentence, or `nil` where all holds.
    let word: String?
  }

  private static let scope = "/sys/fs/cgroup/user.slice/libpod-\(id).scope"
  private static let bounds = ["memory.max": "4096\n", "memory.swap.max": "0\n", "pids.max": "7\n"]
  private static func bounds(in folder: String, _ changes: [String: String?] = [:]) -> [String: String] {
    var files = ["/proc/swaps": "Filename\n"]
    for (name, text) in bounds.merging(changes.mapValues { $0 ?? "" }, uniquingKeysWith: { $1 }) where text != "" {
      files["\(folder)/\(name)"] = text
    }
    return files
  }

  static let boundRows: [Bounds] = [
    Bounds(testDescription: "in the group itself", files: bounds(in: scope + "/container"), word: nil),
    Bounds(testDescription: "in the group above", files: bounds(in: scope), word: nil),
    Bounds(
      testDescription: "in a group of more than the run", files: bounds(in: "/sys/fs/cgroup/user.slice"),
      word: "memory.max"),
    Bounds(
      testDescription: "no bound of memory", files: bounds(in: scope, ["memory.max": "max\n"]),
      word: "memory.max is without bound"),
    Bounds(
      testDescription: "no file", files: bounds(in: scope, ["memory.max": nil]), word: "memory.max is without bound"),
    Bounds(
      testDescription: "more memory", files: bounds(in: scope, ["memory.max": "4097\n"]), word: "memory.max is 4097"),
    Bounds(testDescription: "more processes", files: bounds(in: scope, ["pids.max": "8\n"]), word: "pids.max is 8"),
    Bounds(testDescription: "swap", files: bounds(in: scope, ["memory.swap.max": "max\n"]), word: "swap"),
    Bounds(testDescription: "no bound of swap", files: bounds(in: scope, ["memory.swap.max": nil]), word: "swap"),
  ]

  /// An engine that takes a limit and holds none is found out.
  @Test(arguments: boundRows) func limitsThatDoNotHoldAreTold(_ row: Bounds) throws {
    let root = NSTemporaryDirectory() + "docker-bounds-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: root) }
    let own = [
      "/proc/7/cgroup": "0::/user.slice/libpod-\(Self.id).scope/container\n", "/proc/self/mountinfo": Self.unifiedMount,
    ]
    for (path, text) in own.merging(row.files, uniquingKeysWith: { $1 }) {
      let folder = (root + path as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: root + path))
    }
    let groups = try DockerGroups(process: 7, container: Self.id, root: root)
    let broken = groups.broken(memoryBytes: 4_096, processes: 7, root: root)
    if let word = row.word {
      #expect(broken?.contains(word) == true, "\(broken ?? "")")
    } else {
      #expect(broken == nil)
    }
  }

  @Test func countersThatAreGoneAreNothing() throws {
    let root = NSTemporaryDirectory() + "docker-groups-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: root) }
    for (path, text) in [("/proc/7/cgroup", "0::/docker/\(Self.id)\n"), ("/proc/self/mountinfo", Self.unifiedMount)] {
      let folder = (root + path as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: root + path))
    }
    #expect(try DockerGroups(process: 7, container: Self.id, root: root).usage() == DockerGroups.Usage())
  }
}
