import Synchronization
import SyncRuntime

/// A storage in memory that fails when it is told to, in both ways in which disks fail.
///
/// What it holds outlives ``close()``, as a disk does, so that a replica can come back to it. Thread: any.
public final class FaultyStorage: Storage {
  public enum Fault: Sendable {
    /// The write failed and nothing of it is there.
    case failed
    /// The write was reported as failed but all of it is there.
    case failedButPersisted
  }

  private struct State {
    var entries: [[UInt8]: [UInt8]] = [:]
    var fault: (after: Int, kind: Fault)?
    var durableWrites = 0
    var hasFaulted = false
  }
  private let state = Mutex(State())

  public init() {}

  /// Fails the durable write that comes after `count` more of them.
  public func fail(after count: Int, _ kind: Fault) {
    state.withLock { $0.fault = ($0.durableWrites + count, kind) }
  }

  /// Works again.
  public func mend() { state.withLock { $0.fault = nil } }

  /// Whether a write has failed.
  public var hasFaulted: Bool { state.withLock { $0.hasFaulted } }

  /// Loses one entry, as a write that was not durable is lost.
  public func forget(_ key: [UInt8]) { state.withLock { $0.entries[key] = nil } }

  /// All entries, to be put back later as an old backup would be.
  public var copy: [[UInt8]: [UInt8]] { state.withLock { $0.entries } }

  /// Puts an older copy back, with nothing of what was written since.
  public func restore(_ copy: [[UInt8]: [UInt8]]) { state.withLock { $0.entries = copy } }

  public var durableWrites: Int { state.withLock { $0.durableWrites } }

  public func get(_ key: [UInt8]) throws(PluginError) -> [UInt8]? { state.withLock { $0.entries[key] } }

  public func scan(prefix: [UInt8], from start: [UInt8], limit: Int) throws(PluginError)
    -> [(key: [UInt8], value: [UInt8])]
  {
    let found = state.withLock { state in
      state.entries.filter { $0.key.starts(with: prefix) && !$0.key.lexicographicallyPrecedes(start) }
    }
    return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(limit).map { ($0.key, $0.value) }
  }

  public func apply(_ batch: StorageBatch, durable: Bool) throws(PluginError) {
    let hasFailed = state.withLock { state in
      if durable { state.durableWrites += 1 }
      let fault = state.fault.flatMap { state.durableWrites > $0.after ? $0.kind : nil }
      if fault != .failed {
        for change in batch.changes {
          switch change {
          case .put(let key, let value): state.entries[key] = value
          case .delete(let key): state.entries[key] = nil
          }
        }
      }
      if fault != nil { state.hasFaulted = true }
      return fault != nil
    }
    if hasFailed { throw PluginError(.io, "The storage was told to fail") }
  }

  public func close() {}
}
