import Glibc
import SyncTesting

/// What `scripts/check-mutants` runs against each mutant: the first check that fails ends it.
///
/// Prints `NAME: what did not hold` and exits with 1, or prints nothing and exits with 0.
func demand(_ name: String, _ failure: String?) {
  guard let failure else { return }
  print("\(name): \(failure)")
  exit(1)
}

// What takes no time goes first.
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
for adversary in AdversaryCatalogue.all {
  demand("adversaries", try AdversaryTrial.run(adversary, replicas: 4, seed: 0).failure)
}
for seed in 0..<20 as Range<UInt64> {
  demand("rules", try RuleTrial.safetyRules(seed: seed))
  demand("rules", try RuleTrial.certificates(seed: seed))
}
for twin in 0..<4 as Range<UInt16> {
  demand("twins", try TwinsEnumeration.run(twin: twin, views: 2, alphabet: .tiny, healEvery: 4).failure)
}
for seed in 0..<20 as Range<UInt64> {
  demand("twins", try TwinsScenario.sample(seed: seed, replicas: 4, twins: 1, views: 8).failure())
}
for seed in 0..<24 as Range<UInt64> {
  var options = ConsensusSimulator.Options()
  options.faultSeconds = 3
  var simulator = try ConsensusSimulator(seed: seed, options: options)
  demand("seeds", simulator.run().failure)
}
for seed in 0..<20 as Range<UInt64> {
  var options = ConsensusSimulator.Options()
  (options.replicas, options.hasTwin, options.hasRestored) = (7, true, true)
  (options.faultSeconds, options.jobs) = (3, 8)
  var simulator = try ConsensusSimulator(seed: seed, options: options)
  demand("restored", simulator.run().failure)
}
