import SyncConsensus
import SyncLedger
import SyncProof
import SyncRuntime

/// What a builder's consensus has on disk behind many jobs, made without the other builders' processes: real blocks
/// with a quorum's signatures, real entries with their builders'.
///
/// Each job is ordered, committed to and opened by every builder, each entry in a block of its own and an empty block
/// behind them, as a group leaves them that has one job at a time. Not for other threads.
package struct DecidedHistory {
  private let group: Group
  private let signers: [any Signer]
  private let replicas: ReplicaSet
  private var ledger: Ledger
  private var tip: BlockInfo
  private var tipCertificate: Certificate
  private var tipBlock: Block?
  private var milliseconds: UInt64 = 1_800_000_000_000
  private var jobs: UInt64 = 0

  /// Of a group whose last block is not final: of that one there is no record.
  package var head: BlockInfo { tipCertificate.parent }
  package var logSize: UInt64 { ledger.logSize }

  /// - Parameter signers: In the order of the group's members.
  package init(group: Group, signers: [any Signer]) throws {
    (self.group, self.signers) = (group, signers)
    replicas = try ReplicaSet(
      epoch: group.epoch, members: group.members.map { .init(name: $0.name, key: $0.consensusKey) })
    ledger = Ledger(ofNode: group)
    tip = .genesis(chainID: group.chainID, epoch: group.epoch, logSize: ledger.logSize, logRoot: ledger.logRoot)
    tipCertificate = .genesis(tip)
  }

  /// Goes on by one job.
  ///
  /// - Parameter spec: Whose jobs differ by their numbers of rebuild.
  /// - Returns: The records that this adds, as a builder's consensus would write them.
  package mutating func append(_ spec: BuildSpec) throws -> [StoredRecord] {
    var spec = spec
    spec.rebuild = jobs
    jobs += 1
    let (job, chain) = (spec.jobID, group.chainID)
    let submitter = Int(jobs % UInt64(group.members.count))
    let name = group.members[submitter].name
    var entries = [
      Entry.submission(
        Submission(
          spec: spec, submitter: name,
          signature: try signers[submitter].sign(
            Entry.submissionSignedBytes(job: job, submitter: name, chainID: chain), as: .builder)))
    ]
    let artifacts = spec.artifacts.map {
      Artifact(path: $0, mode: 0o755, size: 1_000_000 + jobs, sha256: SHA256.hash(Array($0.utf8) + job.bytes))
    }
    let statement = try BuilderStatement(sandbox: "chroot/0.1", processor: "Example CPU 3000", kernel: "6.12.0")
    let reveals = try group.members.map { member in
      try Reveal(
        group: group.origin, job: job, builder: member.name, outcome: .built(artifacts),
        nonce: SHA256.hash(Array("\(member.name.string)/\(jobs)".utf8)).bytes, statement: statement)
    }
    for (reveal, signer) in zip(reveals, signers) {
      let bytes = Entry.commitmentSignedBytes(
        job: job, builder: reveal.builder, commitment: reveal.commitment, chainID: chain)
      entries.append(
        .commitment(
          SignedCommitment(
            job: job, builder: reveal.builder, commitment: reveal.commitment,
            signature: try signer.sign(bytes, as: .builder))))
    }
    for (reveal, signer) in zip(reveals, signers) {
      let signature = try signer.sign(reveal.signedBytes(), as: .builder)
      let bytes = Entry.revealSignedBytes(reveal, signature: signature, chainID: chain)
      entries.append(
        .reveal(
          SignedReveal(
            reveal: reveal, signature: signature, entrySignature: try signer.sign(bytes, as: .builder))))
    }
    var records: [StoredRecord] = []
    for entry in entries { try records.append(contentsOf: append([entry.encode()])) }
    try records.append(contentsOf: append([]))
    return records
  }

  /// - Returns: What of the block before is known with this one.
  private mutating func append(_ entries: [[UInt8]]) throws -> [StoredRecord] {
    milliseconds += 1_000
    let view = tip.view + 1
    let block = Block(
      epoch: group.epoch, view: view, height: tip.height + 1, author: replicas.turn(of: view),
      timeMilliseconds: milliseconds, entries: entries, parentCertificate: tipCertificate, timeoutCertificate: nil)
    for event in ledger.apply(entries: entries, height: block.height, timeMilliseconds: milliseconds) {
      if case .refused(_, let reason) = event {
        throw ProofError(.malformed, Text("An entry is refused: " + reason.rawValue))
      }
    }
    let info = BlockInfo(
      epoch: group.epoch, view: view, height: block.height, id: block.id, logSize: ledger.logSize,
      logRoot: ledger.logRoot, nextSetHash: ledger.nextSetHash)
    let statement = VoteStatement(proposed: info, parent: tip)
    let message = statement.signedBytes(chainID: group.chainID)
    let shares = try (0..<replicas.quorum).map { index in
      Certificate.Share(
        signer: ReplicaIndex(rawValue: UInt16(index)), signature: try signers[index].sign(message, as: .consensus))
    }
    let certificate = Certificate(proposed: info, parent: tip, commit: statement.commit, shares: shares)
    var safety = SafetyState(epoch: group.epoch)
    (safety.lastVotedView, safety.oneChainView, safety.lastVote) = (view, tip.view, statement)
    var records = [StoredRecord(key: RecordKey.safety, value: safety.encode())]
    if let tipBlock {
      let record = DecidedRecord(block: tipBlock, finality: certificate)
      records.append(StoredRecord(key: RecordKey.decided(tipBlock.height), value: record.encode()))
    }
    (tip, tipCertificate, tipBlock) = (info, certificate, block)
    return records
  }
}
