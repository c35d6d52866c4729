import Foundation
import SyncConsensus
import SyncLedger
import SyncProof

/// What a node keeps of an epoch that it has entered.
struct EpochRecord: Equatable, Sendable {
  let group: Group
  /// The log at the epoch's beginning: all that the epoch begins with follows from these leaves.
  let logSize: UInt64
  let logRoot: Digest
  /// Whether the life that entered the epoch had forgotten signatures in the one before, and so perhaps in this one.
  let observes: Bool

  private static let key = [UInt8]("epochs".utf8)
  private static let version: UInt8 = 1

  /// The epochs that the journal knows, ascending; none as long as the node is in the one that its group file began.
  static func readAll(_ journal: Journal) throws(PluginError) -> [EpochRecord] {
    guard let bytes = try journal.get(.value, key) else { return [] }
    do throws(ProofError) {
      var reader = ByteReader(bytes)
      let version = try reader.read(UInt8.self)
      guard version == EpochRecord.version else {
        throw ProofError(.unsupportedVersion, "a record of version \(version)", at: 0)
      }
      var records: [EpochRecord] = []
      for _ in 0..<(try reader.read(UInt16.self)) {
        records.append(
          EpochRecord(
            group: try Group(parsing: try reader.readCounted(max: LedgerLimits.groupBytesMax)),
            logSize: try reader.read(), logRoot: try reader.readDigest(), observes: try reader.read(UInt8.self) == 1))
      }
      try reader.expectEnd()
      return records
    } catch {
      throw PluginError(.io, "The journal's record of epochs cannot be read: \(error.message)")
    }
  }

  /// Keeps the last two: who is one epoch behind can be helped on. Who is further behind brings the log, see
  /// ``EpochJoin``.
  static func write(_ records: [EpochRecord], to batch: inout StorageBatch) {
    var writer = ByteWriter()
    let kept = records.suffix(2)
    writer.write(version)
    writer.write(UInt16(truncatingIfNeeded: kept.count))
    for record in kept {
      writer.writeCounted(record.group.encode())
      writer.write(record.logSize)
      writer.write(record.logRoot)
      writer.write(UInt8(record.observes ? 1 : 0))
    }
    batch.put(.value, key, writer.bytes)
  }

  static func handoverKey(_ epoch: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.writeRaw([UInt8]("handover/".utf8))
    writer.write(epoch)
    return writer.bytes
  }
}

/// Where the consensus of one epoch keeps its records: epochs share nothing.
struct ConsensusRoom: Sendable {
  private let space: Keyspace
  private let prefix: [UInt8]

  init(epoch: UInt64) {
    guard epoch > 0 else {
      (space, prefix) = (.consensus, [])
      return
    }
    var writer = ByteWriter()
    writer.write(epoch)
    (space, prefix) = (.laterConsensus, writer.bytes)
  }

  func put(_ record: StoredRecord, into batch: inout StorageBatch) {
    if let value = record.value {
      batch.put(space, prefix + record.key, value)
    } else {
      batch.delete(space, prefix + record.key)
    }
  }

  func records(_ journal: Journal, prefix wanted: [UInt8], from: [UInt8], limit: Int) throws(PluginError)
    -> [StoredRecord]
  {
    try journal.scan(space, prefix: prefix + wanted, from: prefix + from, limit: limit).map {
      StoredRecord(key: Array($0.key.dropFirst(prefix.count)), value: $0.value)
    }
  }

  func isEmpty(_ journal: Journal) throws(PluginError) -> Bool {
    try records(journal, prefix: [], from: [], limit: 1).isEmpty
  }
}

/// The epoch before, kept in memory to help on who is still in it. It stores and signs nothing.
struct PastEpoch {
  let group: Group
  var replica: Replica<Ledger>
  let room: ConsensusRoom

  func index(of name: String) -> ReplicaIndex? {
    group.members.firstIndex { $0.name == Text(name) }.map { ReplicaIndex(rawValue: UInt16($0)) }
  }
}

/// Proofs against members from the epochs before, as the node showed them: the first of each kind against each.
enum FormerMisbehaviours {
  private static let key = [UInt8]("misbehaviours".utf8)

  static func read(_ journal: Journal) throws(PluginError) -> [MisbehaviourStatus] {
    guard let bytes = try journal.get(.value, key) else { return [] }
    do {
      return try JSONDecoder().decode([MisbehaviourStatus].self, from: Data(bytes))
    } catch {
      throw PluginError(.io, "The journal's proofs of misbehaviour from earlier epochs cannot be read")
    }
  }

  static func write(_ proofs: [MisbehaviourStatus], to batch: inout StorageBatch) throws(PluginError) {
    guard !proofs.isEmpty else { return }
    do {
      batch.put(.value, key, Array(try JSONEncoder().encode(proofs)))
    } catch {
      throw PluginError(.io, "The proofs of misbehaviour cannot be written down")
    }
  }
}

extension GroupMember {
  func hasKeys(of other: GroupMember) -> Bool {
    logKey == other.logKey && cosignerKey == other.cosignerKey && builderKey == other.builderKey
      && consensusKey == other.consensusKey && transportKey == other.transportKey
  }
}
