import SyncLedger
import SyncProof
import Testing

/// One row of the state machine's table: a state, an entry, and what the entry does there.
struct Rule: Sendable, CustomTestStringConvertible {
  let name: String
  /// `nil`: the entry is taken.
  let refusal: Refusal?
  let prepare: @Sendable (inout World) -> Void
  let entry: @Sendable (Builders) -> [UInt8]

  init(
    _ name: String, _ refusal: Refusal? = nil, after prepare: @escaping @Sendable (inout World) -> Void = { _ in },
    entry: @escaping @Sendable (Builders) -> [UInt8]
  ) {
    (self.name, self.refusal, self.prepare, self.entry) = (name, refusal, prepare, entry)
  }

  var testDescription: String { name }
}

private let spec = BuildSpec.sample()
private let job = spec.jobID
private let good = Outcome.sample("good", of: spec)
private let bad = Outcome.sample("bad", of: spec)

@Sendable private func ordered(_ world: inout World) { world.block(world.builders.submission(spec)) }

/// ada has committed, the others have not.
@Sendable private func adaCommitted(_ world: inout World) {
  ordered(&world)
  world.block(world.builders.commitment(job, by: "ada", to: good))
}

@Sendable private func adaAbstained(_ world: inout World) {
  ordered(&world)
  world.block(world.builders.abstention(job, by: "ada"))
}

/// ada, bob and cyd have committed, dan has abstained: the reveal phase is open.
@Sendable private func revealing(_ world: inout World) {
  adaCommitted(&world)
  world.block(
    world.builders.commitment(job, by: "bob", to: good), world.builders.commitment(job, by: "cyd", to: good),
    world.builders.abstention(job, by: "dan"))
}

@Sendable private func adaRevealed(_ world: inout World) {
  revealing(&world)
  world.block(world.builders.opening(job, by: "ada", of: good))
}

@Sendable private func adaOpenedWrongly(_ world: inout World) {
  revealing(&world)
  world.block(world.builders.opening(job, by: "ada", of: bad))
}

@Sendable private func closed(_ world: inout World) {
  revealing(&world)
  world.block(later: 60_000)
}

/// A group of the same origin and names, another epoch and other keys.
private let strangers = Builders(4, epoch: 1, salt: "other")

@Suite struct RulesTests {
  static let submissions: [Rule] = [
    Rule("a member's submission is ordered") { $0.submission(spec) },
    Rule("the same spec again is the same job", .duplicateJob, after: ordered) { $0.submission(spec) },
    Rule("the same spec by another member is the same job", .duplicateJob, after: ordered) {
      $0.submission(spec, by: "bob")
    },
    Rule("the same spec after its verdict is the same job", .duplicateJob, after: closed) { $0.submission(spec) },
    Rule("another rebuild number is a fresh job", after: closed) { $0.submission(.sample(rebuild: 1)) },
    Rule("a name outside the group", .stranger) { $0.submission(spec, by: "mallory") },
    Rule("another member's signature", .invalidSignature) { $0.submission(spec, by: "ada", signer: "bob") },
    Rule("another chain's submission", .invalidSignature) { $0.submission(spec, chain: strangers.group.chainID) },
    Rule("another group's keys", .invalidSignature) { _ in strangers.submission(spec) },
    Rule("no bytes at all", .malformed) { _ in [] },
    Rule("bytes behind the end", .malformed) { $0.submission(spec) + [0] },
    Rule("another version", .malformed) { [2] + $0.submission(spec).dropFirst() },
    Rule("an unknown kind", .malformed) { [1, 9] + $0.submission(spec).dropFirst(2) },
    Rule("above the size of an entry", .tooLarge) { _ in
      [UInt8](repeating: 1, count: LedgerLimits.entryBytesMax + 1)
    },
  ]

