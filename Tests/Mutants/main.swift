import Glibc
import SyncTesting

/// What `scripts/check-mutants` runs against each mutant: the first check that fails ends it.
///
///     checks [NAME]…    those of these names alone, where there are any, and more of the drawn ones
///
/// Prints `NAME: what did not hold` and exits with 1, or prints nothing and exits with 0.
func demand(_ name: String, _ failure: @autoclosure () throws -> String?) {
  do {
    guard let failure = try failure() else { return }
    print("\(name): \(failure)")
  } catch {
    print("\(name): \(error)")
  }
  exit(1)
}

let wanted = CommandLine.arguments.dropFirst()
func runs(_ name: String) -> Bool { wanted.isEmpty || wanted.contains(name) }
/// So many seeds, and more where nothing else is run.
func seeds(_ count: UInt64) -> Range<UInt64> { 0..<(wanted.isEmpty ? count : 4 * count) }

// What takes no time goes first.
if runs("rules") {
  demand("rules", try RuleTrial.observer())
  demand("rules", try RuleTrial.epochEnd())
  demand("rules", try RuleTrial.joins())
  demand("rules", try RuleTrial.timer())
  demand("rules", RuleTrial.pace())
  demand("rules", try RuleTrial.helps())
  demand("rules", try RuleTrial.contradictions())
  demand("rules", try RuleTrial.fetches())
  demand("rules", try RuleTrial.shelf())
  demand("rules", try RuleTrial.sendsOn())
  demand("rules", try RuleTrial.repeats())
  demand("rules", try RuleTrial.time())
}
if runs("adversaries") {
  for adversary in AdversaryCatalogue.all {
    demand("adversaries", try AdversaryTrial.run(adversary, replicas: 4, seed: 0).failure)
  }
}
if runs("rules") {
  for seed in seeds(20) {
    demand("rules", try RuleTrial.safetyRules(seed: seed))
    demand("rules", try RuleTrial.certificates(seed: seed))
  }
}
if runs("twins") {
  for twin in 0..<4 as Range<UInt16> {
    demand("twins", try TwinsEnumeration.run(twin: twin, views: 2, alphabet: .tiny, healEvery: 4).failure)
  }
  for seed in seeds(20) {
    demand("twins", try TwinsScenario.sample(seed: seed, replicas: 4, twins: 1, views: 8).failure())
  }
}
if runs("seeds") {
  for seed in seeds(24) {
    var options = ConsensusSimulator.Options()
    options.faultSeconds = 3
    // Alone, every other group has a member that runs twice, and mostly lies.
    if !wanted.isEmpty, seed % 2 == 1 { (options.replicas, options.hasTwin) = (4, true) }
    var simulator = try ConsensusSimulator(seed: seed, options: options)
    demand("seeds", simulator.run().failure)
  }
}
if runs("restored") {
  for seed in seeds(20) {
    var options = ConsensusSimulator.Options()
    (options.replicas, options.hasTwin, options.hasRestored) = (7, true, true)
    (options.faultSeconds, options.jobs) = (3, 8)
    var simulator = try ConsensusSimulator(seed: seed, options: options)
    demand("restored", simulator.run().failure)
  }
}
