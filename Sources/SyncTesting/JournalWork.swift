import SyncRuntime

/// What a process does with its journal before the power is cut: batches small and large, durable or not, deletions,
/// and closings. The same seed gives the same steps, so that who looks at the disk knows what had been written.
public enum JournalWork {
  public enum Step: Sendable {
    case apply(StorageBatch, durable: Bool)
    /// Closed and opened again.
    case reopen
  }

  /// The seed of one small durable batch, whose key no other seed has.
  public static let oneBatch: UInt64 = 0

  /// Values have some 15 MB together: beyond what goes ahead of a database of SQLite's at one time, more than once.
  public static func steps(seed: UInt64) -> [Step] {
    if seed == oneBatch { return [.apply(StorageBatch([.put(key: [100], value: [1])]), durable: true)] }
    var random = SeededGenerator(seed: seed)
    return (0..<90).map { number in
      if number % 37 == 36 { return .reopen }
      var changes: [StorageChange] = []
      for change in 0..<Int.random(in: 1...4, using: &random) {
        let key = [UInt8.random(in: 0..<24, using: &random)]
        switch Int.random(in: 0..<12, using: &random) {
        case 0: changes.append(.delete(key: key))
        case 1, 2:
          let count = Int.random(in: 100_000...400_000, using: &random)
          changes.append(.put(key: key, value: value(number, change, count: count)))
        default:
          let count = Int.random(in: 16...3_000, using: &random)
          changes.append(.put(key: key, value: value(number, change, count: count)))
        }
      }
      // More than goes ahead at all.
      if number == 50 { changes.append(.put(key: [99], value: value(number, 99, count: 5 << 20))) }
      return .apply(StorageBatch(changes), durable: Bool.random(using: &random))
    }
  }

  /// No two are the same, nor two pages of one.
  private static func value(_ number: Int, _ change: Int, count: Int) -> [UInt8] {
    var value = [UInt8](repeating: UInt8(number), count: count)
    for place in stride(from: 0, to: count - 3, by: 256) {
      value[place] = UInt8(change)
      value[place + 1] = UInt8(place >> 8 & 255)
      value[place + 2] = UInt8(place >> 16)
    }
    return value
  }

  /// What the journal holds behind the first `count` steps.
  public static func state(behind steps: some Sequence<Step>) -> [[UInt8]: [UInt8]] {
    var state: [[UInt8]: [UInt8]] = [:]
    for case .apply(let batch, _) in steps {
      for change in batch.changes {
        switch change {
        case .put(let key, let value): state[key] = value
        case .delete(let key): state[key] = nil
        }
      }
    }
    return state
  }

  /// Does all steps; `note` is told of each before it is begun and once it is done.
  public static func run<Journal: Storage>(
    seed: UInt64, open: () throws -> Journal, close: (Journal) -> Void,
    note: (_ step: Int, _ isDone: Bool) throws -> Void
  ) throws {
    var journal = try open()
    for (number, step) in steps(seed: seed).enumerated() {
      try note(number, false)
      switch step {
      case .apply(let batch, let durable): try journal.apply(batch, durable: durable)
      case .reopen:
        close(journal)
        journal = try open()
      }
      try note(number, true)
    }
    close(journal)
  }
}
