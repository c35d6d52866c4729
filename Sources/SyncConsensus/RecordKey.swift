import SyncProof

/// The key space of the durable records.
///
/// | key | value | written |
/// |---|---|---|
/// | `s` | ``SafetyState`` | before every signature |
/// | `p` | highest QC, highest TC where newer | with every vote, timeout and decision that finds it changed |
/// | `b/` id | an undecided ``Block`` that was voted for, or an ancestor of one | with the vote |
/// | `d/` height, 64-bit big-endian | decided ``Block``, then its finality ``Certificate`` | before `decided` |
/// | `o` | whether nothing may be signed: the records may be an older copy | when that begins and when it ends |
/// | `m/` signer, kind | ``Misbehaviour`` | before `misbehaviour` |
package enum RecordKey {
  package static let safety: [UInt8] = [UInt8(ascii: "s")]
  static let pacemaker: [UInt8] = [UInt8(ascii: "p")]
  static let observation: [UInt8] = [UInt8(ascii: "o")]
  static let blockPrefix: [UInt8] = [UInt8(ascii: "b"), UInt8(ascii: "/")]
  static let decidedPrefix: [UInt8] = [UInt8(ascii: "d"), UInt8(ascii: "/")]
  static let misbehaviourPrefix: [UInt8] = [UInt8(ascii: "m"), UInt8(ascii: "/")]

  static func block(_ id: Digest) -> [UInt8] { blockPrefix + id.bytes }

  package static func decided(_ height: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.writeRaw(decidedPrefix)
    writer.write(height)
    return writer.bytes
  }

  static func misbehaviour(_ offender: ReplicaIndex, _ kind: Misbehaviour.Kind) -> [UInt8] {
    var writer = ByteWriter()
    writer.writeRaw(misbehaviourPrefix)
    writer.write(offender.rawValue)
    writer.write(kind.rawValue)
    return writer.bytes
  }
}
