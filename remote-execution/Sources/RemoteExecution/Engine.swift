import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import SwiftProtobuf

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// One connection to an engine that speaks the Remote Execution API 2.
///
/// Thread: any.
struct Engine: Sendable {
  typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

  let options: EngineOptions
  let capabilities: EngineCapabilities
  let cancellation: Cancellation
  private let client: Client
  private let metadata: Metadata

  private static let callTime = Duration.seconds(60)
  private static let messageBytesMax = 16 << 20

  /// Connects, asks what the engine can do, and lets the body use it.
  ///
  /// - Throws: ``Fault/Code/unavailable`` when it cannot be reached, or cannot do what is needed.
  static func with<Value: Sendable>(
    _ options: EngineOptions, for runID: String, _ body: @escaping @Sendable (Engine) async throws -> Value
  ) async throws -> Value {
    let transport = try HTTP2ClientTransport.Posix(
      target: .dns(host: options.address.host, port: options.address.port),
      transportSecurity: try security(options),
      config: .defaults { config in
        // Below what servers permit by default, one in five minutes.
        config.connection.keepalive = .init(time: .seconds(330), timeout: .seconds(20), allowWithoutCalls: false)
        config.connection.maxIdleTime = nil
      })
    let metadata = try metadata(options, runID)
    let cancellation = Cancellation()
    // A task of its own: one that is cancelled has no connection any more.
    let work = Task {
      try await withGRPCClient(transport: transport) { client in
        let capabilities = try await capabilities(client, options, metadata)
        return try await body(
          Engine(
            options: options, capabilities: capabilities, cancellation: cancellation, client: client,
            metadata: metadata))
      }
    }
    do {
      return try await withTaskCancellationHandler {
        try await work.value
      } onCancel: {
        Task {
          await cancellation.cancel()
          work.cancel()
        }
      }
    } catch let error where cancellation.isWanted && !(error is Fault) {
      throw Fault(.cancelled, "The call was cancelled")
    }
  }

  private init(
    options: EngineOptions, capabilities: EngineCapabilities, cancellation: Cancellation, client: Client,
    metadata: Metadata
  ) {
    (self.options, self.capabilities, self.cancellation) = (options, capabilities, cancellation)
    (self.client, self.metadata) = (client, metadata)
  }

  private static func security(_ options: EngineOptions) throws -> HTTP2ClientTransport.Posix.TransportSecurity {
    guard options.address.isSecure else { return .plaintext }
    if let key = options.key { try EngineOptions.guarded(key) }
    return .tls { tls in
      if let path = options.authorities { tls.trustRoots = .certificates([.file(path: path, format: .pem)]) }
      if let path = options.certificate { tls.certificateChain = [.file(path: path, format: .pem)] }
      if let path = options.key { tls.privateKey = .file(path: path, format: .pem) }
    }
  }

  private static func metadata(_ options: EngineOptions, _ runID: String) throws -> Metadata {
    var about = RERequestMetadata()
    about.toolDetails.toolName = "synchronicity"
    about.toolInvocationID = runID
    var metadata: Metadata = [:]
    metadata.addBinary(
      try about.serializedBytes(), forKey: "build.bazel.remote.execution.v2.requestmetadata-bin")
    if let path = options.token {
      guard options.address.isSecure || options.address.isLoopback else {
        throw Fault(.invalid, "A token is not sent in the clear; use grpcs://")
      }
      metadata.addString("Bearer \(try EngineOptions.secret(path))", forKey: "authorization")
    }
    return metadata
  }

  private static func capabilities(_ client: Client, _ options: EngineOptions, _ metadata: Metadata) async throws
    -> EngineCapabilities
  {
    var request = REGetCapabilitiesRequest()
    request.instanceName = options.instance
    do {
      let told: REServerCapabilities = try await unary(
        client, "build.bazel.remote.execution.v2.Capabilities/GetCapabilities", request, metadata,
        time: .seconds(20))
      return try EngineCapabilities(told)
    } catch let error as RPCError {
      let address = "\(options.address.host):\(options.address.port)"
      throw Fault(.unavailable, "The engine at \(address) does not answer: \(Self.words(error))")
    }
  }

  // Calls.

  private static func unary<Request: Message, Response: Message>(
    _ client: Client, _ method: String, _ request: Request, _ metadata: Metadata, time: Duration
  ) async throws -> Response {
    var callOptions = CallOptions.defaults
    callOptions.timeout = time
    callOptions.maxResponseMessageBytes = messageBytesMax
    return try await client.unary(
      request: ClientRequest(message: request, metadata: metadata), descriptor: descriptor(method),
      serializer: ProtobufSerializer<Request>(), deserializer: ProtobufDeserializer<Response>(), options: callOptions
    ) { try $0.message }
  }

