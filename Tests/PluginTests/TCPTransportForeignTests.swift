import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import TCPTransport

/// OpenSSL at the other end: what a foreign program sees of the transport, and what it can do to it.
@Suite(.enabled(if: OpenSSL.isInstalled, "the openssl program is needed"), .serialized)
struct TCPTransportForeignTests {
  private static let hello: [UInt8] = [0, 0, 0, 35, 0, 0, 1] + SHA256.hash([1]).bytes

  @Test func certificateIsOneForOpenSSL() throws {
    let world = TransportWorld()
    let folder = try TemporaryFolder()
    let signer = try world.signer("a")
    let path = folder.path + "/a.der"
    try Data(Certificate.encode(signer: signer)).write(to: URL(filePath: path))
    #expect(try Certificate.encode(signer: signer) == Certificate.encode(signer: signer))
    let pem = folder.path + "/a.pem"
    #expect(try OpenSSL.run(["x509", "-inform", "der", "-in", path, "-out", pem]).status == 0)
    #expect(try OpenSSL.run(["verify", "-check_ss_sig", "-x509_strict", "-CAfile", pem, pem]).output.contains("OK"))
    let key = try OpenSSL.run(["x509", "-in", pem, "-noout", "-text"]).output
    #expect(key.contains("ED25519") && key.contains("CN = synchronicity") && key.contains("Dec 31 23:59:59 9999"))
  }

