import Synchronization
import SyncRuntime

/// The wires between the replicas of one process: messages arrive in order, unless a wire is cut.
///
/// Thread: any.
public final class LoopbackNetwork: Sendable {
  private struct State {
    var ports: [String: @Sendable (TransportEvent) -> Void] = [:]
    var cut: Set<String> = []
    var names: [String] = []
    var messages = 0
  }
  private let state = Mutex(State())

  /// - Parameter names: All replicas of the group.
  public init(names: [String]) { state.withLock { $0.names = names } }

  /// The transport of one replica; a replica that comes back asks for a new one.
  public func transport(of name: String) -> any Transport { LoopbackTransport(network: self, name: name) }

  /// Cuts a replica off, or connects it again.
  public func setCut(_ isCut: Bool, _ name: String) {
    let events = state.withLock { state -> [(@Sendable (TransportEvent) -> Void, TransportEvent)] in
      if isCut { state.cut.insert(name) } else { state.cut.remove(name) }
      return state.names.filter { $0 != name && !state.cut.contains($0) }.flatMap { other in
        [(name, other), (other, name)].compactMap { here, there in
          state.ports[here].map { ($0, isCut ? .disconnected(there) : .connected(there)) }
        }
      }
    }
    for (port, event) in events { port(event) }
  }

  /// How many messages were handed over so far.
  public var messages: Int { state.withLock { $0.messages } }

  fileprivate func attach(_ name: String, _ port: @escaping @Sendable (TransportEvent) -> Void) {
    let others = state.withLock { state in
      state.ports[name] = port
      return state.ports.keys.filter { $0 != name && !state.cut.contains($0) && !state.cut.contains(name) }.sorted()
    }
    for other in others {
      port(.connected(other))
      self.port(of: other)?(.connected(name))
    }
  }

  fileprivate func detach(_ name: String) {
    let others = state.withLock { state in
      state.ports[name] = nil
      return state.ports.keys.sorted()
    }
    for other in others { port(of: other)?(.disconnected(name)) }
  }

  fileprivate func carry(_ message: [UInt8], from sender: String, to receiver: String) {
    let isCut = state.withLock { state in
      state.messages += 1
      return state.cut.contains(sender) || state.cut.contains(receiver) || state.ports[sender] == nil
    }
    if !isCut { port(of: receiver)?(.message(from: sender, message)) }
  }

  private func port(of name: String) -> (@Sendable (TransportEvent) -> Void)? { state.withLock { $0.ports[name] } }
}

private struct LoopbackTransport: Transport {
  let network: LoopbackNetwork
  let name: String

  func start(deliver: @escaping @Sendable (TransportEvent) -> Void) async throws(PluginError) {
    network.attach(name, deliver)
  }

  func send(_ message: [UInt8], to peer: String) { network.carry(message, from: name, to: peer) }
  func stop() async { network.detach(name) }
}
