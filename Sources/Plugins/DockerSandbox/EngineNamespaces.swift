import Foundation
import Glibc
import SyncRuntime

/// Where a rootless engine lives: in a user and a mount namespace that belong to an ordinary user.
///
/// That user may enter both, and `podman unshare` does so. A process in them is root over what the engine's runs write,
/// and what it mounts the engine sees; on the rest of the host it has its user's rights and no more.
enum EngineNamespaces {
  /// The engine's process, if it lives in this process's namespaces.
  static func member(of socketPath: String) -> Int32? {
    guard let ours = names(of: "self") else { return nil }
    func isMember(_ process: Int32) -> Bool { names(of: String(process)).map { $0 == ours } ?? false }
    if let listener = listener(at: socketPath), isMember(listener) { return listener }
    return holders(of: socketPath).first(where: isMember)
  }

  /// Whether this process lives in a user namespace in which no process is that answers at the socket: an engine that
  /// runs as root then sees nothing that this process mounts, and gives it no right over what its runs write.
  ///
  /// A namespace whose numbers are all the host's own is taken for the host's: from there not every process that
  /// answers may be looked at.
  static func isApart(from socketPath: String) -> Bool {
    guard !isHost(), let ours = name("user", of: "self") else {
      return false
    }
    let processes = (listener(at: socketPath).map { [$0] } ?? []) + holders(of: socketPath)
    return !processes.contains { name("user", of: String($0)) == ours }
  }

  /// Whether this process is in no user namespace but the host's, in which all numbers map to themselves.
  static func isHost(map: String? = Folder.readKernelFile("/proc/self/uid_map")) -> Bool {
    map?.split { $0 == " " || $0 == "\n" } == ["0", "0", "4294967295"]
  }

  /// The engine's user as the host numbers it: who is root in this process's user namespace.
  static func owner(map: String? = Folder.readKernelFile("/proc/self/uid_map")) -> UInt32? {
    for line in (map ?? "").split(separator: "\n") {
      let numbers = line.split(separator: " ").compactMap { UInt32($0) }
      if numbers.count == 3, numbers[0] == 0 { return numbers[1] }
    }
    return nil
  }

  /// What of a wish for processes a rootless engine can give: no more than its user has, who is this process's.
  static func processesMax(_ wanted: UInt64) -> UInt64 {
    var limit = rlimit()
    guard !isHost(), getrlimit(Int32(__RLIMIT_NPROC.rawValue), &limit) == 0 else { return wanted }
    return min(wanted, UInt64(limit.rlim_max))
  }

  private static func names(of process: String) -> [String]? {
    let names = ["user", "mnt"].compactMap { name($0, of: process) }
    return names.count == 2 ? names : nil
  }

  /// - Returns: `nil` also for a process that this one may not look at.
  private static func name(_ kind: String, of process: String) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/\(kind)")
  }

  /// Who called listen(2), which a service manager may have done for the engine.
  ///
  /// Source: unix(7), SO_PEERCRED.
  static func listener(at socketPath: String) -> Int32? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = [UInt8](socketPath.utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) == 0 }
    }
    // The process's number, its user and its group.
    var peer: [Int32] = [0, 0, 0]
    var length = socklen_t(MemoryLayout<Int32>.size * peer.count)
    guard isConnected, getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0, peer[0] > 0 else {
      return nil
    }
    return peer[0]
  }

  /// The processes that have the listening socket open, as far as they are to be seen, in the order of their numbers.
  static func holders(of socketPath: String) -> [Int32] {
    let number = (Folder.readKernelFile("/proc/net/unix") ?? "").split(separator: "\n").lazy
      .map { $0.split(separator: " ", maxSplits: 7).map(String.init) }
      .first { $0.count == 8 && $0[3] == isListening && isSame($0[7], socketPath) }?[6]
    guard let number else { return [] }
    let processes = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
    return processes.sorted().filter { process in
      let folder = "/proc/\(process)/fd"
      return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).contains {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == "socket:[\(number)]"
      }
    }
  }

  /// A connection has the path of the socket that it came by, and not this flag: __SO_ACCEPTCON of <linux/net.h>.
  private static let isListening = "00010000"

  /// One of them may go through a link, as `/var/run` does.
  private static func isSame(_ bound: String, _ wanted: String) -> Bool {
    guard bound.hasPrefix("/") else { return false }
    if bound == wanted { return true }
    var (a, b) = (stat(), stat())
    return stat(bound, &a) == 0 && stat(wanted, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
  }
}
