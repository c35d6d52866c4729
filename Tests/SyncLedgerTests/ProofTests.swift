import SyncLedger
import SyncProof
import Testing

/// From the ledger to what a consumer checks offline.
@Suite struct ProofTests {
  private static let spec = BuildSpec.sample()
  private static let good = Outcome.sample("good", of: spec)

  /// A log of five leaves; the middle one is of `answers`.
  private func leaves(_ builders: Builders, _ answers: [Outcome]) -> (leaves: [[UInt8]], world: World) {
    var world = World(builders)
    var leaves: [[UInt8]] = []
    for number in 0..<5 {
      let spec = number == 2 ? Self.spec : BuildSpec.sample(rebuild: UInt64(100 + number))
      let job = world.committed(spec, answers)
      let events = world.block(of: zip(builders.names, answers).map { builders.opening(job, by: $0, of: $1) })
      leaves += [events.leaf ?? []]
    }
    return (leaves, world)
  }

  private func proof(_ builders: Builders, _ answers: [Outcome], cosigners: Int) throws -> [UInt8] {
    let (leaves, world) = leaves(builders, answers)
    let hashes = leaves.map(Merkle.leafHash)
    let path = MerkleProver.inclusionPath(index: 2, treeSize: 5) { level, index in
      var row = hashes
      for _ in 0..<level {
        row = stride(from: 0, to: row.count - 1, by: 2).map { Merkle.nodeHash(row[$0], row[$0 + 1]) }
      }
      return row[Int(index)]
    }
    let note = try builders.note(size: world.ledger.logSize, root: world.ledger.logRoot, cosigners: cosigners)
    return try Proof(
      leaf: leaves[2], index: 2, path: path, note: note
    ).encode()
  }

  private var artifact: Digest { Self.good.artifacts[0].sha256 }

  @Test func proofVerifiesWithTheGroupsPolicy() throws {
    let builders = Builders()
    let proof = try proof(builders, [Self.good, Self.good, Self.good, .failed(.wallTime)], cosigners: 3)
    let verification = try Verifier.verify(proof: proof, policy: builders.group.policy(), artifact: artifact)
    #expect(verification.index == 2)
    #expect(verification.evidence.jobID == Self.spec.jobID)
    #expect(verification.reproducers == ["ada.builds.example", "bob.builds.example", "cyd.builds.example"])
    #expect(verification.cosigners.count == 3)
  }

  @Test func tooFewCosignersVerifyNothing() throws {
    let builders = Builders()
    let proof = try proof(builders, Array(repeating: Self.good, count: 4), cosigners: 2)
    #expect(throws: ProofError(.quorumMissed, "")) {
      try Verifier.verify(proof: proof, policy: builders.group.policy(), artifact: artifact)
    }
  }

  @Test func divergedBuildsVerifyNothing() throws {
    let builders = Builders()
    let bad = Outcome.sample("bad", of: Self.spec)
    let proof = try proof(builders, [Self.good, Self.good, bad, bad], cosigners: 4)
    #expect(throws: ProofError(.notReproduced, "")) {
      try Verifier.verify(proof: proof, policy: builders.group.policy(), artifact: artifact)
    }
  }

  @Test func anotherGroupsPolicyVerifiesNothing() throws {
    let proof = try proof(Builders(), Array(repeating: Self.good, count: 4), cosigners: 4)
    #expect(throws: ProofError(.untrustedLog, "")) {
      try Verifier.verify(proof: proof, policy: Builders(salt: "x").group.policy(), artifact: artifact)
    }
  }

  /// A hundred builders with the longest names, who say as much as they can and all disagree: the leaf still fits.
  @Test func theLargestEvidenceFitsALeaf() throws {
    let names = (0..<100).map { Text("\(1000 + $0)" + String(repeating: "n", count: 60)) }
    var builders = Builders(origin: Text(String(repeating: "o.", count: 126) + "o"), names: names)
    builders.statement = try BuilderStatement(
      sandbox: Text(String(repeating: "s", count: ProofLimits.sandboxBytesMax)),
      processor: Text(String(repeating: "p", count: ProofLimits.processorBytesMax)),
      kernel: Text(String(repeating: "k", count: ProofLimits.kernelBytesMax)))
    var bytes = ProofLimits.recipeBytesMax
    while !isValid(.sample(recipeBytes: bytes)) { bytes -= 1 }
    let spec = BuildSpec.sample(recipeBytes: bytes)
    var world = World(builders)
    let outcomes = (0..<100).map { Outcome.sample("\($0)", of: spec) }
    world.block(builders.submission(spec, by: names[0]))
    world.block(of: zip(names, outcomes).map { builders.commitment(spec.jobID, by: $0, to: $1) })
    let events = world.block(of: zip(names, outcomes).map { builders.opening(spec.jobID, by: $0, of: $1) })
    #expect(events.verdicts == [.diverged])
    let leaf = try #require(events.leaf)
    #expect(leaf.count <= ProofLimits.leafBytesMax)
    #expect(leaf.count > ProofLimits.leafBytesMax - 300)
    #expect(try Evidence(parsing: leaf).outcomes.count == 100)
  }

  private func isValid(_ spec: BuildSpec) -> Bool { (try? spec.validate()) != nil }
}
