import SyncConsensus
import SyncProof

/// The smallest state machine that uses all of the protocol: a log of distinct entries, some of which set a deadline.
public struct AppendLog: StateMachine {
  /// An entry that begins with this byte sets a deadline; the next two bytes are milliseconds behind its block's time.
  public static let deadlineTag: UInt8 = 0xD1

  public enum Event: Hashable, Sendable {
    case appended(Digest)
    case refused(Digest)
    case deadlinePassed
  }

  public private(set) var logSize: UInt64 = 0
  public private(set) var logRoot = Digest.zero
  public private(set) var nextDeadlineMilliseconds: UInt64?
  private var applied: Set<Digest> = []

  public init() {}

  /// What is refused here stays so.
  public func mayAdmitLater(_ entry: [UInt8]) -> Bool { false }

  /// Admits each entry once, and none that is empty.
  public func admits(_ entry: [UInt8]) -> Bool { !entry.isEmpty && !applied.contains(SHA256.hash(entry)) }

  public mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [Event] {
    var events: [Event] = []
    if let deadline = nextDeadlineMilliseconds, deadline <= timeMilliseconds {
      nextDeadlineMilliseconds = nil
      extend(by: SHA256.hash([AppendLog.deadlineTag]))
      events.append(.deadlinePassed)
    }
    for entry in entries {
      let digest = SHA256.hash(entry)
      guard admits(entry) else {
        events.append(.refused(digest))
        continue
      }
      applied.insert(digest)
      extend(by: digest)
      events.append(.appended(digest))
      if entry[0] == AppendLog.deadlineTag, entry.count >= 3 {
        let deadline = timeMilliseconds + UInt64(entry[1]) << 8 + UInt64(entry[2])
        nextDeadlineMilliseconds = min(deadline, nextDeadlineMilliseconds ?? .max)
      }
    }
    return events
  }

  private mutating func extend(by digest: Digest) {
    logSize += 1
    logRoot = SHA256.hash(logRoot.bytes + digest.bytes)
  }
}
