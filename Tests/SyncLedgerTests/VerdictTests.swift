import SyncLedger
import SyncProof
import Testing

private let spec = BuildSpec.sample()
private let job = spec.jobID

/// The verdict rule through the whole protocol: who answers what, and what it comes to.
///
/// One letter for each builder: `a b c` artifacts, `F G` failures, `.` silent, `-` abstains, `?` commits and never
/// opens, `!` opens wrongly.
@Suite struct VerdictTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let answers: String
    /// `nil`: the quorum.
    let reproducers: Int?
    let verdict: Verdict
    let agreeing: Int
    var testDescription: String { "\(answers) of \(reproducers.map(String.init) ?? "quorum"): \(verdict)" }

    init(_ answers: String, of reproducers: Int? = nil, _ verdict: Verdict, agreeing: Int) {
      (self.answers, self.reproducers, self.verdict, self.agreeing) = (answers, reproducers, verdict, agreeing)
    }
  }

  static let rows: [Row] = [
    // n = 4, reproducers = 3.
    Row("aaaa", .reproduced, agreeing: 4),
    Row("aaab", .reproduced, agreeing: 3),
    Row("baaa", .reproduced, agreeing: 3),
    Row("aaa.", .reproduced, agreeing: 3),
    Row("aaa-", .reproduced, agreeing: 3),
    Row("aaa?", .reproduced, agreeing: 3),
    Row("aaa!", .reproduced, agreeing: 3),
    Row("aaaF", .reproduced, agreeing: 3),
    Row("aabb", .diverged, agreeing: 2),
    Row("aab.", .diverged, agreeing: 2),
    Row("ab..", .diverged, agreeing: 1),
    Row("abcF", .diverged, agreeing: 1),
    Row("aaFF", .diverged, agreeing: 2),
    Row("aF..", .diverged, agreeing: 1),
    Row("FFGG", .diverged, agreeing: 2),
    Row("FFFF", .failed, agreeing: 4),
    Row("FFF.", .failed, agreeing: 3),
    Row("FFFa", .failed, agreeing: 3),
    Row("FFFG", .failed, agreeing: 3),
    Row("aa..", .inconclusive, agreeing: 2),
    Row("aa?!", .inconclusive, agreeing: 2),
    Row("FF--", .inconclusive, agreeing: 2),
    Row("a...", .inconclusive, agreeing: 1),
    Row("....", .inconclusive, agreeing: 0),
    Row("----", .inconclusive, agreeing: 0),
    Row("????", .inconclusive, agreeing: 0),
    Row("!!!!", .inconclusive, agreeing: 0),
    // Other thresholds.
    Row("aaaa", of: 4, .reproduced, agreeing: 4),
    Row("aaab", of: 4, .diverged, agreeing: 3),
    Row("aaa.", of: 4, .inconclusive, agreeing: 3),
    Row("aabc", of: 2, .reproduced, agreeing: 2),
    Row("aaab", of: 1, .reproduced, agreeing: 3),
    Row("a...", of: 1, .reproduced, agreeing: 1),
    Row("F...", of: 1, .failed, agreeing: 1),
    Row("aabb", of: 2, .diverged, agreeing: 2),
    Row("ab..", of: 1, .diverged, agreeing: 1),
    // Other sizes.
    Row("a", .reproduced, agreeing: 1),
    Row("F", .failed, agreeing: 1),
    Row(".", .inconclusive, agreeing: 0),
    Row("aa", .reproduced, agreeing: 2),
    Row("ab", .diverged, agreeing: 1),
    Row("aaaaabb", .reproduced, agreeing: 5),
    Row("aaaabbb", .diverged, agreeing: 4),
    Row("aaaa...", .inconclusive, agreeing: 4),
    Row("aaaaaaabbb", .reproduced, agreeing: 7),
  ]

  static func outcome(_ letter: Character) -> Outcome? {
    switch letter {
    case "F": .failed(.exitStatus(101))
    case "G": .failed(.wallTime)
    case ".", "-": nil
    case "?", "!": .sample("a", of: spec)
    default: .sample(String(letter), of: spec)
    }
  }

  @Test(arguments: rows)
  func verdict(_ row: Row) throws {
    var world = World(Builders(row.answers.count, reproducers: row.reproducers))
    let builders = world.builders
    world.block(builders.submission(spec))
    var entries: [[UInt8]] = []
    for (name, letter) in zip(builders.names, row.answers) {
      if letter == "-" { entries.append(builders.abstention(job, by: name)) }
      if let outcome = Self.outcome(letter) { entries.append(builders.commitment(job, by: name, to: outcome)) }
    }
    var events = world.block(of: entries)
    // Where all have answered, the reveal phase has begun already.
    if case .open(let open) = world.ledger.job(job), open.phase == .commit {
      events += world.block(later: 600_000)
    }
    entries = []
    for (name, letter) in zip(builders.names, row.answers) where letter != "?" {
      let revealed = letter == "!" ? .sample("wrong", of: spec) : Self.outcome(letter)
      if let revealed { entries.append(builders.opening(job, by: name, of: revealed)) }
    }
    events += world.block(of: entries)
    events += world.block(later: 60_000)
    #expect(events.verdicts == [row.verdict])
    let evidence = try #require(events.evidence)
    #expect(evidence.agreeing == row.agreeing)
    #expect(try Evidence(parsing: evidence.encode()) == evidence)
    #expect(world.ledger.openJobs.isEmpty && world.ledger.nextDeadlineMilliseconds == nil)
  }
}
