import Foundation
import SyncConsensus
import SyncLedger
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

@Suite(.timeLimit(.minutes(3)), .serialized)
struct NodeTests {
  struct VerdictRow: CustomTestStringConvertible, Sendable {
    let name: String
    let recipe: String
    let verdict: String
    let agreeing: Int
    var testDescription: String { name }
  }

  @Test(arguments: [
    VerdictRow(name: "same bytes", recipe: "say hello\necho out same", verdict: "reproduced", agreeing: 4),
    VerdictRow(name: "each its own bytes", recipe: "who out", verdict: "diverged", agreeing: 1),
    VerdictRow(name: "the same exit status", recipe: "exit 3", verdict: "failed", agreeing: 4),
    VerdictRow(name: "the same name", recipe: "echo failure no-luck\nexit 65", verdict: "failed", agreeing: 4),
    VerdictRow(name: "no artifact", recipe: "say nothing", verdict: "failed", agreeing: 4),
  ])
  func `a job ends with the verdict that its builders' outcomes give`(row: VerdictRow) async throws {
    let world = try World(recipes: ["x": row.recipe])
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    for number in 0..<4 {
      let status = try await world.wait(job, on: number) { $0.phase == .cosigned }
      #expect(status.verdict == row.verdict)
      #expect(status.agreeing == row.agreeing)
    }
    await world.stop()
  }

