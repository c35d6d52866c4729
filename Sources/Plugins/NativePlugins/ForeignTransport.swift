import CSyncNode
import SyncProof
import SyncRuntime
import Synchronization

/// A transport whose methods are C functions, with the queues that the plugin need not have. Thread: any.
public final class ForeignTransport: Transport {
  public struct Peer: Sendable {
    public var name: String
    /// As the group file has it.
    public var address: String
    public var key: PublicKey

    public init(name: String, address: String, key: PublicKey) {
      (self.name, self.address, self.key) = (name, address, key)
    }
  }

  private enum Lifecycle { case idle, starting, running, stopped }

  private struct State {
    var lifecycle = Lifecycle.idle
    var queues: [String: WaitingMessages]
    /// Peers to whom messages are being taken.
    var sending: [String: Sending] = [:]
    var ticket: UInt64 = 0
  }

  private struct Sending {
    var ticket: UInt64
    /// Not there yet at the very beginning.
    var call: ForeignCall?
  }

  /// What one call takes, unless a message alone has more.
  static let batchBytesMax = 1 << 20
  private static let stopDeadline = Duration.seconds(10)

  private let instance: ForeignInstance
  private let node: String
  private let listen: String
  private let group: Digest
  private let key: PublicKey
  private let peers: [Peer]
  private let link: ForeignLink
  private let state: Mutex<State>
  private let wakeUp: WakeUp

  /// The link is made before its owner.
  private final class WakeUp: Sendable {
    private let action = Mutex<(@Sendable (String) -> Void)?>(nil)
    func set(_ action: (@Sendable (String) -> Void)?) { self.action.withLock { $0 = action } }
    func call(_ peer: String) { action.withLock { $0 }?(peer) }
  }

  /// Makes the instance.
  ///
  /// - Parameters:
  ///   - listen: HOST:PORT.
  ///   - group: Of the group, in all its epochs; both sides of a connection hold the same.
  ///   - signer: Of the node; of use until ``stop()`` has returned.
  public init(
    _ plugin: NativePlugin, node: String, stateDirectory: String, settings: [String: String], listen: String,
    group: Digest, peers: [Peer], signer: any Signer
  ) async throws(PluginError) {
    key = try signer.publicKey(for: .transport)
    instance = try await ForeignInstance(
      plugin, node: node, stateDirectory: stateDirectory, settings: settings,
      // A call for each peer at most, and those that start and stop.
      callsMax: peers.count + 2)
    let wakeUp = WakeUp()
    link = ForeignLink(peers: Set(peers.map(\.name)), signer: signer) { wakeUp.call($0) }
    state = Mutex(
      State(queues: Dictionary(peers.map { ($0.name, WaitingMessages()) }, uniquingKeysWith: { first, _ in first })))
    (self.node, self.listen, self.group, self.peers, self.wakeUp) = (node, listen, group, peers, wakeUp)
    wakeUp.set { [weak self] in self?.sendNext(to: $0) }
  }

  public func start(deliver: @escaping @Sendable (TransportEvent) -> Void) async throws(PluginError) {
    let isFirst = state.withLock { state in
      guard state.lifecycle == .idle else { return false }
      state.lifecycle = .starting
      return true
    }
    guard isFirst else { throw PluginError(.invalid, "A transport starts once; make a new one") }
    link.open(deliver)
    let method = instance.plugin.table.transport.start
    let (node, listen, group, key, peers, number) = (node, listen, group, key, peers, link.number)
    do throws(PluginError) {
      _ = try await instance.call("start", expected: .done, deadline: ForeignInstance.short) { arena, instance, call in
        let forms = peers.map { peer in
          sync_peer(name: arena.text(peer.name), address: arena.text(peer.address), key: arena.bytes(peer.key.bytes))
        }
        let (size, version) = head(of: sync_listen_request.self)
        var form = sync_listen_request(
          struct_size: size, abi_version: version, link: OpaquePointer(bitPattern: number), name: arena.text(node),
          listen: arena.text(listen), group: arena.bytes(group.bytes), key: arena.bytes(key.bytes),
          peers: arena.structs(forms), peers_count: forms.count)
        return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
      }
    } catch {
      state.withLock { $0.lifecycle = .stopped }
      await end()
      throw error
    }
    let goesOn = state.withLock { state in
      guard state.lifecycle == .starting else { return false }
      state.lifecycle = .running
      return true
    }
    guard goesOn else {
      await endStarted()
      throw PluginError(.cancelled, "The transport \(instance.plugin.name) was stopped while it started")
    }
    for peer in peers { sendNext(to: peer.name) }
  }

  /// Puts the message into the peer's queue; one that is too long or for nobody is dropped.
  public func send(_ message: [UInt8], to peer: String) {
    guard message.count <= TransportLimits.messageBytesMax else { return }
    let isTaken = state.withLock { state in
      guard state.lifecycle != .stopped else { return false }
      return state.queues[peer]?.append(message) != nil
    }
    if isTaken { sendNext(to: peer) }
  }

