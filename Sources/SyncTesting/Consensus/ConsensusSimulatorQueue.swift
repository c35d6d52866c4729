/// Events by time, then by the order in which they were put in.
struct EventQueue<Event> {
  private var heap: [(time: UInt64, sequence: UInt64, event: Event)] = []
  private var sequence: UInt64 = 0

  private func precedes(_ a: Int, _ b: Int) -> Bool {
    (heap[a].time, heap[a].sequence) < (heap[b].time, heap[b].sequence)
  }

  mutating func push(_ event: Event, at time: UInt64) {
    sequence += 1
    heap.append((time, sequence, event))
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> (time: UInt64, event: Event)? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return (first.time, first.event) }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
      if least == parent { break }
      heap.swapAt(parent, least)
      parent = least
    }
    return (first.time, first.event)
  }
}
