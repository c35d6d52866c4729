import SyncProof

/// What the decided blocks are applied to: a value, pure and total.
///
/// Every undecided block holds a copy of the state after it, so copies must be cheap (copy-on-write, or persistent
/// collections).
public protocol StateMachine: Sendable {
  associatedtype Event: Sendable

  /// Applies one block; an entry that means nothing is skipped, with an event or without.
  ///
  /// The same entries, height and time give the same state on every replica.
  mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [Event]

  /// The transparency log's leaves so far; part of what every vote signs.
  var logSize: UInt64 { get }
  /// The transparency log's root; part of what every vote signs.
  var logRoot: Digest { get }

  /// Whether `entry` would change the state if it were ordered next.
  ///
  /// An entry that was applied is no longer admitted, else it would be ordered again and again. Called for each
  /// pooled entry after each decided block, so it must be cheap.
  func admits(_ entry: [UInt8]) -> Bool

  /// Whether a later state may admit an entry that this one does not. What never will be is not kept to be asked about
  /// again. Called once for each entry that comes and is not admitted.
  func mayAdmitLater(_ entry: [UInt8]) -> Bool

  /// The decided time, in Unix milliseconds, at which the state wants a block even if it is empty; `nil` for none.
  ///
  /// A block whose time is not below it must clear or raise it.
  var nextDeadlineMilliseconds: UInt64? { get }

  /// Names the replicas of the next epoch once this one is over; part of what every vote signs.
  ///
  /// It goes from `nil` to a value once. From then on nothing is applied to this state any more, and it admits nothing
  /// and wants no time.
  var nextSetHash: Digest? { get }
}

extension StateMachine {
  /// A state whose epoch does not end.
  public var nextSetHash: Digest? { nil }
}
