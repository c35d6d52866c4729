import SyncConsensus
import SyncProof

/// Numbered entries on lanes: each lane's numbers rise, whatever else lies between. Takes the same memory whatever was
/// applied.
struct LaneLog: StateMachine {
  struct Entry: Sendable {
    let lane: Int
    let number: UInt64

    private static let headerBytes = 12

    init(lane: Int, number: UInt64) { (self.lane, self.number) = (lane, number) }

    init?(_ bytes: [UInt8], lanes: Int) {
      guard bytes.count >= Self.headerBytes else { return nil }
      let lane = bytes[0..<4].reduce(0) { $0 << 8 | Int($1) }
      guard lane < lanes else { return nil }
      (self.lane, number) = (lane, bytes[4..<12].reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Lane and number, big-endian, then zeros up to `size`.
    func bytes(size: Int) -> [UInt8] {
      var bytes = (0..<4).map { UInt8(truncatingIfNeeded: lane >> (24 - 8 * $0)) }
      bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
      return bytes + [UInt8](repeating: 0, count: max(0, size - bytes.count))
    }
  }

  private var last: [UInt64]
  /// Where entries are signed: checks the signature at an entry's end, as often as it is asked.
  private let accepts: (@Sendable ([UInt8]) -> Bool)?

  init(lanes: Int, accepts: (@Sendable ([UInt8]) -> Bool)? = nil) {
    last = [UInt64](repeating: 0, count: lanes)
    self.accepts = accepts
  }

  var logSize: UInt64 { 0 }
  var logRoot: Digest { .zero }
  var nextDeadlineMilliseconds: UInt64? { nil }

  /// What is refused here stays so.
  func mayAdmitLater(_ entry: [UInt8]) -> Bool { false }

  func admits(_ bytes: [UInt8]) -> Bool {
    guard let entry = Entry(bytes, lanes: last.count) else { return false }
    return entry.number > last[entry.lane] && accepts?(bytes) ?? true
  }

  mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [Entry] {
    var applied: [Entry] = []
    applied.reserveCapacity(entries.count)
    for bytes in entries {
      guard let entry = Entry(bytes, lanes: last.count), entry.number > last[entry.lane],
        accepts?(bytes) ?? true
      else { continue }
      last[entry.lane] = entry.number
      applied.append(entry)
    }
    return applied
  }
}
