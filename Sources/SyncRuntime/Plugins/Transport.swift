/// What a transport tells its owner.
public enum TransportEvent: Sendable, Equatable {
  /// A message from an authenticated peer, whole and in the order in which the peer sent it on one connection.
  case message(from: String, [UInt8])
  /// The first working connection to the peer stands (again): what was sent before may be lost.
  case connected(String)
  case disconnected(String)
}

/// Authenticated, ordered, bounded messages between the named replicas of a group.
///
/// Messages are at most ``TransportLimits/messageBytesMax`` bytes. `send` never blocks: each peer has a bounded
/// queue, and when that is full the oldest messages are dropped, since the consensus resends what matters.
/// Thread: any.
public protocol Transport: Sendable {
  /// Listens and begins to connect to every peer; throws ``PluginError/Code/unavailable`` when the port is taken.
  ///
  /// - Parameter deliver: Called on a thread of the transport, never under a lock, never after `stop` has returned.
  func start(deliver: @escaping @Sendable (TransportEvent) -> Void) async throws(PluginError)
  func send(_ message: [UInt8], to peer: String)
  /// Ends every connection; a second stop does nothing.
  func stop() async
}

public enum TransportLimits {
  /// The longest message that any transport must carry.
  public static let messageBytesMax = 4 << 20
  /// The most bytes that wait for one peer.
  public static let queueBytesMax = 16 << 20
}
