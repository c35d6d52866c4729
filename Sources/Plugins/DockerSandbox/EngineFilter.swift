import Foundation
import Glibc
import SyncRuntime

/// The system call filter of a run under Docker or Podman: the list of allowed calls that Podman's packages bring, less
/// what no build needs.
///
/// As it is, that list lets any process make user namespaces, and with them use most of what the kernel keeps for root;
/// it and Docker's own let a process reach the hypervisor by vsock, and make rings of io_uring.
enum EngineFilter {
  /// Where the packages put the list.
  static let paths = ["/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json"]
  static let missing = "the list of allowed system calls is in none of \(paths.joined(separator: ", "))"
  static let mend = "apt-get install golang-github-containers-common (elsewhere containers-common)"

  /// Refused with EPERM.
  private static let refused: Set<String> = [
    "add_key", "bpf", "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "keyctl", "mount", "mount_setattr", "move_mount", "open_tree", "perf_event_open", "pivot_root",
    "quotactl", "request_key", "setns", "umount",
    "umount2", "unshare", "userfaultfd",
  ]
  /// All of CLONE_NEW… of <sched.h>.
  private static let namespaceFlags = 0x7E02_0000
  private static let notThere = 38
  /// AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; some others do not live in the network namespace.
  private static let families = [1, 2, 10, 16]

  static var isThere: Bool { paths.contains { access($0, R_OK) == 0 } }

  /// Made once: a changed profile is read when the node starts again.
  private static let narrowed: Data? = paths.lazy.compactMap { FileManager.default.contents(atPath: $0) }.first
    .flatMap(narrow)

  static func profile() throws(PluginError) -> Data {
    guard let narrowed else { throw PluginError(.unavailable, "There is no filter: \(missing); \(mend)") }
    return narrowed
  }

  /// - Returns: `nil` for what is no profile.
  static func narrow(_ profile: Data) -> Data? {
    guard var root = (try? JSONSerialization.jsonObject(with: profile)) as? [String: Any],
      let rules = root["syscalls"] as? [[String: Any]]
    else { return nil }
    let gone = refused.union(["clone", "clone3", "socket"])
    var kept: [[String: Any]] = rules.compactMap { rule in
      var rule = rule
      guard let names = rule["names"] as? [String] else { return nil }
      let left = names.filter { !gone.contains($0) }
      rule["names"] = left
      return left.isEmpty ? nil : rule
    }
    kept.append(["names": refused.sorted(), "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM])
    // Its flags lie in memory, where no filter reads; C libraries fall back to clone.
    kept.append(["names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": notThere])
    let flags: [String: Any] = ["index": 0, "value": namespaceFlags, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"]
    kept.append(["names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [flags]])
    for family in families {
      let isFamily: [String: Any] = ["index": 0, "value": family, "valueTwo": 0, "op": "SCMP_CMP_EQ"]
      kept.append(["names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [isFamily]])
    }
    root["syscalls"] = kept
    return try? JSONSerialization.data(withJSONObject: root, options: [.sortedKeys, .withoutEscapingSlashes])
  }
}