  static let commitPhase: [Rule] = [
    Rule("a commitment", after: ordered) { $0.commitment(job, by: "ada", to: good) },
    Rule("an abstention", after: ordered) { $0.abstention(job, by: "ada") },
    Rule("a commitment to an unknown job", .unknownJob) { $0.commitment(job, by: "ada", to: good) },
    Rule("an abstention from an unknown job", .unknownJob) { $0.abstention(job, by: "ada") },
    Rule("the same commitment again", .duplicateCommitment, after: adaCommitted) {
      $0.commitment(job, by: "ada", to: good)
    },
    Rule("a second, different commitment is taken as proof", after: adaCommitted) {
      $0.commitment(job, by: "ada", to: bad)
    },
    Rule(
      "a third, different commitment proves nothing new", .doubleCommitment,
      after: { world in
        adaCommitted(&world)
        world.block(world.builders.commitment(job, by: "ada", to: bad))
      }
    ) { $0.commitment(job, by: "ada", to: good, nonce: 2) },
    Rule("a second commitment that its builder did not sign", .invalidSignature, after: adaCommitted) {
      $0.commitment(job, by: "ada", to: bad, signer: "bob")
    },
    Rule("a commitment after the abstention", .abstainedBefore, after: adaAbstained) {
      $0.commitment(job, by: "ada", to: good)
    },
    Rule("a second abstention", .abstainedBefore, after: adaAbstained) { $0.abstention(job, by: "ada") },
    Rule("an abstention after the commitment", .committedBefore, after: adaCommitted) {
      $0.abstention(job, by: "ada")
    },
    Rule("a stranger's commitment", .stranger, after: ordered) { $0.commitment(job, by: "mallory", to: good) },
    Rule("a stranger's abstention", .stranger, after: ordered) { $0.abstention(job, by: "mallory") },
    Rule("a commitment signed by another", .invalidSignature, after: ordered) {
      $0.commitment(job, by: "ada", to: good, signer: "bob")
    },
    Rule("an abstention signed by another", .invalidSignature, after: ordered) {
      $0.abstention(job, by: "ada", signer: "bob")
    },
    Rule("another chain's commitment", .invalidSignature, after: ordered) {
      $0.commitment(job, by: "ada", to: good, chain: strangers.group.chainID)
    },
    Rule("another chain's abstention", .invalidSignature, after: ordered) {
      $0.abstention(job, by: "ada", chain: strangers.group.chainID)
    },
    Rule("a submission's signature on an abstention", .invalidSignature, after: ordered) {
      let bytes = Entry.submissionSignedBytes(job: job, submitter: "ada", chainID: $0.group.chainID)
      return Entry.abstention(
        SignedAbstention(job: job, builder: "ada", signature: $0.key("ada", .builder).sign(bytes))
      ).encode()
    },
    Rule("an early opening", .revealTooEarly, after: adaCommitted) { $0.opening(job, by: "ada", of: good) },
    Rule("an opening of nothing, early", .revealTooEarly, after: ordered) { $0.opening(job, by: "ada", of: good) },
    Rule("an opening for an unknown job", .unknownJob) { $0.opening(job, by: "ada", of: good) },
  ]

  static let revealPhase: [Rule] = [
    Rule("an opening", after: revealing) { $0.opening(job, by: "ada", of: good) },
    Rule("a wrong opening is taken as proof: another outcome", after: revealing) {
      $0.opening(job, by: "ada", of: bad)
    },
    Rule("a wrong opening is taken as proof: another nonce", after: revealing) {
      $0.opening(job, by: "ada", of: good, nonce: 9)
    },
    Rule("a wrong opening is taken as proof: another group's name", after: revealing) {
      $0.opening(job, by: "ada", of: good, group: "other.example")
    },
    Rule("the same opening again", .duplicateReveal, after: adaRevealed) { $0.opening(job, by: "ada", of: good) },
    Rule("a wrong opening after the right one", .duplicateReveal, after: adaRevealed) {
      $0.opening(job, by: "ada", of: bad)
    },
    Rule("the right opening after a wrong one", .wrongOpeningBefore, after: adaOpenedWrongly) {
      $0.opening(job, by: "ada", of: good)
    },
    Rule("an opening after the abstention", .noCommitment, after: revealing) {
      $0.opening(job, by: "dan", of: good)
    },
    Rule("an opening signed by another", .invalidSignature, after: revealing) {
      $0.opening(job, by: "ada", of: good, signer: "bob")
    },
    Rule("a wrong opening signed by another frames nobody", .invalidSignature, after: revealing) {
      $0.opening(job, by: "ada", of: bad, signer: "bob")
    },
    Rule("an opening whose signature for the evidence is another's", .invalidSignature, after: revealing) {
      $0.opening(job, by: "ada", of: good, evidenceSigner: "bob")
    },
    Rule("a wrong opening of another chain frames nobody", .invalidSignature, after: revealing) {
      $0.opening(job, by: "ada", of: bad, chain: strangers.group.chainID)
    },
    Rule("a stranger's opening", .stranger, after: revealing) { $0.opening(job, by: "mallory", of: good) },
    Rule("a late commitment", .commitPhaseOver, after: revealing) { $0.commitment(job, by: "dan", to: good) },
    Rule("a late abstention", .commitPhaseOver, after: revealing) { $0.abstention(job, by: "dan") },
    Rule("an opening after the verdict", .jobClosed, after: closed) { $0.opening(job, by: "ada", of: good) },
    Rule("a commitment after the verdict", .jobClosed, after: closed) { $0.commitment(job, by: "ada", to: good) },
    Rule("an abstention after the verdict", .jobClosed, after: closed) { $0.abstention(job, by: "ada") },
  ]

