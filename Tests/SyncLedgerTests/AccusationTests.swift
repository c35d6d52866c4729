import SyncLedger
import SyncProof
import Testing

private let spec = BuildSpec.sample()
private let job = spec.jobID
private let good = Outcome.sample("good", of: spec)
private let bad = Outcome.sample("bad", of: spec)

extension Builders {
  func accusation(
    _ member: Text, _ kind: MisbehaviourRecord.Kind = .votes, _ statements: [[UInt8]] = [[1]], chain: Digest? = nil
  ) -> [UInt8] {
    Entry.accusation(
      MisbehaviourRecord(chainID: chain ?? group.chainID, member: member, kind: kind, statements: statements)
    ).encode()
  }

  fileprivate func doubleCommitment(_ member: Text, signer: Text? = nil, accused: Text? = nil) -> [UInt8] {
    accusation(
      accused ?? member, .doubleCommitment,
      [commitment(job, by: member, to: good), commitment(job, by: member, to: bad, signer: signer)])
  }
}

extension Builders {
  /// The member has committed to what is good, and opens this.
  fileprivate func opened(_ member: Text, to outcome: Outcome) -> [UInt8] {
    guard case .reveal(let signed) = try? Entry(parsing: opening(job, by: member, of: outcome)) else { return [] }
    return accusation(
      member, .wrongOpening, [commitment(job, by: member, to: good), SignedOpening(signed).encode()])
  }
}

@Sendable private func accused(_ world: inout World) { world.block(world.builders.accusation("ada")) }

@Suite struct AccusationTests {
  static let rows: [Rule] = [
    Rule("what the consensus calls proven") { $0.accusation("ada") },
    Rule("another kind against the same member", after: accused) { $0.accusation("ada", .timeouts) },
    Rule("the same kind against another member", after: accused) { $0.accusation("bob") },
    Rule("the same kind against the same member", .knownMisbehaviour, after: accused) { $0.accusation("ada") },
    Rule("what the consensus does not call proven", .unproven) { $0.accusation("ada", .votes, [[2]]) },
    Rule("another chain's", .unproven) { $0.accusation("ada", chain: SHA256.hash([])) },
    Rule("a stranger", .stranger) { $0.accusation("mallory") },
    Rule("two commitments that the ledger has not seen") { $0.doubleCommitment("cyd") },
    Rule("two commitments of which another signed one", .unproven) { $0.doubleCommitment("cyd", signer: "dan") },
    Rule("another member's commitments", .unproven) { $0.doubleCommitment("cyd", accused: "dan") },
    Rule("one commitment twice", .unproven) {
      let entry = $0.commitment(job, by: "cyd", to: good)
      return $0.accusation("cyd", .doubleCommitment, [entry, entry])
    },
    Rule("an honest opening", .unproven) { $0.opened("cyd", to: good) },
    Rule("an opening of something else") { $0.opened("cyd", to: bad) },
    Rule("a kind that is not known", .malformed) {
      var bytes = $0.accusation("ada")
      let word = Array("kind votes".utf8)
      guard let at = bytes.indices.first(where: { bytes[$0...].starts(with: word) }) else { return [] }
      bytes[at + 9] = UInt8(ascii: "5")
      return bytes
    },
    Rule("statements that are no builder's", .unproven) { $0.accusation("ada", .wrongOpening, [[1], [2]]) },
  ]

  @Test(arguments: rows)
  func rule(_ rule: Rule) throws {
    var world = World()
    rule.prepare(&world)
    let entry = rule.entry(world.builders)
    #expect(world.ledger.admits(entry) == (rule.refusal == nil))
    let before = (world.ledger.logSize, world.ledger.logRoot)
    let events = world.block(entry)
    if let refusal = rule.refusal {
      #expect(events.refusals == [refusal])
      #expect((world.ledger.logSize, world.ledger.logRoot) == before)
      return
    }
    guard case .accusation(let record) = try Entry(parsing: entry) else { Issue.record("no accusation"); return }
    #expect(events == [.misbehaviourLogged(record, leaf: record.encode(), index: before.0)])
    #expect(world.ledger.logSize == before.0 + 1)
    #expect(try MisbehaviourRecord(parsing: record.encode()) == record)
    // It stands; the same once more proves nothing new.
    #expect(world.ledger.refusal(of: entry) == .knownMisbehaviour)
  }

