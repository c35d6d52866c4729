import HashTreeCollections
import SyncProof

/// Jobs in the order of their deadlines, with removal from the middle.
///
/// Every job waits equally long and decided time does not go back, so the order of joining is the order of the
/// deadlines. A persistent map carries it: a copy for a speculative block shares everything with its parent.
struct JobQueue: Sendable {
  struct Waiting: Sendable {
    let job: Digest
    let deadlineMilliseconds: UInt64
  }

  private var jobs: TreeDictionary<UInt64, Waiting> = [:]
  /// Tickets in `first..<end` were given out; `first` is waiting still unless the queue is empty.
  private var first: UInt64 = 0
  private var end: UInt64 = 0

  /// The job with the earliest deadline.
  var head: Waiting? { jobs[first] }

  /// All that wait, in the order of their deadlines; O(n log n).
  var waiting: [Waiting] { jobs.sorted { $0.key < $1.key }.map(\.value) }

  /// - Returns: The ticket with which the job leaves.
  mutating func join(_ job: Digest, deadlineMilliseconds: UInt64) -> UInt64 {
    let ticket = end
    jobs[ticket] = Waiting(job: job, deadlineMilliseconds: deadlineMilliseconds)
    end += 1
    return ticket
  }

  mutating func leave(_ ticket: UInt64) {
    jobs[ticket] = nil
    while first < end, jobs[first] == nil { first += 1 }
  }
}
