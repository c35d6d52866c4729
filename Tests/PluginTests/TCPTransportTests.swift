import Foundation
import SodiumSigner
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization
import Testing

@testable import TCPTransport

@Suite struct TCPTransportTests {
  @Test(.timeLimit(.minutes(2))) func conformsToTransport() async {
    let world = TransportWorld()
    let make: TransportCompatTest.Make = { name, peers in try world.makeTransport(name, peers: peers) }
    var findings = await TransportCompatTest(
      impostor: { name, peers in
        try TCPTransport(world.configuration(name, peers: peers), signer: world.signer("somebody else"))
      }, make: make
    ).run()
    findings.append(
      await TransportCompatTest(make: make).keepsApart { name, peers in
        var configuration = world.configuration(name, peers: peers)
        configuration.group = SHA256.hash([UInt8]("another group".utf8))
        return try TCPTransport(configuration, signer: world.signer(name))
      })
    for finding in findings { #expect(finding.hasPassed, "\(finding)") }
    #expect(findings.count == 11)
  }

  @Test func takenPortsAreNamed() async throws {
    let world = TransportWorld()
    let first = try world.makeTransport("a", peers: [])
    try await first.start { _ in }
    let second = try TCPTransport(world.configuration("a", peers: []), signer: world.signer("a"))
    let error = await #expect(throws: PluginError.self) { try await second.start { _ in } }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("Cannot listen on 127.0.0.1:\(world.port("a"))") == true)
    await first.stop()
    await second.stop()
  }

  @Test func aChildOfTheProgramDoesNotKeepThePort() async throws {
    let world = TransportWorld()
    let first = try world.makeTransport("a", peers: [])
    try await first.start { _ in }
    var child: pid_t = 0
    var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
    defer { for word in words { free(word) } }
    try #require(posix_spawnp(&child, "sleep", nil, nil, &words, environ) == 0)
    defer {
      kill(child, SIGKILL)
      var status: Int32 = 0
      waitpid(child, &status, 0)
    }
    await first.stop()
    let second = try TCPTransport(world.configuration("a", peers: []), signer: world.signer("a"))
    try await second.start { _ in }
    #expect(second.boundPort == world.port("a"))
    await second.stop()
  }

  @Test func badConfigurationsAreRefused() throws {
    let world = TransportWorld()
    let key = try world.signer("b").publicKey(for: .transport)
    let otherKey = try world.signer("c").publicKey(for: .transport)
    let ownKey = try world.signer("a").publicKey(for: .transport)
    let good = TCPTransport.Peer(name: "b", host: "localhost", port: 1, key: key)
    let rows: [(name: String, port: Int, peers: [TCPTransport.Peer])] = [
      ("two of a name", 0, [good, .init(name: "b", host: "localhost", port: 2, key: otherKey)]),
      ("two of a key", 0, [good, .init(name: "c", host: "localhost", port: 2, key: key)]),
      ("our own key", 0, [.init(name: "b", host: "localhost", port: 2, key: ownKey)]),
      ("peer's port 0", 0, [.init(name: "b", host: "localhost", port: 0, key: key)]),
      ("peer's port too high", 0, [.init(name: "b", host: "localhost", port: 65_536, key: key)]),
      ("no host", 0, [.init(name: "b", host: "", port: 1, key: key)]),
      ("listening port too high", 65_536, [good]),
    ]
    for row in rows {
      var configuration = world.configuration("a", peers: [])
      (configuration.listenPort, configuration.peers) = (row.port, row.peers)
      #expect(throws: PluginError(.invalid, ""), "\(row.name)") {
        try TCPTransport(configuration, signer: world.signer("a"))
      }
    }
  }

  @Test func theSystemChoosesPortZero() async throws {
    let world = TransportWorld()
    var configuration = world.configuration("a", peers: [])
    configuration.listenPort = 0
    let transport = try TCPTransport(configuration, signer: world.signer("a"))
    #expect(transport.boundPort == nil)
    try await transport.start { _ in }
    #expect((transport.boundPort ?? 0) > 0)
    await transport.stop()
  }

  @Test func hostNamesAndIPv6Work() async throws {
    let world = TransportWorld()
    var (first, second) = (world.configuration("a", peers: ["b"]), world.configuration("b", peers: ["a"]))
    (first.listenHost, second.listenHost) = ("::1", "127.0.0.1")
    (first.peers[0].host, second.peers[0].host) = ("localhost", "::1")
    try await expectTalk(world, first, second)
  }

  // MARK: Who is refused

  @Test func strangersAreRefused() async throws {
    let world = TransportWorld()
    let (events, strangersEvents) = (EventLog(), EventLog())
    let transport = try world.makeTransport("a", peers: ["b"], events: events)
    let stranger = try world.makeTransport("stranger", peers: ["a"], events: strangersEvents)
    try await transport.start(deliver: events.record)
    try await stranger.start(deliver: strangersEvents.record)
    stranger.send([1], to: "a")
    try await events.wait { $0.notices.contains { $0.contains("no member's") } }
    try await strangersEvents.wait { $0.notices.contains { $0.contains("Connection to a") } }
    #expect(events.events.isEmpty && strangersEvents.events.isEmpty)
    await stranger.stop()
    await transport.stop()
  }