  func unary<Request: Message, Response: Message>(_ method: String, _ request: Request, time: Duration = callTime)
    async throws -> Response
  {
    try await Self.unary(client, method, request, metadata, time: time)
  }

  /// - Parameter producer: Gives the messages; what it throws ends the call.
  func upload<Request: Message, Response: Message>(
    _ method: String, time: Duration, _ producer: @escaping @Sendable (RPCWriter<Request>) async throws -> Void
  ) async throws -> Response {
    var callOptions = CallOptions.defaults
    callOptions.timeout = time
    return try await client.clientStreaming(
      request: StreamingClientRequest(metadata: metadata, producer: producer), descriptor: Self.descriptor(method),
      serializer: ProtobufSerializer<Request>(), deserializer: ProtobufDeserializer<Response>(), options: callOptions
    ) { try $0.message }
  }

  /// - Parameter time: `nil` for as long as it takes.
  func download<Request: Message, Response: Message, Value: Sendable>(
    _ method: String, _ request: Request, time: Duration?,
    _ consumer: @escaping @Sendable (RPCAsyncSequence<Response, any Error>) async throws -> Value
  ) async throws -> Value {
    var callOptions = CallOptions.defaults
    callOptions.timeout = time
    callOptions.maxResponseMessageBytes = Self.messageBytesMax
    return try await client.serverStreaming(
      request: ClientRequest(message: request, metadata: metadata), descriptor: Self.descriptor(method),
      serializer: ProtobufSerializer<Request>(), deserializer: ProtobufDeserializer<Response>(), options: callOptions
    ) { try await consumer($0.messages) }
  }

  private static func descriptor(_ method: String) -> MethodDescriptor {
    let parts = method.split(separator: "/")
    return MethodDescriptor(fullyQualifiedService: String(parts[0]), method: String(parts[1]))
  }

  /// An error of a call, for a sentence.
  static func words(_ error: RPCError) -> String {
    let cause = error.cause.map { " (\($0))" } ?? ""
    return "\(error.code)\(error.message.isEmpty ? "" : ", \(error.message)")\(cause)"
  }
}

extension EngineOptions.Address {
  /// By number, or as `localhost`: a name may lead anywhere.
  var isLoopback: Bool {
    var number = in_addr()
    return host == "localhost" || host == "::1" || (host.hasPrefix("127.") && inet_pton(AF_INET, host, &number) == 1)
  }
}

/// What of an engine's abilities matters here.
package struct EngineCapabilities: Sendable, Equatable {
  package let versions: String
  package let batchBytesMax: Int
  package let tree: MerkleTree.Abilities

  /// Less than what a gRPC message may have by default, for what stands around the content.
  private static let batchBytesDefault = (4 << 20) - (1 << 16)

  /// - Throws: ``Fault/Code/unavailable`` when it cannot do what is needed.
  package init(_ told: REServerCapabilities) throws {
    let low = told.lowApiVersion, high = told.highApiVersion
    versions = "\(low.major).\(low.minor) to \(high.major).\(high.minor)"
    guard told.hasExecutionCapabilities, told.executionCapabilities.execEnabled else {
      throw Fault(.unavailable, "The engine executes nothing: it says that it only keeps content")
    }
    guard told.cacheCapabilities.digestFunctions.contains(.sha256) else {
      throw Fault(.unavailable, "The engine does not name content by SHA-256")
    }
    // Some say 2.0 that know what 2.1 has brought; the probe's trial shows it.
    guard low.major <= 2, high.major >= 2 else {
      throw Fault(.unavailable, "The engine speaks the Remote Execution API \(versions); 2 is wanted")
    }
    let wanted = told.cacheCapabilities.maxBatchTotalSizeBytes
    batchBytesMax = wanted > 0 ? Int(min(wanted, Int64(Self.batchBytesDefault))) : Self.batchBytesDefault
    let properties = told.executionCapabilities.supportedNodeProperties.map { $0.lowercased() }
    tree = MerkleTree.Abilities(
      absoluteLinks: told.cacheCapabilities.symlinkAbsolutePathStrategy != .disallowed,
      modes: properties.contains("unix_mode") || properties.contains("unixmode"), times: properties.contains("mtime"))
  }
}
