import NIOCore

/// The growing wait between two attempts.
struct Backoff {
  private let timing: TCPTransport.Timing
  private var ceiling: Int64

  init(timing: TCPTransport.Timing) {
    self.timing = timing
    ceiling = timing.backoffMinMilliseconds
  }

  /// Between half of the ceiling and the ceiling, so that replicas that fell together do not rise together.
  mutating func next(using random: inout some RandomNumberGenerator) -> TimeAmount {
    defer { ceiling = min(2 * ceiling, timing.backoffMaxMilliseconds) }
    return .milliseconds(Int64.random(in: (ceiling / 2)...max(ceiling, ceiling / 2), using: &random))
  }

  mutating func reset() { ceiling = timing.backoffMinMilliseconds }
}
