import CZlib
import Foundation
import NIOCore
import NIOPosix
import SourceTools
import SyncProof
import SyncRuntime
import Synchronization

@testable import CratesSource

/// A sparse registry on loopback: what is published is served as a good registry would, and any path can be given
/// other answers.
final class TestRegistry: Sendable {
  struct Reply: Sendable {
    enum Style: Sendable { case whole, truncated, endless, slow }
    var status = 200
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    var style = Style.whole
  }

  private struct State {
    var files: [String: [UInt8]] = [:]
    var scripted: [String: [Reply]] = [:]
    var requests: [String] = []
  }

  private let state = Mutex(State())
  private let channel: any Channel
  let origin: String
  var url: String { "sparse+\(origin)/index/" }

  private init(channel: any Channel) {
    self.channel = channel
    origin = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    put("/index/config.json", "{\"dl\":\"\(origin)/dl/{crate}/{version}\"}")
  }

  static func with<Result>(_ body: (TestRegistry) async throws -> Result) async throws -> Result {
    let box = Mutex<TestRegistry?>(nil)
    let answer: @Sendable (String, [String: String]) -> Reply = { path, headers in
      box.withLock { $0 }?.reply(path, headers) ?? Reply(status: 500)
    }
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { child in
        child.eventLoop.makeCompletedFuture {
          try child.pipeline.syncOperations.addHandler(OneRequest(answer: answer))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let registry = TestRegistry(channel: channel)
    box.withLock { $0 = registry }
    do {
      let result = try await body(registry)
      try await channel.close()
      return result
    } catch {
      try await channel.close()
      throw error
    }
  }

  func put(_ path: String, _ text: String) { put(path, [UInt8](text.utf8)) }
  func put(_ path: String, _ bytes: [UInt8]) { state.withLock { $0.files[path] = bytes } }
  /// The answers to the next requests of a path, one each; the last one stays.
  func script(_ path: String, _ replies: Reply...) { state.withLock { $0.scripted[path] = replies } }
  /// Paths in the order of the requests, `304 ` before those that had not changed.
  var requests: [String] { state.withLock { $0.requests } }

  private func reply(_ path: String, _ headers: [String: String]) -> Reply {
    state.withLock { state in
      if var replies = state.scripted[path], let first = replies.first {
        state.requests.append(path)
        if replies.count > 1 { replies.removeFirst() }
        state.scripted[path] = replies
        return first
      }
      guard let body = state.files[path] else {
        state.requests.append(path)
        return Reply(status: 404)
      }
      let etag = "\"\(SHA256.hash(body).hex.prefix(16))\""
      let isKnown = headers["if-none-match"] == etag
      state.requests.append((isKnown ? "304 " : "") + path)
      return Reply(status: isKnown ? 304 : 200, headers: ["etag": etag], body: isKnown ? [] : body)
    }
  }

  /// Puts the archive and its line where clients look for them.
  func publish(_ crate: TestCrate, members: [CratesSourceArchiveTests.Member]? = nil) {
    publish(name: crate.name, version: crate.version, archive: crate.archive(members)) { crate.line(cksum: $0) }
  }

  func publish(name: String, version: String, archive: [UInt8], line: (String) -> String) {
    put("/dl/\(name)/\(version)", archive)
    let path = "/index/" + RegistryLayout.indexPath(name)
    let added = line(SHA256.hash(archive).hex) + "\n"
    state.withLock { $0.files[path, default: []] += [UInt8](added.utf8) }
  }
}

/// Answers one request of a connection.
private final class OneRequest: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let answer: @Sendable (String, [String: String]) -> TestRegistry.Reply
  private var received: [UInt8] = []

  init(answer: @escaping @Sendable (String, [String: String]) -> TestRegistry.Reply) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received += unwrapInboundIn(data).readableBytesView
    let text = String(decoding: received, as: UTF8.self)
    guard text.contains("\r\n\r\n") else { return }
    received = []
    let lines = text.split(separator: "\r\n")
    let words = lines[0].split(separator: " ")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    send(answer(words.count > 1 ? String(words[1]) : "", headers), on: context.channel)
  }

  private func send(_ reply: TestRegistry.Reply, on channel: any Channel) {
    var head = "HTTP/1.1 \(reply.status) X\r\nconnection: close\r\n"
    for (name, value) in reply.headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
    let length = reply.style == .truncated ? reply.body.count + 100 : reply.body.count
    if reply.style == .whole || reply.style == .truncated, reply.status != 304 {
      head += "content-length: \(length)\r\n"
    }
    channel.writeAndFlush(ByteBuffer(string: head + "\r\n"), promise: nil)
    switch reply.style {
    case .whole, .truncated:
      channel.writeAndFlush(ByteBuffer(bytes: reply.body)).whenComplete { _ in channel.close(promise: nil) }
    case .endless: Self.pour(ByteBuffer(repeating: 0x20, count: 1 << 16), each: .zero, on: channel)
    case .slow: Self.pour(ByteBuffer(repeating: 0x20, count: 1), each: .milliseconds(50), on: channel)
    }
  }

  private static func pour(_ bytes: ByteBuffer, each pause: TimeAmount, on channel: any Channel) {
    channel.writeAndFlush(bytes).whenSuccess {
      channel.eventLoop.scheduleTask(in: pause) { pour(bytes, each: pause, on: channel) }
    }
  }
}

/// A made-up crate: its manifest, its archive and its line of the index say the same.
struct TestCrate: Sendable {
  struct Need: Sendable {
    var name: String
    var req: String
    var features: [String] = []
    var isOptional = false
    var withDefault = true
    var target: String?
    var kind = "normal"
    /// The crate's own name, when `name` is another.
    var package: String?
  }

