import SyncConsensus
import SyncLedger
import SyncProof

/// A whole group in one process, from one seed: virtual time, replicas with their ledgers and builders, and a network,
/// disks, clocks and processes that fail as a ``ConsensusFaultPlan`` says.
///
/// First come the faults, then all is healed, and progress is demanded: every replica at the same height with the same
/// log, every job with its verdict, nobody with anything left to do. The same seed and plan give the same events;
/// ``Result/traceDigest`` proves it. docs/SIMULATOR.md says what is checked.
public struct ConsensusSimulator {
  public struct Options: Sendable {
    /// `nil` draws 1 to 7 from the seed.
    public var replicas: Int?
    /// `nil` draws it from the seed, where the group tolerates a faulty replica; without meaning where a plan is given.
    public var hasTwin: Bool?
    /// Whether a replica may come back with an older disk; `nil` draws it from the seed.
    public var hasRestored: Bool?
    /// Whether the group's members change while things go wrong, which ends the epoch; `nil` draws it from the seed.
    public var handsOver: Bool?
    /// How long things go wrong, at least 1.
    public var faultSeconds: UInt64 = 4
    /// Jobs that are submitted meanwhile; `nil` draws 1 to 6.
    public var jobs: Int?
    /// At how many of all writes and effects a process ends, per mille; `nil` draws it. Without meaning where a plan is
    /// given.
    public var crashesPerMille: UInt64?
    /// What goes wrong, in the next epoch too; `nil` draws it from the seed.
    public var plan: ConsensusFaultPlan?
    /// Whether the next epoch is run, too, where this one ends.
    package var entersNextEpoch = true
    /// A defect that the checkers must find.
    package var defect: Defect?
    public init() {}

    /// A planted defect of the simulation itself.
    package enum Defect: Sendable {
      /// A power cut takes the safety record with it.
      case diskForgetsSafety
      /// The next epoch begins without the jobs that were answered before.
      case nextEpochForgetsJobs
    }
  }

  public struct Result: Sendable {
    public let seed: UInt64
    public let replicas: Int
    /// What did not hold, `nil` for nothing.
    public let failure: String?
    /// What went wrong on purpose.
    public let plan: ConsensusFaultPlan
    /// SHA-256 over every event in order.
    public let traceDigest: Digest
    public let events: Int
    public let height: Int
    /// Processes that ended and came back, for whatever reason.
    public let crashes: Int
    /// Those of them that ended in a write or between two effects.
    public let crashPoints: Int
    /// Starts from a snapshot, each found to be the same as one from the first block on.
    public let resumes: Int
    public let provenMisbehaviours: Int
    /// Jobs by verdict, each verdict's leaf being equal on every replica.
    public let verdicts: [Verdict]
    /// Whether the epoch came to its end.
    public let hasHandedOver: Bool
    /// Whether it was the next epoch that failed.
    package var hasFailedLater = false
    /// Blocks of the next epoch, 0 where there was none.
    public let nextHeight: Int
    /// The crashes that ``ConsensusFault/crashes(perMille:_:)`` gave, each as a fault of its own.
    package let injected: ConsensusFaultPlan
  }

  enum Event {
    case deliver(instance: Int, from: UInt16, [UInt8])
    case wake(instance: Int, life: Int)
    case written(instance: Int, life: Int, [StoredRecord], AfterWrite)
    case submit(instance: Int, number: UInt64, isProbe: Bool)
    case built(instance: Int, life: Int, job: Digest)
    case connect(instance: Int, peer: UInt16)
    case restart(instance: Int)
    case fault(Int)
    case copy(Int)
    case mend(Int)
    case heal
    case probe
    case propose
    /// Whoever has not approved of the hand-over does so, as far as it is up.
    case approve
  }

  /// What a process does once its records are durable.
  enum AfterWrite {
    case perform([Effect<SimulatedLedger>])
    case resume(Digest)
  }

