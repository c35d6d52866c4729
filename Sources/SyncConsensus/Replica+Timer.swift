import SyncProof

/// The one timer, and the rule by which an idle group has none.
extension Replica {
  /// `base · 1.5^min(max(k − 2, 0), 6)`, at most 60 s; `k` is the number of views since the last decided block's.
  package static func viewTimeout(baseNanoseconds: UInt64, viewsSinceDecided k: UInt64) -> UInt64 {
    var timeout = baseNanoseconds
    for _ in 0..<min(k > 2 ? k - 2 : 0, 6) { timeout += timeout / 2 }
    return min(timeout, ConsensusLimits.timeoutNanosecondsMax)
  }

  /// What the timeouts start from: the configured base, or more where the views need it.
  var timeoutBaseNanoseconds: UInt64 {
    pace.base(configured: configuration.timeoutBaseNanoseconds, faultyMax: replicas.faultyMax)
  }

  /// Learns from a certificate of the current view how long a view takes: also where it was given up too early.
  mutating func notePace(of certificate: Certificate) {
    guard certificate.view == currentView, let viewStart, now.monotonicNanoseconds >= viewStart,
      let leader = tree[certificate.proposed.id]?.block.author
    else { return }
    pace.note(now.monotonicNanoseconds - viewStart, ledBy: leader)
  }

  /// Whether something waits for the group's progress.
  var isActive: Bool {
    if nextSetHash != nil { return false }
    if pool.isPending || pendingCommit != nil { return true }
    // One replica alone that gave up a view in which nothing waits any more would say so for ever.
    if hasGivenUpView, timeouts[currentView]?.count ?? 0 > replicas.faultyMax { return true }
    if let deadline = state.nextDeadlineMilliseconds, deadline <= now.wallMilliseconds { return true }
    guard let matters = tree.matters(upTo: highQC.proposed.id) else { return highQC.proposed.height > head.height }
    if matters { return true }
    return (proposals[currentView] ?? []).contains { tree[$0.block.id]?.matters ?? true }
  }

  mutating func armTimer() {
    if !isActive {
      (viewDeadline, viewStart) = (nil, nil)
    } else if viewDeadline == nil {
      let timeout = Self.viewTimeout(
        baseNanoseconds: timeoutBaseNanoseconds,
        viewsSinceDecided: currentView > head.view ? currentView - head.view : 0)
      viewDeadline = now.monotonicNanoseconds &+ (hasGivenUpView ? timeoutBaseNanoseconds : timeout)
      viewStart = viewStart ?? now.monotonicNanoseconds
    }
    nextWakeUp = [viewDeadline, fetch?.deadline, stateDeadline, askDeadline].compactMap { $0 }.min()
  }

  private var askDeadline: UInt64? { observation?.floor == nil ? observation?.askAgain : nil }

  /// The state's next deadline on the monotonic clock, by the difference that the two clocks have now.
  private var stateDeadline: UInt64? {
    guard nextSetHash == nil, let deadline = state.nextDeadlineMilliseconds, deadline > now.wallMilliseconds else {
      return nil
    }
    let (nanoseconds, isTooLarge) = (deadline - now.wallMilliseconds).multipliedReportingOverflow(by: 1_000_000)
    let (at, isTooLate) = now.monotonicNanoseconds.addingReportingOverflow(nanoseconds)
    return isTooLarge || isTooLate ? nil : at
  }

  /// The view's time is up: gives it up, or says so again where that was said.
  mutating func wake() {
    guard let deadline = viewDeadline, deadline <= now.monotonicNanoseconds, isActive else { return }
    recheckPool()
    guard isActive else { return }
    viewDeadline = now.monotonicNanoseconds &+ timeoutBaseNanoseconds
    regossip()
    if !hasGivenUpView {
      giveUpView()
    } else if let timeout = ownTimeout, timeout.view == currentView {
      broadcast(.timeout(timeout))
    }
  }
}
