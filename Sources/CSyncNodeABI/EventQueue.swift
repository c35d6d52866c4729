import Glibc
import NativePlugins
import SyncRuntime
import Synchronization

/// The events that one subscriber has not taken yet. Thread: any.
final class EventQueue: Sendable {
  private struct State {
    var events: [(event: NodeEvent, dropped: UInt32)] = []
    var first = 0
    var dropped: UInt32 = 0
    var isClosed = false
    /// The thread on which a function gets the events.
    var observer = Observer.none
    var count: Int { events.count - first }
  }

  private enum Observer {
    case none, thread(pthread_t?), ended
  }

  private let capacity: Int
  private let state = Mutex(State())
  private let monitor = Monitor()

  init(capacity: Int) { self.capacity = capacity }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  func put(_ event: NodeEvent) {
    state.withLock { state in
      guard !state.isClosed else { return }
      guard state.count < capacity else {
        state.dropped = state.dropped == .max ? .max : state.dropped + 1
        return
      }
      state.events.append((event, state.dropped))
      state.dropped = 0
    }
    monitor.signal()
  }

  func close() {
    state.withLock { $0.isClosed = true }
    monitor.signal()
  }

  enum Taken { case event(NodeEvent, dropped: UInt32), none, over }

  func take(until deadline: UInt64?) -> Taken {
    monitor.wait(until: deadline) { state.withLock { $0.count > 0 || $0.isClosed } }
    return state.withLock { state in
      guard state.count > 0 else { return state.isClosed ? .over : .none }
      let taken = state.events[state.first]
      state.first += 1
      if state.first > 64, state.first * 2 > state.events.count {
        state.events.removeFirst(state.first)
        state.first = 0
      }
      return .event(taken.event, dropped: taken.dropped)
    }
  }

  var isObserved: Bool {
    state.withLock { state in
      if case .none = state.observer { return false }
      return true
    }
  }

  /// Hands each event to a function from now on, on a thread of its own, and `nil` behind the last.
  func observe(_ function: @escaping @Sendable ((event: NodeEvent, dropped: UInt32)?) -> Void) {
    state.withLock { $0.observer = .thread(nil) }
    CallThreads.detach { [self] in
      state.withLock { $0.observer = .thread(pthread_self()) }
      while case .event(let event, let dropped) = take(until: nil) { function((event, dropped)) }
      function(nil)
      state.withLock { $0.observer = .ended }
      monitor.signal()
    }
  }

  /// Drops what waits, and returns when no function is called any more; on the function's own thread at once.
  func end() {
    state.withLock { state in
      state.isClosed = true
      state.events = []
      state.first = 0
    }
    monitor.signal()
    monitor.wait(until: nil) {
      state.withLock { state in
        guard case .thread(let thread) = state.observer else { return true }
        return thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false
      }
    }
  }
}
