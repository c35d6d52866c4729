import AsyncHTTPClient
import Foundation
import NIOCore
import SyncRuntime

/// The Docker Engine's HTTP API on its unix socket. Thread: any.
///
/// Requests are not cancelled with their task: an answer that is not awaited could name a container that nobody
/// removes.
struct DockerEngine: Sendable {
  /// The version of Docker 20.10; every later engine still answers to it or to the version it names as its minimum.
  static let apiVersion = "1.41"
  private static let answerBytesMax = 8 << 20
  /// No call of ours waits for a build; a hanging engine shall not hang the node.
  private static let patience = TimeAmount.seconds(120)
  /// Far above the number of builds side by side, since each holds one connection for its transcript.
  private static let connectionsMax = 4_096

  let socketPath: String

  struct Answer: Sendable {
    let status: UInt
    let body: [UInt8]
    /// Podman names itself in a header of every answer.
    let isPodman: Bool

    /// The engine's names begin with a capital letter; the properties that they are read into do not.
    func decoded<Value: Decodable>(_ type: Value.Type, _ what: String) throws(PluginError) -> Value {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .custom { path in
        let name = path.last?.stringValue ?? ""
        return EngineKey(stringValue: name.prefix(1).lowercased() + name.dropFirst())
      }
      do { return try decoder.decode(type, from: Data(body)) } catch {
        throw PluginError(.io, "The Docker engine's answer to \(what) cannot be understood: \(error)")
      }
    }

    /// The engine's own sentence.
    var message: String {
      struct Refusal: Decodable { let message: String }
      let text = (try? JSONDecoder().decode(Refusal.self, from: Data(body)))?.message
      return String((text ?? String(decoding: body, as: UTF8.self)).prefix(500))
    }
  }

  /// Never shut down: it lives as long as the process, on the process's shared event loops.
  private static let client: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.timeout.connect = .seconds(5)
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connectionsMax
    // A socket that no engine listens on is told at once.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.idleTimeout = .seconds(5)
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  /// - Parameter query: Pairs, in the order in which they are sent.
  func call(_ method: String, _ path: String, query: [(String, String)] = [], json: Data? = nil)
    async throws(PluginError) -> Answer
  {
    var request = try request(method, path, query)
    if let json {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: json))
    }
    return try await answer(to: request, "\(method) \(path)", deadline: .now() + Self.patience)
  }

  /// Sends a file as the request's body; it may take an hour.
  ///
  /// - Parameter onHalf: Called when half of it is handed to the connection.
  func upload(
    _ path: String, query: [(String, String)], file: String, bytes: UInt64,
    onHalf: @escaping @Sendable () -> Void = {}
  ) async throws(PluginError) -> Answer {
    var request = try request("POST", path, query)
    request.headers.add(name: "Content-Type", value: "application/x-tar")
    let chunks = FileChunks(path: file, half: bytes / 2, onHalf: onHalf)
    request.body = .stream(chunks, length: .known(Int64(clamping: bytes)))
    return try await answer(to: request, "POST \(path)", deadline: .now() + .hours(1))
  }

  /// An answer that goes on until the engine ends it, such as a container's attached streams.
  func stream(_ method: String, _ path: String, query: [(String, String)]) async throws(PluginError)
    -> HTTPClientResponse.Body
  {
    let request = try request(method, path, query)
    do {
      let response = try await Self.client.execute(request, deadline: .distantFuture)
      guard response.status.code / 100 == 2 else {
        let answer = try await Self.collect(response)
        throw PluginError(.io, "The Docker engine refuses \(method) \(path): \(answer.message)")
      }
      return response.body
    } catch let error as PluginError {
      throw error
    } catch {
      throw unreachable("\(method) \(path)", error)
    }
  }

  private func request(_ method: String, _ path: String, _ query: [(String, String)]) throws(PluginError)
    -> HTTPClientRequest
  {
    var parts = URLComponents()
    parts.queryItems = query.isEmpty ? nil : query.map { URLQueryItem(name: $0.0, value: $0.1) }
    // A plus sign would be read as a space.
    let tail = (parts.percentEncodedQuery ?? "").replacingOccurrences(of: "+", with: "%2B")
    let uri = "/v\(Self.apiVersion)\(path)" + (tail.isEmpty ? "" : "?\(tail)")
    guard let url = URL(httpURLWithSocketPath: socketPath, uri: uri) else {
      throw PluginError(.invalid, "'\(socketPath)' cannot be the path of a Docker engine's socket")
    }
    var request = HTTPClientRequest(url: url.absoluteString)
    request.method = .init(rawValue: method)
    // A socket has no name, and HTTP wants one.
    request.headers.add(name: "Host", value: "docker")
    return request
  }

  private func answer(to request: HTTPClientRequest, _ what: String, deadline: NIODeadline) async throws(PluginError)
    -> Answer
  {
    do {
      return try await Self.collect(try await Self.client.execute(request, deadline: deadline))
    } catch {
      throw unreachable(what, error)
    }
  }

  private static func collect(_ response: HTTPClientResponse) async throws -> Answer {
    let body = try await response.body.collect(upTo: answerBytesMax)
    return Answer(
      status: response.status.code, body: [UInt8](body.readableBytesView),
      isPodman: response.headers.contains(name: "Libpod-Api-Version"))
  }

  private func unreachable(_ what: String, _ error: any Error) -> PluginError {
    PluginError(
      .unavailable,
      "The Docker engine at \(socketPath) does not answer \(what): \(error); is it running, and may this user open its"
        + " socket?")
  }
}

/// A key of the engine's JSON.
struct EngineKey: CodingKey {
  let stringValue: String
  let intValue: Int? = nil
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// A file in pieces, read as the connection takes them.
private struct FileChunks: AsyncSequence, Sendable {
  let path: String
  let half: UInt64
  let onHalf: @Sendable () -> Void

  struct Iterator: AsyncIteratorProtocol {
    let chunks: FileChunks
    let file: FileHandle?
    var bytes: UInt64 = 0

    mutating func next() async throws -> ByteBuffer? {
      guard let file else { throw PluginError(.io, "Cannot open \(chunks.path)") }
      guard let data = try file.read(upToCount: 1 << 20), !data.isEmpty else { return nil }
      let before = bytes
      bytes += UInt64(data.count)
      if before <= chunks.half, bytes > chunks.half { chunks.onHalf() }
      return ByteBuffer(bytes: data)
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(chunks: self, file: FileHandle(forReadingAtPath: path)) }
}
