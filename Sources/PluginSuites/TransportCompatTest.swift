import SyncRuntime
import Synchronization

/// Checks that a ``Transport`` keeps its protocol's promises.
///
/// ```swift
/// let findings = await TransportCompatTest { name, peers in try world.makeTransport(name, peers: peers) }.run()
/// ```
public struct TransportCompatTest: Sendable {
  /// Gives a transport, not yet started, for the replica `name`, which knows `peers`.
  ///
  /// Called once for each replica of a small group, before any of them starts, and again with the same arguments when
  /// a replica comes back after its transport was stopped. No name is used in two groups.
  public typealias Make = @Sendable (_ name: String, _ peers: [String]) async throws -> any Transport

  private let make: Make
  private let impostor: Make?
  private let timeout: Duration

  /// - Parameters:
  ///   - timeout: The longest wait for anything, reconnecting included.
  ///   - impostor: Gives a transport at the replica's place, which says that it is the replica and does not have the
  ///     key that its peers know; `nil` leaves that check out.
  public init(timeout: Duration = .seconds(20), impostor: Make? = nil, make: @escaping Make) {
    (self.timeout, self.impostor, self.make) = (timeout, impostor, make)
  }

  public func run() async -> [CompatFinding] {
    var findings = await promises()
    if let impostor {
      findings.append(
        await CompatFinding.check("who cannot show to be a peer is told from it") { try await deceive(impostor) })
    }
    return findings
  }

  /// Checks that who has a peer's key, in another group, is no peer.
  ///
  /// - Parameter stranger: Gives a transport that has the replica's own key and another group than ``run()``'s.
  public func keepsApart(_ stranger: Make) async -> CompatFinding {
    await CompatFinding.check("a replica of another group is none of this one") { try await deceive(stranger) }
  }

  private func deceive(_ impostor: Make) async throws {
    let honest = Replica(name: "lie-a", transport: try await make("lie-a", ["lie-b"]))
    let other = Replica(name: "lie-b", transport: try await impostor("lie-b", ["lie-a"]))
    try await honest.start()
    do { try await other.start() } catch {
      await honest.transport.stop()
      throw error
    }
    honest.transport.send([1], to: "lie-b")
    other.transport.send([2], to: "lie-a")
    // Long enough for several attempts.
    try? await Task.sleep(for: .seconds(2))
    let (heard, told) = (honest.eventCount, other.messages.count)
    await other.transport.stop()
    await honest.transport.stop()
    try require(heard == 0, "it was told of a connection or a message")
    try require(told == 0, "the impostor was sent a message")
  }

  private func promises() async -> [CompatFinding] {
    [
      await check("peers connect and talk both ways", "pair") { a, b in
        a.transport.send([1], to: b.name)
        b.transport.send([2], to: a.name)
        try await wait("the first messages") { a.messages == [[2]] && b.messages == [[1]] }
      },
      await check("messages keep their order", "order") { a, b in
        let sent = (0..<2_000).map { i in [UInt8](repeating: UInt8(i & 0xFF), count: 2 + i % 300) }
        for message in sent { a.transport.send(message, to: b.name) }
        try await wait("2,000 messages") { b.messages.count >= sent.count }
        try require(b.messages == sent, "they came in another order or changed")
      },
      await check("empty and longest messages pass", "sizes") { a, b in
        let longest = (0..<TransportLimits.messageBytesMax).map { UInt8(truncatingIfNeeded: $0 &* 167 >> 4) }
        a.transport.send([], to: b.name)
        a.transport.send(longest, to: b.name)
        a.transport.send([9], to: b.name)
        try await wait("three messages") { b.messages.count >= 3 }
        try require(b.messages == [[], longest, [9]], "they came changed")
      },
      await check("what cannot be sent harms nothing", "refuse") { a, b in
        a.transport.send([UInt8](repeating: 0, count: TransportLimits.messageBytesMax + 1), to: b.name)
        a.transport.send([1], to: "nobody")
        a.transport.send([2], to: b.name)
        try await wait("the message after them") { !b.messages.isEmpty }
        try require(b.messages == [[2]], "\(b.messages.count) messages came")
      },
      await check("a peer's end and return are told", "return", restart),
      await check("sending to a peer that is away returns at once", "away") { a, b in
        await b.transport.stop()
        let message = [UInt8](repeating: 1, count: 1 << 20)
        let start = ContinuousClock.now
        for _ in 0..<200 { a.transport.send(message, to: b.name) }
        try require(ContinuousClock.now - start < .seconds(2), "200 sends took \(ContinuousClock.now - start)")
      },
      await check("nothing is delivered after stop", "stop") { a, b in
        for i in 0..<500 { a.transport.send([UInt8(i & 0xFF)], to: b.name) }
        await b.transport.stop()
        let count = b.eventCount
        await b.transport.stop()
        for i in 0..<500 { a.transport.send([UInt8(i & 0xFF)], to: b.name) }
        try await Task.sleep(for: .milliseconds(200))
        try require(b.eventCount == count, "\(b.eventCount - count) events came after stop")
        b.transport.send([1], to: a.name)
      },
      await CompatFinding.check("four replicas reach each other", four),
      await CompatFinding.check("a transport starts once") {
        let transport = try await make("once-a", ["once-b"])
        try await transport.start { _ in }
        do {
          try await transport.start { _ in }
        } catch {
          return await transport.stop()
        }
        await transport.stop()
        throw CompatFailure("a second start is not refused")
      },
    ]
  }

