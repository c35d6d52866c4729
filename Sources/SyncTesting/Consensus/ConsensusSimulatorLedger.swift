import SyncConsensus
import SyncLedger
import SyncProof

/// The ledger as the consensus sees it.
///
/// The node's own conformance stands in SyncRuntime and adds nothing to the ledger's members either; this one is for
/// simulations, which need no runtime.
struct SimulatedLedger: StateMachine {
  private(set) var ledger: Ledger

  /// - Parameter history: The log that the epochs before have left.
  init(group: Group, history: LedgerHistory, memo: SignatureMemo) {
    ledger = Ledger(group: group, history: history, judge: AccusationJudge.isProven)
    ledger.acceptsSignature = { memo.accepts($0, $1, $2) }
  }

  init(group: Group, memo: SignatureMemo, snapshot: [UInt8], closed: [Digest: ClosedJob]) throws {
    ledger = try Ledger(group: group, snapshot: snapshot, closed: closed, judge: AccusationJudge.isProven)
    ledger.acceptsSignature = { memo.accepts($0, $1, $2) }
  }

  var logSize: UInt64 { ledger.logSize }
  var logRoot: Digest { ledger.logRoot }
  var nextDeadlineMilliseconds: UInt64? { ledger.nextDeadlineMilliseconds }
  var nextSetHash: Digest? { ledger.nextSetHash }
  func admits(_ entry: [UInt8]) -> Bool { ledger.admits(entry) }
  func mayAdmitLater(_ entry: [UInt8]) -> Bool { ledger.refusal(of: entry)?.mayPass ?? true }

  mutating func apply(entries: [[UInt8]], height: UInt64, timeMilliseconds: UInt64) -> [LedgerEvent] {
    ledger.apply(entries: entries, height: height, timeMilliseconds: timeMilliseconds)
  }
}

/// A group of builders with keys made from numbers, and the entries that they sign.
struct LedgerFixture {
  let group: Group
  /// For the same members, by index.
  let consensus: FixtureGroup
  private let builderKeys: [FixtureKey]
  private let statement: BuilderStatement

  init(replicas: Int, commitSeconds: UInt64, revealSeconds: UInt64) throws {
    let names = (0..<replicas).map { (index: Int) -> Text in
      Text(utf8: [UInt8(97 + index / 26), UInt8(97 + index % 26)])
    }
    let keys = (0..<replicas).map { FixtureKey(UInt64($0) + 1) }
    let builders = (0..<replicas).map { FixtureKey(UInt64($0) + 1_001) }
    builderKeys = builders
    group = try Group(
      origin: "simulation.example", epoch: 1, commitSeconds: commitSeconds, revealSeconds: revealSeconds,
      members: names.indices.map { index in
        // Nobody signs with these three here.
        func unused(_ role: UInt8) -> PublicKey {
          guard let key = PublicKey(bytes: SHA256.hash([role, UInt8(index)]).bytes) else {
            preconditionFailure("A digest is as long as a key")
          }
          return key
        }
        return GroupMember(
          name: names[index], address: "builder.example:7001", logKey: unused(1), cosignerKey: unused(2),
          builderKey: builders[index].publicKey, consensusKey: keys[index].publicKey, transportKey: unused(3))
      })
    let set = try ReplicaSet(
      epoch: group.epoch, members: zip(names, keys).map { .init(name: $0, key: $1.publicKey) })
    consensus = FixtureGroup(
      chainID: group.chainID, set: set, keys: keys, logRoot: Ledger(group: group).logRoot)
    statement = try BuilderStatement(sandbox: "simulated", processor: "none", kernel: "none")
  }

  /// The group of the next epoch, behind the log of this one.
  init(next group: Group, after former: LedgerFixture, _ history: LedgerHistory) throws {
    func made(_ known: [FixtureKey], _ wanted: (GroupMember) -> PublicKey) throws -> [FixtureKey] {
      try group.members.map { member in
        guard let key = known.first(where: { $0.publicKey == wanted(member) }) else {
          throw ConsensusFaultError("nobody has the keys of \(member.name.string)")
        }
        return key
      }
    }
    self.group = group
    builderKeys = try made(former.builderKeys + [Self.newcomer(2)]) { $0.builderKey }
    let keys = try made(former.consensus.keys + [Self.newcomer(3)]) { $0.consensusKey }
    let set = try ReplicaSet(
      epoch: group.epoch, members: zip(group.members, keys).map { .init(name: $0.name, key: $1.publicKey) })
    consensus = FixtureGroup(
      chainID: group.chainID, set: set, keys: keys, logSize: history.logSize, logRoot: history.logRoot)
    statement = former.statement
  }