  var name: String
  var version = "1.0.0"
  var needs: [Need] = []
  var features: [String: [String]] = [:]
  var isYanked = false
  var compiler: String?
  var library = "pub fn f() -> u32 { 1 }\n"
  var buildScript: String?
  var lock: String?
  var edition = "2021"

  init(
    _ name: String, _ version: String = "1.0.0", needs: [Need] = [], features: [String: [String]] = [:],
    isYanked: Bool = false, compiler: String? = nil
  ) {
    (self.name, self.version, self.needs, self.features) = (name, version, needs, features)
    (self.isYanked, self.compiler) = (isYanked, compiler)
  }

  var manifest: String {
    var text = "[package]\nname = \"\(name)\"\nversion = \"\(version)\"\nedition = \"\(edition)\"\n"
    if let compiler { text += "rust-version = \"\(compiler)\"\n" }
    if buildScript != nil { text += "build = \"build.rs\"\n" }
    text += "\n[features]\n"
    for (feature, values) in features.sorted(by: { $0.key < $1.key }) {
      text += "\(feature) = [\(values.map { "\"\($0)\"" }.joined(separator: ", "))]\n"
    }
    for need in needs {
      let table = need.kind == "normal" ? "dependencies" : "\(need.kind)-dependencies"
      text += "\n[\(need.target.map { "target.'\($0)'." } ?? "")\(table).\(need.name)]\nversion = \"\(need.req)\"\n"
      if let package = need.package { text += "package = \"\(package)\"\n" }
      if need.isOptional { text += "optional = true\n" }
      if !need.withDefault { text += "default-features = false\n" }
      text += "features = [\(need.features.map { "\"\($0)\"" }.joined(separator: ", "))]\n"
    }
    return text
  }

  func archive(_ members: [CratesSourceArchiveTests.Member]? = nil) -> [UInt8] {
    typealias Member = CratesSourceArchiveTests.Member
    let folder = "\(name)-\(version)"
    var all = [
      Member(path: "\(folder)/Cargo.toml", content: [UInt8](manifest.utf8)),
      Member(path: "\(folder)/src/lib.rs", content: [UInt8](library.utf8)),
    ]
    if let buildScript { all.append(Member(path: "\(folder)/build.rs", content: [UInt8](buildScript.utf8))) }
    if let lock { all.append(Member(path: "\(folder)/Cargo.lock", content: [UInt8](lock.utf8))) }
    return TestArchive.pack(members ?? all)
  }

  func line(cksum: String) -> String {
    let deps = needs.map { need in
      """
      {"name":"\(need.name)","req":"\(need.req)","features":\(Self.list(need.features)),\
      "optional":\(need.isOptional),"default_features":\(need.withDefault),\
      "target":\(Self.text(need.target)),"kind":"\(need.kind)","registry":null,"package":\(Self.text(need.package))}
      """
    }
    let old = features.filter { !Self.isNew($0.value) }
    let new = features.filter { Self.isNew($0.value) }
    return """
      {"name":"\(name)","vers":"\(version)","deps":[\(deps.joined(separator: ","))],"cksum":"\(cksum)",\
      "features":\(Self.table(old)),"features2":\(Self.table(new)),"yanked":\(isYanked),"links":null,\
      "rust_version":\(Self.text(compiler)),"v":2}
      """
  }

  private static func isNew(_ values: [String]) -> Bool {
    values.contains { $0.hasPrefix("dep:") || $0.contains("?/") }
  }

  private static func table(_ features: [String: [String]]) -> String {
    "{\(features.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\(list($0.value))" }.joined(separator: ","))}"
  }

  private static func list(_ values: [String]) -> String {
    "[\(values.map { "\"\($0)\"" }.joined(separator: ","))]"
  }

  private static func text(_ value: String?) -> String {
    value.map { "\"\($0.replacingOccurrences(of: "\"", with: "\\\""))\"" } ?? "null"
  }
}

/// Archives as cargo writes them: tar, its end mark, gzip without a time.
enum TestArchive {
  static func pack(_ members: [CratesSourceArchiveTests.Member]) -> [UInt8] {
    gzip(members.flatMap { $0.encode() } + [UInt8](repeating: 0, count: 1_024))
  }

  static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
      &stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 64)
    let (room, count) = (output.count, input.count)
    input.withUnsafeMutableBufferPointer { from in
      output.withUnsafeMutableBufferPointer { to in
        (stream.next_in, stream.avail_in) = (from.baseAddress, UInt32(count))
        (stream.next_out, stream.avail_out) = (to.baseAddress, UInt32(room))
        _ = deflate(&stream, Z_FINISH)
      }
    }
    return Array(output.prefix(room - Int(stream.avail_out)))
  }

  /// The files of a folder, in the order of their names, below `NAME-VERSION`.
  static func members(of folder: String, below name: String) throws -> [CratesSourceArchiveTests.Member] {
    try TreeDigest.entries(directory: folder).compactMap { entry in
      let path = String(decoding: entry.path, as: UTF8.self)
      guard case .file(let isExecutable, _) = entry.kind, path != ".cargo-checksum.json" else { return nil }
      return CratesSourceArchiveTests.Member(
        path: "\(name)/\(path)", content: try CrateFiles.read("\(folder)/\(path)", bytesMax: 16 << 20),
        mode: isExecutable ? 0o755 : 0o644)
    }
  }
}

extension RegistryLimits {
  /// As the real ones, but for a test's patience.
  static var quick: RegistryLimits {
    var limits = RegistryLimits()
    (limits.attemptsMax, limits.backoffMilliseconds, limits.requestMilliseconds) = (3, 5, 5_000)
    return limits
  }
}
