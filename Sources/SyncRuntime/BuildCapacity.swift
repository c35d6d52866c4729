import Foundation

/// What a host gives to builds.
public struct BuildCapacity: Sendable, Equatable {
  /// Processors, at least 1.
  public var cores: Int
  public var memoryBytes: UInt64
  /// Builds side by side, however small they are.
  public var concurrentMax: Int

  public init(cores: Int, memoryBytes: UInt64, concurrentMax: Int = 64) {
    self.cores = max(1, cores)
    self.memoryBytes = memoryBytes
    self.concurrentMax = max(1, concurrentMax)
  }

  /// All processors that this process may run on, and the host's memory, or what its control group leaves of it.
  public static func ofThisHost() -> BuildCapacity {
    let pages = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES))))
    let memory = pages * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].compactMap { path in
      (try? String(contentsOfFile: path, encoding: .utf8)).flatMap {
        UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines))
      }
    }
    return BuildCapacity(
      cores: ProcessInfo.processInfo.activeProcessorCount, memoryBytes: limits.reduce(memory) { min($0, $1) })
  }
}
