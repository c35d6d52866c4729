import SyncConsensus
import SyncLedger
import SyncProof

/// The builders' part, as the node does it: an outcome and its nonce are durable before the commitment leaves, and
/// after a crash the same outcome is revealed.
extension ConsensusSimulator {
  private func attemptKey(_ job: Digest) -> [UInt8] { [UInt8(ascii: "A"), UInt8(ascii: "/")] + job.bytes }

  /// Brings the process's own tree up to a block, at replay as in life.
  mutating func follow(_ block: DecidedBlock<SimulatedLedger>, at instance: Int) {
    for event in block.events {
      switch event {
      case .verdict(_, _, _, let leaf, _), .epochEnded(_, let leaf, _), .misbehaviourLogged(_, let leaf, _):
        processes[instance].log.append(leafHash: Merkle.leafHash(leaf))
      default: break
      }
    }
    guard !faulty.contains(processes[instance].index) else { return }
    if let problem = evidence.decided(block, log: processes[instance].log) {
      checker.fail("instance \(instance): \(problem)")
    }
  }

  /// Does what a decided block asks of this builder.
  mutating func answer(_ events: [LedgerEvent], at instance: Int) {
    for event in events {
      switch event {
      case .ordered(let job, _, _), .revealPhase(let job): resume(job, at: instance)
      case .verdict(let job, _, _, _, _):
        // Not synced: an attempt that comes back is at a job that is closed.
        processes[instance].disk.write([StoredRecord(key: attemptKey(job), value: nil)])
      default: break
      }
    }
  }

  /// Hands the group, once more after a restart, what this replica can prove against others and the log has not.
  mutating func accuse(at instance: Int) {
    guard let replica = processes[instance].replica else { return }
    let entries = replica.misbehaviours.map(fixture.accusation).filter(replica.state.admits)
    if !entries.isEmpty { processes[instance].inbox.append(.submit(entries)) }
  }

  /// Does what an open job wants of this builder next: rebuild, commit, or reveal. Safe to call again at any time.
  mutating func resume(_ job: Digest, at instance: Int) {
    guard let replica = processes[instance].replica, !replica.isObserving,
      case .open(let open) = replica.state.ledger.job(job)
    else { return }
    let index = processes[instance].index
    let stored = processes[instance].disk.current[attemptKey(job)]
    if open.phase == .commit, open.steps[Int(index)] == .waiting {
      guard open.orderedHeight > replica.observedHeight else { return }
      guard let stored else { return build(job, at: instance) }
      let entry: [UInt8]
      if let reveal = try? Reveal(parsing: stored) {
        entry = fixture.commitment(to: reveal, by: index)
      } else {
        entry = fixture.abstention(from: job, by: index)
      }
      processes[instance].inbox.append(.submit([entry]))
    } else if open.phase == .reveal, open.steps[Int(index)] == .committed, let stored,
      let reveal = try? Reveal(parsing: stored), reveal.commitment == open.commitment(ofMember: Int(index))
    {
      processes[instance].inbox.append(.submit([fixture.opening(reveal, by: index)]))
    }
  }

  private mutating func build(_ job: Digest, at instance: Int) {
    guard let build = jobs[job]?.builds[Int(processes[instance].index)],
      processes[instance].building.insert(job).inserted
    else { return }
    let milliseconds: UInt64
    switch build {
    case .gives(_, let duration), .varies(let duration), .fails(let duration): milliseconds = duration
    case .hangs: return
    }
    queue.push(
      .built(instance: instance, life: processes[instance].life, job: job),
      at: time + milliseconds * Self.millisecond)
  }

  /// A build has ended: what it gave becomes durable, unless an attempt is stored already.
  mutating func built(_ job: Digest, by instance: Int, life: Int) {
    guard !processes[instance].isWriting else {
      return queue.push(.built(instance: instance, life: life, job: job), at: time + Self.millisecond)
    }
    let index = processes[instance].index
    guard let ledger = processes[instance].replica?.state.ledger, case .open = ledger.job(job),
      let build = jobs[job]?.builds[Int(index)]
    else { return }
    guard processes[instance].disk.current[attemptKey(job)] == nil else {
      resume(job, at: instance)
      return pump(instance)
    }
    let outcome: Outcome? =
      switch build {
      case .gives(let outcome, _): outcome
      case .varies: LedgerFixture.outcome(random.next())
      case .fails, .hangs: nil
      }
    var value: [UInt8] = []
    if let outcome {
      let nonce = (0..<ProofLimits.nonceBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      do {
        value = try fixture.reveal(of: job, by: index, outcome, nonce: nonce).encode()
      } catch {
        return checker.fail("a builder's outcome cannot be opened: \(error)")
      }
    }
    write([StoredRecord(key: attemptKey(job), value: value)], for: instance, then: .resume(job))
  }

  /// Tells the checker of attempts that may leave from here on.
  mutating func noteAttempts(_ records: [StoredRecord], of instance: Int) {
    for record in records where record.key.starts(with: [UInt8(ascii: "A"), UInt8(ascii: "/")]) {
      guard let value = record.value else { continue }
      if let reveal = try? Reveal(parsing: value) {
        evidence.stores(reveal)
      } else if let job = Digest(bytes: record.key.dropFirst(2)) {
        evidence.storesAbstention(from: job, by: fixture.name(processes[instance].index))
      }
    }
  }
}
