import SyncRuntime

/// What a node says to one submission.
enum SubmitAnswer: Sendable, Equatable {
  /// The job.
  case accepted(String)
  /// The package cannot be prepared, or the request is wrong: asking again does not help.
  case refused(code: String, message: String)
  /// Later, and not before so many seconds.
  case busy(seconds: Int, message: String)
  case unreachable(String)
}

/// Where each package of a list stands, and which may be offered to the node next.
///
/// A value without I/O; times are since the beginning. The node is not pressed: as many offers are under way as were
/// asked for, and after an answer that it has enough none is made for as long as it says, twice as long each time that
/// it says so again, up to ``holdMax``.
struct SubmitBook: Sendable {
  static let holdMax = Duration.seconds(30)
  /// How long an accepted job may be missing from the node's list before it is offered again.
  static let missingMax = Duration.seconds(30)

  enum State: Sendable, Equatable {
    case unasked
    case asked
    case accepted(id: String, since: Duration, isOrdered: Bool)
    case refused(code: String, message: String)
    case done(JobStatus)
  }

  struct Row: Sendable, Equatable {
    let item: SubmitItem
    var state = State.unasked
    /// Whether it was accepted before: to be accepted again gets nobody on.
    var wasAccepted = false
  }

  let offersMax: Int
  let waits: Bool
  /// How long nothing at all may go on.
  let patience: Duration
  private(set) var rows: [Row]
  /// Places in `rows` in the order in which they are offered.
  private let order: [Int]
  private var offers = 0
  private var holdUntil = Duration.zero
  private var refusalsInARow = 0
  private var lastProgress = Duration.zero
  private var lastTrouble: String?

  /// - Parameter known: Jobs of an earlier call by their items' keys.
  init(_ items: [SubmitItem], known: [String: String], offersMax: Int, waits: Bool, patience: Duration) {
    self.offersMax = max(1, offersMax)
    self.waits = waits
    self.patience = patience
    rows = items.map { item in
      guard let id = known[item.key] else { return Row(item: item) }
      return Row(item: item, state: .accepted(id: id, since: .zero - Self.missingMax, isOrdered: false))
    }
    order = items.indices.sorted { a, b in
      let (first, second) = (items[a].request.priority ?? 0, items[b].request.priority ?? 0)
      return first != second ? first > second : a < b
    }
  }

  /// Whether every package has got all that is waited for.
  var isComplete: Bool {
    rows.allSatisfy { row in
      switch row.state {
      case .unasked, .asked: false
      case .accepted: !waits
      case .refused, .done: true
      }
    }
  }

  /// Whether everything that was asked for is there: reproduced where it is waited for, else accepted.
  var isGood: Bool {
    rows.allSatisfy { row in
      switch row.state {
      case .unasked, .asked, .refused: false
      case .accepted: !waits
      case .done(let job): job.verdict == "reproduced"
      }
    }
  }

  /// Jobs whose end is waited for, by ID, with the places of their rows: two lines can be one job.
  var pending: [String: [Int]] {
    var found: [String: [Int]] = [:]
    for (place, row) in rows.enumerated() {
      if case .accepted(let id, _, _) = row.state { found[id, default: []].append(place) }
    }
    return found
  }

  /// The next row to offer, which counts as asked from now on.
  mutating func nextOffer(now: Duration) -> Int? {
    guard offers < offersMax, now >= holdUntil, let place = order.first(where: { rows[$0].state == .unasked }) else {
      return nil
    }
    rows[place].state = .asked
    offers += 1
    return place
  }

  mutating func answered(_ place: Int, _ answer: SubmitAnswer, now: Duration) {
    offers -= 1
    switch answer {
    case .accepted(let id):
      rows[place].state = .accepted(id: id, since: now, isOrdered: false)
      if !rows[place].wasAccepted { progress(now) }
      rows[place].wasAccepted = true
    case .refused(let code, let message):
      rows[place].state = .refused(code: code, message: message)
      progress(now)
    case .busy(let seconds, let message): hold(place, seconds: seconds, message, now)
    case .unreachable(let message): hold(place, seconds: 1, message, now)
    }
  }

  /// What the node shows of the pending jobs; `jobs` may hold others and lack some.
  mutating func looked(_ jobs: [JobStatus], now: Duration) {
    let pending = pending
    var seen: Set<String> = []
    for job in jobs where seen.insert(job.id).inserted {
      for place in pending[job.id] ?? [] {
        guard case .accepted(_, let since, let wasOrdered) = rows[place].state else { continue }
        if job.phase == .cosigned {
          rows[place].state = .done(job)
          progress(now)
        } else if !wasOrdered {
          rows[place].state = .accepted(id: job.id, since: since, isOrdered: true)
          progress(now)
        }
      }
    }
    // The node has forgotten them, or the state file is another group's: the same spec is the same job.
    for (id, places) in pending where !seen.contains(id) {
      for place in places {
        guard case .accepted(_, let since, _) = rows[place].state, now - since >= Self.missingMax else { continue }
        rows[place].state = .unasked
      }
    }
  }

  mutating func failedToLook(_ message: String) { lastTrouble = message }

  /// Why it is time to give up, if it is: neither the node nor a job has moved for longer than the patience.
  ///
  /// A job that is ordered needs none: its deadlines end it. Nor does an offer under way, which has a timeout.
  func givesUp(now: Duration, reachable: Bool) -> String? {
    guard offers == 0, now - lastProgress > patience else { return nil }
    let isMoving = rows.contains { row in
      if case .accepted(_, _, isOrdered: true) = row.state { return true }
      return false
    }
    guard !isMoving || !reachable else { return nil }
    return lastTrouble ?? "the jobs were accepted but not ordered; is a quorum of the group up?"
  }

  private mutating func progress(_ now: Duration) {
    lastProgress = now
    refusalsInARow = 0
    lastTrouble = nil
  }

  private mutating func hold(_ place: Int, seconds: Int, _ message: String, _ now: Duration) {
    rows[place].state = .unasked
    lastTrouble = message
    // Offers that were under way together count once.
    if now >= holdUntil { refusalsInARow += 1 }
    let growing = Duration.seconds(1 << min(5, max(0, refusalsInARow - 1)))
    holdUntil = max(holdUntil, now + max(.seconds(min(seconds, 600)), min(growing, Self.holdMax)))
  }
}
