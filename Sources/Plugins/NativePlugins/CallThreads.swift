import Dispatch
import Glibc
import SyncRuntime
import Synchronization

/// Threads for functions of others, which may block: made when they are wanted, at most so many, gone when they were of
/// no use for a while.
///
/// None is Swift's or Dispatch's, so that a function that waits for the runtime does not take from it what it waits
/// for.
/// Thread: any.
package final class CallThreads: Sendable {
  private struct State {
    var works: [@Sendable () -> Void] = []
    var count = 0
    var idle = 0
  }

  private let state = Mutex(State())
  private let signal = DispatchSemaphore(value: 0)
  private let countMax: Int
  private static let idleSeconds = 10

  package init(countMax: Int) { self.countMax = countMax }

  /// Runs the work on a thread, at once or when one is free.
  package func run(_ work: @escaping @Sendable () -> Void) {
    let isNew = state.withLock { state in
      state.works.append(work)
      guard state.idle < state.works.count, state.count < countMax else { return false }
      state.count += 1
      state.idle += 1
      return true
    }
    if isNew { CallThreads.detach { self.serve() } }
    signal.signal()
  }

  private func serve() {
    CallThreads.isCallThread = true
    while true {
      let isLate = signal.wait(timeout: .now() + .seconds(CallThreads.idleSeconds)) == .timedOut
      let work: (@Sendable () -> Void)? = state.withLock { state in
        guard state.works.isEmpty else {
          state.idle -= 1
          return state.works.removeFirst()
        }
        if isLate {
          state.idle -= 1
          state.count -= 1
        }
        return nil
      }
      if let work {
        work()
        state.withLock { $0.idle += 1 }
      } else if isLate {
        return
      }
    }
  }

  /// Runs the work on a thread of its own, on which no signal of the program's is handled, as soon as one can be made.
  package static func detach(_ work: @escaping @Sendable () -> Void) {
    BlockingThread.start(takesSignals: false, work)
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  /// Whether this thread runs functions of others.
  package static var isCallThread: Bool {
    get { pthread_getspecific(key) != nil }
    set { pthread_setspecific(key, newValue ? UnsafeRawPointer(bitPattern: 1) : nil) }
  }
}
