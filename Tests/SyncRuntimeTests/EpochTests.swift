import Foundation
import Logging
import NIOPosix
import SodiumSigner
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

/// Members change: nodes end an epoch, hand over, and go on in the next.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct EpochTests {
  @Test func `a member is replaced, and proofs of both epochs hold by the chain`() async throws {
    let world = try EpochWorld()
    try await world.start(["alder", "birch", "cedar", "elm"])
    let first = try await world.node("alder").submit(SubmitRequest(package: "pkg:echo/x@1"))
    for name in ["alder", "birch", "cedar", "elm"] { try await world.waitCosigned(first, on: name) }
    let oldProof = try #require(try await world.node("birch").proof(job: first))

    // elm leaves, fir comes.
    let next = try world.next(remove: ["elm"], add: ["fir"])
    try await world.handOver(to: next, proposer: "alder", approvers: ["alder", "birch", "cedar"])
    for name in ["alder", "birch", "cedar"] { try await world.waitEpoch(1, on: name) }
    try await world.waitPhase(.over, on: "elm")

    // Who has the first policy alone follows the hand-over, the same from each node.
    let handover = try #require(try await world.node("alder").handover(epoch: 0))
    var chain = PolicyChain(world.group(0).policy(), epoch: 0)
    try chain.follow(proof: handover)
    #expect(chain.newest == next.policy() && chain.epoch == 1)
    for name in ["birch", "cedar", "elm"] {
      try await world.until { try await world.node(name).handover(epoch: 0) != nil }
      var other = PolicyChain(world.group(0).policy(), epoch: 0)
      try other.follow(proof: try #require(try await world.node(name).handover(epoch: 0)))
      #expect(other == chain)
    }

    // The new member brings the log, and takes part.
    try await world.join("fir", from: "birch", handover: handover)
    try await world.start(["fir"])
    let second = try await world.node("fir").submit(SubmitRequest(package: "pkg:echo/y@1"))
    for name in ["alder", "birch", "cedar", "fir"] {
      let status = try await world.waitCosigned(second, on: name)
      #expect(status.builders.map(\.builder) == ["alder", "birch", "cedar", "fir"])
      #expect(status.index == 2)
      #expect(await world.node(name).status().epoch == 1)
      // The old job is still told, with its own builders.
      let old = try #require(await world.node(name).job(first))
      #expect(old.builders.map(\.builder) == ["alder", "birch", "cedar", "elm"] && old.phase == .cosigned)
      // Under the new heads the old evidence holds too, and the new one under the chain alone.
      for (job, epoch) in [(first, UInt64(0)), (second, 1)] {
        let proof = try #require(try await world.node(name).proof(job: job))
        let artifact = try #require(await world.node(name).job(job)?.artifacts.first)
        let verified = try chain.verify(proof: proof, artifact: try #require(Digest(hex: artifact.sha256)))
        #expect(verified.evidence.epoch == epoch)
      }
    }
    let built = try #require(await world.node("alder").job(first)?.artifacts.first)
    let artifact = try #require(Digest(hex: built.sha256))
    _ = try Verifier.verify(proof: oldProof, policy: world.group(0).policy(), artifact: artifact)
    _ = try chain.verify(proof: oldProof, artifact: artifact)

    // What was removed cannot do anything: its submission is not ordered, its node takes none.
    await #expect(throws: PluginError.self) {
      try await world.node("elm").submit(SubmitRequest(package: "pkg:echo/z@1"))
    }

    // All come back from their disks, in the same epoch with the same log.
    let size = await world.node("fir").status().logSize
    await world.stopAll()
    try await world.start(["alder", "birch", "cedar", "fir"])
    for name in ["alder", "birch", "cedar", "fir"] {
      let status = await world.node(name).status()
      #expect(status.epoch == 1 && status.logSize == size)
      #expect(await world.node(name).job(first)?.index == 0)
    }
    let third = try await world.node("cedar").submit(SubmitRequest(package: "pkg:echo/z@1"))
    for name in ["alder", "birch", "cedar", "fir"] { try await world.waitCosigned(third, on: name) }
    await world.stopAll()

    // From their snapshots as from the first block and the first leaf on, alder's past epoch with it.
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    for name in ["alder", "fir"] {
      var configuration = NodeConfiguration(name: Text(name), group: next, dataDirectory: "unused", snapshotBlocks: 4)
      let (place, journal) = (next.members.firstIndex { $0.name == Text(name) }, Journal(try world.storage(name)))
      let resumed = try Node.recover(configuration, try #require(place), journal, logger)
      configuration.appliesAllBlocks = true
      let whole = try Node.recover(configuration, try #require(place), journal, logger)
      #expect(resumed.isResumed && !whole.isResumed && !whole.differs, "\(name)")
      #expect((resumed.past != nil) == (name == "alder"))
      SnapshotTests.expectSame(resumed, whole, "\(name)")
    }
  }

  @Test func `open jobs end before the epoch does, and new ones are not taken meanwhile`() async throws {
    let world = try EpochWorld()
    // One builder is away, so that the job waits for its commit phase to end.
    try await world.start(["alder", "birch", "cedar"])
    let job = try await world.node("alder").submit(SubmitRequest(package: "pkg:echo/x@1"))
    try await world.until { await world.node("birch").job(job) != nil }
    let next = try world.next(remove: [], add: [], commitSeconds: 61)
    try await world.handOver(to: next, proposer: "birch", approvers: ["alder", "birch", "cedar"])
    try await world.waitPhase(.ending, on: "cedar")
    let refusal = await #expect(throws: PluginError.self) {
      try await world.node("cedar").submit(SubmitRequest(package: "pkg:echo/y@1"))
    }
    #expect(refusal?.message.contains("epoch is ending") == true)
    try await world.start(["elm"])
    for name in ["alder", "birch", "cedar", "elm"] { try await world.waitEpoch(1, on: name) }
    #expect(await world.node("elm").job(job)?.verdict == "reproduced")
    await world.stopAll()
  }

  @Test func `who was away for the end is helped on by those who are in the next epoch`() async throws {
    let world = try EpochWorld()
    try await world.start(["alder", "birch", "cedar", "elm"])
    let job = try await world.node("alder").submit(SubmitRequest(package: "pkg:echo/x@1"))
    for name in ["alder", "birch", "cedar", "elm"] { try await world.waitCosigned(job, on: name) }
    await world.stop("elm")
    let next = try world.next(remove: [], add: [], commitSeconds: 61)
    try await world.handOver(to: next, proposer: "birch", approvers: ["alder", "birch", "cedar"])
    for name in ["alder", "birch", "cedar"] { try await world.waitEpoch(1, on: name) }
    let second = try await world.node("alder").submit(SubmitRequest(package: "pkg:echo/y@1", rebuild: 7))
    try await world.start(["elm"])
    try await world.waitEpoch(1, on: "elm")
    for name in ["alder", "birch", "cedar", "elm"] {
      #expect(try await world.waitCosigned(second, on: name).verdict == "reproduced")
    }
    #expect(try await world.node("elm").handover(epoch: 0) != nil)
    await world.stopAll()
  }

  @Test func `who catches up over a whole later epoch ends it with its own last leaf`() async throws {
    let world = try EpochWorld()
    let names = ["alder", "birch", "cedar", "elm"]
    try await world.start(names)
    // The first epoch has no leaf but the hand-over, which is the last leaf again where the second begins.
    let second = try world.next(remove: [], add: [], commitSeconds: 61)
    try await world.handOver(to: second, proposer: "birch", approvers: ["alder", "birch", "cedar"])
    for name in names { try await world.waitEpoch(1, on: name) }
    await world.stop("elm")
    let job = try await world.node("alder").submit(SubmitRequest(package: "pkg:echo/x@1"))
    let third = try world.next(remove: [], add: [], commitSeconds: 5)
    try await world.handOver(to: third, proposer: "birch", approvers: ["alder", "birch", "cedar"])
    try await world.start(["elm"])
    for name in names { try await world.waitEpoch(2, on: name) }
    var chain = PolicyChain(world.group(0).policy(), epoch: 0)
    for name in names {
      #expect(await world.node(name).status().logSize == 3)
      #expect(await world.node(name).job(job)?.index == 1)
      var own = PolicyChain(world.group(0).policy(), epoch: 0)
      for epoch in UInt64(0)...1 {
        try own.follow(proof: try #require(try await world.node(name).handover(epoch: epoch)))
      }
      if name == "alder" { chain = own } else { #expect(own == chain) }
    }
    let after = try await world.node("elm").submit(SubmitRequest(package: "pkg:echo/y@1"))
    for name in names { try await world.waitCosigned(after, on: name) }

    // Away over two ends: peers have nothing of that epoch any more, and the log is brought instead.
    await world.stop("cedar")
    for seconds in [62, 63] as [UInt64] {
      let next = try world.next(remove: [], add: [], commitSeconds: seconds)
      try await world.handOver(to: next, proposer: "birch", approvers: ["alder", "birch", "elm"])
      for name in ["alder", "birch", "elm"] {
        try await world.waitEpoch(next.epoch, on: name)
      }
    }
    let proof = try #require(try await world.node("birch").handover(epoch: 3))
    try await world.join("cedar", from: "birch", handover: proof)
    try await world.start(["cedar"])
    let last = try await world.node("cedar").submit(SubmitRequest(package: "pkg:echo/z@1"))
    for name in names { #expect(try await world.waitCosigned(last, on: name).agreeing == 4) }
    await world.stopAll()
  }

  @Test func `epochs follow each other, keys are rotated, and the log is one`() async throws {
    let world = try EpochWorld()
    try await world.start(["alder", "birch", "cedar", "elm"])
    for epoch in UInt64(1)...3 {
      let present = ["alder", "birch", "cedar", "elm"]
      // One member after the other gets new keys; its node is stopped, and comes back with them.
      let rotated = present[Int(epoch)]
      let next = try world.next(rotate: rotated)
      try await world.handOver(to: next, proposer: "alder", approvers: present.filter { $0 != rotated })
      for name in present where name != rotated { try await world.waitEpoch(epoch, on: name) }
      try await world.until { try await world.node(rotated).handover(epoch: epoch - 1) != nil }
      await world.stop(rotated)
      world.takeNewKeys(rotated)
      try await world.start([rotated])
      try await world.waitEpoch(epoch, on: rotated)
      let job = try await world.node(rotated).submit(SubmitRequest(package: "pkg:echo/x@1", rebuild: epoch))
      for name in present { #expect(try await world.waitCosigned(job, on: name).agreeing == 4) }
    }
    var chain = PolicyChain(world.group(0).policy(), epoch: 0)
    for epoch in UInt64(0)..<3 {
      try chain.follow(proof: try #require(try await world.node("alder").handover(epoch: epoch)))
    }
    #expect(chain.newest == world.group(3).policy())
    await world.stopAll()
  }

  @Test func `a journal, a group file and a hand-over that do not belong together are refused`() async throws {
    let world = try EpochWorld()
    try await world.start(["alder", "birch", "cedar", "elm"])
    let next = try world.next(remove: ["elm"], add: ["fir"])
    // A new epoch's file without the log of those before.
    #expect(throws: PluginError.self) { try Node.currentGroup(file: next, storage: FaultyStorage()) }
    try await world.handOver(to: next, proposer: "alder", approvers: ["alder", "birch", "cedar"])
    for name in ["alder", "birch", "cedar"] { try await world.waitEpoch(1, on: name) }
    let handover = try #require(try await world.node("alder").handover(epoch: 0))
    // Of another group file, under another policy, and with other leaves.
    let other = try world.next(remove: ["elm"], add: ["oak"])
    let policy = world.group(0).policy()
    func join(_ group: SyncRuntime.Group, _ policy: Policy) throws -> EpochJoin {
      try EpochJoin(storage: FaultyStorage(), group: group, handover: handover, policy: policy)
    }
    #expect(throws: PluginError.self) { try join(other, policy) }
    #expect(throws: PluginError.self) { try join(next, other.policy()) }
    var short = try join(next, policy)
    #expect(throws: PluginError.self) { try short.finish() }
    #expect(throws: PluginError.self) { try short.take(bundle: [0, 1, 7]) }
    // Who has a journal goes on with it.
    #expect(throws: PluginError.self) {
      try EpochJoin(storage: world.storage("birch"), group: next, handover: handover, policy: policy)
    }
    await world.stopAll()
    let later = try SyncRuntime.Group(
      origin: next.origin, epoch: 2, commitSeconds: 60, revealSeconds: 60, members: next.members)
    for (name, file) in [("another chain of the epoch", other), ("an epoch that has not begun", later)] {
      #expect(throws: PluginError.self, "\(name)") {
        try Node.currentGroup(file: file, storage: world.storage("birch"))
      }
    }
    #expect(try Node.currentGroup(file: world.group(0), storage: world.storage("birch")) == next)
    #expect(try Node.currentGroup(file: world.group(0), storage: world.storage("elm")) == world.group(0))
  }
}

/// Nodes by name, each run again in the next epoch as `node run` does, on storage that outlives them.
final class EpochWorld {
  private static let names = ["alder", "birch", "cedar", "elm", "fir", "oak"]
  private let scratch: Scratch
  private let network = LoopbackNetwork(names: EpochWorld.names)
  private var signers: [String: SodiumSigner] = [:]
  private var newSigners: [String: SodiumSigner] = [:]
  private var storages: [String: FaultyStorage] = [:]
  private var groups: [SyncRuntime.Group] = []
  private var running: [String: (nodes: NodeSuccession, task: Task<Void, any Error>)] = [:]
  /// The group file that each node is started with.
  private var files: [String: SyncRuntime.Group] = [:]

  init() throws {
    scratch = try Scratch()
    for (number, name) in EpochWorld.names.enumerated() {
      signers[name] = try SodiumSigner(seed: [UInt8](repeating: UInt8(number + 40), count: 32))
      storages[name] = FaultyStorage()
    }
    let members = try ["alder", "birch", "cedar", "elm"].map { try card($0, try #require(signers[$0])) }
    groups = [
      try SyncRuntime.Group(origin: "test.example", epoch: 0, commitSeconds: 60, revealSeconds: 60, members: members)
    ]
  }

  private func card(_ name: String, _ signer: SodiumSigner) throws -> GroupMember {
    try MemberCard(name: Text(name), address: "127.0.0.1:7600", gateway: nil, signer: signer).member
  }

  func group(_ epoch: Int) -> SyncRuntime.Group { groups[epoch] }
  func storage(_ name: String) throws -> FaultyStorage { try #require(storages[name]) }
  func node(_ name: String) -> Node { running[name]!.nodes.node }

  func next(remove: [String], add: [String], commitSeconds: UInt64 = 60) throws -> SyncRuntime.Group {
    let old = groups[groups.count - 1]
    let kept = old.members.filter { !remove.contains($0.name.string) }
    let new = try add.map { try card($0, try #require(signers[$0])) }
    return try SyncRuntime.Group(
      origin: old.origin, epoch: old.epoch + 1, commitSeconds: commitSeconds, revealSeconds: 60, members: kept + new)
  }

  /// The same members, one of them with new keys of every role.
  func next(rotate name: String) throws -> SyncRuntime.Group {
    let signer = try SodiumSigner(seed: [UInt8](repeating: UInt8(100 + groups.count), count: 32))
    newSigners[name] = signer
    let old = groups[groups.count - 1]
    let members = try old.members.map { $0.name.string == name ? try card(name, signer) : $0 }
    return try SyncRuntime.Group(
      origin: old.origin, epoch: old.epoch + 1, commitSeconds: 60, revealSeconds: 60, members: members)
  }

  /// As an operator does: the seed is replaced, and the node is started with what it has followed so far.
  func takeNewKeys(_ name: String) { signers[name] = newSigners[name] }

  func start(_ names: [String]) async throws {
    for name in names {
      let signer = try #require(signers[name])
      let storage = try #require(storages[name])
      let file = files[name] ?? groups[0]
      let (network, path) = (network, "\(scratch.path)/\(name)")
      let nodes = try await NodeSuccession {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try Node(
          configuration: NodeConfiguration(
            name: Text(name), group: file, dataDirectory: path, toolchain: World.toolchain,
            faultPauses: [.milliseconds(50)], timeoutBaseMilliseconds: 100,
            isRestored: false, snapshotBlocks: 4, lingerMilliseconds: 500),
          plugins: NodePlugins(
            storage: storage, transport: network.transport(of: name), signer: signer,
            sandbox: EchoSandbox(who: name, isFaulty: false),
            source: EchoSource(recipes: ["x": "echo out x", "y": "echo out y", "z": "echo out z"]),
            eventLoop: World.loops.next()),
          logger: logger)
      }
      running[name] = (nodes, Task { try await nodes.run() })
    }
  }

  func stop(_ name: String) async {
    guard let (nodes, task) = running.removeValue(forKey: name) else { return }
    await nodes.finish()
    try? await task.value
    await nodes.node.close()
  }
  func stopAll() async { for name in running.keys.sorted() { await stop(name) } }

  func handOver(to next: SyncRuntime.Group, proposer: String, approvers: [String]) async throws {
    let old = groups[groups.count - 1]
    groups.append(next)
    let proposal = try HandoverEntry.proposal(
      of: next, in: old, by: Text(proposer), signer: try #require(signers[proposer]))
    try await node(proposer).submitHandover(proposal)
    await #expect(throws: PluginError.self) { try await self.node(proposer).submitHandover([1, 2, 3]) }
    for name in approvers {
      try await until { await !self.node(name).handovers().proposals.isEmpty }
      let entry = try HandoverEntry.approval(
        of: next, in: old, by: Text(name), signer: try #require(signers[name]))
      try await node(name).submitHandover(entry)
    }
  }

  func join(_ name: String, from other: String, handover: [UInt8]) async throws {
    let next = groups[groups.count - 1]
    var join = try EpochJoin(
      storage: try storage(name), group: next, handover: handover, policy: groups[groups.count - 2].policy())
    while let bundle = join.nextBundle {
      try join.take(
        bundle: try #require(try await node(other).entryBundle(index: bundle.index, width: bundle.width)))
    }
    try join.finish()
    files[name] = next
  }

  @discardableResult
  func waitCosigned(_ job: Digest, on name: String) async throws -> JobStatus {
    var last: JobStatus?
    try await until {
      last = await self.node(name).job(job)
      return last?.phase == .cosigned
    }
    return try #require(last)
  }

  func waitEpoch(_ epoch: UInt64, on name: String) async throws {
    try await until { await self.node(name).status().epoch == epoch }
  }

  func waitPhase(_ phase: HandoverList.Phase, on name: String) async throws {
    try await until { await self.node(name).handovers().phase == phase }
  }

  func until(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !condition() {
      guard ContinuousClock.now < deadline else { throw Late() }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  struct Late: Error {}
}
