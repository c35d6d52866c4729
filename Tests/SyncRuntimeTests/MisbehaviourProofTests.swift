import SyncConsensus
import SyncLedger
import SyncProof
import Testing

@testable import SyncRuntime

@Suite struct MisbehaviourProofTests {
  private static let keys = try! Keys()
  private static var group: Group { keys.group }

  private static func index(_ name: String) -> Int { group.members.firstIndex { $0.name.string == name }! }

  private static func sign(_ bytes: [UInt8], _ name: String, _ role: KeyRole) throws -> Signature {
    try keys.signers[Keys.names.firstIndex(of: name)!].sign(bytes, as: role)
  }

  private static func vote(_ salt: UInt8, view: UInt64, by name: String, signer: String? = nil) throws -> Vote {
    let parent = BlockInfo.genesis(chainID: group.chainID, epoch: 0, logSize: 0, logRoot: .zero)
    let block = BlockInfo(
      epoch: 0, view: view, height: 1, id: SHA256.hash([salt]), logSize: 0, logRoot: .zero)
    let statement = VoteStatement(proposed: block, parent: parent)
    return Vote(
      statement: statement, author: ReplicaIndex(rawValue: UInt16(index(name))),
      signature: try sign(statement.signedBytes(chainID: group.chainID), signer ?? name, .consensus))
  }

