import DequeModule
import SyncProof

/// Remembers the newest digests, at most `capacity`.
struct BoundedSet: Sendable {
  private var members: Set<Digest> = []
  private var order: Deque<Digest> = []
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  func contains(_ digest: Digest) -> Bool { members.contains(digest) }

  mutating func insert(_ digest: Digest) {
    guard members.insert(digest).inserted else { return }
    order.append(digest)
    if order.count > capacity, let oldest = order.popFirst() { members.remove(oldest) }
  }
}
