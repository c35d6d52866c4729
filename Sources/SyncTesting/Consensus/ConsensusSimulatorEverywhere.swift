/// One run for each place where a process can end.
extension ConsensusSimulator {
  /// What ``crashEverywhere(seed:options:pointsMax:progress:)`` has found.
  public struct Everywhere: Sendable {
    /// Places that were tried, each in a run of its own to the end.
    public internal(set) var points = 0
    public internal(set) var events = 0
    /// Of the first run that failed, with the fault at its place in the plan.
    public internal(set) var failure: Result?
  }

  /// Runs a seed, and at every write (before it, in it, after it) and behind every effect branches off a run in which
  /// the process ends there.
  ///
  /// A branch is the run that the plan with that one fault more gives, to the end of its epoch and with every check;
  /// the next epoch's places are not tried. Faults that end processes are left out of the plan: this is what they are
  /// about.
  ///
  /// - Parameters:
  ///   - pointsMax: Ends the search behind so many places.
  ///   - progress: Called after each branch.
  /// - Throws: ``ConsensusFaultError`` when the plan of the options is none for the group.
  public static func crashEverywhere(
    seed: UInt64, options: Options = Options(), pointsMax: Int = .max, progress: (Everywhere) -> Void = { _ in }
  ) throws -> Everywhere {
    var options = options
    let drawn = try ConsensusSimulator(seed: seed, options: options).plan
    options.plan = ConsensusFaultPlan(drawn.faults.filter { !$0.isCrash })
    options.entersNextEpoch = false
    var found = Everywhere()
    var base = try ConsensusSimulator(seed: seed, options: options)
    withoutActuallyEscaping(progress) { progress in
      let tally = Tally(progress)
      base.visitor = { simulator, point in
        guard tally.found.failure == nil, tally.found.points < pointsMax else { return }
        var branch = simulator
        branch.visitor = nil
        let down = 50 + UInt64(tally.found.points % 7) * 80
        branch.end(at: point, down: down)
        let result = branch.proceed()
        tally.found.points += 1
        tally.found.events += result.events
        if result.failure != nil { tally.found.failure = result.adding(point.fault(down: down)) }
        tally.progress(tally.found)
      }
      let result = base.run()
      base.visitor = nil
      found = tally.found
      found.events += result.events
      if found.failure == nil, result.failure != nil { found.failure = result }
    }
    return found
  }

  private final class Tally {
    var found = Everywhere()
    let progress: (Everywhere) -> Void
    init(_ progress: @escaping (Everywhere) -> Void) { self.progress = progress }
  }
}

extension ConsensusSimulator.Result {
  fileprivate func adding(_ fault: ConsensusFault) -> ConsensusSimulator.Result {
    ConsensusSimulator.Result(
      seed: seed, replicas: replicas, failure: failure,
      plan: ConsensusFaultPlan(plan.faults + [fault], next: plan.next), traceDigest: traceDigest, events: events,
      height: height, crashes: crashes, crashPoints: crashPoints,
      resumes: resumes, provenMisbehaviours: provenMisbehaviours, verdicts: verdicts,
      hasHandedOver: hasHandedOver, nextHeight: nextHeight, injected: injected)
  }
}
