import SyncTesting
import Testing

@Suite struct TwinsTests {
  /// Two views over four partitions, which is what the time of a test allows; docs/TWINS.md reports the longer
  /// enumerations.
  @Test(arguments: 0..<4 as Range<UInt16>) func enumeration(twin: UInt16) throws {
    let report = try TwinsEnumeration.run(twin: twin, views: 2, alphabet: .tiny, healEvery: 6)
    #expect(report.failure == nil)
    #expect(report.scenarios == 4_096 && report.last > 0 && report.healed == report.last / 6)
  }

  @Test func alphabets() {
    for twin in 0..<4 as Range<UInt16> {
      #expect(TwinsEnumeration.partitionCount(.full, twin: twin) == 16)
      #expect(TwinsEnumeration.partitionCount(.small, twin: twin) == 7)
      #expect(TwinsEnumeration.partitionCount(.tiny, twin: twin) == 4)
    }
  }

  @Test(arguments: [(4, 1, 8), (7, 2, 6)]) func samples(replicas: Int, twins: Int, views: Int) throws {
    for seed in 0..<UInt64(replicas == 4 ? 12 : 3) {
      let scenario = TwinsScenario.sample(seed: seed, replicas: replicas, twins: twins, views: views)
      #expect(try scenario.failure() == nil)
    }
  }

  @Test func aSeedGivesTheSameScenario() {
    let first = TwinsScenario.sample(seed: 5, replicas: 7, twins: 2, views: 4)
    #expect(first == TwinsScenario.sample(seed: 5, replicas: 7, twins: 2, views: 4))
    #expect(first != TwinsScenario.sample(seed: 6, replicas: 7, twins: 2, views: 4))
  }
}
