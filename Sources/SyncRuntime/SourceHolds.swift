import Synchronization
import SyncProof

/// Who has which source tree of a data folder in sight.
///
/// A tree is checked, fetched or removed by one at a time, and neither replaced nor swept away under a build that
/// reads it. Thread: any.
final class SourceHolds: Sendable {
  private struct State {
    /// Builds that read each tree.
    var readers: [Digest: Int] = [:]
    /// Trees that somebody is at, and who waits for that.
    var busy: [Digest: [CheckedContinuation<Void, Never>]] = [:]
  }

  private let state = Mutex(State())

  /// Waits until nobody else is at the tree.
  func enter(_ tree: Digest) async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.busy[tree] != nil else {
          state.busy[tree] = []
          return true
        }
        state.busy[tree]?.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  /// Lets the next one at it.
  ///
  /// - Parameter reads: Whether the caller goes on to read the tree, until it calls ``give(_:)``.
  func leave(_ tree: Digest, reads: Bool) {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if reads { state.readers[tree, default: 0] += 1 }
      guard state.busy[tree]?.isEmpty == false else {
        state.busy[tree] = nil
        return nil
      }
      return state.busy[tree]?.removeFirst()
    }
    next?.resume()
  }

  func give(_ trees: [Digest]) {
    state.withLock { state in
      for tree in trees {
        let left = (state.readers[tree] ?? 0) - 1
        state.readers[tree] = left > 0 ? left : nil
      }
    }
  }

  func isRead(_ tree: Digest) -> Bool { state.withLock { $0.readers[tree] != nil } }

  /// Runs `body`, which must be short, while nobody can come to the tree.
  ///
  /// - Returns: Its result; `false` without running it when somebody reads the tree or is at it.
  func ifAlone(_ tree: Digest, _ body: () -> Bool) -> Bool {
    state.withLock { $0.readers[tree] == nil && $0.busy[tree] == nil && body() }
  }
}
