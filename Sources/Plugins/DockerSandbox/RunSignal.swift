import Synchronization

/// What wakes a run's watch, and whether the run was cancelled.
final class RunSignal: Sendable {
  private let cancelled = Mutex(false)
  private let continuation: AsyncStream<Void>.Continuation
  /// One element stands for any number of wakings. It has one reader.
  let wakings: AsyncStream<Void>

  init() { (wakings, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  var isCancelled: Bool { cancelled.withLock { $0 } }

  func wake() { continuation.yield() }

  func cancel() {
    cancelled.withLock { $0 = true }
    wake()
  }
}
