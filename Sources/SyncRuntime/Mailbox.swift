import Synchronization

/// Hands messages from many threads to one owner, bounded in bytes for each sender.
///
/// What a sender sends beyond its bound, faster than the owner works, is dropped, and nobody else's: what matters is
/// sent again by the consensus. Thread: any.
final class Mailbox<Element: Sendable>: Sendable {
  /// What an element costs beside its bytes, so that empty messages are bounded too.
  static var elementOverheadBytes: Int { 128 }

  private struct State {
    var elements: [Element] = []
    var bytes: [String: Int] = [:]
    var isScheduled = false
  }

  private let state = Mutex(State())
  private let bytesMaxPerSender: Int

  init(bytesMaxPerSender: Int) { self.bytesMaxPerSender = bytesMaxPerSender }

  /// - Parameter sender: Whose bound it counts against; `nil` for what this process itself says, which is never
  ///   dropped.
  /// - Returns: Whether the owner must be woken: `true` once until it has called ``takeAll()``.
  func put(_ element: Element, from sender: String?, bytes: Int) -> Bool {
    state.withLock { state in
      if let sender {
        let held = state.bytes[sender, default: 0] + bytes + Mailbox.elementOverheadBytes
        guard held <= bytesMaxPerSender else { return false }
        state.bytes[sender] = held
      }
      state.elements.append(element)
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
  }

  func takeAll() -> [Element] {
    state.withLock { state in
      defer { state = State() }
      return state.elements
    }
  }
}
