import NIOCore
import SyncRuntime
import Synchronization

/// The messages that wait for one peer, bounded in bytes; the oldest give way.
///
/// Thread: ``append(_:)`` from any, ``next()`` from the event loop.
final class SendQueue: Sendable {
  private struct State {
    var messages: CircularBuffer<[UInt8]> = []
    var bytes = 0
    /// Whether somebody will call ``SendQueue/next()`` without being woken.
    var isAwaited = true
    var dropped: UInt64 = 0
  }

  private let bytesMax: Int
  private let state = Mutex(State())

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// - Returns: Whether the event loop must be woken to send.
  func append(_ message: [UInt8]) -> Bool {
    state.withLock { state in
      state.messages.append(message)
      state.bytes += message.count
      while state.bytes > bytesMax, let oldest = state.messages.popFirst() {
        state.bytes -= oldest.count
        state.dropped += 1
      }
      defer { state.isAwaited = true }
      return !state.isAwaited
    }
  }

  /// The oldest message; after `nil`, the next ``append(_:)`` asks for a wake-up.
  func next() -> [UInt8]? {
    state.withLock { state in
      guard let message = state.messages.popFirst() else {
        state.isAwaited = false
        return nil
      }
      state.bytes -= message.count
      return message
    }
  }

  /// Says that ``next()`` will be called when there is a connection again.
  func pause() { state.withLock { $0.isAwaited = true } }

  var bytes: Int { state.withLock { $0.bytes } }
  var dropped: UInt64 { state.withLock { $0.dropped } }
}
