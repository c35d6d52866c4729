/// Making a failing plan small, and saying how to run it again.
extension ConsensusSimulator.Result {
  /// The command that gives the same events again.
  ///
  /// - Parameter options: Those of the run.
  public func replayCommand(_ options: ConsensusSimulator.Options) -> String {
    var command = "synchronicity simulate --seed \(seed)"
    if let replicas = options.replicas { command += " --replicas \(replicas)" }
    if let jobs = options.jobs { command += " --jobs \(jobs)" }
    let standard = ConsensusSimulator.Options().faultSeconds
    if options.faultSeconds != standard { command += " --fault-seconds \(options.faultSeconds)" }
    if let handsOver = options.handsOver { command += handsOver ? " --hand-over" : " --no-hand-over" }
    return command + " --faults '\(plan.text)'"
  }
}

extension ConsensusFaultPlan {
  /// The smallest plan that deltas find: halves are dropped first, then ever smaller parts, then single faults, and
  /// whatever still fails is kept. No single fault of the answer can be dropped.
  ///
  /// Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002 (ddmin).
  ///
  /// - Parameters:
  ///   - runsMax: After so many runs the smallest plan so far is the answer.
  ///   - fails: Whether a plan still fails; this plan does.
  public func shrunk(runsMax: Int = 2_000, where fails: (ConsensusFaultPlan) -> Bool) -> ConsensusFaultPlan {
    var faults = faults.map { (fault: $0, isNext: false) } + next.map { (fault: $0, isNext: true) }
    func plan(_ faults: [(fault: ConsensusFault, isNext: Bool)]) -> ConsensusFaultPlan {
      ConsensusFaultPlan(faults.filter { !$0.isNext }.map(\.fault), next: faults.filter(\.isNext).map(\.fault))
    }
    var parts = 2
    var runs = 0
    while !faults.isEmpty, runs < runsMax {
      let size = max(1, faults.count / parts)
      var dropped = false
      var start = 0
      while start < faults.count, runs < runsMax {
        var rest = faults
        rest.removeSubrange(start..<min(start + size, faults.count))
        runs += 1
        if fails(plan(rest)) {
          faults = rest
          dropped = true
        } else {
          start += size
        }
      }
      if size == 1, !dropped { break }
      parts = dropped ? 2 : parts * 2
    }
    return plan(faults)
  }

  /// Without crashes at a rate, which `crashes` has one by one.
  fileprivate func naming(_ crashes: ConsensusFaultPlan) -> ConsensusFaultPlan {
    func isNoRate(_ fault: ConsensusFault) -> Bool { if case .crashes = fault { false } else { true } }
    return ConsensusFaultPlan(
      faults.filter(isNoRate) + crashes.faults, next: next.filter(isNoRate) + crashes.next)
  }
}

extension ConsensusSimulator {
  /// Runs a failing seed again and again with fewer faults.
  ///
  /// - Parameters:
  ///   - result: Of a run with these options that failed.
  ///   - runsMax: Bounds the work.
  /// - Returns: The result of the smallest plan that still fails; `result` where the failure does not come again.
  public static func shrink(_ result: Result, options: Options, runsMax: Int = 2_000) -> Result {
    func run(_ plan: ConsensusFaultPlan) -> Result? {
      var options = options
      options.plan = plan
      options.entersNextEpoch = result.hasFailedLater
      guard var simulator = try? ConsensusSimulator(seed: result.seed, options: options) else { return nil }
      let result = simulator.run()
      return result.failure == nil ? nil : result
    }
    // Crashes at a rate become crashes one by one, which can be dropped one by one.
    var start = result.plan
    let explicit = start.naming(result.injected)
    if explicit != start, run(explicit) != nil { start = explicit }
    return run(start.shrunk(runsMax: runsMax) { run($0) != nil }) ?? result
  }
}
