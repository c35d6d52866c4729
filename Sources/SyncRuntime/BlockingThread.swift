import Dispatch
import Glibc

/// A thread for work that blocks for minutes, which must not take one of the concurrency pool's.
package enum BlockingThread {
  private static let retryMilliseconds = 50

  package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws(PluginError) -> Value) async
    -> Result<Value, PluginError>
  {
    await withCheckedContinuation { continuation in
      start {
        do throws(PluginError) { continuation.resume(returning: .success(try body())) } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
  }

  /// Runs the work on a thread of its own. Where the program has as many threads as it may, the work waits until it has
  /// fewer; Foundation's threads would not be begun, and not say so.
  ///
  /// Thread: any; it returns at once.
  ///
  /// - Parameter takesSignals: Whether signals of the program's may be handled on it; without, none is, nor in the
  ///   programs that it starts, unless they say so.
  package static func start(takesSignals: Bool = true, _ work: @escaping @Sendable () -> Void) {
    guard !isStarted(takesSignals, work) else { return }
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(retryMilliseconds)) {
      start(takesSignals: takesSignals, work)
    }
  }

  private final class Box: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }

  private static func isStarted(_ takesSignals: Bool, _ work: @escaping @Sendable () -> Void) -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let box = Unmanaged.passRetained(Box(work))
    var thread = pthread_t()
    var blocked = sigset_t()
    var before = sigset_t()
    // A new thread has the mask of the one that makes it.
    if takesSignals { sigemptyset(&blocked) } else { sigfillset(&blocked) }
    pthread_sigmask(SIG_BLOCK, &blocked, &before)
    let failure = pthread_create(
      &thread, &attributes,
      {
        Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().work(); return nil
      }, box.toOpaque())
    pthread_sigmask(SIG_SETMASK, &before, nil)
    if failure != 0 { box.release() }
    return failure == 0
  }
}