  private static func votes(signer: String? = nil) throws -> MisbehaviourProof {
    let set = try NodeConfiguration.replicas(of: group)
    // A view that somebody else leads: what its leader signs twice are proposals.
    let view = (1...4).first { set.turn(of: $0) != ReplicaIndex(rawValue: UInt16(index("birch"))) }!
    let pair = (try vote(1, view: view, by: "birch"), try vote(2, view: view, by: "birch", signer: signer))
    return MisbehaviourProof(try #require(Misbehaviour(pair.0, pair.1, set: set)), of: group)
  }

  private static let job = SHA256.hash([7])

  private static func commitment(_ salt: UInt8, by name: String, signer: String? = nil) throws -> SignedCommitment {
    let digest = SHA256.hash([salt])
    let bytes = Entry.commitmentSignedBytes(
      job: job, builder: Text(name), commitment: digest, chainID: group.chainID)
    return SignedCommitment(
      job: job, builder: Text(name), commitment: digest, signature: try sign(bytes, signer ?? name, .builder))
  }

  private static func opening(by name: String) throws -> BuilderMisbehaviour.Contradiction {
    let reveal = try Reveal(
      group: group.origin, job: job, builder: Text(name), outcome: .failed(.wallTime),
      nonce: [UInt8](repeating: 1, count: 32),
      statement: try BuilderStatement(sandbox: "chroot/0.1", processor: "Example CPU 3000", kernel: "6.12.0"))
    let signature = try sign(reveal.signedBytes(), name, .builder)
    let bytes = Entry.revealSignedBytes(reveal, signature: signature, chainID: group.chainID)
    return .opening(
      SignedOpening(
        SignedReveal(reveal: reveal, signature: signature, entrySignature: try sign(bytes, name, .builder))))
  }

  /// A block on a certificate of view 1 that has `signers` signatures of the set's, in the view behind it.
  private static func proposal(by name: String, signers: [String], forged: Bool) throws -> MisbehaviourProof {
    let genesis = BlockInfo.genesis(chainID: group.chainID, epoch: 0, logSize: 0, logRoot: .zero)
    let parent = BlockInfo(epoch: 0, view: 1, height: 1, id: SHA256.hash([1]), logSize: 0, logRoot: .zero)
    let below = VoteStatement(proposed: parent, parent: genesis)
    let shares = try signers.sorted { index($0) < index($1) }.map { signer in
      Certificate.Share(
        signer: ReplicaIndex(rawValue: UInt16(index(signer))),
        signature: try sign(below.signedBytes(chainID: group.chainID), forged ? name : signer, .consensus))
    }
    let certificate = Certificate(proposed: parent, parent: genesis, commit: below.commit, shares: shares)
    let author = ReplicaIndex(rawValue: UInt16(index(name)))
    let block = Block(
      epoch: 0, view: 2, height: 2, author: author, timeMilliseconds: 7, entries: [[1, 2, 3]],
      parentCertificate: certificate, timeoutCertificate: nil)
    let statement = VoteStatement(
      proposed: BlockInfo(epoch: 0, view: 2, height: 2, id: block.id, logSize: 0, logRoot: .zero), parent: parent)
    let vote = Vote(
      statement: statement, author: author,
      signature: try sign(statement.signedBytes(chainID: group.chainID), name, .consensus))
    let proof = try #require(Misbehaviour(forgingProposal: BlockHeader(of: block), vote))
    return MisbehaviourProof(proof, of: group)
  }

  private static func builder(_ first: SignedCommitment, _ second: BuilderMisbehaviour.Contradiction) throws
    -> MisbehaviourProof
  {
    MisbehaviourProof(try #require(BuilderMisbehaviour(first, second, origin: group.origin)), of: group)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let kind: MisbehaviourProof.Kind
    let make: @Sendable () throws -> MisbehaviourProof
    var testDescription: String { name }
  }

  static let rows = [
    Row(name: "votes", kind: .votes) { try votes() },
    Row(name: "two commitments", kind: .doubleCommitment) {
      try builder(try commitment(1, by: "birch"), .commitment(try commitment(2, by: "birch")))
    },
    Row(name: "a certificate of too few", kind: .forgedCertificate) {
      try proposal(by: "birch", signers: ["ada", "birch"].filter(Keys.names.contains), forged: false)
    },
    Row(name: "own signatures for others'", kind: .forgedCertificate) {
      try proposal(by: "birch", signers: Keys.names, forged: true)
    },
    Row(name: "a wrong opening", kind: .wrongOpening) {
      try builder(try commitment(1, by: "birch"), try opening(by: "birch"))
    },
  ]

  @Test(arguments: rows)
  func `a proof is read back and checked by whoever has the group file`(row: Row) throws {
    let proof = try row.make()
    let file = proof.encode()
    let read = try MisbehaviourProof(parsing: file, group: try Group(parsing: Self.group.encode()))
    #expect(read == proof && read.member == "birch" && read.kind == row.kind && !read.place.isEmpty)
  }

  @Test(arguments: rows)
  func `a flipped bit anywhere proves nothing`(row: Row) throws {
    let file = try row.make().encode()
    for i in stride(from: 0, to: file.count, by: file.count / 200 + 1) {
      var wrong = file
      wrong[i] ^= 1
      #expect(throws: ProofError.self, "byte \(i)") { _ = try MisbehaviourProof(parsing: wrong, group: Self.group) }
    }
    for count in stride(from: 0, to: file.count, by: 97) {
      #expect(throws: ProofError.self) {
        _ = try MisbehaviourProof(parsing: Array(file.prefix(count)), group: Self.group)
      }
    }
  }

  @Test func `what somebody else signed proves nothing`() throws {
    let error = #expect(throws: ProofError.self) {
      _ = try MisbehaviourProof(parsing: try Self.votes(signer: "cedar").encode(), group: Self.group)
    }
    #expect(error?.code == .invalidSignature)
    let forged = try Self.builder(
      try Self.commitment(1, by: "birch"), .commitment(try Self.commitment(2, by: "birch", signer: "elm")))
    let other = #expect(throws: ProofError.self) {
      _ = try MisbehaviourProof(parsing: forged.encode(), group: Self.group)
    }
    #expect(other?.code == .invalidSignature)
  }

  @Test func `another group's proof and another member's name are refused`() throws {
    let file = try Self.votes().encode()
    let stranger = try Keys(commitSeconds: 61).group
    let error = #expect(throws: ProofError.self) { _ = try MisbehaviourProof(parsing: file, group: stranger) }
    #expect(error?.code == .groupMismatch)
    let text = String(decoding: file, as: UTF8.self)
    for (from, to) in [("member birch", "member cedar"), ("kind votes", "kind proposals"), ("kind votes", "kind lies")]
    {
      let wrong = Array(text.replacing(from, with: to).utf8)
      let refusal = #expect(throws: ProofError.self) { _ = try MisbehaviourProof(parsing: wrong, group: Self.group) }
      #expect(refusal?.code == .malformed, "\(to)")
    }
    #expect(throws: ProofError.self) {
      _ = try MisbehaviourProof(parsing: file + Array("statement AA==\n".utf8), group: Self.group)
    }
  }

  @Test func `two honest statements are no contradiction`() throws {
    let set = try NodeConfiguration.replicas(of: Self.group)
    let one = try Self.vote(1, view: 1, by: "birch")
    #expect(Misbehaviour(one, one, set: set) == nil)
    #expect(Misbehaviour(one, try Self.vote(1, view: 2, by: "birch"), set: set) == nil)
    #expect(Misbehaviour(one, try Self.vote(2, view: 1, by: "cedar"), set: set) == nil)
    let first = try Self.commitment(1, by: "birch")
    #expect(BuilderMisbehaviour(first, .commitment(first), origin: Self.group.origin) == nil)
    #expect(
      BuilderMisbehaviour(first, .commitment(try Self.commitment(2, by: "elm")), origin: Self.group.origin) == nil)
    // A proposal on a certificate that a quorum did make.
    let honest = try Self.proposal(by: "birch", signers: Keys.names, forged: false)
    let error = #expect(throws: ProofError.self) {
      _ = try MisbehaviourProof(parsing: honest.encode(), group: Self.group)
    }
    #expect(error?.code == .invalidSignature)
  }

  @Test func `the first proof of each kind against each builder is kept`() throws {
    var board = JobBoard(builders: Self.group.members.map(\.name))
    let first = try #require(
      BuilderMisbehaviour(
        try Self.commitment(1, by: "birch"), .commitment(try Self.commitment(2, by: "birch")),
        origin: Self.group.origin))
    let again = try #require(
      BuilderMisbehaviour(
        try Self.commitment(1, by: "birch"), .commitment(try Self.commitment(3, by: "birch")),
        origin: Self.group.origin))
    let wrong = try #require(
      BuilderMisbehaviour(try Self.commitment(1, by: "birch"), try Self.opening(by: "birch"), origin: Self.group.origin)
    )
    for proof in [first, again, wrong, wrong, first] {
      board.apply(.misbehaviour(proof), timeMilliseconds: 0)
    }
    #expect(board.misbehaviours == [first, wrong])
  }
}
