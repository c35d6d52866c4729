import Dispatch
import NIOCore
import Synchronization

/// Runs a node's work on its event loop, and what comes behind the loop's end on a queue, one after the other.
///
/// A caller that asks a node which has just ended gets an answer, where a loop that is shut down would leave it waiting
/// for ever. Thread: any.
final class NodeExecutor: SerialExecutor {
  private typealias Work = @Sendable () -> Void

  private enum State {
    case open
    /// The loop still runs what it was given.
    case closing([Work])
    case closed(DispatchQueue)
  }

  /// For tasks that ask the node, and spare the way over another thread.
  final class Tasks: TaskExecutor {
    private let executor: NodeExecutor
    init(_ executor: NodeExecutor) { self.executor = executor }

    func enqueue(_ job: consuming ExecutorJob) {
      let job = UnownedJob(job)
      executor.schedule { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
  }

  private let loop: any EventLoop
  private let state = Mutex(State.open)
  private let hasRun = Atomic<Bool>(true)

  /// Whether nothing has run on the node since the piece of work that said ``noteUntouched()`` as its last: what that
  /// read is still so.
  var isUntouched: Bool { !hasRun.load(ordering: .sequentiallyConsistent) }

  func noteUntouched() { hasRun.store(false, ordering: .sequentiallyConsistent) }

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    schedule {
      self.hasRun.store(true, ordering: .sequentiallyConsistent)
      job.runSynchronously(on: self.asUnownedSerialExecutor())
    }
  }

  /// Runs what belongs to no task.
  func run(_ work: @escaping @Sendable () -> Void) {
    schedule {
      self.hasRun.store(true, ordering: .sequentiallyConsistent)
      work()
    }
  }

  func checkIsolated() {
    if loop.inEventLoop { return }
    guard case .closed(let queue) = state.withLock({ $0 }) else { preconditionFailure("Not on the node's thread") }
    dispatchPrecondition(condition: .onQueue(queue))
  }

  private func schedule(_ work: @escaping Work) {
    state.withLock { state in
      switch state {
      case .open: loop.execute(work)
      case .closing(let waiting): state = .closing(waiting + [work])
      case .closed(let queue): queue.async(execute: work)
      }
    }
  }

  /// Gives nothing more to the loop; returns when the loop has run all that it had. Once.
  func close() async {
    let isFirst = state.withLock { state in
      guard case .open = state else { return false }
      state = .closing([])
      return true
    }
    guard isFirst else { return }
    try? await loop.submit {}.get()
    state.withLock { state in
      guard case .closing(let waiting) = state else { return }
      let queue = DispatchQueue(label: "synchronicity.node")
      for work in waiting { queue.async(execute: work) }
      state = .closed(queue)
    }
  }
}
