import Glibc
import SodiumSigner
import SyncProof
import SyncRuntime
import Synchronization

/// Keys and loopback addresses of the replicas that a transport is checked with.
final class AddressBook: Sendable {
  private let ports = Mutex<[String: UInt16]>([:])

  /// The same for a replica that comes back.
  func address(of name: String) throws(PluginError) -> String {
    if let port = ports.withLock({ $0[name] }) { return "127.0.0.1:\(port)" }
    let port = try AddressBook.freePort()
    ports.withLock { $0[name] = port }
    return "127.0.0.1:\(port)"
  }

  /// For these checks alone: everybody knows the seed.
  static func signer(_ name: String) throws(PluginError) -> SodiumSigner {
    try SodiumSigner(seed: SHA256.hash([UInt8](name.utf8)).bytes)
  }

  private static func freePort() throws(PluginError) -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw PluginError(.unavailable, "No socket can be made: \(reason())") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failure = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, size) != 0 || getsockname(descriptor, pointer, &size) != 0
      }
    }
    guard !failure else { throw PluginError(.unavailable, "No port of 127.0.0.1 is free: \(reason())") }
    return UInt16(bigEndian: address.sin_port)
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
