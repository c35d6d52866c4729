import SyncConsensus
import SyncLedger
import SyncProof

/// The epoch behind one that is over: those of its members who come late, all with journals that are new, over the log
/// that the epochs before have left.
extension ConsensusSimulator {
  /// What an epoch leaves to the next.
  struct Past {
    /// From the leaves, as a node follows them.
    let history: LedgerHistory
    /// Jobs that were ordered.
    let numbers: [UInt64]
    /// Some of the messages that were sent.
    let messages: [[UInt8]]

    init(_ former: ConsensusSimulator) throws {
      var history = former.history
      for leaf in former.evidence.newLeaves { try history.append(leaf) }
      guard history.logSize == UInt64(former.evidence.leaves) else {
        throw ConsensusFaultError("the leaves are \(history.logSize), and the log has \(former.evidence.leaves)")
      }
      for process in former.processes where process.replica != nil && !former.faulty.contains(process.index) {
        guard process.log.root == history.logRoot else {
          throw ConsensusFaultError("the leaves do not give the root with which the epoch has ended")
        }
      }
      let forgets = former.options.defect == .nextEpochForgetsJobs
      self.history = forgets ? LedgerHistory(log: history.log, closed: [:]) : history
      numbers = former.numbers.filter { former.evidence.isOrdered(LedgerFixture.spec($0).jobID) }
      messages = former.remembered
    }
  }

  private static let rememberedMax = 64

  /// Keeps some of what is sent, where there will be somebody to whom it is of the past.
  mutating func remember(_ bytes: [UInt8]) {
    guard next != nil else { return }
    if remembered.count < Self.rememberedMax {
      remembered.append(bytes)
    } else {
      remembered[eventCount % Self.rememberedMax] = bytes
    }
  }

  /// Lets the epoch before come back: its messages, as from members who bring them, and a job that it has answered.
  mutating func scheduleTheirs(_ end: UInt64) {
    guard let past else { return }
    var draw = SeededGenerator(seed: seed &+ 0x0BAD_0DD5)
    let count = UInt64(processes.count)
    for bytes in past.messages where count > 1 {
      let instance = Int(draw.below(count))
      let from = UInt16((UInt64(instance) + 1 + draw.below(count - 1)) % count)
      queue.push(.deliver(instance: instance, from: from, bytes), at: draw.below(end) * Self.millisecond)
    }
    if let number = past.numbers.first {
      let instance = Int(draw.below(count))
      queue.push(
        .submit(instance: instance, number: number, isProbe: false), at: draw.below(end) * Self.millisecond)
    }
  }

  /// Runs the next epoch of a group to its end.
  func entering(_ group: Group) -> Result {
    do {
      var simulator = try ConsensusSimulator(after: self, group: group)
      simulator.observer = observer
      return simulator.run()
    } catch {
      return Result(
        seed: seed, replicas: group.members.count, failure: "seed \(seed): it does not begin: \(error)",
        plan: ConsensusFaultPlan(),
        traceDigest: Digest.zero, events: 0, height: 0, crashes: 0, crashPoints: 0, resumes: 0, provenMisbehaviours: 0,
        verdicts: [], hasHandedOver: false, nextHeight: 0, injected: ConsensusFaultPlan())
    }
  }
}

extension ConsensusSimulator.Result {
  /// Both epochs' faults and figures; the height is the first one's.
  func followed(by next: ConsensusSimulator.Result) -> ConsensusSimulator.Result {
    var result = ConsensusSimulator.Result(
      seed: seed, replicas: replicas, failure: next.failure.map { "\($0), in the next epoch" },
      plan: ConsensusFaultPlan(plan.faults, next: next.plan.faults),
      traceDigest: SHA256.hash(traceDigest.bytes + next.traceDigest.bytes), events: events + next.events,
      height: height, crashes: crashes + next.crashes, crashPoints: crashPoints + next.crashPoints,
      resumes: resumes + next.resumes, provenMisbehaviours: provenMisbehaviours + next.provenMisbehaviours,
      verdicts: verdicts + next.verdicts, hasHandedOver: hasHandedOver, nextHeight: next.height,
      injected: ConsensusFaultPlan(injected.faults, next: next.injected.faults))
    result.hasFailedLater = next.failure != nil
    return result
  }
}