  /// Outcomes that the spec cannot have, committed to and opened in good order by ada.
  static let impossible: [(name: String, outcome: Outcome)] = [
    ("another path", .built([.sample("good", path: "other")])),
    ("one path too many", .built([.sample("good", path: "bin/itoa"), .sample("good", path: "other")])),
    ("an undeclared missing artifact", .failed(.missingArtifact("other"))),
    ("an undeclared bad artifact", .failed(.badArtifact("other"))),
  ]

  @Test(arguments: submissions + commitPhase + revealPhase)
  func rule(_ rule: Rule) {
    var world = World()
    rule.prepare(&world)
    let entry = rule.entry(world.builders)
    #expect(world.ledger.admits(entry) == (rule.refusal == nil))
    let before = Shape(world.ledger)
    let events = world.block(entry)
    #expect(events.refusals == (rule.refusal.map { [$0] } ?? []))
    #expect((Shape(world.ledger) == before) == (rule.refusal != nil))
  }

  @Test(arguments: (submissions + commitPhase + revealPhase).filter { $0.refusal == nil })
  func everyFlippedBitIsRefused(_ rule: Rule) {
    var world = World()
    rule.prepare(&world)
    let entry = rule.entry(world.builders)
    for i in entry.indices {
      var flipped = entry
      flipped[i] ^= 1 << UInt8(i % 8)
      #expect(!world.ledger.admits(flipped), "byte \(i)")
    }
  }

  @Test(arguments: impossible.indices)
  func impossibleOutcomeIsRefused(_ row: Int) {
    let (name, outcome) = RulesTests.impossible[row]
    var world = World()
    ordered(&world)
    world.block(world.builders.commitment(job, by: "ada", to: outcome))
    world.block(later: 600_000)
    let entry = world.builders.opening(job, by: "ada", of: outcome)
    #expect(!world.ledger.admits(entry), "\(name)")
    #expect(world.block(entry).refusals == [.impossibleOutcome], "\(name)")
  }

  @Test func eachRefusalHasARow() {
    let inTables = (Self.submissions + Self.commitPhase + Self.revealPhase).compactMap(\.refusal)
    let elsewhere: [Refusal] = [.impossibleOutcome, .invalidSpec, .shareUsedUp]
    let atTheEnd = EpochEndTests.rows.map(\.refusal) + [.epochEnding, .duplicateApproval]
    #expect(
      Set(inTables + elsewhere + atTheEnd + AccusationTests.rows.compactMap(\.refusal)) == Set(Refusal.allCases))
  }
}

/// What can be seen of a ledger from outside.
private struct Shape: Equatable {
  let logRoot: Digest
  let openJobs: [Digest]
  let nextDeadline: UInt64?
  let steps: [[OpenJob.Step]]
  let doubled: [[Text]]

  init(_ ledger: Ledger) {
    logRoot = ledger.logRoot
    openJobs = ledger.openJobs
    nextDeadline = ledger.nextDeadlineMilliseconds
    let jobs = openJobs.compactMap { id -> OpenJob? in
      if case .open(let job) = ledger.job(id) { job } else { nil }
    }
    steps = jobs.map(\.steps)
    doubled = jobs.map(\.doubleCommitments)
  }
}