  struct Process {
    let index: UInt16
    var disk = SimulatedDisk()
    var replica: Replica<SimulatedLedger>?
    /// The tree of the leaves that this life has seen.
    var log = MerkleFrontier()
    var inbox: [Input] = []
    var isWriting = false
    var isDead = false
    var life = 0
    /// Over all lives.
    var writes = 0
    var effects = 0
    var wallJump: Int64 = 0
    var monotonicOffset: UInt64 = 0
    var partsPerMillion: Int64 = 0
    var wakeUp: UInt64?
    var building: Set<Digest> = []
    /// Its disk as faults will put it back, by the millisecond.
    var copies: [UInt64: SimulatedDisk] = [:]
    /// Whether its operator says so at each start, until that is stored.
    var isRestored = false
  }

  static let millisecond: UInt64 = 1_000_000
  static let wallStart: UInt64 = 1_700_000_000_000
  private static let eventsMax = 1_000_000
  /// How often members look whether their approvals count.
  private static let approvalsMax: UInt64 = 20

  let seed: UInt64
  let options: Options
  public let plan: ConsensusFaultPlan
  let fixture: LedgerFixture
  let memo = SignatureMemo()
  let faulty: Set<UInt16>
  let faults: FaultTable
  var group: FixtureGroup { fixture.consensus }
  /// For messages and everything that answers to what happens.
  var random: SeededGenerator
  /// For crashes at a rate, apart, so that the same crashes one by one change nothing else.
  var dice: SeededGenerator
  var processes: [Process] = []
  var checker: ConsensusChecker
  var evidence: EvidenceChecker
  var queue = EventQueue<Event>()
  var time: UInt64 = 0
  var isHealed = false
  var trace = SHA256.Stream()
  var eventCount = 0
  var crashes = 0
  var crashPoints = 0
  var injected: [ConsensusFault] = []
  var proofs = 0
  /// Starts from a snapshot.
  var resumes = 0
  var jobs: [Digest: SimulatedJob] = [:]
  var workload: SeededGenerator
  /// What was handed in and must come to a verdict.
  private var submitted: [(job: Digest, instance: Int, life: Int)] = []
  private var probes: [Digest] = []
  /// Of the jobs that were handed in, but for the probes.
  private(set) var numbers: [UInt64] = []
  /// The group of the next epoch, where the members change.
  private(set) var next: Group?
  /// The log of the epochs before this one.
  let history: LedgerHistory
  /// What numbers of jobs begin at: each epoch has its own.
  let jobNumbers: UInt64
  /// A job of the epoch before, and messages that were sent in it.
  let past: Past?
  /// Some of what was sent, for who enters the next epoch.
  var remembered: [[UInt8]] = []
  /// The blocks that anyone has sent.
  var votes: VoteOracle
  /// What the faulty replicas do beside running twice.
  var liars: [UInt16: Liar] = [:]
  /// Sees the simulation at each place where a process could end, while things go wrong.
  var visitor: ((ConsensusSimulator, CrashPoint) -> Void)?

  /// Called with a line for every event, for the search after a failure.
  public var observer: ((String) -> Void)?

  /// - Throws: ``ConsensusFaultError`` when the plan of the options is none for the group.
  public init(seed: UInt64, options: Options = Options()) throws {
    var workload = SeededGenerator(seed: seed)
    let drawn = [1, 2, 3, 4, 4, 4, 4, 5, 7][Int(workload.below(9))]
    let count = options.replicas ?? drawn
    guard (1...25).contains(count), (1...60).contains(options.faultSeconds) else {
      throw ConsensusFaultError("1 to 25 replicas and 1 to 60 seconds of faults are simulated")
    }
    var drawer = ConsensusFaultDrawer(
      replicas: count, hasTwin: options.hasTwin, hasRestored: options.hasRestored,
      milliseconds: options.faultSeconds * 1_000, crashesPerMille: options.crashesPerMille,
      random: SeededGenerator(seed: ~seed))
    let plan = options.plan ?? drawer.draw()
    try plan.check(replicas: count)
    try ConsensusFaultPlan(plan.next).check(replicas: LedgerFixture.nextCount(count))
    let fixture = try LedgerFixture(
      replicas: count, commitSeconds: 1 + workload.below(2), revealSeconds: 1 + workload.below(2))
    let faulty = Set(plan.faulty.map { fixture.name($0) })
    self.init(
      seed, options, plan, fixture, EvidenceChecker(group: fixture.group, faulty: faulty), &workload, nil)
  }

