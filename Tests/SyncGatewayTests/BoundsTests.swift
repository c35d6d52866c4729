import Foundation
import Glibc
import ServiceLifecycle
import SyncProof
import SyncRuntime
import Testing

@testable import SyncGateway

/// What a hostile or unlucky client can take: no more than the bounds say, and nothing from the others.
struct BoundsTests {
  static func seconds(_ work: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await work()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  /// Sends `start`, then one byte every 100 ms for as long as the gateway takes them, for at most 15 s.
  static func trickle(_ port: Int, _ start: String) async throws -> Double {
    try await seconds {
      try await blocking {
        let client = try HTTPClient(port: port)
        client.send(start)
        for _ in 0..<150 where !client.isClosed {
          client.send("a")
          usleep(100_000)
        }
        guard client.isClosed else { throw HTTPClient.Failure(description: "still open after 15 s") }
      }
    }
  }

  @Test func slowHeadsAndBodiesAreCutOff() async throws {
    try await withGateway(
      NodeDouble(),
      {
        $0.idleSeconds = 1
        $0.requestSeconds = 1
      },
      { port in
        let starts = [
          "GET /", "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ",
          "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
          // Refused at once; the rest of its body is not waited for without end.
          "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
          "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        ]
        try await withThrowingTaskGroup(of: Double.self) { group in
          for start in starts { group.addTask { try await Self.trickle(port, start) } }
          for try await time in group { #expect(time < 10) }
        }
        #expect(try await get(port, "/livez").status == 200)
      })
  }

  @Test func clientsThatDoNotReadAreCutOff() async throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([], "artifact")
    let size = 256 << 20
    #expect(truncate(path, off_t(size)) == 0)
    var view = NodeDouble()
    view.artifacts[NodeDouble.id(1)] = path
    try await withGateway(
      view, { $0.stallSeconds = 1 },
      { port in
        let received = try await blocking {
          let client = try HTTPClient(port: port)
          client.send("GET /v1/artifacts/\(NodeDouble.id(1).hex) HTTP/1.1\r\nHost: localhost\r\n\r\n")
          // The bound is 1 s; a busy machine fills the socket's buffers, and looks at the clock, later than that.
          sleep(12)
          var received = 0
          while let bytes = client.receive(max: 1 << 20), !bytes.isEmpty { received += bytes.count }
          return received
        }
        #expect(received > 0 && received < size)
        // A client that reads slowly but steadily gets everything, however long that takes against the bound.
        let steady = try await blocking {
          let client = try HTTPClient(port: port)
          client.send(
            "GET /v1/artifacts/\(NodeDouble.id(1).hex) HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-33554431\r\n\r\n")
          var received = 0
          while received < 32 << 20, let bytes = client.receive(max: 1 << 20), !bytes.isEmpty {
            received += bytes.count
            usleep(40_000)
          }
          return received
        }
        #expect(steady >= 32 << 20)
      })
  }

  @Test func largeBodiesAreRefusedBeforeTheyAreRead() async throws {
    try await withGateway { port in
      let head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      let declared = try await blocking {
        let client = try HTTPClient(port: port)
        client.send(head + "Content-Length: 10000000000\r\n\r\n{")
        return try client.reply()
      }
      #expect(declared.status == 413)
      let chunk = "8000\r\n" + String(repeating: " ", count: 0x8000) + "\r\n"
      let chunked = try await blocking {
        let client = try HTTPClient(port: port)
        client.send(head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk)
        return try client.reply()
      }
      #expect(chunked.status == 413)
      #expect(chunked.text.contains(#""code":"too_large""#))
      // One that never ends is cut off; what it could send is bounded by the drained bytes and the socket buffers.
      let taken = try await blocking {
        let client = try HTTPClient(port: port)
        client.send(head + "Transfer-Encoding: chunked\r\n\r\n")
        var taken = 0
        while taken < 4_000, client.send(chunk) { taken += 1 }
        return taken
      }
      #expect(taken < 4_000)
      let fits = try await post(
        port, #"{"package":"pkg:cargo/a@1"}"# + String(repeating: " ", count: GatewayLimits.bodyBytesMax - 27))
      #expect(fits.status == 202)
    }
  }

  @Test func largeHeadsAreRefused() async throws {
    try await withGateway { port in
      for field in ["X: " + String(repeating: "a", count: 9_000), String(repeating: "X: a\r\n", count: 101) + "Y: b"] {
        let reply = try await get(port, "/livez", field)
        #expect(reply.status == 400)
      }
      let long = try await get(port, "/" + String(repeating: "a", count: 6_000))
      #expect(long.status == 404)
    }
  }

  @Test func submissionsAreCounted() async throws {
    let (release, continuation) = AsyncStream<Void>.makeStream()
    let (started, signal) = AsyncStream<Void>.makeStream()
    var view = NodeDouble()
    view.onSubmit = { _ in
      signal.yield()
      for await _ in release { break }
      return NodeDouble.id(1)
    }
    try await withGateway(
      view, { $0.submissionsMax = 1 },
      { port in
        let body = #"{"package":"pkg:cargo/a@1"}"#
        async let first = post(port, body)
        for await _ in started { break }
        let second = try await post(port, body)
        #expect(second.status == 429)
        #expect(second["retry-after"] == "1")
        #expect(try await get(port, "/livez").status == 200)
        continuation.yield()
        #expect(try await first.status == 202)
        continuation.yield()
        #expect(try await post(port, body).status == 202)
      })
  }

  @Test func connectionsAreCounted() async throws {
    try await withGateway(
      NodeDouble(),
      {
        $0.connectionsMax = 2
        $0.idleSeconds = 2
      },
      { port in
        // The server takes up to four connections off the queue at once, so a burst passes the bound by three.
        let held = try await blocking { try (0..<8).map { _ in try HTTPClient(port: port) } }
        let time = try await Self.seconds {
          let reply = try await get(port, "/livez")
          #expect(reply.status == 200)
        }
        #expect(time > 1 && time < 15)
        let anyClosed = held.contains { $0.isClosed }
        #expect(anyClosed)
      })
  }

  @Test func manyClientsAtOnce() async throws {
    let folder = try TemporaryFolder()
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    var view = NodeDouble()
    view.artifacts[NodeDouble.id(1)] = try folder.write(bytes, "artifact")
    let tree = view.tree
    try await withGateway(view) { port in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<96 {
          group.addTask {
            switch number % 3 {
            case 0:
              let reply = try await get(port, "/v1/artifacts/\(NodeDouble.id(1).hex)")
              #expect(reply.body == bytes)
            case 1:
              let reply = try await get(port, "/tile/0/000")
              #expect(reply.body == tree.tile(level: 0, index: 0, width: 256))
            default:
              let reply = try await post(port, #"{"package":"pkg:cargo/a@1"}"#)
              #expect([202, 429].contains(reply.status))
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func aPortInUseIsNamed() async throws {
    try await withGateway { port in
      let second = Gateway(view: NodeDouble(), configuration: GatewayConfiguration(port: port), logger: quiet)
      let error = await #expect(throws: PluginError.self) { try await second.run() }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("127.0.0.1:\(port)") == true)
    }
    let elsewhere = Gateway(view: NodeDouble(), configuration: GatewayConfiguration(host: "192.0.2.1"), logger: quiet)
    let error = await #expect(throws: PluginError.self) { try await elsewhere.run() }
    #expect(error?.message.contains("192.0.2.1:8080") == true)
  }

  static let configurations: [(name: String, configuration: GatewayConfiguration)] = [
    ("empty host", GatewayConfiguration(host: "")), ("negative port", GatewayConfiguration(port: -1)),
    ("large port", GatewayConfiguration(port: 65_536)), ("no connections", GatewayConfiguration(connectionsMax: 0)),
    ("no time", GatewayConfiguration(idleSeconds: 0)), ("name with port", GatewayConfiguration(hostNames: ["a:80"])),
    ("name with scheme", GatewayConfiguration(hostNames: ["http://a"])),
    ("empty name", GatewayConfiguration(hostNames: [""])),
  ]

  @Test(arguments: configurations)
  func configurationsAreChecked(_ row: (name: String, configuration: GatewayConfiguration)) async {
    let gateway = Gateway(view: NodeDouble(), configuration: row.configuration, logger: quiet)
    let error = await #expect(throws: PluginError.self) { try await gateway.run() }
    #expect(error?.code == .invalid)
  }

  @Test func gracefulShutdownEndsTheService() async throws {
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    let gateway = Gateway(view: NodeDouble(), configuration: GatewayConfiguration(port: 0), logger: quiet) {
      continuation.yield($0)
    }
    let services = ServiceGroup(configuration: .init(services: [gateway], logger: quiet))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await services.run() }
      for await port in ports {
        #expect(try await get(port, "/livez").status == 200)
        // An idle connection must not hold the node up.
        let idle = try await blocking { try HTTPClient(port: port) }
        await services.triggerGracefulShutdown()
        try await group.waitForAll()
        // A connection that was being accepted just then is closed a moment later, long before it would be for idling.
        let deadline = ContinuousClock.now + .seconds(10)
        while !idle.isClosed, .now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        #expect(idle.isClosed)
        break
      }
    }
  }
}
