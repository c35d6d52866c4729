import CSodium
import SyncLedger
import SyncProof
import Testing

/// An Ed25519 key pair made from a small number, so that goldens stay what they are.
struct KeyPair: Sendable {
  let publicKey: PublicKey
  private let secret: [UInt8]

  init(seed: [UInt8]) {
    var (publicBytes, secretBytes) = ([UInt8](repeating: 0, count: 32), [UInt8](repeating: 0, count: 64))
    crypto_sign_seed_keypair(&publicBytes, &secretBytes, SHA256.hash(seed).bytes)
    secret = secretBytes
    publicKey = PublicKey(bytes: publicBytes)!
  }

  func sign(_ message: [UInt8]) -> Signature {
    var out = [UInt8](repeating: 0, count: 64)
    crypto_sign_detached(&out, nil, message, UInt64(message.count), secret)
    return Signature(bytes: out)!
  }
}

/// The secret side of a group: every member's keys, and the verbs with which a builder speaks.
struct Builders: Sendable {
  enum Role: String, CaseIterable { case log, cosigner, builder, consensus, transport }

  static let names = ["ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "joe"]

  let group: Group
  let names: [Text]
  /// What every builder says of itself.
  var statement = try! BuilderStatement(sandbox: "chroot/0.1", processor: "Example CPU 3000", kernel: "6.12.0")

  /// - Parameter salt: Another salt gives the same names with other keys.
  init(
    _ count: Int = 4, reproducers: Int? = nil, origin: Text = "builds.example", epoch: UInt64 = 0, salt: String = "",
    commitSeconds: UInt64 = 600, revealSeconds: UInt64 = 60, names: [Text]? = nil
  ) {
    self.names =
      names ?? (0..<count).map { $0 < Builders.names.count ? Text(Builders.names[$0]) : Text("member-\(1000 + $0)") }
    self.salt = salt
    let members = self.names.map { Builders.member($0, salt, address: "builder.example:7001") }
    group = try! Group(
      origin: origin, epoch: epoch, reproducers: reproducers, commitSeconds: commitSeconds,
      revealSeconds: revealSeconds, members: members)
  }

  private let salt: String

  static func key(_ name: Text, _ role: Role, salt: String = "") -> KeyPair {
    KeyPair(seed: Array("\(salt)/\(name.string)/\(role.rawValue)".utf8))
  }

  func key(_ name: Text, _ role: Role) -> KeyPair { Builders.key(name, role, salt: salt) }

  static func member(_ name: Text, _ salt: String = "", address: Text? = nil, gateway: Text? = nil) -> GroupMember {
    func publicKey(_ role: Role) -> PublicKey { key(name, role, salt: salt).publicKey }
    return GroupMember(
      name: name, address: address ?? Text("\(name.string).example:7001"), gateway: gateway, logKey: publicKey(.log),
      cosignerKey: publicKey(.cosigner), builderKey: publicKey(.builder), consensusKey: publicKey(.consensus),
      transportKey: publicKey(.transport))
  }

  /// A checkpoint signed by the first member's log key and cosigned by so many.
  func note(size: UInt64, root: Digest, cosigners: Int) throws -> SignedNote {
    let body = Checkpoint(origin: group.origin, treeSize: size, root: root).body()
    let log = try NoteKey(name: group.origin, kind: .ed25519, publicKey: key("ada", .log).publicKey)
    var signatures = [NoteSignature(key: log, signature: key("ada", .log).sign(body))]
    for member in group.members.prefix(cosigners) {
      let pair = key(member.name, .cosigner)
      let vkey = try NoteKey(name: group.keyName(of: member), kind: .cosignatureV1, publicKey: pair.publicKey)
      let message = Cosignature.message(timestamp: 1_800_000_000, body: body)
      signatures.append(NoteSignature(key: vkey, timestamp: 1_800_000_000, signature: pair.sign(message)))
    }
    return try SignedNote(text: body, signatures: signatures)
  }

  func submission(_ spec: BuildSpec, by name: Text = "ada", chain: Digest? = nil, signer: Text? = nil) -> [UInt8] {
    let bytes = Entry.submissionSignedBytes(job: spec.jobID, submitter: name, chainID: chain ?? group.chainID)
    return Entry.submission(
      Submission(spec: spec, submitter: name, signature: key(signer ?? name, .builder).sign(bytes))
    ).encode()
  }

  func commitment(
    _ job: Digest, by name: Text, to outcome: Outcome, nonce: UInt8 = 1, chain: Digest? = nil, signer: Text? = nil
  ) -> [UInt8] {
    let digest = reveal(job, by: name, outcome, nonce: nonce).commitment
    let bytes = Entry.commitmentSignedBytes(
      job: job, builder: name, commitment: digest, chainID: chain ?? group.chainID)
    return Entry.commitment(
      SignedCommitment(
        job: job, builder: name, commitment: digest, signature: key(signer ?? name, .builder).sign(bytes))
    ).encode()
  }

  func abstention(_ job: Digest, by name: Text, chain: Digest? = nil, signer: Text? = nil) -> [UInt8] {
    let bytes = Entry.abstentionSignedBytes(job: job, builder: name, chainID: chain ?? group.chainID)
    return Entry.abstention(
      SignedAbstention(job: job, builder: name, signature: key(signer ?? name, .builder).sign(bytes))
    ).encode()
  }

  func opening(
    _ job: Digest, by name: Text, of outcome: Outcome, nonce: UInt8 = 1, chain: Digest? = nil, signer: Text? = nil,
    evidenceSigner: Text? = nil, group origin: Text? = nil
  ) -> [UInt8] {
    let reveal = reveal(job, by: name, outcome, nonce: nonce, group: origin)
    let pair = key(signer ?? name, .builder)
    let signature = key(evidenceSigner ?? signer ?? name, .builder).sign(reveal.signedBytes())
    let bytes = Entry.revealSignedBytes(reveal, signature: signature, chainID: chain ?? group.chainID)
    return Entry.reveal(SignedReveal(reveal: reveal, signature: signature, entrySignature: pair.sign(bytes)))
      .encode()
  }

  /// The same group an epoch later, with these members.
  func next(_ names: [Text], salt: String? = nil, origin: Text? = nil, epoch: UInt64? = nil) -> Group {
    Builders(
      origin: origin ?? group.origin, epoch: epoch ?? group.epoch + 1, salt: salt ?? self.salt, names: names
    ).group
  }

  func proposal(of text: [UInt8], by name: Text, chain: Digest? = nil, signer: Text? = nil) -> [UInt8] {
    let bytes = Entry.proposalSignedBytes(
      proposal: SHA256.hash(text), proposer: name, chainID: chain ?? group.chainID)
    return Entry.proposal(
      SignedProposal(group: text, proposer: name, signature: key(signer ?? name, .builder).sign(bytes))
    ).encode()
  }

  /// - Parameter leafEpoch: The epoch that the leaf's signature names, where it is not the group's.
  func approval(
    of next: Group, by name: Text, chain: Digest? = nil, signer: Text? = nil, leafSigner: Text? = nil,
    leafEpoch: UInt64? = nil
  ) -> [UInt8] {
    let digest = SHA256.hash(next.encode())
    let signature = key(leafSigner ?? signer ?? name, .builder).sign(
      Handover.signedBytes(
        group: group.origin, epoch: leafEpoch ?? group.epoch, policy: SHA256.hash(next.policy().encode()),
        builder: name))
    let bytes = Entry.approvalSignedBytes(
      proposal: digest, builder: name, signature: signature, chainID: chain ?? group.chainID)
    return Entry.approval(
      SignedApproval(
        proposal: digest, builder: name, signature: signature,
        entrySignature: key(signer ?? name, .builder).sign(bytes))
    ).encode()
  }

  func reveal(
    _ job: Digest, by name: Text, _ outcome: Outcome, nonce: UInt8 = 1, group origin: Text? = nil
  ) -> Reveal {
    try! Reveal(
      group: origin ?? group.origin, job: job, builder: name, outcome: outcome,
      nonce: [UInt8](repeating: nonce, count: 32), statement: statement)
  }
}

/// A ledger, the time of its next block, and what happened so far in words.
struct World {
  static let startMilliseconds: UInt64 = 1_800_000_000_000