  struct FrameRow: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    /// What the transport says of the end; `nil` when the message 01 02 03 must arrive.
    let notice: String?
    var testDescription: String { name }
  }

  static let frameRows: [FrameRow] = [
    FrameRow(name: "hello and message", bytes: hello + [0, 0, 0, 4, 1, 1, 2, 3], notice: nil),
    FrameRow(name: "alive in between", bytes: hello + [0, 0, 0, 1, 2, 0, 0, 0, 4, 1, 1, 2, 3], notice: nil),
    FrameRow(name: "message before hello", bytes: [0, 0, 0, 4, 1, 1, 2, 3], notice: "has no place here"),
    FrameRow(name: "second hello", bytes: hello + hello, notice: "has no place here"),
    FrameRow(
      name: "later version", bytes: [0, 0, 0, 35, 0, 0, 2] + SHA256.hash([1]).bytes, notice: "speaks version 2"),
    FrameRow(
      name: "other group", bytes: [0, 0, 0, 35, 0, 0, 1] + SHA256.hash([9]).bytes, notice: "another group or epoch"),
    FrameRow(name: "oversize before hello", bytes: [0, 0, 1, 1, 0], notice: "a frame of 257 bytes"),
    FrameRow(name: "oversize after hello", bytes: hello + [0, 0x40, 0, 2, 1], notice: "a frame of 4194306 bytes"),
    FrameRow(name: "longest length", bytes: hello + [0xFF, 0xFF, 0xFF, 0xFF], notice: "a frame of 4294967295 bytes"),
    FrameRow(name: "unknown kind", bytes: hello + [0, 0, 0, 1, 9], notice: "a frame of kind 9"),
    FrameRow(name: "plain text inside TLS", bytes: [UInt8]("GET / HTTP/1.1\r\n\r\n".utf8), notice: "a frame of"),
  ]

  /// The foreign peer holds the pinned key; its certificate is one that OpenSSL made, with names of its own.
  @Test(arguments: frameRows) func framesOfAForeignPeer(_ row: FrameRow) async throws {
    let foreign = try ForeignPeer()
    let (transport, events) = try await foreign.startTransport()
    let client = try OpenSSL.start(
      ["s_client", "-quiet", "-tls1_3", "-connect", "127.0.0.1:\(foreign.world.port("a"))"] + foreign.identity)
    client.write(row.bytes)
    if let notice = row.notice {
      try await events.wait { $0.notices.contains { $0.contains("from foreign") && $0.contains(notice) } }
      #expect(events.events.isEmpty)
    } else {
      try await events.wait { $0.events == [.message(from: "foreign", [1, 2, 3])] }
    }
    client.end()
    await transport.stop()
  }

  static let refusedClients: [(name: String, options: [String], hasKey: Bool)] = [
    ("TLS 1.2", ["-tls1_2"], true),
    ("no certificate", ["-tls1_3"], false),
    ("no common signature algorithm", ["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], true),
  ]

  @Test(arguments: refusedClients)
  func clientsAreRefusedBeforeAnyData(_ row: (name: String, options: [String], hasKey: Bool)) async throws {
    let foreign = try ForeignPeer()
    let (transport, events) = try await foreign.startTransport()
    let client = try OpenSSL.start(
      ["s_client", "-quiet", "-connect", "127.0.0.1:\(foreign.world.port("a"))"] + row.options
        + (row.hasKey ? foreign.identity : []))
    client.write(TCPTransportForeignTests.hello + [0, 0, 0, 4, 1, 1, 2, 3])
    try await events.wait { $0.notices.contains { $0.contains("from a stranger") && $0.contains("handshake failed") } }
    #expect(events.events.isEmpty)
    client.end()
    await transport.stop()
  }

  @Test func otherKeysOfOpenSSLAreRefused() async throws {
    let (foreign, other) = (try ForeignPeer(), try ForeignPeer())
    let (transport, events) = try await foreign.startTransport()
    let client = try OpenSSL.start(
      ["s_client", "-quiet", "-tls1_3", "-connect", "127.0.0.1:\(foreign.world.port("a"))"] + other.identity)
    client.write(TCPTransportForeignTests.hello)
    try await events.wait { $0.notices.contains { $0.contains("from a stranger") && $0.contains("no member's") } }
    client.end()
    await transport.stop()
  }

  /// A peer that stops reading: what waits for it is bounded, and its silence ends the connection.
  @Test func slowReaderCostsBoundedMemory() async throws {
    let foreign = try ForeignPeer()
    let server = try OpenSSL.start(
      ["s_server", "-quiet", "-tls1_3", "-accept", "\(foreign.world.port("foreign"))", "-Verify", "1"]
        + foreign.identity)
    server.write(TCPTransportForeignTests.hello)
    let (transport, events) = try await foreign.startTransport { $0.silenceMaxMilliseconds = 3_000 }
    try await events.wait { $0.events.contains(.connected("foreign")) }
    server.signal(SIGSTOP)

    let residentBefore = residentBytes()
    for i in 0..<500 {
      transport.send([UInt8](repeating: UInt8(i & 0xFF), count: 1 << 20), to: "foreign")
      if i % 50 == 0 { try await Task.sleep(for: .milliseconds(10)) }
    }
    try await Task.sleep(for: .milliseconds(300))
    #expect(transport.queuedBytes(for: "foreign") <= TransportLimits.queueBytesMax)
    #expect(transport.droppedMessages(to: "foreign") > 400)
    // 500 MiB were sent and the queue holds 16 of them; the rest of the bound is for the suites beside this one.
    #expect(residentBytes() - residentBefore < 250 << 20)
    try await events.wait { $0.events.contains(.disconnected("foreign")) }
    #expect(events.notices.contains { $0.contains("nothing was heard for 3000 ms") })
    server.end()
    await transport.stop()
  }

  private func residentBytes() -> Int {
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}

/// A member of the group whose key OpenSSL made, beside the transport `a`.
private struct ForeignPeer {
  let world = TransportWorld()
  let folder: TemporaryFolder
  let key: PublicKey
  var identity: [String] { ["-cert", folder.path + "/foreign.pem", "-key", folder.path + "/foreign.key"] }

  init() throws {
    folder = try TemporaryFolder()
    let keyPath = folder.path + "/foreign.key"
    _ = try OpenSSL.run([
      "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", keyPath, "-out", folder.path + "/foreign.pem",
      "-subj", "/O=Somebody Else/CN=foreign", "-days", "1",
    ])
    let derPath = folder.path + "/foreign.der"
    _ = try OpenSSL.run(["pkey", "-in", keyPath, "-pubout", "-outform", "DER", "-out", derPath])
    key = try #require(PublicKey(bytes: [UInt8](try Data(contentsOf: URL(filePath: derPath))).suffix(32)))
  }

  func startTransport(
    _ adjust: (inout TCPTransport.Timing) -> Void = { _ in }
  ) async throws -> (transport: TCPTransport, events: EventLog) {
    let events = EventLog()
    var configuration = world.configuration("a", peers: [], events: events)
    configuration.peers = [
      TCPTransport.Peer(name: "foreign", host: "127.0.0.1", port: world.port("foreign"), key: key)
    ]
    adjust(&configuration.timing)
    let transport = try TCPTransport(configuration, signer: world.signer("a"))
    try await transport.start(deliver: events.record)
    return (transport, events)
  }
}

private final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "transport-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

private enum OpenSSL {
  private static let program = "/usr/bin/openssl"
  static let isInstalled = FileManager.default.isExecutableFile(atPath: program)

  static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  static func start(_ arguments: [String]) throws -> Running {
    let process = Process()
    let input = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return Running(process: process, input: input)
  }

  struct Running {
    let process: Process
    let input: Pipe

    func write(_ bytes: [UInt8]) { input.fileHandleForWriting.write(Data(bytes)) }
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    func end() {
      signal(SIGKILL)
      process.waitUntilExit()
    }
  }
}
