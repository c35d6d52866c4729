import SyncConsensus
import SyncLedger
import SyncProof

/// What a node keeps from time to time so that its next start need not apply every block again.
///
/// It is written in one transaction with the log's leaves and their lines, behind the block that it stands for, and
/// need not be durable: what outlasts a power cut does so with all that was written before. See
/// docs/decisions/0039-starts-from-a-snapshot.md.
struct NodeSnapshot: Equatable {
  let position: SnapshotPosition
  /// Leaves in the log.
  let logSize: UInt64
  /// ``LeafIndex/digest`` of their lines.
  let lines: Digest
  /// ``Ledger/snapshot()``.
  let ledger: [UInt8]
  /// ``JobBoard/OpenState``.
  let board: [UInt8]

  private static let version: UInt8 = 1
  /// Bytes of one record; with what may be open, a snapshot has several.
  private static let pieceBytes = 4 << 20
  private static let piecesMax = 64
  private static let bytesMax = pieceBytes * piecesMax

  init(_ snapshot: Snapshot<Ledger>, _ followed: FollowedLog) {
    lines = followed.index.digest
    position = snapshot.position
    logSize = snapshot.state.logSize
    ledger = snapshot.state.snapshot()
    var writer = ByteWriter()
    JobBoard.OpenState(followed.board).encode(to: &writer)
    board = writer.bytes
  }

  /// Bytes in all.
  var byteCount: Int { ledger.count + board.count }

  /// Replaces the one of this epoch. What is larger than can be kept is left out, and the earlier one stays.
  func put(epoch: UInt64, into batch: inout StorageBatch) {
    var writer = ByteWriter()
    writer.makeRoom(for: byteCount + 4_096)
    writer.write(NodeSnapshot.version)
    writer.writeCounted(position.encoded)
    writer.write(logSize)
    writer.write(lines)
    writer.writeCounted(board)
    writer.writeCounted(ledger)
    let bytes = writer.bytes
    guard bytes.count <= NodeSnapshot.bytesMax else { return }
    var head = ByteWriter()
    head.write(UInt32(truncatingIfNeeded: bytes.count))
    head.write(SHA256.hash(bytes))
    batch.put(.snapshot, NodeSnapshot.key(epoch, 0), head.bytes)
    var number = 0
    while number * NodeSnapshot.pieceBytes < bytes.count {
      let start = number * NodeSnapshot.pieceBytes
      number += 1
      batch.put(
        .snapshot, NodeSnapshot.key(epoch, number),
        Array(bytes[start..<min(start + NodeSnapshot.pieceBytes, bytes.count)]))
    }
    // Pieces of a longer one before it.
    for left in number..<NodeSnapshot.piecesMax { batch.delete(.snapshot, NodeSnapshot.key(epoch, left + 1)) }
  }

  /// Lets go of the one of this epoch, so that the next start applies every block.
  static func remove(epoch: UInt64, from batch: inout StorageBatch) { batch.delete(.snapshot, key(epoch, 0)) }

  /// - Returns: `nil` where there is none.
  /// - Throws: ``PluginError/Code/io`` for one that is not whole.
  static func read(_ journal: Journal, epoch: UInt64) throws(PluginError) -> NodeSnapshot? {
    guard let head = try journal.get(.snapshot, key(epoch, 0)) else { return nil }
    do throws(ProofError) {
      var reader = ByteReader(head)
      let count = Int(try reader.read(UInt32.self))
      let digest = try reader.readDigest()
      try reader.expectEnd()
      guard count <= bytesMax else { throw ProofError(.tooLarge, "A snapshot of \(UInt64(count)) bytes") }
      var bytes: [UInt8] = []
      var number = 0
      while bytes.count < count {
        number += 1
        guard number <= piecesMax, let piece = try piece(journal, epoch, number), !piece.isEmpty else {
          throw ProofError(.malformed, "A piece of a snapshot is missing")
        }
        bytes += piece
      }
      guard bytes.count == count, SHA256.hash(bytes) == digest else {
        throw ProofError(.malformed, "A snapshot's pieces are not of one snapshot")
      }
      return try NodeSnapshot(parsing: bytes)
    } catch {
      throw PluginError(.io, error.message)
    }
  }

  private static func piece(_ journal: Journal, _ epoch: UInt64, _ number: Int) throws(ProofError) -> [UInt8]? {
    do throws(PluginError) {
      return try journal.get(.snapshot, key(epoch, number))
    } catch {
      throw ProofError(.malformed, Text(error.message))
    }
  }

  private init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    let version = try reader.read(UInt8.self)
    guard version == NodeSnapshot.version else {
      throw ProofError(.unsupportedVersion, "A snapshot of version \(version); this node knows 1", at: 0)
    }
    position = try SnapshotPosition(parsing: try reader.readCounted(max: 1 << 16))
    logSize = try reader.read()
    lines = try reader.readDigest()
    board = try reader.readCounted(max: bytes.count)
    ledger = try reader.readCounted(max: bytes.count)
    try reader.expectEnd()
  }

  func openState() throws(ProofError) -> JobBoard.OpenState {
    var reader = ByteReader(board)
    let state = try JobBoard.OpenState(from: &reader)
    try reader.expectEnd()
    return state
  }

  private static func key(_ epoch: UInt64, _ piece: Int) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(epoch)
    writer.write(UInt16(truncatingIfNeeded: piece))
    return writer.bytes
  }
}
