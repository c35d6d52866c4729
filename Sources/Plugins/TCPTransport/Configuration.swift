import SyncProof
import SyncRuntime

extension TCPTransport {
  /// A replica that this one talks to.
  public struct Peer: Hashable, Sendable {
    /// What ``TransportEvent`` and `send` call it.
    public var name: String
    /// A host name, or an IPv4 or IPv6 address without brackets; resolved anew for every dial.
    public var host: String
    /// 1 to 65,535.
    public var port: Int
    /// The only key by which the peer is known; nothing else of its certificate matters.
    public var key: PublicKey

    public init(name: String, host: String, port: Int, key: PublicKey) {
      (self.name, self.host, self.port, self.key) = (name, host, port, key)
    }
  }

  /// What the transport is made of; the same for all of its life.
  public struct Configuration: Sendable {
    /// The address to listen on, which may differ from the one that peers dial; `0.0.0.0` or `::` for all.
    public var listenHost: String
    /// The port to listen on; 0 lets the system choose, see ``TCPTransport/boundPort``.
    public var listenPort: Int
    /// What both sides of a connection must agree on: the digest of the group.
    public var group: Digest
    /// Every other replica, with unique names and keys.
    public var peers: [Peer]
    public var timing = Timing()
    public var admission = AdmissionBounds()
    /// Called with a sentence for the operators when a connection was refused or ended, a peer cannot be reached,
    /// or a message cannot be sent: on the transport's thread or on that of `send`. It must return soon.
    public var onNotice: (@Sendable (String) -> Void)?

    public init(listenHost: String, listenPort: Int, group: Digest, peers: [Peer]) {
      self.listenHost = listenHost
      self.listenPort = listenPort
      self.group = group
      self.peers = peers
    }

    func validate(ownKey: PublicKey) throws(PluginError) {
      guard (0...65_535).contains(listenPort) else {
        throw PluginError(.invalid, "The port to listen on is \(listenPort); 0 to 65535 are possible")
      }
      var names: Set<String> = []
      var keys: Set<PublicKey> = [ownKey]
      for peer in peers {
        guard names.insert(peer.name).inserted else {
          throw PluginError(.invalid, "Two peers have the name \(peer.name); names are unique in a group")
        }
        guard keys.insert(peer.key).inserted else {
          throw PluginError(.invalid, "The peer \(peer.name) has the transport key of another replica, or our own")
        }
        guard (1...65_535).contains(peer.port), !peer.host.isEmpty else {
          throw PluginError(
            .invalid, "The peer \(peer.name) has the address \(peer.host):\(peer.port); host:port is wanted")
        }
      }
    }
  }

  /// How long things may take, in milliseconds.
  public struct Timing: Hashable, Sendable {
    /// For name resolution and the TCP connection.
    public var dialMilliseconds: Int64 = 5_000
    /// From the TCP connection to the peer's hello.
    public var handshakeMilliseconds: Int64 = 5_000
    /// Between two signs of life on an idle connection.
    public var aliveMilliseconds: Int64 = 5_000
    /// A connection on which nothing was heard for this long is closed.
    public var silenceMaxMilliseconds: Int64 = 15_000
    /// The wait before dialling again: from the first to the second, doubling, with jitter.
    public var backoffMinMilliseconds: Int64 = 100
    public var backoffMaxMilliseconds: Int64 = 10_000

    public init() {}
  }

  /// How many connections may be on their way to being authenticated.
  public struct AdmissionBounds: Hashable, Sendable {
    /// In all.
    public var slotsMax = 128
    /// From one IPv4 address or one IPv6 network of 64 bits.
    public var slotsPerAddressMax = 16
    /// How long a connection that failed still counts.
    public var cooldownMilliseconds: Int64 = 1_000

    public init() {}
  }
}
