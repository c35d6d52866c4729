import SyncProof

/// The rooms of a node's one storage. A prefix byte keeps their keys apart.
package enum Keyspace: UInt8 {
  /// Records of SyncConsensus, keyed as it likes.
  case consensus = 0x63
  /// The same of later epochs, behind the epoch's number.
  case laterConsensus = 0x65
  /// Hash tiles of the transparency log: level, index.
  case tile = 0x74
  /// Leaves of the transparency log: index.
  case leaf = 0x6C
  /// Lines of the log's leaves: number of the record.
  case leafLines = 0x69
  /// Where the node can start: epoch, piece.
  case snapshot = 0x6E
  /// This builder's attempts: job.
  case attempt = 0x61
  /// Single values: name.
  case value = 0x76
}

/// Typed access to a ``Storage``; owned by the node, called from its thread only.
package struct Journal {
  private let storage: any Storage

  init(_ storage: any Storage) { self.storage = storage }

  package static func key(_ space: Keyspace, _ rest: [UInt8]) -> [UInt8] { [space.rawValue] + rest }

  func get(_ space: Keyspace, _ key: [UInt8]) throws(PluginError) -> [UInt8]? {
    try storage.get(Journal.key(space, key))
  }

  /// Ascending entries of one room with keys not below `start`; the room's prefix is taken off.
  func scan(_ space: Keyspace, prefix: [UInt8] = [], from start: [UInt8] = [], limit: Int) throws(PluginError)
    -> [(key: [UInt8], value: [UInt8])]
  {
    var found: [(key: [UInt8], value: [UInt8])] = []
    let entries = try storage.scan(
      prefix: Journal.key(space, prefix), from: Journal.key(space, start), limit: limit)
    for entry in entries { found.append((Array(entry.key.dropFirst()), entry.value)) }
    return found
  }

  func write(_ batch: StorageBatch, durable: Bool) throws(PluginError) {
    guard !batch.changes.isEmpty else { return }
    try storage.apply(batch, durable: durable)
  }

  /// Makes durable what a process that was killed had written and not synced: it is readable, and a power cut could
  /// still take it, with the nonce of a commitment that has left meanwhile.
  func settle() throws(PluginError) {
    var batch = StorageBatch()
    batch.put(.value, [UInt8]("settled".utf8), [1])
    try write(batch, durable: true)
  }

  func close() { storage.close() }
}

extension StorageBatch {
  mutating func put(_ space: Keyspace, _ key: [UInt8], _ value: [UInt8]) {
    changes.append(.put(key: Journal.key(space, key), value: value))
  }

  mutating func delete(_ space: Keyspace, _ key: [UInt8]) {
    changes.append(.delete(key: Journal.key(space, key)))
  }
}