  /// The next epoch of a group whose epoch is over.
  ///
  /// - Throws: When the log is not what the epoch's end says.
  init(after former: ConsensusSimulator, group: Group) throws {
    var workload = SeededGenerator(seed: former.seed &+ 0x0EF0_C400)
    let count = group.members.count
    var options = former.options
    options.handsOver = false
    var drawer = ConsensusFaultDrawer(
      replicas: count, hasTwin: options.hasTwin, hasRestored: options.hasRestored,
      milliseconds: options.faultSeconds * 1_000, crashesPerMille: options.crashesPerMille,
      random: SeededGenerator(seed: workload.next()))
    let plan = options.plan.map { ConsensusFaultPlan($0.next) } ?? drawer.draw()
    let past = try Past(former)
    let fixture = try LedgerFixture(next: group, after: former.fixture, past.history)
    let faulty = Set(plan.faulty.map { fixture.name($0) })
    self.init(
      former.seed, options, plan, fixture, EvidenceChecker(group: group, after: former.evidence, faulty: faulty),
      &workload, past)
  }

  private init(
    _ seed: UInt64, _ options: Options, _ plan: ConsensusFaultPlan, _ fixture: LedgerFixture,
    _ evidence: EvidenceChecker, _ workload: inout SeededGenerator, _ past: Past?
  ) {
    (self.seed, self.options, self.plan, self.fixture, self.evidence) = (seed, options, plan, fixture, evidence)
    (self.past, history, jobNumbers) = (past, past?.history ?? LedgerHistory(), past == nil ? 0 : 10_000)
    random = SeededGenerator(seed: workload.next())
    dice = SeededGenerator(seed: workload.next())
    faulty = plan.faulty
    faults = FaultTable(plan)
    self.workload = workload
    checker = ConsensusChecker(group: fixture.consensus, faulty: faulty)
    votes = VoteOracle(group: fixture.consensus)
    for bytes in past?.messages ?? [] { if let message = try? Message(decoding: bytes) { votes.saw(message) } }
    processes = ((0..<UInt16(fixture.consensus.set.count)) + plan.twins).map { Process(index: $0) }
    for case .liar(let replica) in plan.faults {
      liars[UInt16(replica)] = Liar(group: fixture.consensus, index: UInt16(replica))
    }
    for case .drift(let instance, let parts) in plan.faults { processes[instance].partsPerMillion = parts }
  }

  /// Runs to the end, or to the first thing that does not hold.
  public mutating func run() -> Result {
    schedule()
    let result = proceed()
    guard result.failure == nil, options.entersNextEpoch, let group = evidence.over else { return result }
    return result.followed(by: entering(group))
  }

  /// Goes on from wherever it stands.
  mutating func proceed() -> Result {
    while checker.failure == nil, let (at, event) = queue.pop() {
      time = at
      eventCount += 1
      if eventCount > Self.eventsMax {
        checker.fail("events without end")
        break
      }
      handle(event)
    }
    if checker.failure == nil { checkEnd() }
    return Result(
      seed: seed, replicas: group.set.count, failure: checker.failure.map { "seed \(seed): \($0)" }, plan: plan,
      traceDigest: trace.finish(), events: eventCount, height: checker.height, crashes: crashes,
      crashPoints: crashPoints, resumes: resumes, provenMisbehaviours: proofs, verdicts: evidence.verdicts,
      hasHandedOver: evidence.over != nil, nextHeight: 0,
      injected: ConsensusFaultPlan(injected))
  }

  // MARK: The plan

  private mutating func schedule() {
    let end = options.faultSeconds * 1_000
    for instance in processes.indices {
      processes[instance].wallJump = Int64(workload.below(400))
      queue.push(.restart(instance: instance), at: past == nil ? 0 : workload.below(end / 2) * Self.millisecond)
    }
    let count = options.jobs.map(UInt64.init) ?? 1 + workload.below(6)
    for number in 0..<count {
      let instance = Int(workload.below(UInt64(processes.count)))
      let at = workload.below(end)
      queue.push(.submit(instance: instance, number: jobNumbers + number, isProbe: false), at: at * Self.millisecond)
    }
    scheduleTheirs(end)
    for (number, fault) in plan.faults.enumerated() {
      switch fault {
      case .crash(_, let at, _), .powerCut(_, let at, _), .dead(_, let at), .clock(_, _, let at):
        queue.push(.fault(number), at: at * Self.millisecond)
      case .restored(_, let copied, let at, _):
        queue.push(.copy(number), at: copied * Self.millisecond)
        queue.push(.fault(number), at: at * Self.millisecond)
      case .partition(_, _, let window), .oneWay(_, _, let window):
        queue.push(.mend(number), at: window.to * Self.millisecond)
      default: break
      }
    }
    scheduleHandover(end)
    queue.push(.heal, at: end * Self.millisecond)
    queue.push(.probe, at: (end + 500) * Self.millisecond)
  }

