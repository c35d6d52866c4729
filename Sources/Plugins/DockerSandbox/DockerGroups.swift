import Foundation
import Glibc
import SyncRuntime

/// The counters of a container's cgroups, read where the engine has made them: under version 1 or 2, by either driver.
struct DockerGroups: Sendable {
  struct Usage: Equatable {
    var cpuNanoseconds: UInt64?
    /// What the processes have for themselves: no page of a file counts.
    var memoryBytes: UInt64?
    var memoryPeakBytes: UInt64?
    var memoryKills: UInt64 = 0
    var processRefusals: UInt64 = 0
  }

  private let container: String
  private let memory: String
  private let processes: String
  private let cpu: String
  private let isVersion2: Bool

  /// - Parameters:
  ///   - process: The container's process 1, as the host numbers it.
  ///   - root: What stands before every path that is read; tests give a tree of files.
  /// - Throws: ``PluginError/Code/unavailable`` when this process does not see what the engine sees.
  init(process: Int32, container: String, root: String = "") throws(PluginError) {
    self.container = container
    let path = "\(root)/proc/\(process)/cgroup"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let mounts = try? String(contentsOfFile: root + "/proc/self/mountinfo", encoding: .utf8)
    else {
      throw PluginError(
        .unavailable,
        "The Docker engine's process \(process) is not to be seen here; node and engine must share process namespace"
          + " and cgroups: run the node outside containers")
    }
    guard text.contains(container) else {
      // Another host's or namespace's number, or an engine that may not make groups and does without.
      throw PluginError(
        .unavailable,
        "Process \(process), which the Docker engine names as the run's, is in the group"
          + " '\(text.split(separator: "\n").first ?? "")' and in none of the run's own, where its limits would"
          + " hold; node and engine must share host, process namespace and cgroups, and a rootless engine must be"
          + " able to make groups: synchronicity node doctor says what is wanted")
    }
    let hierarchies = Self.hierarchies(mountinfo: mounts)
    let groups = Self.groups(text)
    func folder(_ controller: String) -> String? {
      guard let mount = hierarchies[controller], let path = groups[controller] else { return nil }
      guard mount.root != "/" else { return root + mount.point + path }
      return path.hasPrefix(mount.root + "/") ? root + mount.point + path.dropFirst(mount.root.count) : nil
    }
    if let memory = folder("memory"), let processes = folder("pids"), let cpu = folder("cpuacct") {
      (self.memory, self.processes, self.cpu, isVersion2) = (memory, processes, cpu, false)
    } else if let unified = folder("") {
      (memory, processes, cpu, isVersion2) = (unified, unified, unified, true)
    } else {
      throw PluginError(.unavailable, "The container's cgroups are not mounted here; mount /sys/fs/cgroup")
    }
  }

  /// The mounted hierarchies by controller; the unified one has the name "".
  static func hierarchies(mountinfo: String) -> [String: (root: String, point: String)] {
    var found: [String: (root: String, point: String)] = [:]
    for line in mountinfo.split(separator: "\n") {
      let halves = line.components(separatedBy: " - ")
      guard halves.count == 2 else { continue }
      let front = halves[0].split(separator: " ").map(String.init)
      let back = halves[1].split(separator: " ").map(String.init)
      guard front.count >= 5, back.count >= 3 else { continue }
      if back[0] == "cgroup2" {
        found[""] = found[""] ?? (front[3], front[4])
      } else if back[0] == "cgroup" {
        for name in back[2].split(separator: ",").map(String.init) { found[name] = found[name] ?? (front[3], front[4]) }
      }
    }
    return found
  }

  /// A process's groups by controller, from its `/proc/PID/cgroup`.
  static func groups(_ text: String) -> [String: String] {
    var found: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3 else { continue }
      if parts[0] == "0" { found[""] = parts[2] }
      for name in parts[1].split(separator: ",").map(String.init) { found[name] = parts[2] }
    }
    return found
  }

  func usage() -> Usage {
    var usage = Usage()
    if isVersion2 {
      usage.cpuNanoseconds = Self.field("usage_usec", in: cpu + "/cpu.stat").map { $0 * 1_000 }
      usage.memoryBytes = Self.field("anon", in: memory + "/memory.stat")
      usage.memoryPeakBytes = Self.number(memory + "/memory.peak")
      usage.memoryKills = Self.field("oom_kill", in: memory + "/memory.events") ?? 0
    } else {
      usage.cpuNanoseconds = Self.number(cpu + "/cpuacct.usage")
      usage.memoryBytes = Self.field("total_rss", in: memory + "/memory.stat")
      usage.memoryPeakBytes = Self.number(memory + "/memory.max_usage_in_bytes")
      usage.memoryKills = Self.field("oom_kill", in: memory + "/memory.oom_control") ?? 0
    }
    usage.processRefusals = refusals()
    return usage
  }

  /// Why the run is less bounded than was asked for, or `nil` when it is not: an engine may take a limit that it cannot
  /// hold, and say nothing.
  ///
  /// - Parameters:
  ///   - memoryBytes: With swap, which shall not be used.
  ///   - processes: Process 1 included.
  func broken(memoryBytes: UInt64, processes count: UInt64, root: String = "") -> String? {
    let memoryName = isVersion2 ? "memory.max" : "memory.limit_in_bytes"
    for (group, name, wanted) in [(memory, memoryName, memoryBytes), (processes, "pids.max", count)] {
      let found = least(name, from: group)
      guard let found, found <= wanted else {
        return "\(name) is \(found.map(String.init) ?? "without bound") in \(group), where \(wanted) was asked for"
      }
    }
    // Under version 1 the probe asks for it. A kernel that can swap has this file.
    guard isVersion2, access(root + "/proc/swaps", F_OK) == 0 else { return nil }
    guard let swap = least("memory.swap.max", from: memory), swap == 0 else {
      return "memory.swap.max is not 0 in \(memory), so that the run may swap"
    }
    return nil
  }

  /// The least of a bound over the container's groups, which may lie in one another.
  private func least(_ name: String, from group: String) -> UInt64? {
    var least: UInt64?
    for group in chain(from: group) {
      if let bound = Self.number("\(group)/\(name)") { least = min(least ?? bound, bound) }
    }
    return least
  }

  /// A group, and those above it that are the container's too.
  private func chain(from group: String) -> [Substring] {
    var chain: [Substring] = []
    var group = group[...]
    while group.contains(container) {
      chain.append(group)
      group = group[..<(group.lastIndex(of: "/") ?? group.startIndex)]
    }
    return chain
  }

  /// A refused fork is told in the group that forked or in the one that has the limit, as the kernel's version has it;
  /// an engine may put the container's processes into a group below the container's own.
  private func refusals() -> UInt64 {
    chain(from: processes).reduce(0) { max($0, Self.field("max", in: $1 + "/pids.events") ?? 0) }
  }

  private static func read(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 8_192)
    let count = Glibc.read(file, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
  }

  private static func number(_ path: String) -> UInt64? {
    read(path).flatMap { UInt64($0.prefix { $0 != "\n" }) }
  }

  private static func field(_ name: String, in path: String) -> UInt64? {
    for line in read(path)?.split(separator: "\n") ?? [] where line.hasPrefix(name + " ") {
      return UInt64(line.dropFirst(name.utf8.count + 1))
    }
    return nil
  }
}
