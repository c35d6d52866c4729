import CSyncABI
import CSyncNode
import NativePlugins
import SyncProof
import SyncRuntime
import Synchronization

extension CallError {
  /// What a node or a plugin could not do, as C has it.
  init(_ error: PluginError) {
    let code = (1...99).contains(error.code.rawValue) ? error.code.rawValue : PluginError.Code.io.rawValue
    self.init(200 + code, Text(error.message))
  }
}

/// Runs asynchronous work for a thread of the caller's, which waits.
///
/// - Parameter executor: Where the work runs.
/// - Throws: `SYNC_ERROR_TIMED_OUT` when time is up; the work goes on.
func waiting<T: Sendable>(
  until deadline: UInt64?, on executor: (any TaskExecutor)? = nil,
  _ work: @escaping @Sendable () async throws(PluginError) -> T
) throws(CallError) -> T {
  let answer = Answer<T>()
  Task.detached(executorPreference: executor) {
    do throws(PluginError) { answer.put(.success(try await work())) } catch { answer.put(.failure(error)) }
  }
  switch answer.take(until: deadline) {
  case .success(let value)?: return value
  case .failure(let error)?: throw CallError(error)
  case nil: throw CallError(SYNC_ERROR_TIMED_OUT, "Time is up; what was asked for may happen all the same")
  }
}

/// Asks a node something short: on its own executor, which spares the way over another thread.
func asking<T: Sendable>(
  _ view: NodeSuccession, until deadline: UInt64? = nil,
  _ work: @escaping @Sendable (NodeSuccession) async throws(PluginError) -> T
) throws(CallError) -> T {
  try waiting(until: deadline, on: view.node.taskExecutor) { () throws(PluginError) in try await work(view) }
}

/// What a caller's thread waits for.
final class Answer<T: Sendable>: Sendable {
  private let value = Mutex<Result<T, PluginError>?>(nil)
  private let monitor = Monitor()

  func put(_ result: Result<T, PluginError>) {
    value.withLock { $0 = result }
    monitor.signal()
  }

  func take(until deadline: UInt64?) -> Result<T, PluginError>? {
    monitor.wait(until: deadline) { value.withLock { $0 != nil } }
    return value.withLock { $0 }
  }
}
