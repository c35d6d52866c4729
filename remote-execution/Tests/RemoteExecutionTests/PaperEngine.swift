import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import RemoteExecution
import SwiftProtobuf
import Synchronization

/// An engine that executes nothing: it answers with what a test wants to see refused. The real one is what
/// scripts/remote-engine starts.
final class PaperEngine: RegistrableRPCService {
  struct Script: Sendable {
    /// Changes what the engine says that it can do.
    var capabilities: @Sendable (inout REServerCapabilities) -> Void = { _ in }
    var files: [String: Data] = [:]
    /// Changes a true answer.
    var response: @Sendable (inout REExecuteResponse) -> Void = { _ in }
    /// Errors of Execute and WaitExecution, before they answer.
    var errors: [RPCError] = []
    /// Statuses told in the answer, before it is the true one.
    var statuses: [Int32] = []
    /// Ends Execute without an answer, once it has told the work's name; WaitExecution gives the answer.
    var losesAnswer = false
    /// Never answers until it is asked to cancel.
    var waits = false
    /// Changes content on its way out.
    var content: @Sendable (Data) -> Data = { $0 }
    var refusesUploads = false
    /// Lacks what nobody has.
    var lacksTheUnknown = false
  }

  struct State {
    var script = Script()
    var blobs: [String: Data] = [:]
    var calls: [String] = []
    var actions: [REAction] = []
    var skipsCache = true
    var isCancelled = false
    var metadata: [String: String] = [:]
  }

  let state = Mutex(State())