  let builders: Builders
  var ledger: Ledger
  var height: UInt64 = 0
  var milliseconds = World.startMilliseconds
  /// What an index of the log's leaves would say.
  private(set) var closed: [Digest: ClosedJob] = [:]
  private(set) var transcript: [String] = []

  init(_ builders: Builders = Builders()) {
    self.builders = builders
    ledger = Ledger(group: builders.group, judge: World.judge)
  }

  /// In the consensus' place: the statement is a byte, 1 for a proof.
  @Sendable static func judge(_ record: MisbehaviourRecord, _ group: Group) -> Bool { record.statements == [[1]] }

  /// One block with these entries, `later` milliseconds after the last.
  @discardableResult
  mutating func block(_ entries: [UInt8]..., later: UInt64 = 1) -> [LedgerEvent] {
    block(of: entries, later: later)
  }

  @discardableResult
  mutating func block(of entries: [[UInt8]], later: UInt64 = 1) -> [LedgerEvent] {
    height += 1
    milliseconds += later
    let events = ledger.apply(entries: entries, height: height, timeMilliseconds: milliseconds)
    for case .verdict(let job, let verdict, _, _, let index) in events {
      closed[job] = ClosedJob(index: index, verdict: verdict, height: height)
    }
    goOnFromSnapshot()
    transcript.append("block \(height) +\(milliseconds - World.startMilliseconds) ms, \(entries.count) entries")
    transcript += events.map { "  \($0.words)" }
    if let deadline = ledger.nextDeadlineMilliseconds {
      transcript.append("  next deadline +\(deadline - World.startMilliseconds) ms")
    }
    return events
  }