  private static func newcomer(_ role: UInt64) -> FixtureKey { FixtureKey(5_000 + role) }

  func name(_ index: UInt16) -> Text { group.members[Int(index)].name }

  /// A small spec in good order; another number is another job.
  static func spec(_ number: UInt64) -> BuildSpec {
    let package: Text = "pkg:cargo/itoa@1.0.1"
    return BuildSpec(
      package: package, rebuild: number, toolchain: SHA256.hash(Array("toolchain".utf8)),
      target: "x86_64-unknown-linux-gnu", profile: "release", features: [],
      sources: [
        SourceItem(
          purl: package, tree: SHA256.hash(Array("tree".utf8)), claim: SHA256.hash(Array("claim".utf8)),
          origin: "pkg:deb/debian/librust-itoa-dev@1.0.1-1?arch=amd64")
      ],
      lock: nil, environment: [EnvironmentVariable(name: "SOURCE_DATE_EPOCH", value: "0")],
      limits: Limits(
        wallSeconds: 600, cpuSeconds: 1200, memoryBytes: 1 << 31, processes: 256, diskBytes: 1 << 32,
        transcriptBytes: 1 << 20),
      recipe: Array("cargo build\n".utf8), artifacts: ["bin/itoa"])
  }

  /// What a build gives whose artifact holds this one number.
  static func outcome(_ content: UInt64) -> Outcome {
    .built([Artifact(path: "bin/itoa", mode: 0o644, size: 8, sha256: SHA256.hash(Array("\(content)".utf8)))])
  }

  // MARK: Entries

  func submission(_ spec: BuildSpec, by index: UInt16) -> [UInt8] {
    let bytes = Entry.submissionSignedBytes(job: spec.jobID, submitter: name(index), chainID: group.chainID)
    return Entry.submission(Submission(spec: spec, submitter: name(index), signature: sign(bytes, index))).encode()
  }

  func reveal(of job: Digest, by index: UInt16, _ outcome: Outcome, nonce: [UInt8]) throws -> Reveal {
    try Reveal(
      group: group.origin, job: job, builder: name(index), outcome: outcome, nonce: nonce, statement: statement)
  }

  func commitment(to reveal: Reveal, by index: UInt16) -> [UInt8] {
    let bytes = Entry.commitmentSignedBytes(
      job: reveal.job, builder: reveal.builder, commitment: reveal.commitment, chainID: group.chainID)
    return Entry.commitment(
      SignedCommitment(
        job: reveal.job, builder: reveal.builder, commitment: reveal.commitment, signature: sign(bytes, index))
    ).encode()
  }

  func accusation(_ proof: Misbehaviour) -> [UInt8] {
    Entry.accusation(
      MisbehaviourRecord(
        chainID: group.chainID, member: name(proof.offender.rawValue), kind: AccusationJudge.kind(of: proof),
        statements: [proof.encode()])
    ).encode()
  }

  func abstention(from job: Digest, by index: UInt16) -> [UInt8] {
    let bytes = Entry.abstentionSignedBytes(job: job, builder: name(index), chainID: group.chainID)
    return Entry.abstention(SignedAbstention(job: job, builder: name(index), signature: sign(bytes, index))).encode()
  }

  func opening(_ reveal: Reveal, by index: UInt16) -> [UInt8] {
    let signature = sign(reveal.signedBytes(), index)
    let bytes = Entry.revealSignedBytes(reveal, signature: signature, chainID: group.chainID)
    return Entry.reveal(SignedReveal(reveal: reveal, signature: signature, entrySignature: sign(bytes, index)))
      .encode()
  }

  /// How many members the next epoch of a group of so many has.
  static func nextCount(_ count: Int) -> Int { count > 1 ? count - 1 : 2 }

