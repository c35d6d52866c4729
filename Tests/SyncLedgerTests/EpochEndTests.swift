import SyncLedger
import SyncProof
import Testing

/// Proposals, approvals, and the end of an epoch.
@Suite struct EpochEndTests {
  private let builders = Builders(4)
  private var next: Group { builders.next(["ada", "bob", "cyd", "eve"]) }

  /// The proposal is ordered.
  private func proposed() -> World {
    var world = World(builders)
    world.block(builders.proposal(of: next.encode(), by: "ada"))
    return world
  }

  @Test func aQuorumOfApprovalsEndsTheEpoch() throws {
    var world = proposed()
    #expect(world.block(builders.approval(of: next, by: "ada")).map(\.words).count == 1)
    world.block(builders.approval(of: next, by: "dan"))
    #expect(!world.ledger.isEnding && world.ledger.nextSetHash == nil)
    let events = world.block(builders.approval(of: next, by: "cyd"))
    guard case .epochEnded(let successor, let leaf, let index)? = events.last else {
      Issue.record("the epoch goes on: \(events.map(\.words))")
      return
    }
    #expect(successor == next && index == 0 && world.ledger.successor == next)
    #expect(world.ledger.nextSetHash == SHA256.hash(next.encode()))
    #expect(world.ledger.logSize == 1 && world.ledger.logRoot == Merkle.leafHash(leaf))
    let handover = try Handover(parsing: leaf)
    #expect(handover.policy == next.policy() && handover.epoch == 0)
    #expect(handover.approvals.map(\.builder) == ["ada", "cyd", "dan"])
    // It is what a verifier of the old policy believes, and a flipped bit is not.
    let proof = try Proof(
      leaf: leaf, index: 0, path: [], note: try builders.note(size: 1, root: world.ledger.logRoot, cosigners: 3)
    ).encode()
    let verified = try Verifier.verifyHandover(proof: proof, policy: builders.group.policy())
    #expect(verified.approvers.count == 3)
    var changed = leaf
    changed[leaf.count - 20] ^= 1
    let root = Merkle.leafHash(changed)
    let forged = try Proof(
      leaf: changed, index: 0, path: [], note: try builders.note(size: 1, root: root, cosigners: 3)
    ).encode()
    #expect(throws: ProofError.self) {
      try Verifier.verifyHandover(proof: forged, policy: builders.group.policy())
    }
  }

  @Test func behindTheEndNothingIsTaken() {
    var world = proposed()
    for name in ["ada", "bob", "cyd"] as [Text] { world.block(builders.approval(of: next, by: name)) }
    let (size, root) = (world.ledger.logSize, world.ledger.logRoot)
    let other = builders.next(["ada", "bob", "cyd"])
    let entries = [
      builders.submission(.sample()), builders.proposal(of: other.encode(), by: "bob"),
      builders.approval(of: next, by: "dan"), builders.approval(of: other, by: "dan"),
    ]
    for entry in entries { #expect(!world.ledger.admits(entry)) }
    #expect(world.block(of: entries).refusals == [.epochEnding, .epochEnding, .epochEnding, .epochEnding])
    #expect(world.block(later: 1 << 40).isEmpty)
    #expect(world.ledger.logSize == size && world.ledger.logRoot == root)
    #expect(world.ledger.nextDeadlineMilliseconds == nil)
  }

  @Test func openJobsEndFirst() throws {
    var world = proposed()
    let spec = BuildSpec.sample()
    let outcome = Outcome.sample("good", of: spec)
    world.block(builders.submission(spec))
    for name in ["ada", "bob", "cyd"] as [Text] { world.block(builders.approval(of: next, by: name)) }
    #expect(world.ledger.isEnding && world.ledger.successor == nil && world.ledger.nextSetHash == nil)
    #expect(world.block(builders.submission(.sample(rebuild: 1))).refusals == [.epochEnding])
    // A late signature still goes into the leaf.
    #expect(world.block(builders.approval(of: next, by: "dan")).refusals.isEmpty)
    world.block(of: builders.names.map { builders.commitment(spec.jobID, by: $0, to: outcome) })
    let events = world.block(of: builders.names.map { builders.opening(spec.jobID, by: $0, of: outcome) })
    #expect(events.verdicts == [.reproduced])
    guard case .epochEnded(_, let leaf, let index)? = events.last else {
      Issue.record("the epoch goes on")
      return
    }
    #expect(index == 1)
    #expect(try Handover(parsing: leaf).approvals.count == 4)
  }

  @Test func aDeadlineEndsTheLastJobAndTheEpoch() {
    var world = proposed()
    world.block(builders.submission(.sample()))
    for name in ["ada", "bob", "cyd"] as [Text] { world.block(builders.approval(of: next, by: name)) }
    let events = world.block(later: 600_000)
    #expect(events.verdicts == [.inconclusive])
    #expect(world.ledger.successor == next)
  }

  @Test func moreReproducersThanAQuorumMustApprove() {
    let strict = Builders(4, reproducers: 4)
    var world = World(strict)
    let next = strict.next(["ada", "bob", "cyd"])
    world.block(strict.proposal(of: next.encode(), by: "bob"))
    for name in ["ada", "bob", "cyd"] as [Text] { world.block(strict.approval(of: next, by: name)) }
    #expect(!world.ledger.isEnding)
    world.block(strict.approval(of: next, by: "dan"))
    #expect(world.ledger.successor == next)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let entry: @Sendable (Builders, Group) -> [UInt8]
    let refusal: Refusal
    var testDescription: String { name }
  }

  static let rows = [
    Row(name: "proposal by a stranger", entry: { $0.proposal(of: $1.encode(), by: "zoe") }, refusal: .stranger),
    Row(
      name: "proposal signed by another",
      entry: { b, _ in b.proposal(of: b.next(["ada"]).encode(), by: "ada", signer: "bob") },
      refusal: .invalidSignature),
    Row(
      name: "proposal of another chain",
      entry: { b, _ in b.proposal(of: b.next(["ada"]).encode(), by: "ada", chain: SHA256.hash([1])) },
      refusal: .invalidSignature),
    Row(name: "proposal that stands", entry: { $0.proposal(of: $1.encode(), by: "bob") }, refusal: .duplicateProposal),
    Row(
      name: "proposal of no group file", entry: { b, _ in b.proposal(of: Array("group\n".utf8), by: "ada") },
      refusal: .impossibleHandover),
    Row(
      name: "proposal of the present epoch",
      entry: { b, _ in b.proposal(of: b.next(["ada"], epoch: 0).encode(), by: "ada") }, refusal: .impossibleHandover),
    Row(
      name: "proposal that skips an epoch",
      entry: { b, _ in b.proposal(of: b.next(["ada"], epoch: 2).encode(), by: "ada") }, refusal: .impossibleHandover),
    Row(
      name: "proposal of another origin",
      entry: { b, _ in b.proposal(of: b.next(["ada"], origin: "other.example").encode(), by: "ada") },
      refusal: .impossibleHandover),
    Row(name: "approval by a stranger", entry: { $0.approval(of: $1, by: "zoe") }, refusal: .stranger),
    Row(
      name: "approval of nothing", entry: { b, _ in b.approval(of: b.next(["bob"]), by: "ada") },
      refusal: .unknownProposal),
    Row(
      name: "approval signed by another", entry: { $0.approval(of: $1, by: "ada", signer: "bob") },
      refusal: .invalidSignature),
    Row(
      name: "approval whose leaf another signed", entry: { $0.approval(of: $1, by: "ada", leafSigner: "bob") },
      refusal: .invalidSignature),
    Row(
      name: "approval of another chain", entry: { $0.approval(of: $1, by: "ada", chain: SHA256.hash([1])) },
      refusal: .invalidSignature),
    Row(
      name: "approval whose leaf is of another epoch", entry: { $0.approval(of: $1, by: "ada", leafEpoch: 1) },
      refusal: .invalidSignature),
    Row(
      name: "approval by who is only in the next group", entry: { $0.approval(of: $1, by: "eve") },
      refusal: .stranger),
  ]

  @Test(arguments: rows) func whatIsRefused(_ row: Row) {
    var world = proposed()
    let entry = row.entry(builders, next)
    #expect(!world.ledger.admits(entry))
    #expect(world.ledger.refusal(of: entry) == row.refusal)
    #expect(world.block(entry).refusals == [row.refusal])
    #expect(world.ledger.handoverProposals.map(\.approvals) == [[]])
  }

  @Test func oneApprovalEachAndNotTwice() {
    var world = proposed()
    world.block(builders.approval(of: next, by: "ada"))
    #expect(world.block(builders.approval(of: next, by: "ada")).refusals == [.duplicateApproval])
    // A builder may approve of several; the first that has enough is it.
    let other = builders.next(["ada", "bob", "dan", "eve"])
    world.block(builders.proposal(of: other.encode(), by: "bob"))
    for name in ["ada", "bob", "dan"] as [Text] { world.block(builders.approval(of: other, by: name)) }
    #expect(world.ledger.successor == other)
  }

  @Test func proposalsAreBoundedForEachMember() {
    var world = World(builders)
    for number in 0..<LedgerLimits.proposalsMax {
      let group = builders.next(["ada"], salt: "\(number)")
      #expect(world.block(builders.proposal(of: group.encode(), by: "ada")).refusals.isEmpty)
    }
    let one = builders.next(["ada"], salt: "more").encode()
    #expect(world.block(builders.proposal(of: one, by: "ada")).refusals == [.shareUsedUp])
    #expect(world.block(builders.proposal(of: one, by: "bob")).refusals.isEmpty)
  }

  @Test func aGroupWhoseHandoverFitsNoLeafIsRefused() {
    var world = World(builders)
    let names = (0..<100).map { Text("a-member-with-a-name-of-sixty-four-bytes-as-long-as-it-gets-\(1000 + $0)") }
    let large = builders.next(names)
    let entry = builders.proposal(of: large.encode(), by: "ada")
    #expect(world.block(entry).refusals == [.tooLarge])
  }

  @Test func entriesHaveOneEncoding() throws {
    let entries = [builders.proposal(of: next.encode(), by: "ada"), builders.approval(of: next, by: "bob")]
    for bytes in entries {
      #expect(try Entry(parsing: bytes).encode() == bytes)
      #expect(throws: ProofError.self) { try Entry(parsing: bytes + [0]) }
      #expect(throws: ProofError.self) { try Entry(parsing: Array(bytes.dropLast())) }
      var world = World(builders)
      world.block(builders.proposal(of: next.encode(), by: "cyd"))
      let before = world.ledger.handoverProposals
      for place in stride(from: 0, to: bytes.count, by: 7) {
        var flipped = bytes
        flipped[place] ^= 1
        var other = world
        #expect(other.block(flipped).refusals.count == 1, "byte \(place)")
        #expect(other.ledger.handoverProposals == before)
      }
    }
  }

  @Test func theNextEpochBeginsWithWhatTheLeavesSay() throws {
    var world = World(builders)
    var history = LedgerHistory()
    for rebuild in 0..<3 as Range<UInt64> {
      let spec = BuildSpec.sample(rebuild: rebuild)
      let outcome = Outcome.sample("good", of: spec)
      world.block(builders.submission(spec))
      world.block(of: builders.names.map { builders.commitment(spec.jobID, by: $0, to: outcome) })
      let events = world.block(of: builders.names.map { builders.opening(spec.jobID, by: $0, of: outcome) })
      try history.append(try #require(events.leaf))
    }
    world.block(builders.proposal(of: next.encode(), by: "ada"))
    for name in ["ada", "bob", "cyd"] as [Text] {
      for case .epochEnded(_, let leaf, _) in world.block(builders.approval(of: next, by: name)) {
        try history.append(leaf)
      }
    }
    #expect(history.logSize == 4 && history.logRoot == world.ledger.logRoot)
    let begun = Ledger(group: next, history: history)
    #expect(begun.logSize == 4 && begun.logRoot == world.ledger.logRoot && begun.nextSetHash == nil)
    #expect(begun.handoverProposals.isEmpty && !begun.isEnding)
    for rebuild in 0..<3 as Range<UInt64> {
      let id = BuildSpec.sample(rebuild: rebuild).jobID
      guard case .closed(let then)? = world.ledger.job(id), case .closed(let now)? = begun.job(id) else {
        Issue.record("job \(rebuild) is not closed")
        return
      }
      #expect(then == now)
    }
    // A job that was rebuilt is not rebuilt again; who left is a stranger, and its old signatures mean nothing.
    let later = Builders(epoch: 1, names: ["ada", "bob", "cyd", "eve"])
    #expect(begun.refusal(of: later.submission(.sample())) == .duplicateJob)
    #expect(begun.refusal(of: later.submission(.sample(rebuild: 9), by: "eve")) == nil)
    #expect(begun.refusal(of: builders.submission(.sample(rebuild: 9), by: "dan")) == .stranger)
    #expect(begun.refusal(of: builders.submission(.sample(rebuild: 9))) == .invalidSignature)
    #expect(begun.refusal(of: builders.approval(of: next, by: "ada")) == .unknownProposal)
    #expect(throws: ProofError.self) { try history.append(Array("synchronicity-handover/v9\n".utf8)) }
    #expect(throws: ProofError.self) { try history.append([]) }
    #expect(history.logSize == 4)
  }

  /// Not by an honest node of who was removed, which knows that it was: with its old keys, and the new chain's name.
  @Test func whoWasRemovedCanDoNothing() throws {
    let later = Builders(epoch: 1, names: ["ada", "bob", "cyd", "eve"])
    #expect(builders.group.members.contains { $0.builderKey == later.key("dan", .builder).publicKey })
    var world = World(later)
    let spec = BuildSpec.sample()
    let (job, outcome) = (spec.jobID, Outcome.sample("good", of: spec))
    let comeback = later.next(["ada", "bob", "cyd", "dan"])
    world.block(later.submission(spec))
    world.block(later.proposal(of: comeback.encode(), by: "ada"))
    func tries(as name: Text) -> [[UInt8]] {
      [
        later.submission(.sample(rebuild: 9), by: name, signer: "dan"),
        later.commitment(job, by: name, to: outcome, signer: "dan"), later.abstention(job, by: name, signer: "dan"),
        later.proposal(of: later.next(["bob", "cyd", "dan", "eve"]).encode(), by: name, signer: "dan"),
        later.approval(of: comeback, by: name, signer: "dan"),
      ]
    }
    let before = (world.ledger.logSize, world.ledger.logRoot, world.ledger.nextDeadlineMilliseconds)
    for (name, refusal) in [("dan", Refusal.stranger), ("ada", .invalidSignature)] as [(Text, Refusal)] {
      for entry in tries(as: name) {
        #expect(world.ledger.refusal(of: entry) == refusal)
        #expect(world.block(entry).compactMap(\.refusal) == [refusal])
      }
    }
    #expect(before == (world.ledger.logSize, world.ledger.logRoot, world.ledger.nextDeadlineMilliseconds))
    world.block(of: later.names.map { later.commitment(job, by: $0, to: outcome) })
    let opening = later.opening(job, by: "dan", of: outcome)
    #expect(world.block(opening).compactMap(\.refusal) == [.stranger])
    let events = world.block(of: later.names.map { later.opening(job, by: $0, of: outcome) })
    let evidence = try Evidence(parsing: try #require(events.leaf))
    #expect(evidence.epoch == 1 && evidence.builders.filter { $0.outcome != nil }.map(\.name) == later.names)
  }
}
