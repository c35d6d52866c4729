import SyncConsensus
import SyncLedger
import SyncProof

/// A ``MisbehaviourRecord`` that was checked: its member's own keys have signed what it says.
public struct MisbehaviourProof: Hashable, Sendable {
  public typealias Kind = MisbehaviourRecord.Kind

  /// The most bytes that a file has.
  public static let bytesMax = MisbehaviourRecord.bytesMax

  /// What the lines hold; also what a leaf of the log holds.
  public let record: MisbehaviourRecord
  /// What was contradicted, for people: a view, or a job.
  public let place: String

  public var kind: Kind { record.kind }
  public var member: Text { record.member }

  init(_ proof: Misbehaviour, of group: Group) {
    let kind: Kind =
      switch proof.kind {
      case .votes: .votes
      case .proposals: .proposals
      case .timeouts: .timeouts
      case .forgedCertificate: .forgedCertificate
      }
    record = MisbehaviourRecord(
      chainID: group.chainID, member: group.members[Int(proof.offender.rawValue)].name, kind: kind,
      statements: [proof.encode()])
    place = "view \(proof.view) of epoch \(proof.epoch)"
  }

  init(_ proof: BuilderMisbehaviour, of group: Group) {
    record = proof.record(chainID: group.chainID)
    place = "job \(proof.job.hex)"
  }

  public func encode() -> [UInt8] { record.encode() }

  /// Reads a file, or a leaf, and checks it: that it is what ``encode()`` writes, of this group, and that the member's
  /// own key signed what it says.
  ///
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge``, ``ProofError/Code/unsupportedVersion`` for
  ///   what is no such file; ``ProofError/Code/groupMismatch`` for another group's;
  ///   ``ProofError/Code/invalidSignature`` where a signature is not the member's, so that nothing is proven.
  public init(parsing bytes: [UInt8], group: Group) throws(ProofError) {
    try self.init(MisbehaviourRecord(parsing: bytes), group: group)
  }

  init(_ record: MisbehaviourRecord, group: Group) throws(ProofError) {
    guard record.chainID == group.chainID else {
      throw ProofError(
        .groupMismatch,
        "The proof is of the chain \(Text(record.chainID.hex)), the group file of \(Text(group.chainID.hex)); take "
          + "the group file that was in force then")
    }
    if record.kind.isOfReplica {
      let set = try MisbehaviourProof.replicas(of: group)
      guard let statement = record.statements.first else {
        throw ProofError(.malformed, "A replica's misbehaviour wants a statement")
      }
      let proof = try Misbehaviour(decoding: statement, set: set)
      guard set.contains(proof.offender) else {
        throw ProofError(.malformed, "The statements are of a replica outside of the group")
      }
      guard proof.isProven(chainID: record.chainID, set: set) else { throw MisbehaviourProof.unproven(record.member) }
      self.init(proof, of: group)
    } else {
      let proof = try BuilderMisbehaviour(record, origin: group.origin)
      guard proof.isProven(in: group) else { throw MisbehaviourProof.unproven(record.member) }
      self.init(proof, of: group)
    }
    // Whose it is and of what kind, the statements say; the lines before them may not say something else.
    guard self.record == record else {
      throw ProofError(.malformed, "The statements are of \(member) and `\(Text(kind.rawValue))`, or not canonical")
    }
  }

  /// Whether a record holds, as the ledger and the audit of a log ask.
  @Sendable static func isProven(_ record: MisbehaviourRecord, _ group: Group) -> Bool {
    (try? MisbehaviourProof(record, group: group)) != nil
  }

  private static func replicas(of group: Group) throws(ProofError) -> ReplicaSet {
    do {
      return try NodeConfiguration.replicas(of: group)
    } catch {
      throw ProofError(.malformed, Text(error.message))
    }
  }

  private static func unproven(_ member: Text) -> ProofError {
    ProofError(
      .invalidSignature,
      "A statement is not signed with the key that the group file has for its author, or is an honest one; nothing is "
        + "proven against `\(Naming.printable(member.utf8))`")
  }
}

extension Ledger {
  /// The ledger with the consensus' reading of what replicas have signed, and a memory of the signatures that it has
  /// checked, which all its copies share.
  package init(ofNode group: Group, history: LedgerHistory = LedgerHistory()) {
    self.init(group: group, history: history, judge: MisbehaviourProof.isProven)
    remembersSignatures()
  }

  /// The same behind a snapshot.
  init(ofNode group: Group, snapshot: [UInt8], closed: [Digest: ClosedJob]) throws(ProofError) {
    try self.init(group: group, snapshot: snapshot, closed: closed, judge: MisbehaviourProof.isProven)
    remembersSignatures()
  }

  private mutating func remembersSignatures() {
    let signatures = AcceptedSignatures()
    acceptsSignature = { signatures.accepts($0, $1, $2) }
  }
}

extension LogAudit {
  /// The audit with the group files of those epochs whose leaves about misbehaviour are to be checked.
  public init(note: SignedNote, earlier: SignedNote?, policies: PolicyChain, groups: [Group]) throws(ProofError) {
    try self.init(
      note: note, earlier: earlier, policies: policies, groups: groups, judge: MisbehaviourProof.isProven)
  }
}

/// A proof of misbehaviour as a node shows it.
public struct MisbehaviourStatus: Sendable, Equatable, Codable {
  public let member: String
  /// A word of ``MisbehaviourProof/Kind``.
  public let kind: String
  /// What was contradicted: `view 7 of epoch 0`, `job …`.
  public let place: String
  /// The file's text, ``MisbehaviourProof/encode()``.
  public let proof: String
  /// Where the log has a record of this kind against the member; `nil` as long as it has none.
  public let index: UInt64?

  public init(member: String, kind: String, place: String, proof: String, index: UInt64? = nil) {
    (self.member, self.kind, self.place, self.proof, self.index) = (member, kind, place, proof, index)
  }
}

extension NodeConfiguration {
  static func replicas(of group: Group) throws(ConsensusError) -> ReplicaSet {
    try ReplicaSet(epoch: group.epoch, members: group.members.map { .init(name: $0.name, key: $0.consensusKey) })
  }
}
