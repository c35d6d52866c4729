import Glibc
import SodiumSigner
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization
import TCPTransport

/// Replicas on this machine: their keys follow from their names, their ports are free ones of the system.
final class TransportWorld: Sendable {
  private let ports = Mutex<[String: Int]>([:])

  func signer(_ name: String) throws -> SodiumSigner { try SodiumSigner(seed: SHA256.hash([UInt8](name.utf8)).bytes) }

  func port(_ name: String) -> Int {
    ports.withLock { ports in
      if let port = ports[name] { return port }
      let port = freePort()
      ports[name] = port
      return port
    }
  }

  func configuration(_ name: String, peers: [String], events: EventLog? = nil) -> TCPTransport.Configuration {
    var configuration = TCPTransport.Configuration(
      listenHost: "127.0.0.1", listenPort: port(name), group: SHA256.hash([1]),
      peers: peers.compactMap { peer in
        guard let key = try? signer(peer).publicKey(for: .transport) else { return nil }
        return TCPTransport.Peer(name: peer, host: "127.0.0.1", port: port(peer), key: key)
      })
    configuration.onNotice = { events?.notice($0) }
    return configuration
  }

  func makeTransport(_ name: String, peers: [String], events: EventLog? = nil) throws -> TCPTransport {
    try TCPTransport(configuration(name, peers: peers, events: events), signer: signer(name))
  }

  private func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, length)
        _ = getsockname(descriptor, $0, &length)
      }
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }
}

private func loopback(port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}

/// What a transport has told, and a way to wait for it.
final class EventLog: Sendable {
  private let state = Mutex<(events: [TransportEvent], notices: [String])>(([], []))

  var events: [TransportEvent] { state.withLock { $0.events } }
  var notices: [String] { state.withLock { $0.notices } }
  var record: @Sendable (TransportEvent) -> Void { { event in self.state.withLock { $0.events.append(event) } } }
  func notice(_ sentence: String) { state.withLock { $0.notices.append(sentence) } }

  func wait(seconds: Int = 20, until condition: (EventLog) -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while !condition(self) {
      guard ContinuousClock.now < end else { throw TimedOut(events: events, notices: notices) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  struct TimedOut: Error {
    let events: [TransportEvent]
    let notices: [String]
  }
}

/// A TCP connection to this machine without TLS.
final class PlainSocket {
  private let descriptor: Int32

  init?(port: Int) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port: port)
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { return nil }
  }

  deinit { close(descriptor) }

  func write(_ bytes: [UInt8]) { _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

  /// Whether the other side ends the connection within the time.
  func waitForEnd(seconds: Double) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, Int32(seconds * 1_000)) > 0 else { return false }
      if recv(descriptor, &buffer, buffer.count, 0) <= 0 { return true }
    }
  }
}
