import Foundation
import SyncProof
import SyncRuntime

/// Performs what a ``SubmitBook`` decides, and shows how far it is.
struct SubmitRun {
  let client: GatewayClient
  var book: SubmitBook
  var state: SubmitState?
  let isJSON: Bool

  private let started = ContinuousClock.now
  private var display = SubmitDisplay()
  private var told: Set<Int> = []
  private var isReachable = true
  private var nextLook = Duration.zero

  /// Between two looks at the jobs, unless looking takes long.
  private static let lookInterval = Duration.seconds(1)
  private static let pageJobs = 1_000

  init(client: GatewayClient, book: SubmitBook, state: SubmitState?, isJSON: Bool) {
    (self.client, self.book, self.state, self.isJSON) = (client, book, state, isJSON)
  }

  private enum Event: Sendable {
    case answered(Int, SubmitAnswer)
    case tick
  }

  private var now: Duration { ContinuousClock.now - started }

  /// - Throws: ``CommandFailure`` with ``ExitStatus/notVerified`` unless all that was asked for is there.
  mutating func run() async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await Self.tick() }
      while true {
        try await tell()
        display.show(book, isJSON: isJSON)
        if book.isComplete { return }
        if let reason = book.givesUp(now: now, reachable: isReachable) {
          throw CommandFailure(.environment, "Nothing has moved for \(book.patience.components.seconds) s: \(reason)")
        }
        while let place = book.nextOffer(now: now) {
          let (client, request) = (client, book.rows[place].item.request)
          group.addTask { .answered(place, await client.offer(request)) }
        }
        guard let event = try await group.next() else { return }
        switch event {
        case .answered(let place, let answer): try take(answer, for: place)
        case .tick:
          group.addTask { try await Self.tick() }
          try await look()
        }
      }
    }
    try finish()
  }

  private static func tick() async throws -> Event {
    try await Task.sleep(for: .milliseconds(250))
    return .tick
  }

  private mutating func take(_ answer: SubmitAnswer, for place: Int) throws {
    book.answered(place, answer, now: now)
    if case .accepted(let id) = answer { try state?.add(id, for: book.rows[place].item) }
  }

  /// Reads the node's list, as far back as a job of these is missing.
  private mutating func look() async throws {
    guard book.waits, now >= nextLook else { return }
    var missing = Set(book.pending.keys)
    guard !missing.isEmpty else { return }
    let begin = now
    var found: [JobStatus] = []
    do throws(CommandFailure) {
      var before: String?
      repeat {
        let page = try await client.jobs(limit: Self.pageJobs, before: before)
        for job in page where missing.remove(job.id) != nil { found.append(job) }
        before = page.count < Self.pageJobs ? nil : page.last?.id
      } while before != nil && !missing.isEmpty
      isReachable = true
      book.looked(found, now: now)
    } catch {
      isReachable = false
      book.failedToLook(error.message)
    }
    nextLook = now + max(Self.lookInterval, (now - begin) * 9)
  }

  /// Tells of each row once, when all is known of it.
  private mutating func tell() async throws {
    for (place, row) in book.rows.enumerated() where !told.contains(place) {
      guard let line = await line(for: row) else { continue }
      told.insert(place)
      if isJSON { try Console.jsonLine(line) }
      display.tell(line, isJSON: isJSON)
    }
  }

  private func line(for row: SubmitBook.Row) async -> SubmitLine? {
    switch row.state {
    case .unasked, .asked: nil
    case .accepted(let id, _, _): book.waits ? nil : SubmitLine(row.item, id: id)
    case .refused(let code, let message): SubmitLine(row.item, code: code, message: message)
    case .done(let job): SubmitLine(row.item, job, reason: await reason(job))
    }
  }

  /// The named way in which builders agree that it failed: it stands in the evidence alone.
  private func reason(_ job: JobStatus) async -> String? {
    guard job.verdict == "failed", let proof = try? await client.proof(job: job.id),
      case .failed(let reason) = try? Verifier.inspect(proof: proof).evidence.agreedOutcome
    else { return nil }
    return String(decoding: Report.failure(reason), as: UTF8.self)
  }

  private mutating func finish() throws {
    let summary = SubmitSummary(lines: display.lines, seconds: now.components.seconds)
    if isJSON { try Console.jsonLine(["summary": summary]) } else { summary.show() }
    guard book.isGood else {
      throw CommandFailure(
        .notVerified,
        book.waits
          ? "\(summary.packages - summary.reproduced) of \(summary.packages) packages were not reproduced"
          : "\(summary.refused) of \(summary.packages) packages were refused")
    }
  }
}