  /// Every test goes on from a snapshot behind each block: what that did not keep would be missed.
  private mutating func goOnFromSnapshot() {
    let bytes = ledger.snapshot()
    ledger = try! Ledger(group: builders.group, snapshot: bytes, closed: closed, judge: World.judge)
    #expect(ledger.snapshot() == bytes)
  }

  /// Orders a job and takes it through the commit phase: all members commit, each to its outcome.
  mutating func committed(_ spec: BuildSpec, _ outcomes: [Outcome]) -> Digest {
    block(builders.submission(spec))
    block(of: zip(builders.names, outcomes).map { builders.commitment(spec.jobID, by: $0, to: $1) })
    return spec.jobID
  }
}

extension LedgerEvent {
  /// One line, for transcripts and for table rows.
  var words: String {
    switch self {
    case .ordered(let job, let spec, let submitter):
      "ordered \(short(job)) \(spec.package.string) by \(submitter.string)"
    case .committed(let job, let builder): "committed \(short(job)) \(builder.string)"
    case .abstained(let job, let builder): "abstained \(short(job)) \(builder.string)"
    case .revealPhase(let job): "revealPhase \(short(job))"
    case .revealed(let job, let builder, let outcome): "revealed \(short(job)) \(builder.string) \(short(outcome))"
    case .wrongOpening(let job, let builder): "wrongOpening \(short(job)) \(builder.string)"
    case .doubleCommitment(let job, let builder): "doubleCommitment \(short(job)) \(builder.string)"
    case .misbehaviour(let proof): "misbehaviour \(short(proof.job)) \(proof.builder.string) \(proof.kind.rawValue)"
    case .misbehaviourLogged(let record, let leaf, let index):
      "misbehaviourLogged \(record.member.string) \(record.kind.rawValue) leaf \(index) \(short(SHA256.hash(leaf)))"
    case .verdict(let job, let verdict, _, let leaf, let index):
      "verdict \(short(job)) \(verdict) leaf \(index) \(short(SHA256.hash(leaf)))"
    case .proposed(let handover, let proposer): "proposed \(short(handover)) \(proposer.string)"
    case .approved(let handover, let builder): "approved \(short(handover)) \(builder.string)"
    case .epochEnding(let handover): "epochEnding \(short(handover))"
    case .epochEnded(let next, let leaf, let index):
      "epochEnded \(next.epoch) leaf \(index) \(short(SHA256.hash(leaf)))"
    case .refused(let entry, let reason): "refused \(short(entry)) \(reason.rawValue)"
    }
  }

  private func short(_ digest: Digest) -> String { String(digest.hex.prefix(8)) }

  var refusal: Refusal? { if case .refused(_, let reason) = self { reason } else { nil } }
}

extension [LedgerEvent] {
  var refusals: [Refusal] { compactMap(\.refusal) }

  /// The verdicts, in order.
  var verdicts: [Verdict] {
    compactMap { if case .verdict(_, let verdict, _, _, _) = $0 { verdict } else { nil } }
  }

  var evidence: Evidence? {
    compactMap { if case .verdict(_, _, let evidence, _, _) = $0 { evidence } else { nil } }.last
  }

  var leaf: [UInt8]? {
    compactMap { if case .verdict(_, _, _, let leaf, _) = $0 { leaf } else { nil } }.last
  }
}

extension Evidence {
  /// For each member, why it has no outcome; `nil` where it has one.
  var absences: [Absence?] { builders.map { if case .absent(_, let absence) = $0 { absence } else { nil } } }
}
