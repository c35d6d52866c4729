import Foundation
import SyncTesting
import Testing

@Suite struct TwinsTests {
  /// Two views over four partitions, which is what the time of a test allows; four and five with `SYNC_SEARCH=long` in
  /// the environment. docs/TWINS.md reports more.
  static let views = ProcessInfo.processInfo.environment["SYNC_SEARCH"] == "long" ? [2, 4, 5] : [2]

  @Test(arguments: 0..<4 as Range<UInt16>, views) func enumeration(twin: UInt16, views: Int) throws {
    let healEvery = views == 2 ? 6 : 50
    let report = try TwinsEnumeration.run(twin: twin, views: views, alphabet: .tiny, healEvery: healEvery)
    #expect(report.failure == nil)
    #expect(report.scenarios == 1 << (6 * UInt64(views)) && report.last > 0)
    #expect(report.healed == report.last / healEvery)
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