  /// From a generator of its own, so that a seed's other events are what they are without.
  private mutating func scheduleHandover(_ end: UInt64) {
    var draw = SeededGenerator(seed: seed &+ 0x5EED_0F_0E_B0C4)
    guard options.handsOver ?? draw.happens(perMille: 200) else { return }
    do {
      next = try fixture.next(without: Int(draw.below(UInt64(group.set.count))))
    } catch {
      return checker.fail("no group for the next epoch: \(error)")
    }
    queue.push(.propose, at: draw.below(end) * Self.millisecond)
    for _ in 0..<3 { queue.push(.approve, at: draw.below(end) * Self.millisecond) }
    // What was lost with a process is handed in again once all is well; approvals until they count, as by members who
    // look whether they do: those that come before the proposal is decided are refused.
    queue.push(.propose, at: (end + 600) * Self.millisecond)
    for attempt in 0..<Self.approvalsMax {
      queue.push(.approve, at: (end + 1_500 + attempt * 3_000) * Self.millisecond)
    }
  }

  private mutating func handOver(_ make: (LedgerFixture, Group, UInt16) -> [UInt8], by instances: [Int]) {
    guard let next else { return }
    for instance in instances where processes[instance].replica != nil {
      let entry = make(fixture, next, processes[instance].index)
      note(4, instance, entry)
      put(.submit([entry]), into: instance)
    }
  }

  private mutating func handle(_ event: Event) {
    switch event {
    case .propose:
      // By somebody who is up, the same each time where that one is.
      let up = processes.indices.first { processes[$0].replica != nil && !faulty.contains(processes[$0].index) }
      handOver({ $0.proposal(of: $1, by: $2) }, by: up.map { [$0] } ?? [])
    case .approve where evidence.over != nil: break
    case .approve: handOver({ $0.approval(of: $1, by: $2) }, by: Array(processes.indices))
    case .deliver(let instance, let from, let bytes):
      guard processes[instance].replica != nil else { return }
      note(1, instance, bytes)
      if !isHealed, liars[processes[instance].index] != nil { lie(instance, bytes) }
      put(.message(from: ReplicaIndex(rawValue: from), bytes), into: instance)
    case .wake(let instance, let life):
      guard processes[instance].life == life, processes[instance].wakeUp == time else { return }
      processes[instance].wakeUp = nil
      note(2, instance, [])
      put(.wakeUp, into: instance)
    case .written(let instance, let life, let records, let then):
      guard processes[instance].life == life, processes[instance].replica != nil else { return }
      note(3, instance, [])
      written(records, then, by: instance)
    case .submit(let instance, let number, let isProbe):
      guard processes[instance].replica != nil else { return }
      submit(number, at: instance, isProbe: isProbe)
    case .built(let instance, let life, let job):
      guard processes[instance].life == life, processes[instance].replica != nil else { return }
      note(6, instance, job.bytes)
      built(job, by: instance, life: life)
    case .connect(let instance, let peer):
      guard processes[instance].replica != nil else { return }
      note(5, instance, [])
      put(.peerConnected(ReplicaIndex(rawValue: peer)), into: instance)
    case .restart(let instance): if processes[instance].replica == nil { start(instance) }
    case .fault(let number): if !isHealed { suffer(plan.faults[number]) }
    case .copy(let number):
      guard !isHealed, case .restored(let instance, let copied, _, _) = plan.faults[number] else { return }
      processes[instance].copies[copied] = processes[instance].disk
    case .mend(let number): if !isHealed { mend(plan.faults[number]) }
    case .heal: heal()
    case .probe:
      let alive = processes.indices.filter { !processes[$0].isDead && !faulty.contains(processes[$0].index) }
      for number in 0..<3 as Range<UInt64> {
        let instance = alive[Int(workload.below(UInt64(alive.count)))]
        submit(1_000_000 + jobNumbers + number, at: instance, isProbe: true)
      }
    }
  }