  /// - Returns: What the body gives, and what the engine saw.
  static func with<Value: Sendable>(
    _ script: Script, _ body: @Sendable (EngineOptions, PaperEngine) async throws -> Value
  ) async throws -> Value {
    let engine = PaperEngine()
    engine.state.withLock { $0.script = script }
    let transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext)
    return try await withGRPCServer(transport: transport, services: [engine]) { server in
      guard let port = try await server.listeningAddress?.ipv4?.port,
        let address = EngineOptions.Address("grpc://127.0.0.1:\(port)")
      else { throw Fault(.io, "no port") }
      return try await body(EngineOptions(address: address, launcher: "/bin/true"), engine)
    }
  }

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    let api = "build.bazel.remote.execution.v2"
    unary(&router, "\(api).Capabilities", "GetCapabilities") { (_: REGetCapabilitiesRequest) in
      var told = REServerCapabilities()
      told.cacheCapabilities.digestFunctions = [.sha256]
      told.cacheCapabilities.maxBatchTotalSizeBytes = 100_000
      told.executionCapabilities.execEnabled = true
      (told.lowApiVersion.major, told.highApiVersion.major, told.highApiVersion.minor) = (2, 2, 3)
      self.state.withLock { $0.script }.capabilities(&told)
      return told
    }
    unary(&router, "\(api).ContentAddressableStorage", "FindMissingBlobs") { (request: REFindMissingBlobsRequest) in
      var response = REFindMissingBlobsResponse()
      response.missingBlobDigests = self.state.withLock { state in
        request.blobDigests.filter { state.blobs[$0.hash] == nil }
      }
      if self.state.withLock({ $0.script.lacksTheUnknown }) {
        for hash in ["x", "y"] {
          var digest = REDigest()
          (digest.hash, digest.sizeBytes) = (hash, .max)
          response.missingBlobDigests.append(digest)
        }
      }
      return response
    }
    unary(&router, "\(api).ContentAddressableStorage", "BatchUpdateBlobs") { (request: REBatchUpdateBlobsRequest) in
      var response = REBatchUpdateBlobsResponse()
      response.responses = request.requests.map { one in
        var answer = REBatchUpdateBlobsResponse.Response()
        answer.digest = one.digest
        self.state.withLock { state in
          if state.script.refusesUploads { answer.status.code = 8 } else { state.blobs[one.digest.hash] = one.data }
        }
        return answer
      }
      return response
    }
    unary(&router, "google.longrunning.Operations", "CancelOperation") { (_: RECancelOperationRequest) in
      self.state.withLock { $0.isCancelled = true }
      return Google_Protobuf_Empty()
    }
    streams(&router, "\(api).Execution", "Execute") { (request: REExecuteRequest, writer) in
      try await self.execute(request, writer)
    }
    streams(&router, "\(api).Execution", "WaitExecution") { (_: REWaitExecutionRequest, writer) in
      try await writer.write(try self.answer())
    }
    streams(&router, "google.bytestream.ByteStream", "Read") { (request: REReadRequest, writer) in
      let hash = String(request.resourceName.split(separator: "/").dropLast().last ?? "")
      let (data, change) = self.state.withLock { ($0.blobs[hash], $0.script.content) }
      guard let data else { throw RPCError(code: .notFound, message: "no such blob") }
      for start in stride(from: 0, to: change(data).count, by: 1_000) {
        var piece = REReadResponse()
        piece.data = change(data).dropFirst(start).prefix(1_000)
        try await writer.write(piece)
      }
    }
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: "google.bytestream.ByteStream", method: "Write"),
      deserializer: ProtobufDeserializer<REWriteRequest>(), serializer: ProtobufSerializer<REWriteResponse>()
    ) { request, _ in
      var data = Data(), name = ""
      for try await piece in request.messages {
        if name.isEmpty { name = piece.resourceName }
        data += piece.data
      }
      let hash = String(name.split(separator: "/").dropLast().last ?? "")
      self.state.withLock { $0.blobs[hash] = data }
      var response = REWriteResponse()
      response.committedSize = Int64(data.count)
      return StreamingServerResponse(single: ServerResponse(message: response))
    }
  }

  private func execute(_ request: REExecuteRequest, _ writer: RPCWriter<REOperation>) async throws {
    let error = try state.withLock { state -> RPCError? in
      state.skipsCache = state.skipsCache && request.skipCacheLookup
      guard let data = state.blobs[request.actionDigest.hash] else {
        return RPCError(code: .failedPrecondition, message: "no action")
      }
      state.actions.append(try REAction(serializedBytes: data))
      return state.script.errors.isEmpty ? nil : state.script.errors.removeFirst()
    }
    if let error { throw error }
    var begun = REOperation()
    begun.name = "work/1"
    try await writer.write(begun)
    while state.withLock({ $0.script.waits && !$0.isCancelled }) { try await Task.sleep(for: .milliseconds(5)) }
    if state.withLock({ $0.script.losesAnswer }) { throw RPCError(code: .unavailable, message: "gone") }
    try await writer.write(try answer())
  }

  private func answer() throws -> REOperation {
    var response = REExecuteResponse()
    state.withLock { state in
      for (name, data) in state.script.files.sorted(by: { $0.key < $1.key }) {
        var file = REOutputFile()
        file.path = "answer/\(name)"
        file.digest = REDigest(of: data)
        state.blobs[file.digest.hash] = data
        response.result.outputFiles.append(file)
      }
      if state.isCancelled { response.status.code = 1 }
      if !state.script.statuses.isEmpty { response.status.code = state.script.statuses.removeFirst() }
      state.script.response(&response)
    }
    var operation = REOperation()
    (operation.name, operation.done) = ("work/1", true)
    operation.response = try Google_Protobuf_Any(message: response)
    return operation
  }

  private func unary<Transport: ServerTransport, Input: Message, Output: Message>(
    _ router: inout RPCRouter<Transport>, _ service: String, _ method: String,
    _ body: @escaping @Sendable (Input) -> Output
  ) {
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: service, method: method),
      deserializer: ProtobufDeserializer<Input>(), serializer: ProtobufSerializer<Output>()
    ) { request, _ in
      self.note(method, request.metadata)
      let single = try await ServerRequest(stream: request)
      return StreamingServerResponse(single: ServerResponse(message: body(single.message)))
    }
  }

  private func streams<Transport: ServerTransport, Input: Message, Output: Message>(
    _ router: inout RPCRouter<Transport>, _ service: String, _ method: String,
    _ body: @escaping @Sendable (Input, RPCWriter<Output>) async throws -> Void
  ) {
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: service, method: method),
      deserializer: ProtobufDeserializer<Input>(), serializer: ProtobufSerializer<Output>()
    ) { request, _ in
      self.note(method, request.metadata)
      let single = try await ServerRequest(stream: request)
      return StreamingServerResponse { writer in
        try await body(single.message, writer)
        return [:]
      }
    }
  }

  private func note(_ method: String, _ metadata: Metadata) {
    state.withLock { state in
      state.calls.append(method)
      for value in metadata[stringValues: "authorization"] { state.metadata["authorization"] = value }
    }
  }
}
