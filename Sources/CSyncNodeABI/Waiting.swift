import CSyncABI
import CSyncNode
import Glibc
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
  return try taken(answer, until: deadline)
}

private func taken<T: Sendable>(_ answer: Answer<T>, until deadline: UInt64?) throws(CallError) -> T {
  switch answer.take(until: deadline) {
  case .success(let value)?: return value
  case .failure(let error)?: throw CallError(error)
  case nil: throw CallError(SYNC_ERROR_TIMED_OUT, "Time is up; what was asked for may happen all the same")
  }
}

/// Asks a node what it knows at once: without a task, which is most of what so short a question costs.
func asking<T: Sendable>(
  _ node: Node, until deadline: UInt64? = nil, _ work: @escaping @Sendable (isolated Node) -> T
) throws(CallError) -> T {
  let answer = Answer<T>()
  node.run { answer.put(.success(work($0))) }
  return try taken(answer, until: deadline)
}

/// Asks a node something: on its own executor, which spares the way over another thread.
func asking<T: Sendable>(
  _ view: NodeSuccession, until deadline: UInt64? = nil,
  _ work: @escaping @Sendable (NodeSuccession) async throws(PluginError) -> T
) throws(CallError) -> T {
  try waiting(until: deadline, on: view.node.taskExecutor) { () throws(PluginError) in try await work(view) }
}

/// What a caller's thread waits for.
final class Answer<T: Sendable>: Sendable {
  /// Nanoseconds for which a thread looks before it sleeps. A node that rests has answered by then, and to wake a
  /// thread costs more than all else that a short question does.
  private static var patience: UInt64 { 200_000 }

  private let value = Mutex<Result<T, PluginError>?>(nil)
  private let isThere = Atomic<Bool>(false)
  private let monitor = Monitor()

  func put(_ result: Result<T, PluginError>) {
    value.withLock { $0 = result }
    isThere.store(true, ordering: .releasing)
    monitor.signal()
  }

  func take(until deadline: UInt64?) -> Result<T, PluginError>? {
    let patience = Monitor.now() + Self.patience
    while !isThere.load(ordering: .acquiring), Monitor.now() < min(patience, deadline ?? .max) {
      // Whoever answers may have this core meanwhile.
      sched_yield()
    }
    monitor.wait(until: deadline) { isThere.load(ordering: .acquiring) }
    return value.withLock { $0 }
  }
}