  /// Calls the plugin with what waits for the peer, unless it is away or has a call already.
  private func sendNext(to peer: String) {
    guard link.isConnected(peer) else { return }
    let (batch, ticket) = state.withLock { state -> ([[UInt8]], UInt64) in
      guard state.lifecycle == .running, state.sending[peer] == nil else { return ([], 0) }
      let batch = state.queues[peer]?.take(ForeignTransport.batchBytesMax) ?? []
      guard !batch.isEmpty else { return ([], 0) }
      state.ticket += 1
      state.sending[peer] = Sending(ticket: state.ticket)
      return (batch, state.ticket)
    }
    guard !batch.isEmpty else { return }
    let method = instance.plugin.table.transport.send
    do throws(PluginError) {
      let call = try instance.start(
        "send", expected: .done, deadline: ForeignInstance.short, { [self] _ in sent(to: peer) }
      ) { arena, instance, call in
        let messages = batch.map { sync_message(bytes: arena.bytes($0), size: $0.count) }
        let (size, version) = head(of: sync_send_request.self)
        var form = sync_send_request(
          struct_size: size, abi_version: version, peer: arena.text(peer), messages: arena.structs(messages),
          messages_count: messages.count)
        return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
      }
      let isStopped = state.withLock { state in
        // It may have ended, and the next begun, before this thread came here.
        if state.sending[peer]?.ticket == ticket { state.sending[peer]?.call = call }
        return state.lifecycle == .stopped
      }
      if isStopped { ForeignInstance.cancel(call, call.what) }
    } catch {
      // The instance takes no calls any more: what waits for it would wait for ever.
      state.withLock { state in
        state.sending[peer] = nil
        state.queues[peer]?.clear()
      }
    }
  }

  /// One call at a time for each peer, also where one was given up: while its method runs, a next one would write into
  /// the middle of its message, and each would keep one more of the threads from the other peers.
  private func sent(to peer: String) {
    guard let call = state.withLock({ $0.sending[peer]?.call }) else { return goOn(to: peer) }
    call.whenAnswered { [weak self] in self?.goOn(to: peer) }
  }

  private func goOn(to peer: String) {
    state.withLock { $0.sending[peer] = nil }
    sendNext(to: peer)
  }

  public func stop() async {
    let (before, calls) = state.withLock { state in
      defer { state.lifecycle = .stopped }
      return (state.lifecycle, state.sending.values.compactMap(\.call))
    }
    for call in calls { ForeignInstance.cancel(call, call.what) }
    switch before {
    case .idle: await end()
    // Who starts it ends it.
    case .starting: await closeLink()
    case .running: await endStarted()
    case .stopped: break
    }
  }

  private func endStarted() async {
    let method = instance.plugin.table.transport.stop
    // Whatever it says: what it tells from here on is not heard.
    _ = try? await instance.call("stop", expected: .done, deadline: ForeignTransport.stopDeadline) {
      plain(method, $1, $2)
    }
    await end()
  }

  private func closeLink() async {
    _ = await BlockingThread.run { [link] () throws(PluginError) in link.close() }
  }

  private func end() async {
    await closeLink()
    await instance.close()
    wakeUp.set(nil)
    state.withLock { state in for peer in state.queues.keys { state.queues[peer]?.clear() } }
  }
}

/// What waits for one peer, bounded in bytes; the oldest give way.
struct WaitingMessages {
  private var messages: [[UInt8]] = []
  /// Those before it have been taken or have given way.
  private var first = 0
  private(set) var bytes = 0
  /// What a message costs beside its bytes, so that small ones have a bound as well.
  private static let overhead = 64

  mutating func append(_ message: [UInt8]) {
    messages.append(message)
    bytes += message.count + WaitingMessages.overhead
    while bytes > TransportLimits.queueBytesMax { _ = takeFirst() }
  }

  /// The oldest, together at most so many bytes, or one.
  mutating func take(_ bytesMax: Int) -> [[UInt8]] {
    var batch: [[UInt8]] = []
    var count = 0
    while first < messages.count, batch.isEmpty || count + messages[first].count <= bytesMax {
      count += messages[first].count
      batch.append(takeFirst())
    }
    return batch
  }

  mutating func clear() { self = WaitingMessages() }

  private mutating func takeFirst() -> [UInt8] {
    let message = messages[first]
    messages[first] = []
    bytes -= message.count + WaitingMessages.overhead
    first += 1
    if first > 1_024, first > messages.count / 2 {
      messages.removeFirst(first)
      first = 0
    } else if first == messages.count {
      messages.removeAll(keepingCapacity: first <= 1_024)
      first = 0
    }
    return message
  }
}
