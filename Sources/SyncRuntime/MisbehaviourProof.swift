import SyncConsensus
import SyncLedger
import SyncProof

/// A file that shows, to anyone who has the group file, that a member signed what an honest one does not.
///
/// The text, each line ending in a newline, and no other text: `synchronicity-misbehaviour/v1`, `chain` and the
/// group's chain ID, `member` and its name, `kind` and the word of ``Kind``, then one or two lines `statement` with
/// base64: of a replica its encoded ``Misbehaviour``, of a builder the two entries (docs/FORMATS.md).
public struct MisbehaviourProof: Hashable, Sendable {
  /// What was signed; the words are those of the file.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Two votes in one view.
    case votes
    /// Two proposals in one view by its leader.
    case proposals
    /// Two timeouts of one view that name different certificates.
    case timeouts
    /// Two commitments to one job.
    case doubleCommitment = "double-commitment"
    /// A reveal that does not open the builder's commitment.
    case wrongOpening = "wrong-opening"
  }

  private enum Content: Hashable, Sendable {
    case replica(Misbehaviour)
    case builder(BuilderMisbehaviour)
  }

  /// The most that a file has: two entries in base64, and the lines before them.
  public static let bytesMax = 4 * LedgerLimits.entryBytesMax

  public let kind: Kind
  public let member: Text
  private let chainID: Digest
  private let content: Content

  init(_ proof: Misbehaviour, of group: Group) {
    kind =
      switch proof.kind {
      case .votes: .votes
      case .proposals: .proposals
      case .timeouts: .timeouts
      }
    member = group.members[Int(proof.offender.rawValue)].name
    (chainID, content) = (group.chainID, .replica(proof))
  }

  init(_ proof: BuilderMisbehaviour, of group: Group) {
    kind = proof.kind == .doubleCommitment ? .doubleCommitment : .wrongOpening
    (member, chainID, content) = (proof.builder, group.chainID, .builder(proof))
  }

  /// What was contradicted, for people: a view, or a job.
  public var place: String {
    switch content {
    case .replica(let proof): "view \(proof.view) of epoch \(proof.epoch)"
    case .builder(let proof): "job \(proof.job.hex)"
    }
  }

  public func encode() -> [UInt8] {
    let statements =
      switch content {
      case .replica(let proof): [proof.encode()]
      case .builder(let proof): [proof.first.encode(), proof.second.encode()]
      }
    var lines = [
      "synchronicity-misbehaviour/v1", "chain \(chainID.hex)", "member \(member.string)", "kind \(kind.rawValue)",
    ]
    lines += statements.map { "statement " + String(decoding: Base64.encode($0), as: UTF8.self) }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  /// Reads a file and checks it: that it is what ``encode()`` writes, of this group, and that the member's own key
  /// signed both statements.
  ///
  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/tooLarge``, ``ProofError/Code/unsupportedVersion`` for
  ///   what is no such file; ``ProofError/Code/groupMismatch`` for another group's;
  ///   ``ProofError/Code/invalidSignature`` where a signature is not the member's, so that nothing is proven.
  public init(parsing bytes: [UInt8], group: Group) throws(ProofError) {
    guard bytes.count <= MisbehaviourProof.bytesMax else {
      throw ProofError(.tooLarge, "A proof of \(bytes.count) bytes; at most \(MisbehaviourProof.bytesMax) are taken")
    }
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-misbehaviour/v1", .unsupportedVersion)
    let chainID = try reader.digest("chain")
    guard chainID == group.chainID else {
      throw ProofError(
        .groupMismatch,
        "The proof is of the chain \(Text(chainID.hex)), the group file of \(Text(group.chainID.hex)); take the group "
          + "file that was in force then")
    }
    let member = Text(utf8: [UInt8](try reader.value("member")))
    let word = String(decoding: try reader.value("kind"), as: UTF8.self)
    guard let kind = Kind(rawValue: word) else {
      throw ProofError(.malformed, "The kind `\(Naming.printable(Array(word.utf8)))` is not known")
    }
    var statements: [[UInt8]] = []
    while !reader.isAtEnd, statements.count < 2 {
      let start = reader.offset
      guard let statement = Base64.decode([UInt8](try reader.value("statement"))) else {
        throw ProofError(.malformed, "A statement is not canonical base64", at: start)
      }
      statements.append(statement)
    }
    switch kind {
    case .votes, .proposals, .timeouts:
      guard statements.count == 1 else { throw MisbehaviourProof.wrongCount(statements.count, 1) }
      let set = try MisbehaviourProof.replicas(of: group)
      let proof = try Misbehaviour(decoding: statements[0], set: set)
      guard proof.isProven(chainID: chainID, set: set) else { throw MisbehaviourProof.unsigned(member) }
      self.init(proof, of: group)
    case .doubleCommitment, .wrongOpening:
      guard statements.count == 2 else { throw MisbehaviourProof.wrongCount(statements.count, 2) }
      let (first, second) = (try Entry(parsing: statements[0]), try Entry(parsing: statements[1]))
      guard let proof = BuilderMisbehaviour(first, second, origin: group.origin) else {
        throw ProofError(.malformed, "The two entries do not contradict each other")
      }
      guard proof.isProven(in: group) else { throw MisbehaviourProof.unsigned(member) }
      self.init(proof, of: group)
    }
    // Whose it is and of what kind, the statements say; the lines before them may not say something else.
    guard encode() == bytes else {
      throw ProofError(
        .malformed, "The statements are of \(self.member) and `\(Text(self.kind.rawValue))`, or more follows")
    }
  }

  private static func replicas(of group: Group) throws(ProofError) -> ReplicaSet {
    do {
      return try NodeConfiguration.replicas(of: group)
    } catch {
      throw ProofError(.malformed, Text(error.message))
    }
  }

  private static func wrongCount(_ got: Int, _ wanted: Int) -> ProofError {
    ProofError(.malformed, "\(got) statements; wanted \(wanted)")
  }

  private static func unsigned(_ member: Text) -> ProofError {
    ProofError(
      .invalidSignature,
      "A statement is not signed with the key that the group file has for its author; nothing is proven against "
        + "`\(Naming.printable(member.utf8))`")
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

  public init(member: String, kind: String, place: String, proof: String) {
    (self.member, self.kind, self.place, self.proof) = (member, kind, place, proof)
  }
}

extension NodeConfiguration {
  static func replicas(of group: Group) throws(ConsensusError) -> ReplicaSet {
    try ReplicaSet(epoch: group.epoch, members: group.members.map { .init(name: $0.name, key: $0.consensusKey) })
  }
}