  @Test func `every node hands out a proof that verifies, and a flipped bit is refused`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    try world.start()
    let job = try await world.node(1).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let policy = world.keys.group.policy()
    for number in 0..<4 {
      let status = try await world.wait(job, on: number) { $0.phase == .cosigned }
      let artifact = try #require(Digest(hex: status.artifacts[0].sha256))
      var proof = try #require(try await (try world.node(number)).proof(job: job))
      let verification = try Verifier.verify(proof: proof, policy: policy, artifact: artifact)
      #expect(verification.reproducers.count == 4)
      #expect(verification.evidence.submitter == "birch")
      let path = try #require(await (try world.node(number)).artifactPath(artifact))
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "same\n")
      proof[proof.count / 2] ^= 1
      #expect(throws: ProofError.self) { try Verifier.verify(proof: proof, policy: policy, artifact: artifact) }
    }
    await world.stop()
  }

  @Test func `the same spec is the same job, and a fresh rebuild another`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    try world.start()
    let first = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(first, on: 3) { $0.phase == .cosigned }
    #expect(try await world.node(3).submit(SubmitRequest(package: "pkg:echo/x@1")) == first)
    let fresh = try await world.node(3).submit(SubmitRequest(package: "pkg:echo/x@1", rebuild: 1))
    #expect(fresh != first)
    #expect(try await world.wait(fresh, on: 0) { $0.phase == .cosigned }.index == 1)
    await world.stop()
  }

  @Test func `what a job holds still is part of its identity`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    try world.start()
    func submit(_ names: [String]?) async throws -> Digest {
      try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1", normalise: names))
    }
    let plain = try await submit(nil)
    let held = try await submit(["random", "clock"])
    #expect(try await submit([]) == plain && held != plain)
    #expect(try await submit(["clock", "random", "clock"]) == held)
    let refusal = await #expect(throws: PluginError.self) { try await submit(["weather"]) }
    #expect(refusal?.code == .invalid)
    await world.stop()
  }

  @Test func `a builder whose sandbox fails abstains, and three still reproduce`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    world.faulty = [1]
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 2) { $0.phase == .cosigned }
    #expect(status.verdict == "reproduced")
    #expect(status.builders.map(\.step) == [.revealed, .abstained, .revealed, .revealed])
    await world.stop()
  }

  @Test func `when every sandbox fails the job is over at once and inconclusive`() async throws {
    let world = try World(recipes: ["x": "fault"])
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 2) { $0.phase == .cosigned }
    #expect(status.verdict == "inconclusive")
    #expect(status.builders.allSatisfy { $0.step == .abstained })
    await world.stop()
  }

  @Test func `nodes without a quorum of cosigners do not talk for ever`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    for number in 0..<4 { _ = try await world.wait(job, on: number) { $0.phase == .cosigned } }
    await world.stop()
    for storage in world.storages { storage.forget(Journal.key(.value, Node.checkpointKey)) }
    try world.start([0, 1])
    try await Task.sleep(for: .seconds(1))
    let before = world.network.messages
    try await Task.sleep(for: .seconds(3))
    #expect(world.network.messages - before < 40)
    try world.start([2])
    _ = try await world.wait(job, on: 1) { $0.phase == .cosigned }
    await world.stop()
  }

  @Test func `a builder that is away is named as absent once the deadline has passed`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 2, revealSeconds: 2)
    try world.start([0, 1, 2])
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 1) { $0.phase == .cosigned }
    #expect(status.verdict == "reproduced")
    #expect(status.agreeing == 3)
    #expect(status.builders.last?.step == .waiting)
    // Who comes back later learns everything without new traffic.
    try world.start([3])
    #expect(try await world.wait(job, on: 3) { $0.phase == .cosigned }.verdict == "reproduced")
    await world.stop()
  }

  @Test func `two of four away: the job waits, and finishes when one returns`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 3, revealSeconds: 3)
    try world.start([0, 1])
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    try await Task.sleep(for: .milliseconds(800))
    let alder = try world.node(0)
    #expect(await alder.job(job) == nil)
    #expect(await alder.status().height == 0)
    try world.start([2])
    #expect(try await world.wait(job, on: 0) { $0.phase == .cosigned }.verdict == "reproduced")
    await world.stop()
  }

  @Test func `who votes twice stands in everybody's log, with the proof`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 2, revealSeconds: 2)
    try world.start([0, 1, 2])
    let group = world.keys.group
    let liar = world.network.transport(of: "elm")
    try await liar.start { _ in }
    let votes = try world.contradictingVotes(of: 3)
    for number in 0..<3 {
      var seen: [MisbehaviourStatus] = []
      while seen.first?.index == nil {
        // Until the nodes are up, what is sent to them is lost.
        for name in Keys.names.dropLast() { for vote in votes { liar.send(vote, to: name) } }
        try await Task.sleep(for: .milliseconds(50))
        seen = await (try world.node(number)).misbehaviours()
      }
      #expect(seen.count == 1 && seen[0].member == "elm" && seen[0].index == 0)
      #expect(try MisbehaviourProof(parsing: Array(seen[0].proof.utf8), group: group).member == "elm")
    }
    // The evidence stands behind it, and the log holds both; a restart shows the same.
    let job = try await world.node(1).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    #expect(status.index == 1)
    await world.stop([0])
    try world.start([0])
    let again = try world.node(0)
    #expect(await again.misbehaviours().first?.index == 0)
    #expect(await again.status().misbehaved == ["elm"])
    let bundle = try #require(try await again.entryBundle(index: 0, width: 2))
    let leaves = try LogAudit.split(bundle, width: 2)
    #expect(try MisbehaviourProof(parsing: leaves[0], group: group).kind.isOfReplica)
    #expect(try Evidence(parsing: leaves[1]).jobID == job)
    await liar.stop()
    await world.stop()
  }

  /// What a killed process wrote and did not sync is readable, and may be gone with the power.
  @Test func `a start syncs what was there, before anything leaves`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    world.storages[0].fail(after: 0, .failed)
    try world.start([0, 1])
    while !world.storages[0].hasFaulted || world.storages[1].durableWrites == 0 {
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(await world.stop([0]).count == 1)
    await world.stop()
  }

  @Test(arguments: [FaultyStorage.Fault.failed, .failedButPersisted])
  func `a node that stops at any durable write comes back to the same job`(kind: FaultyStorage.Fault) async throws {
    var write = 0
    while try await survives(faultAfter: write, kind) { write += 1 }
    // A job is ordered, committed, revealed and decided: that takes writes.
    #expect(write >= 5)
  }

  /// - Returns: Whether there was such a write.
  private func survives(faultAfter write: Int, _ kind: FaultyStorage.Fault) async throws -> Bool {
    let world = try World(recipes: ["x": "echo out same"])
    world.storages[2].fail(after: write, kind)
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    var hasFaulted = world.storages[2].hasFaulted
    while !hasFaulted {
      let status = await (try world.node(2)).job(job)
      if status?.phase == .cosigned { break }
      try await Task.sleep(for: .milliseconds(5))
      hasFaulted = world.storages[2].hasFaulted
    }
    guard hasFaulted else {
      await world.stop()
      return false
    }
    let errors = await world.stop([2])
    #expect(errors.count == 1, "after \(write) writes the node stops with the storage's error")
    world.storages[2].mend()
    try world.start([2])
    let status = try await world.wait(job, on: 2) { $0.phase == .cosigned }
    #expect(status.verdict == "reproduced" && status.agreeing == 4, "after \(write) writes")
    for number in [0, 1, 3] {
      let status = await (try world.node(number)).status()
      #expect(status.misbehaved.isEmpty, "after \(write) writes")
    }
    await world.stop()
    return true
  }

  @Test func `a status is told again without asking as long as nothing happens`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 60, revealSeconds: 60)
    try world.start([0, 1, 2, 3])
    let node = try world.node(1)
    var sizes: [UInt64] = []
    for rebuild in 1...2 {
      var request = SubmitRequest(package: "pkg:echo/x@1")
      request.rebuild = UInt64(rebuild)
      let job = try await world.node(0).submit(request)
      // Whatever is told without asking may not be older than what was seen before.
      _ = try await world.wait(job, on: 1) { $0.phase == .cosigned }
      sizes.append(await node.currentStatus().logSize)
      _ = await node.job(job)
      #expect(node.unchangedFigures == nil, "something has run there")
      let (asked, told) = (await node.status(), await node.currentStatus())
      // Views may go on between the two; these do not.
      #expect(told.logSize == asked.logSize && told.openJobs == asked.openJobs && told.epoch == asked.epoch)
      #expect(told.view >= asked.view && told.height >= asked.height)
    }
    #expect(sizes == [1, 2])
    // Idle, it is soon the same twice.
    let deadline = ContinuousClock.now + .seconds(30)
    var isTheSame = false
    while !isTheSame, ContinuousClock.now < deadline {
      _ = await node.currentStatus()
      let told = node.unchangedFigures
      let (asked, again) = (await node.status(), await node.currentStatus())
      isTheSame = told == asked.figures && again == asked && told?.connectedPeers == 3
    }
    #expect(isTheSame)
    await world.stop([3])
    while await node.currentStatus().connectedPeers.count == 3 { try await Task.sleep(for: .milliseconds(5)) }
    await world.stop()
  }

  @Test func `work without a task runs on the node, also on one whose event loop is no more`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 60, revealSeconds: 60)
    try world.start([0])
    let node = try world.node(0)
    @Sendable func asked() async -> NodeStatus {
      await withCheckedContinuation { asked in node.run { asked.resume(returning: $0.noteStatus()) } }
    }
    let status = await asked()
    #expect(status.name == "alder" && status.replicas == 4)
    #expect(node.unchangedStatus.map { $0.name == status.name } ?? true)
    await world.stop()
    await node.close()
    #expect(await asked().replicas == 4)
  }

  struct LossRow: CustomTestStringConvertible, Sendable {
    let name: String
    /// What the second build gives; the first gives "same".
    let again: String
    let revealSeconds: UInt64
    let step: BuilderProgress.Step
    var testDescription: String { name }
  }

  /// A commitment does not wait for the disk, its opening does.
  @Test(arguments: [
    LossRow(name: "the same again", again: "same", revealSeconds: 60, step: .revealed),
    LossRow(name: "other bytes", again: "other", revealSeconds: 3, step: .committed),
  ])
  func `what a crash took before it was on the disk is built again before it is opened`(row: LossRow) async throws {
    let world = try World(recipes: ["x": "who out"], commitSeconds: 6, revealSeconds: row.revealSeconds)
    for number in 0..<3 { world.whos[number] = "same" }
    // The fourth is away, so that the commit phase lasts.
    try world.start([0, 1, 2])
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(job, on: 2) { $0.builders[2].step == .committed }
    await world.stop([2])
    let artifacts = world.scratch.path + "/cedar/artifacts"
    try FileManager.default.removeItem(atPath: artifacts)
    world.whos[2] = row.again
    try world.start([2])
    let status = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    #expect(status.builders.map(\.step) == [.revealed, .revealed, row.step, .waiting])
    #expect(try await world.node(0).status().misbehaved.isEmpty)
    #expect(try FileManager.default.subpathsOfDirectory(atPath: artifacts).count { $0.count > 60 } == 1)
    await world.stop()
  }

  @Test func `what the disk refused is built again once it takes it`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 60, revealSeconds: 60)
    let digest = SHA256.hash([UInt8]("same\n".utf8))
    // A file where the folder of its first two digits would be, until the second build.
    let artifacts = world.scratch.path + "/birch/artifacts"
    try FileManager.default.createDirectory(atPath: artifacts, withIntermediateDirectories: true)
    let obstacle = "\(artifacts)/\(digest.hex.prefix(2))"
    try Data().write(to: URL(fileURLWithPath: obstacle))
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(job, on: 1) { $0.builders[1].step == .committed }
    try FileManager.default.removeItem(atPath: obstacle)
    let status = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    #expect(status.agreeing == 4 && status.builders.allSatisfy { $0.step == .revealed })
    #expect(try FileManager.default.contentsOfDirectory(atPath: obstacle) == [digest.hex])
    await world.stop()
  }

  @Test func `a node with an older journal observes, and builds again when that is safe`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 3)
    try world.start()
    var rebuild: UInt64 = 0
    func job(on number: Int) async throws -> JobStatus {
      rebuild += 1
      let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1", rebuild: rebuild))
      return try await world.wait(job, on: number) { $0.phase == .cosigned }
    }
    #expect(try await job(on: 3).agreeing == 4)
    await world.stop([3])
    let copy = world.storages[3].copy
    try world.start([3])
    for _ in 0..<3 { #expect(try await job(on: 3).agreeing == 4) }
    await world.stop([3])
    world.storages[3].restore(copy)
    try world.start([3], isRestored: true)
    var agreeing: [Int?] = []
    // What is ordered while it observes goes on without it.
    while agreeing.last != 4, agreeing.count < 12 { agreeing.append(try await job(on: 0).agreeing) }
    #expect(agreeing.last == 4 && agreeing.first == 3, "\(agreeing)")
    #expect(try await world.node(3).status().isObserving == false)
    for number in 0..<4 {
      let status = await (try world.node(number)).status()
      #expect(status.misbehaved.isEmpty)
    }
    // It is counted on again.
    await world.stop([1])
    #expect(try await job(on: 3).agreeing == 3)
    await world.stop()
  }

  @Test func `a dead leader's views are counted as given up`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 2)
    try world.start()
    var rebuild: UInt64 = 0
    func run() async throws {
      rebuild += 1
      let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1", rebuild: rebuild))
      _ = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    }
    func counts() async throws -> [UInt64] {
      var counts: [UInt64] = []
      for number in 0..<3 { counts.append(try #require(await (try world.node(number)).status().viewsGivenUp)) }
      return counts
    }
    try await run()
    let before = try await counts()
    await world.stop([3])
    // Whoever is dead is passed over behind its first turn, which comes within four views.
    for _ in 0..<3 { try await run() }
    let after = try await counts()
    #expect(zip(before, after).allSatisfy { $0 < $1 }, "\(before) \(after)")
    await world.stop([0])
    try world.start([0])
    #expect(try #require(await (try world.node(0)).status().viewsGivenUp) < after[0])
    await world.stop()
  }

  @Test func `all nodes restarted at once go on with the same log`() async throws {
    let world = try World(recipes: ["x": "echo out same", "y": "echo out other"])
    try world.start()
    let first = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    for number in 0..<4 { _ = try await world.wait(first, on: number) { $0.phase == .cosigned } }
    let before = await (try world.node(0)).checkpoint()
    await world.stop()
    try world.start()
    let size = await (try world.node(0)).status().checkpointSize
    #expect(size == 1)
    #expect(before != nil)
    let second = try await world.node(2).submit(SubmitRequest(package: "pkg:echo/y@1"))
    for number in 0..<4 {
      #expect(try await world.wait(second, on: number) { $0.phase == .cosigned }.index == 1)
      let proof = try await (try world.node(number)).proof(job: first)
      #expect(proof != nil)
    }
    await world.stop()
  }

  @Test func `keys that are not the group's are refused before anything is touched`() throws {
    let world = try World(recipes: [:])
    let error = #expect(throws: PluginError.self) {
      try NodeConfiguration(name: "alder", group: world.keys.group, dataDirectory: "unused")
        .checkKeys(signer: world.keys.signers[1])
    }
    #expect(error?.message.contains("log key") == true)
    #expect(throws: PluginError.self) {
      try NodeConfiguration(name: "oak", group: world.keys.group, dataDirectory: "unused")
        .checkKeys(signer: world.keys.signers[1])
    }
  }
}
