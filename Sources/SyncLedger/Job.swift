import SyncProof

/// How far a job has come, as decided blocks tell it.
public enum JobState: Sendable {
  case open(OpenJob)
  case closed(ClosedJob)
}

/// What a job that has its verdict leaves behind; the rest is in the log.
public struct ClosedJob: Hashable, Sendable {
  /// The evidence's leaf number.
  public let index: UInt64
  public let verdict: Verdict
  /// Height of the block that closed it.
  public let height: UInt64

  public init(index: UInt64, verdict: Verdict, height: UInt64) {
    (self.index, self.verdict, self.height) = (index, verdict, height)
  }
}

/// A job without a verdict yet.
public struct OpenJob: Sendable {
  public enum Phase: Hashable, Sendable { case commit, reveal }

  /// What one builder has done for the job.
  public enum Step: Hashable, Sendable { case waiting, committed, abstained, revealed, wrongOpening }

  /// What a replica keeps of a builder's answer.
  enum Answer: Sendable {
    case waiting
    case abstained
    case committed(Commitment)
    case revealed(Reveal, Signature)
    case wrongOpening

    var step: Step {
      switch self {
      case .waiting: .waiting
      case .abstained: .abstained
      case .committed: .committed
      case .revealed: .revealed
      case .wrongOpening: .wrongOpening
      }
    }
  }

  struct Commitment: Sendable {
    let digest: Digest
    /// Of the entry, kept to prove a double commitment or a wrong opening.
    let signature: Signature
  }

  /// Behind a reference: a job moves in memory with every change of the map that holds it.
  final class Order: Sendable {
    let spec: BuildSpec
    let specBytesCount: Int
    let submitter: Int
    let sequence: UInt64
    let timeMilliseconds: UInt64
    let height: UInt64

    init(
      spec: BuildSpec, specBytesCount: Int, submitter: Int, sequence: UInt64, timeMilliseconds: UInt64, height: UInt64
    ) {
      self.spec = spec
      self.specBytesCount = specBytesCount
      self.submitter = submitter
      self.sequence = sequence
      self.timeMilliseconds = timeMilliseconds
      self.height = height
    }
  }

  let order: Order
  public internal(set) var phase = Phase.commit
  /// Decided time at which the phase ends, Unix milliseconds.
  public internal(set) var deadlineMilliseconds: UInt64
  /// In the queue of the phase.
  var ticket: UInt64
  /// In the order of the group's members.
  private(set) var answers: [Answer]
  /// Members that have neither committed nor abstained.
  private var waitingCount: Int
  /// Commitments that are not opened yet.
  private var unopenedCount = 0
  /// Names of members of which a second, different commitment was ordered, in that order: one proof each is enough.
  public internal(set) var doubleCommitments: [Text] = []

  init(order: Order, builders: Int, deadlineMilliseconds: UInt64, ticket: UInt64) {
    self.order = order
    self.deadlineMilliseconds = deadlineMilliseconds
    self.ticket = ticket
    answers = Array(repeating: .waiting, count: builders)
    waitingCount = builders
  }

  public var spec: BuildSpec { order.spec }

  /// Decided time at which the job was ordered, Unix milliseconds.
  public var orderedMilliseconds: UInt64 { order.timeMilliseconds }

  /// Height of the block that ordered it.
  public var orderedHeight: UInt64 { order.height }

  /// A step for each member of the group, in the order of their names.
  public var steps: [Step] { answers.map(\.step) }

  /// The digest to which a member has committed and which it has not opened yet.
  ///
  /// - Parameter member: Its place in the group, sorted by name.
  public func commitment(ofMember member: Int) -> Digest? {
    guard answers.indices.contains(member), case .committed(let commitment) = answers[member] else { return nil }
    return commitment.digest
  }

  /// Whether everybody has committed or abstained.
  var isAnswered: Bool { waitingCount == 0 }
  /// Whether no commitment waits for its opening.
  var isOpened: Bool { unopenedCount == 0 }

  /// Takes an answer and keeps the counts.
  mutating func take(_ answer: Answer, by member: Int) {
    for (step, change) in [(answers[member].step, -1), (answer.step, 1)] {
      switch step {
      case .waiting: waitingCount += change
      case .committed: unopenedCount += change
      case .abstained, .revealed, .wrongOpening: break
      }
    }
    answers[member] = answer
  }

  /// Takes a right opening. Builders that agree share one copy of the outcome, so memory does not grow with their
  /// number.
  mutating func open(_ reveal: Reveal, _ signature: Signature, by member: Int) {
    var shared = reveal.outcome
    for case .revealed(let other, _) in answers where other.outcome == shared {
      shared = other.outcome
      break
    }
    let kept = try? Reveal(
      group: reveal.group, job: reveal.job, builder: reveal.builder, outcome: shared, nonce: reveal.nonce,
      statement: reveal.statement)
    take(.revealed(kept ?? reveal, signature), by: member)
  }
}
