import HashTreeCollections
import SyncProof

/// The ledger as bytes, so that a node need not apply every block again at each start.
///
/// Which jobs are closed is not in it: the log says so, and whoever keeps snapshots keeps an index of its leaves. Two
/// ledgers that went through the same blocks have the same bytes, whether they began at the first one or at a snapshot.
///
/// By ``ByteWriter``: version (one byte, 1); ``Group/chainID``; decided time; the log's ``MerkleFrontier``, counted;
/// the number of jobs that were ever ordered; for each member a byte of kinds of misbehaviour that the log has; then
/// the open jobs behind their 32-bit count, in the order in which they were ordered; for each phase's queue its jobs'
/// places among them, behind a count, by deadline; the proposals behind theirs; 0, or 1 and the place of the proposal
/// that ends the epoch, and whether the epoch is over.
extension Ledger {
  private static let snapshotVersion: UInt8 = 1

  /// Bounded by what may be open: specs of ``LedgerLimits/openSpecBytesMax`` in all, and what was answered to them.
  public func snapshot() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(Ledger.snapshotVersion)
    writer.write(chainID)
    writer.write(timeMilliseconds)
    writer.writeCounted(log.encode())
    writer.write(sequence)
    writer.writeRaw(accused)
    let jobs = open.sorted { $0.value.order.sequence < $1.value.order.sequence }
    var places: [Digest: UInt32] = [:]
    writer.write(UInt32(truncatingIfNeeded: jobs.count))
    for (place, (id, job)) in jobs.enumerated() {
      places[id] = UInt32(truncatingIfNeeded: place)
      job.encode(to: &writer)
    }
    for queue in [committing, revealing] {
      let waiting = queue.waiting.compactMap { places[$0.job] }
      writer.write(UInt32(truncatingIfNeeded: waiting.count))
      for place in waiting { writer.write(place) }
    }
    writer.write(UInt32(truncatingIfNeeded: proposals.count))
    for proposal in proposals { proposal.encode(to: &writer) }
    writer.write(UInt8(ending == nil ? 0 : 1))
    if let ending {
      writer.write(UInt32(truncatingIfNeeded: ending))
      writer.write(UInt8(isOver ? 1 : 0))
    }
    return writer.bytes
  }

  /// About how many bytes ``snapshot()`` has, without making it; O(members).
  public var snapshotBytes: Int {
    shares.reduce(512) { $0 + $1.specBytes } + open.count * (128 + group.members.count * 256)
  }

  /// The ledger that wrote ``snapshot()``.
  ///
  /// - Parameters:
  ///   - group: Of the epoch in which it was written.
  ///   - closed: Every job whose evidence is in the log of that size, and no other; of an epoch that is over, nobody
  ///     asks any more.
  ///   - judge: As for ``init(group:history:judge:)``.
  /// - Throws: ``ProofError/Code/malformed`` and ``ProofError/Code/unsupportedVersion``, for bytes that no ledger of
  ///   this group writes.
  public init(
    group: Group, snapshot bytes: [UInt8], closed: [Digest: ClosedJob],
    judge: @escaping @Sendable (MisbehaviourRecord, Group) -> Bool = { _, _ in false }
  ) throws(ProofError) {
    self.init(group: group, judge: judge)
    self.closed = TreeDictionary(uniqueKeysWithValues: closed)
    var reader = ByteReader(bytes)
    let version = try reader.read(UInt8.self)
    guard version == Ledger.snapshotVersion else {
      throw ProofError(.unsupportedVersion, "A ledger's snapshot of version \(version); this node knows 1", at: 0)
    }
    guard try reader.readDigest() == chainID else {
      throw ProofError(.malformed, "The snapshot of another group's or epoch's ledger", at: 1)
    }
    timeMilliseconds = try reader.read()
    log = try MerkleFrontier(parsing: try reader.readCounted(max: Ledger.frontierBytesMax))
    sequence = try reader.read()
    guard sequence < 1 << 62 else {
      throw ProofError(.malformed, "No ledger has ordered so many jobs", at: reader.offset)
    }
    accused = try reader.readRaw(group.members.count)
    let jobs = try readJobs(&reader)
    try readQueue(of: .commit, jobs, &reader)
    try readQueue(of: .reveal, jobs, &reader)
    guard committing.waiting.count + revealing.waiting.count == jobs.count else {
      throw ProofError(.malformed, "An open job waits in no queue", at: reader.offset)
    }
    try readProposals(&reader)
    try reader.expectEnd()
    guard self.snapshot() == bytes else {
      throw ProofError(.malformed, "A snapshot that no ledger writes", at: 0)
    }
  }

  /// Size and 63 hashes.
  private static let frontierBytesMax = 8 + 63 * 32

  private mutating func readJobs(_ reader: inout ByteReader) throws(ProofError) -> [Digest] {
    var jobs: [Digest] = []
    for _ in 0..<(try reader.readCount(max: LedgerLimits.openJobsMax)) {
      let start = reader.offset
      let job = try OpenJob(from: &reader, of: group)
      let id = job.order.spec.jobID
      guard open.updateValue(job, forKey: id) == nil, closed[id] == nil, job.order.sequence < sequence else {
        throw ProofError(.malformed, "An open job that is twice there, closed, or was never ordered", at: start)
      }
      shares[job.order.submitter].jobs += 1
      shares[job.order.submitter].specBytes += job.order.specBytesCount
      jobs.append(id)
    }
    return jobs
  }

  private mutating func readQueue(
    of phase: OpenJob.Phase, _ jobs: [Digest], _ reader: inout ByteReader
  ) throws(ProofError) {
    var queue = JobQueue()
    var last: UInt64 = 0
    for _ in 0..<(try reader.readCount(max: jobs.count)) {
      let start = reader.offset
      let place = Int(try reader.read(UInt32.self))
      guard place < jobs.count, let job = open[jobs[place]], job.phase == phase, job.deadlineMilliseconds >= last else {
        throw ProofError(.malformed, "A queue names a job of the other phase, or not by its deadline", at: start)
      }
      last = job.deadlineMilliseconds
      open[jobs[place]]?.ticket = queue.join(jobs[place], deadlineMilliseconds: last)
    }
    switch phase {
    case .commit: committing = queue
    case .reveal: revealing = queue
    }
  }

  private mutating func readProposals(_ reader: inout ByteReader) throws(ProofError) {
    for _ in 0..<(try reader.readCount(max: LedgerLimits.proposalsMax * group.members.count)) {
      proposals.append(try Proposal(from: &reader, of: group))
    }
    guard try reader.readBit() else { return }
    let start = reader.offset
    let place = Int(try reader.read(UInt32.self))
    guard place < proposals.count else { throw ProofError(.malformed, "No such proposal ends the epoch", at: start) }
    ending = place
    isOver = try reader.readBit()
    guard !isOver || open.isEmpty else { throw ProofError(.malformed, "Jobs are open behind the epoch", at: start) }
  }
}

