/// The two clocks at the moment of one input, read by the driver: the core itself has no clock.
public struct Instant: Hashable, Sendable {
  /// Nanoseconds of a clock that never goes back; its zero means nothing. Timers use it.
  public var monotonicNanoseconds: UInt64
  /// Unix milliseconds. Block times and deadlines use it.
  public var wallMilliseconds: UInt64

  public init(monotonicNanoseconds: UInt64, wallMilliseconds: UInt64) {
    self.monotonicNanoseconds = monotonicNanoseconds
    self.wallMilliseconds = wallMilliseconds
  }
}
