import Synchronization

/// Hands messages from many threads to one owner, bounded in bytes for each sender.
///
/// A sender that sends faster than the owner works loses its oldest messages, never somebody else's: what matters is
/// sent again by the consensus. Thread: any.
final class Mailbox<Element: Sendable>: Sendable {
  private struct Item {
    let element: Element
    let sender: String
    let bytes: Int
  }

  private struct State {
    var items: [Item] = []
    var bytes: [String: Int] = [:]
    var isScheduled = false
  }

  private let state = Mutex(State())
  private let bytesMaxPerSender: Int

  init(bytesMaxPerSender: Int) { self.bytesMaxPerSender = bytesMaxPerSender }

  /// - Returns: Whether the owner must be woken: `true` once until it has called ``takeAll()``.
  func put(_ element: Element, from sender: String, bytes: Int) -> Bool {
    state.withLock { state in
      var held = state.bytes[sender, default: 0] + bytes
      while held > bytesMaxPerSender, let oldest = state.items.firstIndex(where: { $0.sender == sender }) {
        held -= state.items.remove(at: oldest).bytes
      }
      state.bytes[sender] = held
      state.items.append(Item(element: element, sender: sender, bytes: bytes))
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
  }

  func takeAll() -> [Element] {
    state.withLock { state in
      let elements = state.items.map(\.element)
      state = State()
      return elements
    }
  }
}
