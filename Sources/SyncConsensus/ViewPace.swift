/// How long views last here that end with a certificate; the timeout follows it.
///
/// One number for each leader, since a faulty one may draw out each of its views to just below the timeout: what counts
/// is the longest that f leaders together cannot fake.
package struct ViewPace: Sendable {
  /// The timeout is so many times what a view lasts.
  static let margin: UInt64 = 4

  private var lasted: [ReplicaIndex: UInt64] = [:]

  package init() {}

  /// A view was certified so many nanoseconds after something began to wait for it. A shorter one than before counts by
  /// an eighth, so that one quick view among slow ones changes little.
  package mutating func note(_ nanoseconds: UInt64, ledBy leader: ReplicaIndex) {
    let known = lasted[leader] ?? 0
    lasted[leader] = max(nanoseconds, known - known / 8)
  }

  /// The base of the timeouts, nanoseconds: at least `configured`, at most ``ConsensusLimits/timeoutNanosecondsMax``.
  ///
  /// - Parameter faultyMax: f; of the f + 1 slowest leaders one is honest.
  package func base(configured: UInt64, faultyMax: Int) -> UInt64 {
    let longest = lasted.values.sorted(by: >)
    guard longest.count > faultyMax else { return configured }
    let (wanted, isTooLong) = longest[faultyMax].multipliedReportingOverflow(by: Self.margin)
    return isTooLong
      ? ConsensusLimits.timeoutNanosecondsMax
      : min(max(configured, wanted), ConsensusLimits.timeoutNanosecondsMax)
  }
}
