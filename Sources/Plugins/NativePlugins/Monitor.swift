import Glibc

/// Threads that wait for a condition, and one that says that it may hold now.
package final class Monitor: @unchecked Sendable {
  // Neither moves while the monitor lives.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func signal() {
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// - Parameter deadline: Monotonic nanoseconds; `nil` waits for ever.
  /// - Returns: Whether the condition holds.
  @discardableResult
  package func wait(until deadline: UInt64?, _ holds: () -> Bool) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !holds() {
      guard let deadline else {
        pthread_cond_wait(condition, mutex)
        continue
      }
      var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
      if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return holds() }
    }
    return true
  }

  package static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// When a C caller's timeout is over; `nil` for never.
  package static func deadline(_ timeout: UInt64) -> UInt64? {
    // Beyond some centuries a number of seconds does not fit, and nobody notices.
    guard timeout < UInt64.max / 2 else { return nil }
    return now() + timeout
  }
}