  @Test func whatTheLedgerSeesItselfIsLoggedOnceForEachMemberAndKind() throws {
    var world = World()
    let builders = world.builders
    let other = BuildSpec.sample(rebuild: 1)
    world.block(
      builders.submission(spec), builders.submission(other), builders.commitment(job, by: "ada", to: good),
      builders.commitment(other.jobID, by: "ada", to: good))
    let first = world.block(builders.commitment(job, by: "ada", to: bad))
    guard case .misbehaviourLogged(let record, let leaf, 0) = try #require(first.last) else {
      Issue.record("no leaf"); return
    }
    #expect(record.member == "ada" && record.kind == .doubleCommitment && leaf == record.encode())
    let proof = try BuilderMisbehaviour(record, origin: builders.group.origin)
    #expect(proof.isProven(in: builders.group) && proof.job == job)
    let second = world.block(builders.commitment(other.jobID, by: "ada", to: bad))
    #expect(second.count == 2 && world.ledger.logSize == 1)
  }

  @Test func theLargestWrongOpeningFitsALeaf() throws {
    var world = World()
    let builders = world.builders
    _ = world.committed(spec, [good, good, good, good])
    let events = world.block(builders.opening(job, by: "bob", of: bad))
    let leaves = events.compactMap { event -> [UInt8]? in
      if case .misbehaviourLogged(_, let leaf, _) = event { leaf } else { nil }
    }
    // The outcome itself is not in it, whatever its size.
    #expect(leaves.count == 1 && leaves[0].count < 4 * LedgerLimits.openingBytesMax)
    #expect(MisbehaviourRecord.bytesMax < ProofLimits.leafBytesMax)
  }

  @Test func everyFlippedBitOfARecordIsRefused() throws {
    let builders = Builders()
    guard case .accusation(let record) = try Entry(parsing: builders.doubleCommitment("cyd")) else {
      Issue.record("no accusation"); return
    }
    let text = record.encode()
    for place in text.indices {
      var wrong = text
      wrong[place] ^= 1
      guard let read = try? MisbehaviourRecord(parsing: wrong) else { continue }
      let ledger = World(builders).ledger
      #expect(!ledger.admits(Entry.accusation(read).encode()), "byte \(place)")
    }
    for count in text.indices {
      #expect(throws: ProofError.self) { _ = try MisbehaviourRecord(parsing: Array(text.prefix(count))) }
    }
    #expect(throws: ProofError.self) { _ = try MisbehaviourRecord(parsing: text + Array("statement AA==\n".utf8)) }
  }

  @Test func theNextEpochFollowsTheLeavesAndAccusesAnew() throws {
    var world = World()
    world.block(world.builders.accusation("ada"))
    var history = LedgerHistory()
    let record = MisbehaviourRecord(
      chainID: world.builders.group.chainID, member: "ada", kind: .votes, statements: [[1]])
    guard case .misbehaviour(record) = try history.append(record.encode()) else {
      Issue.record("no misbehaviour"); return
    }
    #expect(history.logRoot == world.ledger.logRoot && history.logSize == 1)
  }

  // MARK: Audit

  @Test func anAuditChecksWhatTheGroupFileIsGivenFor() throws {
    let builders = Builders()
    func record(_ entry: [UInt8]) throws -> [UInt8] {
      guard case .accusation(let record) = try Entry(parsing: entry) else { return [] }
      return record.encode()
    }
    let leaves = [
      try record(builders.accusation("ada")), try record(builders.doubleCommitment("cyd")),
      try record(builders.accusation("bob", chain: SHA256.hash([]))),
    ]
    let log = LogAuditTests.Log(builders: builders, leaves: leaves)
    func audit(_ log: LogAuditTests.Log, groups: [Group]) throws -> LogAudit {
      var audit = try LogAudit(
        note: try log.note(), earlier: nil, policies: PolicyChain(builders.group.policy()), groups: groups,
        judge: World.judge)
      while let bundle = audit.nextBundle { _ = try audit.take(bundle: log.bundle(bundle)) }
      return audit
    }
    let without = try audit(log, groups: [])
    #expect(without.misbehaviours == 0 && without.uncheckedMisbehaviours == 3 && without.findingsCount == 0)
    let with = try audit(log, groups: [builders.group])
    #expect(with.misbehaviours == 2 && with.uncheckedMisbehaviours == 1 && with.findingsCount == 0)
    let false1 = try record(builders.accusation("ada", .votes, [[2]]))
    let false2 = try record(builders.doubleCommitment("cyd", signer: "dan"))
    let false3 = try record(builders.accusation("cyd")).dropLast()
    let found = try audit(
      LogAuditTests.Log(builders: builders, leaves: [false1, false2, Array(false3)]), groups: [builders.group])
    #expect(found.findings.map(\.error.code) == [.invalidSignature, .invalidSignature, .malformed])
  }
}
