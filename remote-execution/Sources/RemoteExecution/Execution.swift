import Foundation
import GRPCCore
import SwiftProtobuf
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// An action's way through the engine.
struct Execution: Sendable {
  private static let service = "build.bazel.remote.execution.v2.Execution"
  /// Answers that may be lost one behind the other, before the run is given up.
  private static let lossesMax = 6
  private static let cancelTime = Duration.seconds(3)
  /// A connection that held so long is no failure when it ends.
  private static let steadyTime = Duration.seconds(30)
  private static let refusals: Set<RPCError.Code> = [
    .notFound, .invalidArgument, .permissionDenied, .unauthenticated, .unimplemented, .failedPrecondition, .outOfRange,
  ]

  let engine: Engine
  /// Where the engine's name for the work is kept, for `clean`.
  let noteFile: String

  /// Executes an action, whatever a cache has of it.
  ///
  /// A lost connection is taken up again, since the work goes on without it. When the call is cancelled, the engine is
  /// asked to end the work, and is heard to the end of it, for some seconds.
  ///
  /// - Throws: ``Fault``; ``Fault/Code/notFound`` when the engine lacks content that it was given.
  func run(_ action: REDigest) async throws -> REExecuteResponse {
    var request = REExecuteRequest()
    request.instanceName = engine.options.instance
    request.skipCacheLookup = true
    request.actionDigest = action
    request.executionPolicy.priority = engine.options.priority
    let name = Name()
    // What an earlier execution has left there is over.
    unlink(noteFile)
    engine.cancellation.setFarewell {
      // Work without a name yet is ended as soon as it has one, by who follows it.
      if let text = name.text { await end(text) }
      // Engines that end work without a word, or not at all: `clean` sees to the rest.
      let begin = ContinuousClock.now
      while !name.isOver && ContinuousClock.now - begin < Self.cancelTime {
        try? await Task.sleep(for: .milliseconds(20))
      }
    }
    defer {
      name.isOver = true
      engine.cancellation.setFarewell(nil)
    }
    guard !engine.cancellation.isWanted else { throw Fault(.cancelled, "The call was cancelled") }
    return try await follow(request, name)
  }

  /// The engine's name for the work, once it is known.
  private final class Name: Sendable {
    private let state = Mutex<(text: String?, isOver: Bool)>((nil, false))

    var text: String? {
      get { state.withLock { $0.text } }
      set { state.withLock { $0.text = newValue } }
    }

    var isOver: Bool {
      get { state.withLock { $0.isOver } }
      set { state.withLock { $0.isOver = newValue } }
    }
  }

  private func follow(_ request: REExecuteRequest, _ name: Name) async throws -> REExecuteResponse {
    var losses = 0
    var words = "it ends its answers too early"
    while true {
      let begin = ContinuousClock.now
      do {
        let consume: @Sendable (RPCAsyncSequence<REOperation, any Error>) async throws -> REOperation? = { operations in
          for try await operation in operations {
            if name.text == nil {
              try note(operation.name)
              name.text = operation.name
              if engine.cancellation.isWanted { await end(operation.name) }
            }
            if operation.done { return operation }
          }
          return nil
        }
        let last: REOperation?
        if let text = name.text {
          var wait = REWaitExecutionRequest()
          wait.name = text
          last = try await engine.download("\(Self.service)/WaitExecution", wait, time: nil, consume)
        } else {
          last = try await engine.download("\(Self.service)/Execute", request, time: nil, consume)
        }
        if let last {
          unlink(noteFile)
          return try Self.response(of: last)
        }
      } catch let error as RPCError {
        // What was refused stays refused; a connection may come back. What stands between says it in many ways.
        let isLost = name.text == nil ? error.code == .unavailable : !Self.refusals.contains(error.code)
        guard isLost, !engine.cancellation.isWanted else { throw Self.fault(error.code.rawValue, error.message) }
        words = Engine.words(error)
      }
      // Long builds see many a connection end.
      if ContinuousClock.now - begin > Self.steadyTime { losses = 0 }
      losses += 1
      guard losses <= Self.lossesMax else { throw Fault(.unavailable, "The engine does not come back: \(words)") }
      // Without a name nothing tells whether the engine has begun: a build that runs twice is only slower.
      try await Task.sleep(for: .milliseconds(200 << losses))
    }
  }

  private func note(_ name: String) throws {
    guard (1...4_096).contains(name.utf8.count) else { throw Fault(.io, "The engine gave its work no usable name") }
    try Data(name.utf8).write(to: URL(fileURLWithPath: noteFile), options: .atomic)
  }

  private static func response(of operation: REOperation) throws -> REExecuteResponse {
    switch operation.result {
    case .error(let status)?: throw fault(Int(status.code), status.message)
    case .response(let any)?:
      let response = try REExecuteResponse(unpackingAny: any)
      guard response.status.code == 0 else { throw fault(Int(response.status.code), response.status.message) }
      guard !response.cachedResult else {
        throw Fault(.io, "The engine answered from a cache, although that was forbidden: such an answer is no rebuild")
      }
      return response
    case nil: throw Fault(.io, "The engine says that its work is done, and not how")
    }
  }

  /// - Parameter code: Of google.rpc.Code.
  private static func fault(_ code: Int, _ message: String) -> Fault {
    let words = message.isEmpty ? "" : ": \(message)"
    return switch code {
    case 1: Fault(.cancelled, "The engine's work was cancelled\(words)")
    case 3: Fault(.unavailable, "The engine refuses the action\(words)")
    case 4: Fault(.unavailable, "The engine ended the action at its time limit\(words)")
    case 7, 16: Fault(.unavailable, "The engine does not let this builder execute\(words)")
    // Mostly content that it has dropped; also no worker of the platform.
    case 9: Fault(.notFound, "The engine cannot execute the action as things are\(words)")
    default: Fault(.unavailable, "The engine could not execute the action (code \(code))\(words)")
    }
  }

  /// Asks the engine to end a piece of work.
  ///
  /// - Returns: False when it does not know how, or does not answer.
  @discardableResult
  func end(_ name: String) async -> Bool {
    var request = RECancelOperationRequest()
    request.name = name
    do {
      let _: Google_Protobuf_Empty = try await engine.unary(
        "google.longrunning.Operations/CancelOperation", request, time: Self.cancelTime)
      return true
    } catch let error as RPCError {
      // There is nothing of that name any more.
      return error.code == .notFound
    } catch { return false }
  }

  /// Waits for the end of work that a killed call of this program has left.
  ///
  /// - Returns: False when it goes on.
  func isOver(_ name: String, within time: Duration) async -> Bool {
    var request = REWaitExecutionRequest()
    request.name = name
    do {
      return try await engine.download("\(Self.service)/WaitExecution", request, time: time) {
        (operations: RPCAsyncSequence<REOperation, any Error>) in
        for try await operation in operations where operation.done { return true }
        return false
      }
    } catch let error as RPCError {
      return error.code == .notFound || error.code == .cancelled
    } catch { return false }
  }
}