  private func restart(_ a: Replica, _ b: Replica) async throws {
    await b.transport.stop()
    try await wait("the disconnection") { a.has(.disconnected(b.name)) }
    let again = Replica(name: b.name, transport: try await make(b.name, [a.name]))
    try await again.start()
    do {
      try await wait("the second connection") { a.count(.connected(b.name)) >= 2 && again.has(.connected(a.name)) }
      a.transport.send([7], to: b.name)
      again.transport.send([8], to: a.name)
      try await wait("messages after the return") { again.messages.last == [7] && a.messages.last == [8] }
    } catch {
      await again.transport.stop()
      throw error
    }
    await again.transport.stop()
  }

  private func four() async throws {
    let names = ["four-a", "four-b", "four-c", "four-d"]
    var replicas: [Replica] = []
    for name in names {
      replicas.append(Replica(name: name, transport: try await make(name, names.filter { $0 != name })))
    }
    for replica in replicas { try await replica.start() }
    let started = replicas
    do {
      for replica in started {
        for name in names where name != replica.name {
          try await wait("\(replica.name) to reach \(name)") { replica.has(.connected(name)) }
          replica.transport.send([UInt8](replica.name.utf8), to: name)
        }
      }
      for replica in started {
        try await wait("\(replica.name) to hear everyone") { replica.messages.count >= 3 }
        for (sender, message) in replica.received {
          try require(message == [UInt8](sender.utf8), "a message of \(sender) is said to be of another")
        }
      }
    } catch {
      for replica in started { await replica.transport.stop() }
      throw error
    }
    for replica in started { await replica.transport.stop() }
  }

  /// Starts two replicas that are connected both ways, runs `body`, stops them.
  private func check(
    _ name: String, _ group: String, _ body: (Replica, Replica) async throws -> Void
  ) async -> CompatFinding {
    await CompatFinding.check(name) {
      let names = ("\(group)-a", "\(group)-b")
      let a = Replica(name: names.0, transport: try await make(names.0, [names.1]))
      let b = Replica(name: names.1, transport: try await make(names.1, [names.0]))
      var failure: (any Error)?
      do {
        try await a.start()
        try await b.start()
        try await wait("the connections") { a.has(.connected(b.name)) && b.has(.connected(a.name)) }
        try await body(a, b)
      } catch {
        failure = error
      }
      await a.transport.stop()
      await b.transport.stop()
      if let failure { throw failure }
    }
  }

  private func wait(_ what: String, until condition: () -> Bool) async throws {
    let end = ContinuousClock.now + timeout
    while !condition() {
      try require(ContinuousClock.now < end, "waited \(timeout) for \(what)")
      try await Task.sleep(for: .milliseconds(2))
    }
  }
}

/// A transport and what it has told.
private final class Replica: Sendable {
  let name: String
  let transport: any Transport
  private let events = Mutex<[TransportEvent]>([])

  init(name: String, transport: any Transport) { (self.name, self.transport) = (name, transport) }

  func start() async throws {
    try await transport.start { event in self.events.withLock { $0.append(event) } }
  }

  var eventCount: Int { events.withLock { $0.count } }
  func has(_ event: TransportEvent) -> Bool { events.withLock { $0.contains(event) } }
  func count(_ event: TransportEvent) -> Int { events.withLock { $0.count(where: { $0 == event }) } }

  var received: [(sender: String, message: [UInt8])] {
    events.withLock { events in
      events.compactMap { if case .message(let sender, let message) = $0 { (sender, message) } else { nil } }
    }
  }

  var messages: [[UInt8]] { received.map(\.message) }
}
