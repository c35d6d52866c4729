import SyncRuntime
import Testing

@testable import synchronicity

struct SubmitBookTests {
  static func id(_ letter: Character) -> String { String(repeating: letter, count: 64) }

  static func job(_ letter: Character, _ phase: JobPhase = .cosigned, verdict: String? = "reproduced") -> JobStatus {
    JobStatus(
      id: id(letter), package: "pkg:cargo/\(letter)", submitter: "alder", phase: phase, builders: [],
      verdict: phase == .cosigned ? verdict : nil, agreeing: nil, index: nil, artifacts: [], orderedMilliseconds: 0,
      verdictMilliseconds: nil)
  }

  private func book(
    _ text: String, known: [String: String] = [:], offers: Int = 2, waits: Bool = true, patience: Int = 60
  ) throws -> SubmitBook {
    SubmitBook(
      try SubmitList.parse([UInt8](text.utf8), name: "list"), known: known, offersMax: offers, waits: waits,
      patience: .seconds(patience))
  }

  private func at(_ seconds: Double) -> Duration { .milliseconds(Int(seconds * 1_000)) }

  @Test func `the higher priority is offered first, never more than so many at once`() throws {
    var book = try book("pkg:cargo/a\npkg:cargo/b priority=1\npkg:cargo/c\npkg:cargo/d priority=1\n")
    #expect(book.nextOffer(now: .zero) == 1)
    #expect(book.nextOffer(now: .zero) == 3)
    #expect(book.nextOffer(now: .zero) == nil)
    book.answered(1, .accepted(Self.id("b")), now: .zero)
    #expect(book.nextOffer(now: .zero) == 0)
    book.answered(3, .refused(code: "yanked", message: "no"), now: .zero)
    #expect(book.nextOffer(now: .zero) == 2)
    #expect(book.nextOffer(now: .zero) == nil)
    #expect(!book.isComplete)
  }

  @Test func `a busy node is left alone for as long as it says, and longer each time`() throws {
    var book = try book("pkg:cargo/a\n", offers: 1)
    var now = Duration.zero
    for (said, held) in [(1, 1.0), (0, 2), (1, 4), (1, 8), (100, 100), (1, 30), (1, 30)] {
      #expect(book.nextOffer(now: now) == 0)
      book.answered(0, .busy(seconds: said, message: "busy"), now: now)
      #expect(book.nextOffer(now: now + at(held - 0.1)) == nil, "after \(said)")
      now += at(held)
    }
    #expect(book.nextOffer(now: now) == 0)
    book.answered(0, .accepted(Self.id("a")), now: now)
    #expect(book.rows[0].state == .accepted(id: Self.id("a"), since: now, isOrdered: false))
  }

  @Test func `offers refused together hold once`() throws {
    var book = try book("pkg:cargo/a\npkg:cargo/b\n")
    _ = (book.nextOffer(now: .zero), book.nextOffer(now: .zero))
    book.answered(0, .busy(seconds: 1, message: "busy"), now: .zero)
    book.answered(1, .busy(seconds: 1, message: "busy"), now: .zero)
    #expect(book.nextOffer(now: at(0.9)) == nil)
    #expect(book.nextOffer(now: at(1)) == 0)
  }

  @Test func `without waiting all is done when all is answered`() throws {
    var book = try book("pkg:cargo/a\npkg:cargo/b\n", waits: false)
    _ = (book.nextOffer(now: .zero), book.nextOffer(now: .zero))
    book.answered(0, .accepted(Self.id("a")), now: .zero)
    #expect(!book.isComplete)
    book.answered(1, .accepted(Self.id("b")), now: .zero)
    #expect(book.isComplete && book.isGood)
  }

  struct Ending: CustomTestStringConvertible, Sendable {
    let name: String
    let verdict: String?
    let isGood: Bool
    var testDescription: String { name }
  }

  @Test(arguments: [
    Ending(name: "reproduced", verdict: "reproduced", isGood: true),
    Ending(name: "diverged", verdict: "diverged", isGood: false),
    Ending(name: "failed", verdict: "failed", isGood: false),
    Ending(name: "none", verdict: nil, isGood: false),
  ])
  func `only what is reproduced is good`(ending: Ending) throws {
    var book = try book("pkg:cargo/a\npkg:cargo/b\n")
    _ = (book.nextOffer(now: .zero), book.nextOffer(now: .zero))
    // Two lines may be one job.
    for place in [0, 1] { book.answered(place, .accepted(Self.id("a")), now: .zero) }
    book.looked([Self.job("z"), Self.job("a", .reveal)], now: at(1))
    #expect(!book.isComplete)
    book.looked([Self.job("a", verdict: ending.verdict)], now: at(2))
    #expect(book.isComplete)
    #expect(book.isGood == ending.isGood)
  }