  /// A group file for the next epoch: without one of the members where there are several, with one more otherwise.
  func next(without index: Int) throws -> Group {
    var members = group.members
    if members.count > 1 {
      members.remove(at: index)
    } else {
      let keys = (0..<5).map { Self.newcomer(UInt64($0)).publicKey }
      members.append(
        GroupMember(
          name: "zz", address: "builder.example:7002", logKey: keys[0], cosignerKey: keys[1], builderKey: keys[2],
          consensusKey: keys[3], transportKey: keys[4]))
    }
    return try Group(
      origin: group.origin, epoch: group.epoch + 1, commitSeconds: group.commitSeconds,
      revealSeconds: group.revealSeconds, members: members)
  }

  func proposal(of next: Group, by index: UInt16) -> [UInt8] {
    let text = next.encode()
    let bytes = Entry.proposalSignedBytes(
      proposal: SHA256.hash(text), proposer: name(index), chainID: group.chainID)
    return Entry.proposal(SignedProposal(group: text, proposer: name(index), signature: sign(bytes, index))).encode()
  }

  func approval(of next: Group, by index: UInt16) -> [UInt8] {
    let digest = SHA256.hash(next.encode())
    let signature = sign(
      Handover.signedBytes(
        group: group.origin, epoch: group.epoch, policy: SHA256.hash(next.policy().encode()), builder: name(index)),
      index)
    let bytes = Entry.approvalSignedBytes(
      proposal: digest, builder: name(index), signature: signature, chainID: group.chainID)
    return Entry.approval(
      SignedApproval(
        proposal: digest, builder: name(index), signature: signature, entrySignature: sign(bytes, index))
    ).encode()
  }

  private func sign(_ bytes: [UInt8], _ index: UInt16) -> Signature { builderKeys[Int(index)].sign(bytes) }
}

/// Whether a record against a member holds, written apart from the runtime's answer to the same question.
enum AccusationJudge {
  @Sendable static func isProven(_ record: MisbehaviourRecord, _ group: Group) -> Bool {
    guard record.kind.isOfReplica else {
      guard let proof = try? BuilderMisbehaviour(record, origin: group.origin) else { return false }
      return proof.isProven(in: group) && proof.record(chainID: group.chainID) == record
    }
    guard
      let set = try? ReplicaSet(
        epoch: group.epoch, members: group.members.map { .init(name: $0.name, key: $0.consensusKey) }),
      record.statements.count == 1, let proof = try? Misbehaviour(decoding: record.statements[0], set: set),
      group.members.indices.contains(Int(proof.offender.rawValue))
    else { return false }
    return group.members[Int(proof.offender.rawValue)].name == record.member && kind(of: proof) == record.kind
      && proof.encode() == record.statements[0] && proof.isProven(chainID: group.chainID, set: set)
  }

  static func kind(of proof: Misbehaviour) -> MisbehaviourRecord.Kind {
    switch proof.kind {
    case .votes: .votes
    case .proposals: .proposals
    case .timeouts: .timeouts
    case .forgedCertificate: .forgedCertificate
    }
  }
}

/// What the simulated builders give for one job, drawn when it is submitted.
struct SimulatedJob {
  /// By replica.
  let builds: [Build]

  enum Build {
    /// Ends after so many milliseconds with this outcome, every time.
    case gives(Outcome, milliseconds: UInt64)
    /// Ends with another outcome each time, as a build does that is not deterministic.
    case varies(milliseconds: UInt64)
    /// The builder's sandbox fails.
    case fails(milliseconds: UInt64)
    /// Never ends.
    case hangs
  }

  init(replicas: Int, random: inout SeededGenerator) {
    // All alike, all alike a failure, or each one of a few.
    let contents: UInt64 = [1, 1, 1, 2, 3][Int(random.below(5))]
    let isFailure = random.happens(perMille: 150)
    builds = (0..<replicas).map { _ in
      let isSlow = random.happens(perMille: 100)
      let milliseconds = 20 + random.below(isSlow ? 4_000 : 500)
      let content = random.below(contents)
      switch random.below(20) {
      case 0: return .varies(milliseconds: milliseconds)
      case 1: return .fails(milliseconds: milliseconds)
      case 2: return .hangs
      default:
        let outcome = isFailure ? .failed(.exitStatus(1)) : LedgerFixture.outcome(content)
        return .gives(outcome, milliseconds: milliseconds)
      }
    }
  }
}
