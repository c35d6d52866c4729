import SyncConsensus

/// A disk behind a journal of transactions: one that was not synced may be lost, with all that came after it, and one
/// is never there in part, which is what the storage promises.
struct SimulatedDisk {
  /// What a process reads.
  private(set) var current: [[UInt8]: [UInt8]] = [:]
  /// What outlasts the power.
  private(set) var synced: [[UInt8]: [UInt8]] = [:]
  private var pending: [[StoredRecord]] = []

  mutating func write(_ records: [StoredRecord]) {
    SimulatedDisk.apply(records, to: &current)
    pending.append(records)
  }

  mutating func sync() {
    for records in pending { SimulatedDisk.apply(records, to: &synced) }
    pending = []
  }

  /// Loses a suffix of what was written since the last sync; its length is drawn by `number`.
  mutating func losePower(_ number: UInt64) {
    pending = Array(pending.prefix(Int(number % UInt64(pending.count + 1))))
    sync()
    current = synced
  }

  /// Loses one key for good, as no disk should: a planted defect.
  mutating func forget(_ key: [UInt8]) {
    current[key] = nil
    synced[key] = nil
  }

  /// Records whose keys begin with `prefix` and are not below `from`, ascending.
  func scan(prefix: [UInt8], from: [UInt8], limit: Int) -> [StoredRecord] {
    let keys = current.keys.filter { $0.starts(with: prefix) && !$0.lexicographicallyPrecedes(from) }
    return keys.sorted { $0.lexicographicallyPrecedes($1) }.prefix(limit).map {
      StoredRecord(key: $0, value: current[$0])
    }
  }

  private static func apply(_ records: [StoredRecord], to store: inout [[UInt8]: [UInt8]]) {
    for record in records { store[record.key] = record.value }
  }
}
