import SyncTesting
import Testing

@Suite struct SimulationTests {
  @Test(arguments: 0..<8) func seeds(block: Int) throws {
    for seed in UInt64(block) * 25..<UInt64(block + 1) * 25 {
      var simulator = try ConsensusSimulator(seed: seed)
      let result = simulator.run()
      #expect(result.failure == nil)
    }
  }
}
