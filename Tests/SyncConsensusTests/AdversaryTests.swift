import SyncTesting
import Testing

@Suite struct AdversaryTests {
  /// Safety, progress after healing though the lies go on, and a kept proof of what is provable.
  @Test(arguments: AdversaryCatalogue.all.indices, [(4, 8), (7, 6)])
  func adversary(at position: Int, group: (replicas: Int, rounds: Int)) throws {
    let adversary = AdversaryCatalogue.all[position]
    let report = try AdversaryTrial.run(adversary, replicas: group.replicas, seed: 1, rounds: group.rounds)
    #expect(report.failure == nil)
    #expect(report.height > 0)
    // Nobody is accused of what it did not do.
    #expect(report.proven.allSatisfy { (adversary.provenAs + adversary.mayBeProvenAs).contains($0) })
  }

  @Test func aSeedGivesTheSameTrial() throws {
    let first = try AdversaryTrial.run(GarbageSender(), replicas: 4, seed: 9, rounds: 3)
    let second = try AdversaryTrial.run(GarbageSender(), replicas: 4, seed: 9, rounds: 3)
    #expect(first.steps == second.steps && first.height == second.height)
  }
}

@Suite struct RuleTrialTests {
  @Test func safetyRulesAreThePublishedOnes() throws {
    for seed in 0..<20 as Range<UInt64> { #expect(try RuleTrial.safetyRules(seed: seed) == nil) }
  }

  @Test func whoMayHaveForgottenSignsNothing() throws { #expect(try RuleTrial.observer() == nil) }

  @Test func timeoutsAreJoined() throws { #expect(try RuleTrial.joins() == nil) }

  @Test func theTimerFollowsTheViews() throws { #expect(try RuleTrial.timer() == nil) }

  @Test func whoIsBehindIsHelped() throws { #expect(try RuleTrial.helps() == nil) }

  @Test func theTimerFollowsNoSingleLeader() { #expect(RuleTrial.pace() == nil) }

  @Test func aQuorumsWordAgainstOnesOwnStopsAReplica() throws { #expect(try RuleTrial.contradictions() == nil) }

  @Test func blocksThatWereVotedForStay() throws { #expect(try RuleTrial.shelf() == nil) }
  @Test func entriesOfPeersAreSentOn() throws { #expect(try RuleTrial.sendsOn() == nil) }
  @Test func whatIsNotHeardIsSaidAgain() throws { #expect(try RuleTrial.repeats() == nil) }
  @Test func blocksAreLaterThanTheOneBelow() throws { #expect(try RuleTrial.time() == nil) }
  @Test func fetchedBlocksHangTogether() throws { #expect(try RuleTrial.fetches() == nil) }

  @Test func behindAnEpochsEndNothingChanges() throws { #expect(try RuleTrial.epochEnd() == nil) }

  @Test func certificatesHoldByThePublishedRules() throws {
    for seed in 0..<8 as Range<UInt64> { #expect(try RuleTrial.certificates(seed: seed) == nil) }
  }
}