extension ByteReader {
  fileprivate mutating func readBit() throws(ProofError) -> Bool {
    let start = offset
    switch try read(UInt8.self) {
    case 0: return false
    case 1: return true
    default: throw ProofError(.malformed, "Wanted 0 or 1", at: start)
    }
  }

  fileprivate mutating func readMember(of group: Group) throws(ProofError) -> Int {
    let start = offset
    let member = Int(try read(UInt16.self))
    guard member < group.members.count else { throw ProofError(.malformed, "The group has no such member", at: start) }
    return member
  }
}

extension OpenJob {
  /// Spec, counted; submitter's place; number, decided time and height of its order; phase, 0 or 1; deadline; an answer
  /// of each member; names with a second commitment, counted, behind their 16-bit count.
  fileprivate func encode(to writer: inout ByteWriter) {
    writer.writeCounted(order.spec.encode())
    writer.write(UInt16(truncatingIfNeeded: order.submitter))
    writer.write(order.sequence)
    writer.write(order.timeMilliseconds)
    writer.write(order.height)
    writer.write(UInt8(phase == .commit ? 0 : 1))
    writer.write(deadlineMilliseconds)
    for answer in answers { answer.encode(to: &writer) }
    writer.write(UInt16(truncatingIfNeeded: doubleCommitments.count))
    for name in doubleCommitments { writer.writeCounted(name.utf8) }
  }

