import Glibc
import Synchronization

/// Names for things of one process, in which several nodes may live: no two are the same while the process does.
package enum UniqueName {
  private static let last = Atomic<UInt64>(0)

  /// The process's number and one that was not used before, such as `4711-3`.
  package static func next() -> String { "\(getpid())-\(last.add(1, ordering: .relaxed).newValue)" }
}
