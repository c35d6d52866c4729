import Synchronization

/// The deadlines of all calls, kept by one thread that is there while there is one.
///
/// A task that sleeps keeps its memory until its time has come, also when it is cancelled; a call's deadline is an hour
/// away. Thread: any.
final class CallTimers: Sendable {
  private struct State {
    var timers: [(call: UInt, deadline: UInt64, action: @Sendable () -> Void)] = []
    var isServed = false
    /// Counts the changes.
    var generation = 0
  }

  static let shared = CallTimers()
  private let state = Mutex(State())
  private let monitor = Monitor()

  /// Calls `action`, once, on the timers' thread, unless ``forget(_:)`` comes first.
  ///
  /// - Parameter deadline: Monotonic nanoseconds.
  func add(_ call: UInt, _ deadline: UInt64, _ action: @escaping @Sendable () -> Void) {
    let isFirst = state.withLock { state in
      state.timers.append((call, deadline, action))
      state.generation += 1
      defer { state.isServed = true }
      return !state.isServed
    }
    if isFirst { CallThreads.detach { self.serve() } }
    monitor.signal()
  }

  /// Removes the call's timers.
  func forget(_ call: UInt) {
    state.withLock { state in
      state.timers.removeAll { $0.call == call }
      state.generation += 1
    }
    monitor.signal()
  }

  private func serve() {
    while true {
      let (due, next, isOver, generation) = state.withLock { state in
        let now = Monitor.now()
        let due = state.timers.filter { $0.deadline <= now }
        state.timers.removeAll { $0.deadline <= now }
        if due.isEmpty, state.timers.isEmpty { state.isServed = false }
        return (due, state.timers.map(\.deadline).min(), due.isEmpty && state.timers.isEmpty, state.generation)
      }
      if isOver { return }
      for timer in due { timer.action() }
      guard let next else { continue }
      monitor.wait(until: next) { state.withLock { $0.generation != generation } }
    }
  }
}