  mutating func submit(_ number: UInt64, at instance: Int, isProbe: Bool) {
    let spec = LedgerFixture.spec(number)
    if !isProbe { numbers.append(number) }
    jobs[spec.jobID] = SimulatedJob(replicas: group.set.count, random: &workload)
    if isProbe {
      probes.append(spec.jobID)
    } else {
      submitted.append((spec.jobID, instance, processes[instance].life))
    }
    let entry = fixture.submission(spec, by: processes[instance].index)
    note(4, instance, entry)
    put(.submit([entry]), into: instance)
  }

  // MARK: The end

  private mutating func checkEnd() {
    for (instance, process) in processes.enumerated() where !faulty.contains(process.index) && !process.isDead {
      guard let replica = process.replica else { return checker.fail("instance \(instance) is down") }
      if replica.head.height != UInt64(checker.height) {
        return checker.fail("instance \(instance) stands at \(replica.head.height) of \(checker.height)")
      }
      // In an epoch that is over no view comes that would be above all that was forgotten.
      if replica.isObserving, evidence.over == nil { return checker.fail("instance \(instance) still observes") }
      if replica.nextWakeUp != nil { return checker.fail("instance \(instance) does not rest") }
      if process.log.size != UInt64(evidence.leaves) { return checker.fail("instance \(instance) lacks leaves") }
      for proof in replica.misbehaviours where evidence.over == nil {
        let kind = AccusationJudge.kind(of: proof)
        guard evidence.accusations.contains("\(fixture.name(proof.offender.rawValue).string) \(kind.rawValue)") else {
          return checker.fail("what instance \(instance) can prove against replica \(proof.offender) is not in the log")
        }
      }
    }
    if next != nil, evidence.over == nil { return checker.fail("the epoch did not end") }
    // An epoch that ends takes no new jobs.
    let isOver = evidence.over != nil
    for job in probes where !evidence.isOrdered(job) && !isOver { return checker.fail("no progress after healing") }
    for item in submitted
    where processes[item.instance].life == item.life && !faulty.contains(processes[item.instance].index)
      && !processes[item.instance].isDead
    {
      if !evidence.isOrdered(item.job), !isOver {
        return checker.fail("a submission that an honest replica held was lost")
      }
    }
    if evidence.openJobs > 0 { return checker.fail("\(evidence.openJobs) jobs have no verdict") }
  }

  // MARK: Trace

  private mutating func note(_ kind: UInt8, _ instance: Int, _ bytes: [UInt8]) {
    var writer = ByteWriter()
    writer.write(time)
    writer.write(kind)
    writer.write(UInt16(instance))
    writer.writeCounted(bytes)
    trace.update(writer.bytes)
    observer?(describe(kind, instance, bytes))
  }

  private func describe(_ kind: UInt8, _ instance: Int, _ bytes: [UInt8]) -> String {
    let name = ["", "message", "wake", "written", "submit", "connect", "built"][Int(kind)]
    let place = processes[instance].replica.map { "view \($0.currentView) height \($0.head.height)" } ?? "down"
    let message = (try? Message(decoding: bytes)).map { message in
      switch message.body {
      case .status: "status"
      case .proposal(let proposal): "proposal \(proposal.block.view) of \(proposal.block.entries.count)"
      case .vote(let vote): "vote \(vote.view) by \(vote.author)"
      case .timeout(let timeout): "timeout \(timeout.view) by \(timeout.author)"
      case .entries(let entries): "entries \(entries.count)"
      case .fetch(let request): "fetch above \(request.knownHeight)"
      case .blocks(let answer): "blocks \(answer.blocks.count)"
      case .ask: "ask"
      case .answer: "answer"
      }
    }
    let milliseconds = time / Self.millisecond
    return "\(milliseconds) ms \(name) \(instance) (replica \(processes[instance].index), \(place)) \(message ?? "")"
  }
}
