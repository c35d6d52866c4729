import SyncConsensus
import SyncProof

/// One adversary, or two, against a group that loses messages and processes, then against a healed one.
///
/// The lies do not end when the network heals: safety, progress and the proofs that the rules promise are demanded all
/// the same.
package struct AdversaryTrial {
  package struct Report: Sendable {
    package var failure: String?
    package var height: UInt64 = 0
    package var steps = 0
    /// Kinds of misbehaviour of which an honest replica keeps a proof.
    package var proven: [Misbehaviour.Kind] = []
  }

  /// - Parameters:
  ///   - replicas: 4 or more; as many lie as the group tolerates, at most two.
  ///   - seed: Chooses who lies, what is lost and who crashes.
  ///   - rounds: Of half a second with losses.
  package static func run(
    _ adversary: any Adversary, replicas: Int, seed: UInt64, rounds: Int = 8
  ) throws -> Report {
    var random = SeededGenerator(seed: seed)
    let liars = min((replicas - 1) / 3, 2)
    let first = UInt16(random.below(UInt64(replicas)))
    let keys = (0..<UInt16(liars)).map { (first + 2 * $0) % UInt16(replicas) }
    var world = try TwinsWorld(replicas: replicas, adversaries: keys.map { ($0, adversary) })
    world.connectAll()
    let honest = world.instances.indices.filter { world.isHonest($0) }
    for round in 0..<rounds where world.checker.failure == nil {
      let drop: UInt64 = [0, 100, 300, 500][Int(random.below(4))]
      let deaf = random.happens(perMille: 300) ? honest[Int(random.below(UInt64(honest.count)))] : -1
      world.submit(at: honest[Int(random.below(UInt64(honest.count)))])
      for _ in 0..<2 {
        world.settle(milliseconds: 250) { envelope in
          if envelope.to == deaf || envelope.from == deaf { return .drop }
          return random.happens(perMille: drop) ? .drop : .deliver
        }
        if round % 2 == 1 {
          let crashed = honest[Int(random.below(UInt64(honest.count)))]
          world.start(crashed)
          for peer in world.group.set.indices where Int(peer.rawValue) != crashed {
            world.connect(crashed, peer.rawValue)
          }
        }
      }
    }
    if world.checker.failure == nil { world.heal(milliseconds: 60_000) }
    // Long enough for each to have led, so that whatever one lie needs has happened.
    for instance in honest where world.checker.failure == nil {
      world.submit(at: instance)
      world.settle(milliseconds: 60_000)
    }
    return report(world, adversary, honest)
  }

  private static func report(_ world: TwinsWorld, _ adversary: any Adversary, _ honest: [Int]) -> Report {
    var world = world
    let kept = honest.flatMap { world.instances[$0].replica?.misbehaviours ?? [] }
    let proven = Misbehaviour.Kind.allCases.filter { kind in kept.contains { $0.kind == kind } }
    for proof in kept { world.checker.misbehaved(proof) }
    for kind in adversary.provenAs where !proven.contains(kind) {
      world.checker.fail("nobody keeps a proof of \(kind)")
    }
    return Report(
      failure: world.checker.failure.map { "\(adversary.name), n = \(world.group.set.count): \($0)" },
      height: world.checker.height, steps: world.steps, proven: proven)
  }
}
