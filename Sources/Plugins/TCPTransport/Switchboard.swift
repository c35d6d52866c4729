import NIOCore
import NIOPosix
import NIOSSL
import SyncProof
import SyncRuntime

/// Everything that changes while a transport runs: its links, its connections, its slots.
///
/// Each replica dials every other. The connection that we dialled carries our messages, the one that we accepted the
/// peer's: no tie has to be broken when both dial at once, and each side keeps its own way open. A second connection
/// from a peer replaces its first, so that a peer that fell and came back is heard at once.
///
/// `@unchecked Sendable`: all of its variables are used on `loop` alone; what other threads may touch is immutable.
final class Switchboard: @unchecked Sendable {
  let timing: TCPTransport.Timing
  let group: Digest
  var hello: Frame { .hello(version: Frame.version, group: group.bytes) }

  private let loop: any EventLoop
  private let identity: Identity
  private let deliver: @Sendable (TransportEvent) -> Void
  private let onNotice: (@Sendable (String) -> Void)?

  private var links: [String: Link] = [:]
  private var accepted: [String: Connection] = [:]
  private var greeting: [Admission.Slot: Connection] = [:]
  private var admission: Admission
  private var random = SystemRandomNumberGenerator()
  private var isStopped = false

  /// Bytes that are written before they are flushed to TLS together.
  private static let flushBytes = 64 << 10

  init(
    loop: any EventLoop, configuration: TCPTransport.Configuration, identity: Identity, queues: [String: SendQueue],
    deliver: @escaping @Sendable (TransportEvent) -> Void
  ) {
    (self.loop, self.identity, self.deliver) = (loop, identity, deliver)
    (timing, group, onNotice) = (configuration.timing, configuration.group, configuration.onNotice)
    admission = Admission(bounds: configuration.admission)
    for peer in configuration.peers {
      guard let queue = queues[peer.name] else { continue }
      links[peer.name] = Link(peer: peer, queue: queue, backoff: Backoff(timing: configuration.timing))
    }
  }

  // MARK: From any thread

  func start(peers: [String]) { loop.execute { for peer in peers { self.dial(peer) } } }

  func wake(_ peer: String) { loop.execute { self.drain(peer) } }

  func stop() -> EventLoopFuture<Void> {
    loop.submit {
      self.isStopped = true
      for link in self.links.values {
        switch link.state {
        case .waiting(let timer): timer?.cancel()
        case .dialling: break
        case .open(let connection): connection.close(nil)
        }
      }
      for connection in self.accepted.values { connection.close(nil) }
      for connection in self.greeting.values { connection.close(nil) }
    }
  }

  // MARK: Accepting

  /// Sets up a connection that was accepted, or fails, which closes it.
  func accept(_ channel: any Channel) throws {
    let address = channel.remoteAddress
    let decision = admission.admit(Admission.key(of: address), now: .now())
    if let evicted = decision.evicted { greeting[evicted]?.close("its place was needed for a newer connection") }
    guard !isStopped, let slot = decision.slot else { throw ChannelError.ioOnClosedChannel }
    let cutter = Cutter()
    let connection = Connection(
      direction: .accepted(slot), board: self, remote: address?.description ?? "unknown", cutter: cutter)
    greeting[slot] = connection
    let tls = NIOSSLServerHandler(context: identity.context) { [identity] chain, promise in
      promise.succeed(connection.verify(identity.peer(for: chain)))
    }
    do {
      try channel.pipeline.syncOperations.addHandlers([cutter, tls, connection])
    } catch {
      greeting[slot] = nil
      admission.failed(slot, now: .now())
      throw error
    }
  }

  // MARK: Dialling

  private func dial(_ name: String) {
    guard !isStopped, case .waiting(let timer)? = links[name]?.state, let peer = links[name]?.peer else { return }
    timer?.cancel()
    links[name]?.state = .dialling
    let bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(.milliseconds(timing.dialMilliseconds))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
    // A name is looked up on a thread of its own, which may come back when this loop is no more; an address needs none.
    let address = try? SocketAddress(ipAddress: peer.host, port: peer.port)
    let channel = address.map { bootstrap.connect(to: $0) } ?? bootstrap.connect(host: peer.host, port: peer.port)
    channel
      .assumeIsolated()
      .flatMapThrowing { channel in
        do { try self.dialled(channel, peer: peer) } catch {
          channel.close(promise: nil)
          throw error
        }
      }
      .whenFailure { error in
        self.notice("Cannot reach \(peer.name) at \(peer.host):\(peer.port): \(error)")
        self.redial(name)
      }
  }

  private func dialled(_ channel: any Channel, peer: TCPTransport.Peer) throws {
    guard !isStopped else { return channel.close(promise: nil) }
    let cutter = Cutter()
    let connection = Connection(
      direction: .dialled(peer.name), board: self, remote: "\(peer.host):\(peer.port)", cutter: cutter)
    let tls = try NIOSSLClientHandler(context: identity.context, serverHostname: nil) { [identity] chain, promise in
      promise.succeed(connection.verify(identity.peer(for: chain)))
    }
    try channel.pipeline.syncOperations.addHandlers([cutter, tls, connection])
  }

  private func redial(_ name: String) {
    guard !isStopped, var link = links[name] else { return }
    if case .waiting = link.state { return }
    let delay = link.backoff.next(using: &random)
    link.state = .waiting(loop.assumeIsolated().scheduleTask(in: delay) { self.dial(name) })
    links[name] = link
  }

  // MARK: From connections

  func opened(_ connection: Connection) {
    guard let peer = connection.peer, !isStopped else { return connection.close(nil) }
    switch connection.direction {
    case .accepted(let slot):
      admission.authenticated(slot)
      greeting[slot] = nil
      let previous = accepted.updateValue(connection, forKey: peer)
      previous?.close("the peer dialled again")
      // Who dials is up: waiting out the backoff would only keep the group apart.
      dial(peer)
    case .dialled(let name):
      links[name]?.state = .open(connection)
      links[name]?.backoff.reset()
      deliver(.connected(name))
      drain(name)
    }
  }

  func received(_ message: [UInt8], from peer: String, on connection: Connection) {
    guard !isStopped, accepted[peer] === connection else { return }
    deliver(.message(from: peer, message))
  }

  func writable(_ connection: Connection) {
    if case .dialled(let name) = connection.direction { drain(name) }
  }

  func closed(_ connection: Connection, wasOpen: Bool, reason: String?) {
    let place = connection.remote
    switch connection.direction {
    case .accepted(let slot):
      notice("Connection from \(connection.peer ?? "a stranger") (\(place)) ended: \(reason ?? "they closed it")")
      greeting[slot] = nil
      if !wasOpen { admission.failed(slot, now: .now()) }
      if let name = connection.peer, accepted[name] === connection { accepted[name] = nil }
    case .dialled(let name):
      notice("Connection to \(name) (\(place)) ended: \(reason ?? "they closed it")")
      links[name]?.queue.pause()
      if wasOpen && !isStopped { deliver(.disconnected(name)) }
      redial(name)
    }
  }

  // MARK: Sending

  /// Writes while TCP takes more; what does not fit waits in the bounded queue.
  private func drain(_ name: String) {
    guard case .open(let connection)? = links[name]?.state, let queue = links[name]?.queue else { return }
    var unflushed = 0
    while connection.isWritable, let message = queue.next() {
      connection.write(.message(message))
      unflushed += message.count
      if unflushed >= Switchboard.flushBytes {
        connection.flush()
        unflushed = 0
      }
    }
    connection.flush()
  }

  private func notice(_ sentence: String) { if !isStopped { onNotice?(sentence) } }
}