/// What became of one line of the list.
struct SubmitLine: Encodable, Equatable {
  let package: String
  let features: [String]?
  let line: Int
  /// `accepted`, `refused`, or the verdict.
  let outcome: String
  var id: String?
  /// Why it was refused, in one word, or how it failed, as the evidence names it.
  var reason: String?
  var message: String?
  var agreeing: Int?
  var builders: Int?
  /// Decided time from order to verdict.
  var milliseconds: UInt64?

  private init(_ item: SubmitItem, outcome: String) {
    (package, features, line) = (item.request.package, item.request.features, item.line)
    self.outcome = outcome
  }

  init(_ item: SubmitItem, id: String) {
    self.init(item, outcome: "accepted")
    self.id = id
  }

  init(_ item: SubmitItem, code: String, message: String) {
    self.init(item, outcome: "refused")
    (reason, self.message) = (code, message)
  }

  init(_ item: SubmitItem, _ job: JobStatus, reason: String?) {
    self.init(item, outcome: job.verdict ?? "inconclusive")
    (id, self.reason, agreeing, builders) = (job.id, reason, job.agreeing, job.builders.count)
    if let end = job.verdictMilliseconds { milliseconds = end - min(end, job.orderedMilliseconds) }
  }

  /// For people.
  var text: String {
    let count = agreeing.map { " \($0)/\(builders ?? 0)" } ?? ""
    let painted = Console.paint(
      outcome + count, ["reproduced", "accepted"].contains(outcome) ? .green : .red)
    let name = ([package] + (features.map { ["features=" + $0.joined(separator: ",")] } ?? [])).joined(separator: " ")
    let detail = outcome == "accepted" ? id ?? "" : [reason, message].compactMap { $0 }.joined(separator: ": ")
    return "\(painted)  \(name)" + (detail.isEmpty ? "" : "  \(detail)")
  }
}

/// The end's counts.
struct SubmitSummary: Encodable, Equatable {
  let packages: Int
  let accepted: Int
  let reproduced: Int
  let diverged: Int
  let failed: Int
  let inconclusive: Int
  let refused: Int
  /// How often each named failure, and each reason of a refusal.
  let failures: [String: Int]
  let refusals: [String: Int]
  let seconds: Int64

  init(lines: [SubmitLine], seconds: Int64) {
    func count(_ outcome: String) -> Int { lines.count { $0.outcome == outcome } }
    func reasons(_ outcome: String) -> [String: Int] {
      lines.filter { $0.outcome == outcome }.reduce(into: [:]) { $0[$1.reason ?? "unknown", default: 0] += 1 }
    }
    packages = lines.count
    (accepted, reproduced, diverged) = (count("accepted"), count("reproduced"), count("diverged"))
    (failed, inconclusive, refused) = (count("failed"), count("inconclusive"), count("refused"))
    (failures, refusals) = (reasons("failed"), reasons("refused"))
    self.seconds = seconds
  }

  func show() {
    Console.line()
    let rows: [(String, Int, [String: Int])] = [
      ("accepted", accepted, [:]), ("reproduced", reproduced, [:]), ("diverged", diverged, [:]),
      ("failed", failed, failures), ("inconclusive", inconclusive, [:]), ("refused", refused, refusals),
    ]
    for (name, count, reasons) in rows where count > 0 {
      let detail = reasons.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
      let padding = String(repeating: " ", count: max(1, 14 - name.count - "\(count)".count))
      Console.line("  \(name)\(padding)\(count)" + (detail.isEmpty ? "" : "  (\(detail))"))
    }
    Console.line("  \(packages) packages, \(seconds) s")
  }
}

/// A bar on a terminal; one line for each package as it ends.
struct SubmitDisplay {
  private(set) var lines: [SubmitLine] = []
  private var isDrawn = false

  private static let width = 30

  mutating func tell(_ line: SubmitLine, isJSON: Bool) {
    lines.append(line)
    guard !isJSON else { return }
    clear()
    Console.line(line.text)
  }

  mutating func show(_ book: SubmitBook, isJSON: Bool) {
    guard Console.isTerminal, !isJSON else { return }
    clear()
    guard !book.isComplete else { return }
    Console.write(Console.cut(Self.bar(book), to: Console.columns - 1), to: STDOUT_FILENO)
    isDrawn = true
  }

  private mutating func clear() {
    if isDrawn { Console.write("\r\u{1B}[2K", to: STDOUT_FILENO) }
    isDrawn = false
  }

  static func bar(_ book: SubmitBook) -> String {
    let total = book.rows.count
    var (asked, open, ended) = (0, 0, 0)
    for row in book.rows {
      switch row.state {
      case .unasked: break
      case .asked: asked += 1
      case .accepted: if book.waits { open += 1 } else { ended += 1 }
      case .refused, .done: ended += 1
      }
    }
    let filled = ended * width / max(1, total)
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    return "\(bar)  \(ended)/\(total)  \(asked) being pinned, \(open) being rebuilt"
  }
}
