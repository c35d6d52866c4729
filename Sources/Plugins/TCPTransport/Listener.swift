import Glibc
import NIOCore
import NIOPosix
import SyncRuntime

/// A listening socket that no program which this process starts inherits.
///
/// NIO's own is inherited. In a program that embeds a node, a child that outlives the node would keep the port, and the
/// node's next start would find it taken.
enum Listener {
  /// Binds and listens; blocks while a name is looked up.
  ///
  /// - Parameter port: 0 lets the system choose.
  /// - Returns: A descriptor, which is the caller's to close.
  /// - Throws: ``PluginError/Code/unavailable`` with the system's reason.
  static func open(host: String, port: Int, backlog: Int32) throws(PluginError) -> NIOBSDSocket.Handle {
    let address: SocketAddress
    do { address = try SocketAddress.makeAddressResolvingHost(host, port: port) } catch {
      throw PluginError(.unavailable, "\(error)")
    }
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(address.protocol == .inet6 ? AF_INET6 : AF_INET, kind, 0)
    guard descriptor >= 0 else { throw reason() }
    var yes: Int32 = 1
    let isListening =
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size)) == 0
      && address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0 && listen(descriptor, backlog) == 0
    guard isListening else {
      let error = reason()
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func reason() -> PluginError { PluginError(.unavailable, String(cString: strerror(errno))) }
}
