import Glibc
import SyncRuntime

/// What the launcher's `probe` prints, once a whole run was set up: lines of name, `met` or `weaker`, what was found,
/// and what would mend it, with tabs between them.
enum LauncherProbe {
  static func findings(in bytes: [UInt8]) -> [SandboxProbe.Finding] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard words.count == 4, words[1] == "met" || words[1] == "weaker" else { return nil }
      return SandboxProbe.Finding(
        name: words[0], isMet: true, detail: words[2], isWeaker: words[1] == "weaker",
        mend: words[3].isEmpty ? nil : words[3])
    }
  }
}

/// What keeps a host from making namespaces, and the line that lets it.
enum HostSettings {
  /// The kernel's and the distributions' switches, with the values that forbid.
  private static let switches: [(path: String, forbidding: String, mend: String)] = [
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
      "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    ),
    ("/proc/sys/user/max_mnt_namespaces", "0", "sysctl -w user.max_mnt_namespaces=15000"),
    ("/proc/sys/user/max_net_namespaces", "0", "sysctl -w user.max_net_namespaces=15000"),
    ("/proc/sys/user/max_pid_namespaces", "0", "sysctl -w user.max_pid_namespaces=15000"),
  ]

  /// - Parameter read: A file's text without its last newline, or nil; by default the host's own.
  static func mendForNamespaces(isRoot: Bool, read: (String) -> String? = Self.text) -> String? {
    // Root wants no user namespace; without the capability it is the ordinary user's way that is left.
    let rows = isRoot ? Array(switches.suffix(3)) : switches
    if let row = rows.first(where: { read($0.path) == $0.forbidding }) { return row.mend }
    return isRoot ? "give the node CAP_SYS_ADMIN (docker run --privileged), or run it as an ordinary user" : nil
  }

  static func text(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = read(file, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
  }
}
