import AsyncHTTPClient
import Foundation
import NIOCore
import NodeAssembly
import SyncProof
import SyncRuntime

/// Talks to a node's gateway.
struct GatewayClient {
  /// The largest JSON answer that is taken.
  private static let jsonBytesMax = 16 << 20
  /// A transcript or report: what a node keeps of one, several times over where much of it had to be made visible.
  private static let textBytesMax = 160 << 20
  /// Resolving a package runs its package manager in a sandbox.
  private static let submitSeconds: Int64 = 600

  /// Without a second try: a node that is not there is told at once.
  private static let http: HTTPClient = {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout.connect = .seconds(5)
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  let base: String

  /// - Parameter base: Such as `http://127.0.0.1:7680`.
  init(_ base: String) { self.base = base.hasSuffix("/") ? String(base.dropLast()) : base }

  /// - Throws: ``CommandFailure`` unless the text is an `http` or `https` URL.
  init(checking text: String) throws(CommandFailure) {
    guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host != nil else {
      throw CommandFailure(.usage, "\(text) is no node; give its gateway's URL, such as http://127.0.0.1:7680")
    }
    self.init(text)
  }

  func status() async throws(CommandFailure) -> NodeStatus { try await json("/v1/status") }
  func misbehaviours() async throws(CommandFailure) -> [MisbehaviourStatus] {
    let list: MisbehaviourList = try await json("/v1/misbehaviours")
    return list.misbehaviours
  }
  func handovers() async throws(CommandFailure) -> HandoverList { try await json("/v1/handovers") }

  func proposal(_ id: Digest) async throws(CommandFailure) -> [UInt8] {
    try await bytes("/v1/proposals/\(id.hex)", max: GroupFile.bytesMax)
  }

  /// The proof of the hand-over that ended this epoch.
  func handover(epoch: UInt64) async throws(CommandFailure) -> [UInt8] {
    try await bytes("/v1/handovers/\(epoch)", max: ProofLimits.proofBytesMax)
  }

  /// Hands a signed proposal or approval to the group.
  func submitHandover(_ entry: [UInt8]) async throws(CommandFailure) -> HandoverList {
    var http = HTTPClientRequest(url: base + "/v1/handovers")
    http.method = .POST
    http.headers.add(name: "content-type", value: "application/octet-stream")
    http.body = .bytes(ByteBuffer(bytes: entry))
    return try decode(try await send(http, max: GatewayClient.jsonBytesMax, seconds: 30).body)
  }

  func job(_ id: String) async throws(CommandFailure) -> JobStatus { try await json("/v1/jobs/\(id)") }

  /// The newest jobs, those ordered before `before` where given.
  func jobs(limit: Int, before: String? = nil) async throws(CommandFailure) -> [JobStatus] {
    let list: JobList = try await json("/v1/jobs?limit=\(limit)" + (before.map { "&before=\($0)" } ?? ""))
    return list.jobs
  }

  func proof(job: String) async throws(CommandFailure) -> [UInt8] {
    try await bytes("/v1/proofs/\(job)", max: ProofLimits.proofBytesMax)
  }

  /// What this node's attempt printed, as the gateway makes it fit for a terminal.
  func transcript(job: String, attempt: Int?) async throws(CommandFailure) -> [UInt8] {
    let number = attempt.map { "/\($0)" } ?? ""
    return try await bytes("/v1/jobs/\(job)/transcript\(number)", max: GatewayClient.textBytesMax)
  }

  /// - Parameter suffix: Nothing for the summary, `.txt` or `.html`.
  func report(job: String, suffix: String) async throws(CommandFailure) -> [UInt8] {
    try await bytes("/v1/jobs/\(job)/divergence\(suffix)", max: GatewayClient.textBytesMax)
  }

  /// A file of the log, as C2SP tlog-tiles names it.
  func file(_ path: String, bytesMax: Int) async throws(CommandFailure) -> [UInt8] {
    try await bytes("/" + path, max: bytesMax)
  }

  func checkpoint() async throws(CommandFailure) -> [UInt8] { try await bytes("/checkpoint", max: 1 << 20) }

  func submit(_ request: SubmitRequest) async throws(CommandFailure) -> String {
    let (_, data) = try await send(
      try submission(request), max: GatewayClient.jsonBytesMax, seconds: GatewayClient.submitSeconds)
    let accepted: Accepted = try decode(data)
    return accepted.id
  }

  /// Submits, and tells apart what the node says to it.
  func offer(_ request: SubmitRequest) async -> SubmitAnswer {
    do {
      let response = try await GatewayClient.http.execute(
        try submission(request), timeout: .seconds(GatewayClient.submitSeconds))
      var body = try await response.body.collect(upTo: 1 << 16)
      let bytes = body.readBytes(length: body.readableBytes) ?? []
      if response.status == .accepted { return .accepted(try (decode(bytes) as Accepted).id) }
      let refusal = (try? decode(bytes) as Refusal)?.error
      let message = refusal?.message ?? "\(base) answered \(response.status)"
      let seconds = response.headers.first(name: "retry-after").flatMap { Int($0) } ?? 1
      switch response.status.code {
      case 429, 503: return .busy(seconds: max(0, seconds), message: message)
      case 400..<500: return .refused(code: refusal?.code ?? "\(response.status.code)", message: message)
      default: return .unreachable(message)
      }
    } catch let failure as CommandFailure {
      return .unreachable(failure.message)
    } catch {
      return .unreachable(unreachable(error).message)
    }
  }

  private func submission(_ request: SubmitRequest) throws(CommandFailure) -> HTTPClientRequest {
    var http = HTTPClientRequest(url: base + "/v1/jobs")
    http.method = .POST
    http.headers.add(name: "content-type", value: "application/json")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let body = try? encoder.encode(request) else {
      throw CommandFailure(.usage, "The package name cannot be written as JSON")
    }
    http.body = .bytes(ByteBuffer(bytes: body))
    return http
  }

  /// Fetches an artifact into a file, hashing what arrives; on a wrong digest nothing is left behind.
  ///
  /// - Parameter bytesMax: A longer answer is given up.
  func artifact(_ digest: Digest, to path: String, bytesMax: Int = 16 << 30) async throws(CommandFailure) {
    let partial = "\(path).\(getpid()).partial"
    guard FileManager.default.createFile(atPath: partial, contents: nil),
      let file = FileHandle(forWritingAtPath: partial)
    else { throw CommandFailure(.environment, "Cannot write \(path)") }
    defer {
      try? file.close()
      unlink(partial)
    }
    do {
      let response = try await GatewayClient.http.execute(
        HTTPClientRequest(url: base + "/v1/artifacts/\(digest.hex)"), timeout: .minutes(10))
      guard response.status == .ok else { throw await refusal(response, to: base) }
      var hasher = try FileHasher()
      var size = 0
      for try await var part in response.body {
        let bytes = part.readBytes(length: part.readableBytes) ?? []
        size += bytes.count
        guard size <= bytesMax else {
          throw CommandFailure(.environment, "\(base) sends more than \(bytesMax) bytes for one artifact")
        }
        try hasher.update(bytes)
        do {
          try file.write(contentsOf: bytes)
        } catch {
          throw CommandFailure(.environment, "Cannot write \(path): \(error.localizedDescription)")
        }
      }
      let got = try hasher.finish()
      guard got == digest else {
        throw CommandFailure(.notVerified, "\(base) sent bytes with SHA-256 \(got) for \(digest); nothing was kept")
      }
      guard rename(partial, path) == 0 else { throw CommandFailure(.environment, "Cannot write \(path)") }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw unreachable(error)
    }
  }

  private struct JobList: Decodable { let jobs: [JobStatus] }
  private struct MisbehaviourList: Decodable { let misbehaviours: [MisbehaviourStatus] }
  private struct Accepted: Decodable { let id: String }
  private struct Refusal: Decodable {
    struct Body: Decodable {
      let code: String
      let message: String
    }
    let error: Body
  }

  private func json<T: Decodable>(_ path: String) async throws(CommandFailure) -> T {
    try decode(try await bytes(path, max: GatewayClient.jsonBytesMax))
  }

  private func decode<T: Decodable>(_ bytes: [UInt8]) throws(CommandFailure) -> T {
    do {
      return try JSONDecoder().decode(T.self, from: Data(bytes))
    } catch {
      throw CommandFailure(.environment, "\(base) does not answer as a Synchronicity gateway does; is it one?")
    }
  }

  private func bytes(_ path: String, max: Int) async throws(CommandFailure) -> [UInt8] {
    try await send(HTTPClientRequest(url: base + path), max: max, seconds: 30).body
  }

  private func send(_ request: HTTPClientRequest, max: Int, seconds: Int64) async throws(CommandFailure) -> (
    status: UInt, body: [UInt8]
  ) {
    do {
      let response = try await GatewayClient.http.execute(request, timeout: .seconds(seconds))
      guard (200..<300).contains(response.status.code) else { throw await refusal(response, to: request.url) }
      var body = try await response.body.collect(upTo: max)
      return (response.status.code, body.readBytes(length: body.readableBytes) ?? [])
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw unreachable(error)
    }
  }

  private func refusal(_ response: HTTPClientResponse, to asked: String) async -> CommandFailure {
    let body = try? await response.body.collect(upTo: 1 << 16)
    let refusal = body.flatMap { try? JSONDecoder().decode(Refusal.self, from: Data($0.readableBytesView)) }
    let message = refusal?.error.message ?? "\(base) answered \(response.status)"
    // What was asked for is wrong, or it is not there (yet): only the asker of the first can do something about it.
    let isMissingJob = response.status == .notFound && asked.hasPrefix(base + "/v1/jobs")
    let isWrong = (400..<500).contains(response.status.code) && response.status != .notFound
    return CommandFailure(isWrong || isMissingJob ? .usage : .environment, message)
  }

  private func unreachable(_ error: any Error) -> CommandFailure {
    CommandFailure(.environment, "Cannot reach \(base): \(error). Is the node running, and is the address right?")
  }
}
