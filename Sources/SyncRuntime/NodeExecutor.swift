import Dispatch
import NIOCore
import Synchronization

/// Runs a node's work on its event loop, and what comes behind the loop's end on a queue, one after the other.
///
/// A caller that asks a node which has just ended gets an answer, where a loop that is shut down would leave it waiting
/// for ever. A task that prefers it asks the node without a change of threads. Thread: any.
final class NodeExecutor: SerialExecutor, TaskExecutor {
  private enum State {
    case open
    /// The loop still runs what it was given.
    case closing([UnownedJob])
    case closed(DispatchQueue)
  }

  private let loop: any EventLoop
  private let state = Mutex(State.open)

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { state in
      switch state {
      case .open: loop.execute { self.run(job) }
      case .closing(let waiting): state = .closing(waiting + [job])
      case .closed(let queue): queue.async { self.run(job) }
      }
    }
  }

  private func run(_ job: UnownedJob) {
    job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
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
      for job in waiting { queue.async { self.run(job) } }
      state = .closed(queue)
    }
  }
}