  @Test func `a refusal does not stop the rest, and is not good`() throws {
    var book = try book("pkg:cargo/a\npkg:cargo/b\n")
    _ = (book.nextOffer(now: .zero), book.nextOffer(now: .zero))
    book.answered(0, .refused(code: "yanked", message: "no"), now: .zero)
    book.answered(1, .accepted(Self.id("b")), now: .zero)
    book.looked([Self.job("b")], now: at(1))
    #expect(book.isComplete && !book.isGood)
  }

  @Test func `what an earlier call got accepted is not offered, unless the node has never heard of it`() throws {
    let known = ["pkg:cargo/a": Self.id("a"), "pkg:cargo/b": Self.id("b")]
    var book = try book("pkg:cargo/a priority=4\npkg:cargo/b\npkg:cargo/b rebuild=1\n", known: known)
    #expect(book.nextOffer(now: .zero) == 2)
    #expect(book.nextOffer(now: .zero) == nil)
    book.looked([Self.job("a")], now: .zero)
    #expect(book.rows[0].state == .done(Self.job("a")))
    #expect(book.nextOffer(now: .zero) == 1)
  }

  @Test func `an accepted job that is not ordered is offered again, which is no progress`() throws {
    var book = try book("pkg:cargo/a\n", patience: 100)
    _ = book.nextOffer(now: .zero)
    book.answered(0, .accepted(Self.id("a")), now: .zero)
    book.looked([], now: at(29))
    #expect(book.nextOffer(now: at(29)) == nil)
    for time in stride(from: 30.0, through: 120, by: 30) {
      book.looked([], now: at(time))
      #expect(book.nextOffer(now: at(time)) == 0)
      book.answered(0, .accepted(Self.id("a")), now: at(time))
      #expect((book.givesUp(now: at(time), reachable: true) != nil) == (time > 100))
    }
  }

  @Test func `an ordered job needs no patience, a node that is away does`() throws {
    var book = try book("pkg:cargo/a\n", patience: 10)
    _ = book.nextOffer(now: .zero)
    #expect(book.givesUp(now: at(500), reachable: true) == nil, "an offer is under way")
    book.answered(0, .accepted(Self.id("a")), now: at(1))
    book.looked([Self.job("a", .commit)], now: at(2))
    #expect(book.givesUp(now: at(5_000), reachable: true) == nil)
    book.failedToLook("nobody there")
    #expect(book.givesUp(now: at(5_000), reachable: false) == "nobody there")
    #expect(book.givesUp(now: at(12), reachable: false) == nil)
  }

  @Test func `a node that only refuses work is given up with its own words`() throws {
    var book = try book("pkg:cargo/a\n", patience: 10)
    _ = book.nextOffer(now: .zero)
    book.answered(0, .busy(seconds: 1, message: "no toolchain"), now: .zero)
    #expect(book.givesUp(now: at(10), reachable: true) == nil)
    #expect(book.givesUp(now: at(11), reachable: true) == "no toolchain")
  }
}

struct SubmitSummaryTests {
  @Test func `the counts tell failures and refusals by name`() throws {
    let items = try SubmitList.parse([UInt8]("pkg:a/a\npkg:a/b\npkg:a/c\npkg:a/d\n".utf8), name: "list")
    let lines = [
      SubmitLine(items[0], SubmitBookTests.job("a"), reason: nil),
      SubmitLine(items[1], SubmitBookTests.job("b", verdict: "failed"), reason: "exit-status 101"),
      SubmitLine(items[2], SubmitBookTests.job("c", verdict: "failed"), reason: "exit-status 101"),
      SubmitLine(items[3], code: "yanked", message: "it was withdrawn"),
    ]
    let summary = SubmitSummary(lines: lines, seconds: 5)
    #expect(summary.packages == 4 && summary.reproduced == 1 && summary.failed == 2 && summary.refused == 1)
    #expect(summary.failures == ["exit-status 101": 2])
    #expect(summary.refusals == ["yanked": 1])
    #expect(lines[3].text.contains("refused  pkg:a/d  yanked: it was withdrawn"))
    #expect(lines[1].text.contains("exit-status 101"))
  }
}
