import NIOCore
import NIOPosix
import SyncProof
import SyncRuntime
import Synchronization

/// A ``Transport`` over TCP with mutual TLS 1.3, where each replica is known by its Ed25519 key and nothing else.
///
/// ``TransportEvent/connected(_:)`` says that our own connection to the peer stands and that the peer has accepted
/// it: from now on messages reach it. Messages of the peer may come before that, over the connection that it dialled.
/// ``TransportEvent/disconnected(_:)`` follows when our connection ends; the transport dials again by itself.
///
/// What waits for a peer that is away stays in its queue, of at most ``TransportLimits/queueBytesMax`` bytes.
/// All work is done on one thread, which also calls `deliver`: while that blocks, nothing is read.
///
/// ```swift
/// var configuration = TCPTransport.Configuration(
///   listenHost: "0.0.0.0", listenPort: 7000, group: chainID,
///   peers: [.init(name: "b", host: "b.example", port: 7000, key: keyOfB)])
/// let transport = try TCPTransport(configuration, signer: signer)
/// try await transport.start { event in … }
/// transport.send([1, 2, 3], to: "b")
/// ```
///
/// Thread: any.
public final class TCPTransport: Transport {
  private struct Running {
    let group: MultiThreadedEventLoopGroup
    let board: Switchboard
    /// Known once the listener stands.
    var boundPort: Int?
  }

  private enum Lifecycle {
    case idle
    case running(Running)
    case stopped
  }

  private let configuration: Configuration
  private let identity: Identity
  private let queues: [String: SendQueue]
  private let lifecycle = Mutex(Lifecycle.idle)

  /// - Throws: ``PluginError/Code/invalid`` when names or keys are not unique, or what the signer throws.
  public init(_ configuration: Configuration, signer: any Signer) throws(PluginError) {
    try configuration.validate(ownKey: signer.publicKey(for: .transport))
    identity = try Identity(signer: signer, peers: configuration.peers)
    queues = Dictionary(
      uniqueKeysWithValues: configuration.peers.map { ($0.name, SendQueue(bytesMax: TransportLimits.queueBytesMax)) })
    self.configuration = configuration
  }

  /// The port that peers can dial, once started; the one of the configuration unless that was 0.
  public var boundPort: Int? {
    lifecycle.withLock { if case .running(let running) = $0 { running.boundPort } else { nil } }
  }

  public func start(deliver: @escaping @Sendable (TransportEvent) -> Void) async throws(PluginError) {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let board = Switchboard(
      loop: group.next(), configuration: configuration, identity: identity, queues: queues, deliver: deliver)
    let isFirst = lifecycle.withLock { lifecycle in
      guard case .idle = lifecycle else { return false }
      lifecycle = .running(Running(group: group, board: board))
      return true
    }
    guard isFirst else {
      try? await group.shutdownGracefully()
      throw PluginError(.invalid, "A transport starts once; make a new one")
    }
    let port: Int
    do {
      port = try await listen(group: group, board: board)
    } catch {
      await stop()
      let place = "\(configuration.listenHost):\(configuration.listenPort)"
      let reason = (error as? PluginError)?.message ?? "\(error)"
      throw PluginError(
        .unavailable, "Cannot listen on \(place): \(reason); stop the program that has the port, or choose another")
    }
    lifecycle.withLock { lifecycle in
      guard case .running(var running) = lifecycle else { return }
      running.boundPort = port
      lifecycle = .running(running)
      board.start(peers: configuration.peers.map(\.name))
    }
  }

  private func listen(group: MultiThreadedEventLoopGroup, board: Switchboard) async throws -> Int {
    let (host, port) = (configuration.listenHost, configuration.listenPort)
    let opened = await BlockingThread.run { () throws(PluginError) in
      try Listener.open(host: host, port: port, backlog: 256)
    }
    let channel = try await ServerBootstrap(group: group)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try board.accept(channel) }
      }
      .withBoundSocket(try opened.get())
      .get()
    return channel.localAddress?.port ?? configuration.listenPort
  }

  /// Puts the message into the peer's queue; one that is too long or for nobody is dropped.
  public func send(_ message: [UInt8], to peer: String) {
    guard let queue = queues[peer], message.count <= TransportLimits.messageBytesMax else {
      configuration.onNotice?("A message of \(message.count) bytes to \(peer) was dropped: too long, or no such peer")
      return
    }
    guard queue.append(message) else { return }
    lifecycle.withLock { if case .running(let running) = $0 { running.board.wake(peer) } }
  }

  public func stop() async {
    let running: Running? = lifecycle.withLock { lifecycle in
      defer { lifecycle = .stopped }
      if case .running(let running) = lifecycle { return running }
      return nil
    }
    guard let running else { return }
    try? await running.board.stop().get()
    // Closes what is left, the listener first, and ends the thread: nothing is delivered after that.
    try? await running.group.shutdownGracefully()
    identity.forget()
  }

  /// How many messages to `peer` gave way to newer ones since the transport was made.
  public func droppedMessages(to peer: String) -> UInt64 { queues[peer]?.dropped ?? 0 }

  /// How many bytes wait for `peer`, beside what TCP has taken.
  package func queuedBytes(for peer: String) -> Int { queues[peer]?.bytes ?? 0 }
}