  fileprivate init(from reader: inout ByteReader, of group: Group) throws(ProofError) {
    let text = try reader.readCounted(max: ProofLimits.leafBytesMax)
    let spec = try BuildSpec(parsing: text)
    // What its evidence will take for granted.
    try spec.validate()
    let order = Order(
      spec: spec, specBytesCount: text.count, submitter: try reader.readMember(of: group),
      sequence: try reader.read(), timeMilliseconds: try reader.read(), height: try reader.read())
    let isRevealing = try reader.readBit()
    self.init(
      order: order, builders: group.members.count, deadlineMilliseconds: try reader.read(), ticket: 0)
    phase = isRevealing ? .reveal : .commit
    let job = SHA256.hash(text)
    for (place, member) in group.members.enumerated() {
      switch try Answer(from: &reader, job: job, builder: member.name, of: group) {
      case .revealed(let reveal, let signature):
        guard reveal.outcome.answers(spec) else {
          throw ProofError(.malformed, "An outcome that does not answer its spec", at: reader.offset)
        }
        open(reveal, signature, by: place)
      case let answer: take(answer, by: place)
      }
    }
    for _ in 0..<(try reader.read(UInt16.self)) {
      doubleCommitments.append(Text(utf8: try reader.readCounted(max: ProofLimits.memberNameBytesMax)))
    }
  }
}

extension OpenJob.Answer {
  /// 0 waiting; 1 abstained; 2 committed, with digest and signature; 3 revealed, with the reveal, counted, and its
  /// signature; 4 opened wrongly.
  fileprivate func encode(to writer: inout ByteWriter) {
    switch self {
    case .waiting: writer.write(UInt8(0))
    case .abstained: writer.write(UInt8(1))
    case .committed(let commitment):
      writer.write(UInt8(2))
      writer.write(commitment.digest)
      writer.write(commitment.signature)
    case .revealed(let reveal, let signature):
      writer.write(UInt8(3))
      writer.writeCounted(reveal.encode())
      writer.write(signature)
    case .wrongOpening: writer.write(UInt8(4))
    }
  }

  fileprivate init(
    from reader: inout ByteReader, job: Digest, builder: Text, of group: Group
  ) throws(ProofError) {
    let start = reader.offset
    switch try reader.read(UInt8.self) {
    case 0: self = .waiting
    case 1: self = .abstained
    case 2:
      self = .committed(
        OpenJob.Commitment(digest: try reader.readDigest(), signature: try reader.readSignature()))
    case 3:
      let reveal = try Reveal(parsing: try reader.readCounted(max: LedgerLimits.entryBytesMax))
      guard reveal.job == job, reveal.builder == builder, reveal.group == group.origin else {
        throw ProofError(.malformed, "An opening of another job or builder", at: start)
      }
      self = .revealed(reveal, try reader.readSignature())
    case 4: self = .wrongOpening
    default: throw ProofError(.malformed, "No such answer", at: start)
    }
  }
}

extension Ledger.Proposal {
  /// The group file, counted; the proposer's place; for each member 0, or 1 and the signature.
  fileprivate func encode(to writer: inout ByteWriter) {
    writer.writeCounted(group.encode())
    writer.write(UInt16(truncatingIfNeeded: proposer))
    for approval in approvals {
      writer.write(UInt8(approval == nil ? 0 : 1))
      if let approval { writer.write(approval) }
    }
  }

  fileprivate init(from reader: inout ByteReader, of group: Group) throws(ProofError) {
    let text = try reader.readCounted(max: LedgerLimits.groupBytesMax)
    let start = reader.offset
    let next = try Group(parsing: text)
    let policy = next.policy()
    guard try group.mayHandOver(to: next, policy) else {
      throw ProofError(.malformed, "A proposal of a group that is not the next", at: start)
    }
    let proposer = try reader.readMember(of: group)
    var approvals: [Signature?] = []
    for _ in group.members { approvals.append(try reader.readBit() ? try reader.readSignature() : nil) }
    self.init(
      digest: SHA256.hash(text), group: next, proposer: proposer, policyDigest: SHA256.hash(policy.encode()),
      approvals: approvals)
  }
}