  @Test func aPeerWithAnotherKeyIsRefused() async throws {
    let world = TransportWorld()
    let (events, peersEvents) = (EventLog(), EventLog())
    var configuration = world.configuration("a", peers: ["b"], events: events)
    configuration.peers[0].key = try world.signer("c").publicKey(for: .transport)
    let transport = try TCPTransport(configuration, signer: world.signer("a"))
    let peer = try world.makeTransport("b", peers: ["a"], events: peersEvents)
    try await transport.start(deliver: events.record)
    try await peer.start(deliver: peersEvents.record)
    try await events.wait {
      $0.notices.contains { $0.contains("not the one of b") } && $0.notices.contains { $0.contains("no member's") }
    }
    #expect(events.events.isEmpty && peersEvents.events.isEmpty)
    await peer.stop()
    await transport.stop()
  }

  @Test func otherGroupsAreRefused() async throws {
    let world = TransportWorld()
    let (events, peersEvents) = (EventLog(), EventLog())
    let transport = try world.makeTransport("a", peers: ["b"], events: events)
    var configuration = world.configuration("b", peers: ["a"], events: peersEvents)
    configuration.group = SHA256.hash([2])
    let peer = try TCPTransport(configuration, signer: world.signer("b"))
    try await transport.start(deliver: events.record)
    try await peer.start(deliver: peersEvents.record)
    try await events.wait { $0.notices.contains { $0.contains("another group") } }
    #expect(events.events.isEmpty && peersEvents.events.isEmpty)
    await peer.stop()
    await transport.stop()
  }

  @Test func plainTextIsRefused() async throws {
    let world = TransportWorld()
    let events = EventLog()
    let transport = try world.makeTransport("a", peers: ["b"], events: events)
    try await transport.start(deliver: events.record)
    for text in ["GET / HTTP/1.1\r\n\r\n", "\u{0}\u{0}\u{0}\u{23}", String(repeating: "x", count: 100_000)] {
      let socket = try #require(PlainSocket(port: world.port("a")))
      socket.write([UInt8](text.utf8))
      if text.utf8.count > 4 { #expect(socket.waitForEnd(seconds: 5)) }
    }
    try await expectTalk(world, transport, events)
  }

  @Test func halfOpenHandshakesAreBounded() async throws {
    let world = TransportWorld()
    let events = EventLog()
    var configuration = world.configuration("a", peers: ["b"], events: events)
    configuration.admission.slotsPerAddressMax = 5
    configuration.admission.cooldownMilliseconds = 50
    configuration.timing.handshakeMilliseconds = 3_000
    let transport = try TCPTransport(configuration, signer: world.signer("a"))
    try await transport.start(deliver: events.record)
    let sockets = try (0..<100).map { _ in try #require(PlainSocket(port: world.port("a"))) }
    let refused = sockets.count { $0.waitForEnd(seconds: 0.05) }
    #expect(refused == 95, "five handshakes may be open")
    #expect(sockets.allSatisfy { $0.waitForEnd(seconds: 15) }, "the handshake's time runs out")
    try await expectTalk(world, transport, events)
  }

  // MARK: Liveness

  @Test func aPeerThatCameBackIsDialledAtOnce() async throws {
    let world = TransportWorld()
    let events = EventLog()
    var configuration = world.configuration("a", peers: ["b"], events: events)
    (configuration.timing.backoffMinMilliseconds, configuration.timing.backoffMaxMilliseconds) = (60_000, 60_000)
    let transport = try TCPTransport(configuration, signer: world.signer("a"))
    try await transport.start(deliver: events.record)
    try await events.wait { $0.notices.contains { $0.contains("Cannot reach b") } }
    try await expectTalk(world, transport, events)
  }

  /// Has replica b come up beside `transport`, which is a, and talks both ways; then stops both.
  private func expectTalk(_ world: TransportWorld, _ transport: TCPTransport, _ events: EventLog) async throws {
    let peersEvents = EventLog()
    let peer = try world.makeTransport("b", peers: ["a"], events: peersEvents)
    try await peer.start(deliver: peersEvents.record)
    peer.send([1], to: "a")
    transport.send([2], to: "b")
    try await events.wait { $0.events.contains(.message(from: "b", [1])) }
    try await peersEvents.wait { $0.events.contains(.message(from: "a", [2])) }
    await peer.stop()
    await transport.stop()
  }

  private func expectTalk(
    _ world: TransportWorld, _ first: TCPTransport.Configuration, _ second: TCPTransport.Configuration
  ) async throws {
    let (events, peersEvents) = (EventLog(), EventLog())
    let transport = try TCPTransport(first, signer: world.signer("a"))
    let peer = try TCPTransport(second, signer: world.signer("b"))
    try await transport.start(deliver: events.record)
    try await peer.start(deliver: peersEvents.record)
    peer.send([1], to: "a")
    transport.send([2], to: "b")
    try await events.wait { $0.events.contains(.message(from: "b", [1])) }
    try await peersEvents.wait { $0.events.contains(.message(from: "a", [2])) }
    await peer.stop()
    await transport.stop()
  }
}
