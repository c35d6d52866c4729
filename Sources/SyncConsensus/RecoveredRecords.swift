/// The records that earlier lives of the process made durable, read piece by piece while the replica starts.
public struct RecoveredRecords {
  /// Records whose keys start with `prefix` and are not below `from`, ascending, at most `limit`.
  public typealias Scan =
    (_ prefix: [UInt8], _ from: [UInt8], _ limit: Int) throws(ConsensusError) -> [StoredRecord]

  package let scan: Scan

  /// - Parameter scan: Reads from the storage; throws ``ConsensusError/Code/storage`` when that fails.
  public init(scan: @escaping Scan) { self.scan = scan }

  /// Records from memory, in any order.
  public init(_ records: [(key: [UInt8], value: [UInt8])] = []) {
    let sorted = records.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    scan = { (prefix: [UInt8], from: [UInt8], limit: Int) throws(ConsensusError) -> [StoredRecord] in
      var found: [StoredRecord] = []
      for record in sorted where record.key.starts(with: prefix) && !record.key.lexicographicallyPrecedes(from) {
        if found.count == limit { break }
        found.append(StoredRecord(key: record.key, value: record.value))
      }
      return found
    }
  }

  /// The value of one key.
  func value(of key: [UInt8]) throws(ConsensusError) -> [UInt8]? {
    guard let first = try scan(key, key, 1).first, first.key == key else { return nil }
    return first.value
  }

  /// Hands every record under `prefix`, from `first` on where it is given, to `visit`, a bounded number in memory at a
  /// time.
  func forEach(
    prefix: [UInt8], from first: [UInt8]? = nil,
    _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(ConsensusError) -> Void
  ) throws(ConsensusError) {
    var from = first ?? prefix
    while true {
      let page = try scan(prefix, from, ConsensusLimits.fetchBlocksMax)
      for record in page {
        if let value = record.value { try visit(record.key, value) }
      }
      guard let last = page.last, page.count == ConsensusLimits.fetchBlocksMax else { return }
      from = last.key + [0]
    }
  }
}
