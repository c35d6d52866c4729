import SyncConsensus
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

/// What the queue does, told as a story: each step is an input, and the actions that it must give.
struct BuildQueueTests {
  enum Input: Sendable {
    /// - Parameter memory: GiB.
    case enqueue(
      Character, by: Text, cores: Int = 2, memory: UInt64 = 4, priority: Int = 0, deadline: UInt64 = 1_000_000)
    case end(Character, BuildQueue.Ending = .finished)
    case drop(Character)
    case priority(Character, Int)
    /// Seconds go by, then the queue is stepped.
    case wait(UInt64)
    /// The wall clock alone jumps by so many seconds.
    case clock(Int64)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    var cores = 2
    var memory: UInt64 = 16
    var concurrent = 64
    /// Each with its actions, in one string: `+a` starts, `-a` cancels, `!a` abstains, `x` expires, `~a` pauses.
    let steps: [(Input, String)]
    var testDescription: String { name }
  }

  static let fault = BuildQueue.Ending.fault("the disk is full", isLasting: false)

  static let rows: [Row] = [
    Row(
      name: "one submitter's jobs go in their order",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder"), ""), (.enqueue("c", by: "alder"), ""),
        (.end("a"), "+b"), (.end("b"), "+c"), (.end("c"), ""),
      ]),
    Row(
      name: "the higher priority goes first, then the order",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder"), ""),
        (.enqueue("c", by: "alder", priority: 5), ""), (.enqueue("d", by: "alder", priority: 5), ""),
        (.enqueue("e", by: "alder", priority: -1), ""), (.priority("e", 9), ""), (.end("a"), "+e"), (.end("e"), "+c"),
        (.end("c"), "+d"), (.end("d"), "+b"),
      ]),
    Row(
      name: "many jobs of one member delay another's one by one build",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder"), ""), (.enqueue("c", by: "alder"), ""),
        (.enqueue("d", by: "alder"), ""), (.end("a"), "+b"), (.enqueue("x", by: "birch"), ""), (.end("b"), "+x"),
        (.end("x"), "+c"),
      ]),
    Row(
      name: "priorities do not hold up another member's job",
      steps: [
        (.enqueue("a", by: "alder", priority: 100), "+a"), (.enqueue("b", by: "alder", priority: 100), ""),
        (.enqueue("x", by: "birch", priority: -100), ""), (.end("a"), "+x"), (.end("x"), "+b"),
      ]),
    Row(
      name: "who comes back has no credit",
      steps: [
        (.enqueue("x", by: "birch"), "+x"), (.end("x"), ""), (.enqueue("a", by: "alder"), "+a"),
        (.enqueue("b", by: "alder"), ""), (.end("a"), "+b"), (.enqueue("c", by: "alder"), ""),
        (.enqueue("y", by: "birch"), ""), (.enqueue("z", by: "birch"), ""), (.end("b"), "+y"), (.end("y"), "+c"),
        (.end("c"), "+z"),
      ]),
    Row(
      name: "cores and memory both bound", cores: 5, memory: 9,
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder"), "+b"), (.enqueue("c", by: "alder"), ""),
        (.enqueue("d", by: "alder", cores: 1, memory: 1), "+d"), (.end("a"), "+c"),
      ]),
    Row(
      name: "never more than so many at a time", cores: 8, memory: 64, concurrent: 2,
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "birch"), "+b"), (.enqueue("c", by: "cedar"), ""),
        (.end("b"), "+c"),
      ]),
    Row(
      name: "more cores than there are: alone", cores: 4,
      steps: [
        (.enqueue("a", by: "alder", cores: 64), "+a"), (.enqueue("b", by: "birch", cores: 1, memory: 1), ""),
        (.end("a"), "+b"),
      ]),
    Row(
      name: "more memory than there is: never", memory: 16,
      steps: [(.enqueue("a", by: "alder", memory: 17), "!a"), (.enqueue("b", by: "alder", memory: 16), "+b")]),
    Row(
      name: "small jobs overtake a large one eight times, then it is its turn", cores: 64, memory: 16,
      steps: [(.enqueue("a", by: "alder", memory: 4), "+a"), (.enqueue("L", by: "alder", memory: 16), "")]
        + "bcdefghi".map { (.enqueue($0, by: "alder", memory: 1), "+\($0)") }
        + [(.enqueue("j", by: "alder", memory: 1), "")] + "abcdefgh".map { (.end($0), "") }
        + [(.end("i"), "+L"), (.end("L"), "+j")]),
    Row(
      name: "after a fault others have its place, and the pauses grow",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder"), ""), (.end("a", fault), "~a+b"),
        (.end("b"), ""), (.wait(1), ""), (.wait(1), "+a"), (.end("a", fault), "~a"), (.wait(3), ""), (.wait(1), "+a"),
        (.end("a", fault), "~a"), (.wait(8), "+a"), (.end("a", fault), "!a"), (.wait(100), ""),
      ]),
    Row(
      name: "a lasting fault is not tried again",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.end("a", .fault("no such toolchain", isLasting: true)), "!a"),
        (.wait(100), ""),
      ]),
    Row(
      name: "no pause beyond the deadline",
      steps: [(.enqueue("a", by: "alder", deadline: 2_000), "+a"), (.end("a", fault), "!a")]),
    Row(
      name: "what is too late does not start, what runs goes on",
      steps: [
        (.enqueue("a", by: "alder", deadline: 10_000), "+a"), (.enqueue("b", by: "alder", deadline: 10_000), ""),
        (.enqueue("c", by: "alder", deadline: 90_000), ""), (.wait(10), "x"), (.end("a"), "+c"), (.end("c"), ""),
        (.drop("b"), ""),
      ]),
    Row(
      name: "what was too late by a wrong clock starts when it is set right",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder", deadline: 10_000), ""), (.clock(80), "x"),
        (.end("a"), ""), (.wait(5), ""), (.clock(-80), "+b"), (.end("b"), ""),
      ]),
    Row(
      name: "dropping",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("b", by: "alder"), ""), (.enqueue("c", by: "alder"), ""),
        (.drop("b"), ""), (.drop("a"), "-a"), (.drop("a"), ""), (.end("a", .cancelled), "+c"), (.drop("z"), ""),
        (.drop("c"), "-c"), (.end("c", fault), ""), (.wait(100), ""),
      ]),
    Row(
      name: "a job that is here already keeps its place",
      steps: [
        (.enqueue("a", by: "alder"), "+a"), (.enqueue("a", by: "birch"), ""), (.enqueue("b", by: "alder"), ""),
        (.enqueue("b", by: "alder", priority: 9), ""), (.end("a"), "+b"), (.end("b"), ""), (.end("b"), ""),
      ]),
  ]

  @Test(arguments: rows)
  func `the queue starts what its rules say`(row: Row) {
    var queue = BuildQueue(
      capacity: BuildCapacity(cores: row.cores, memoryBytes: row.memory << 30, concurrentMax: row.concurrent),
      pauses: .backOff(first: .seconds(2), factor: 2, longest: .seconds(600), count: 3))
    var now = Instant(monotonicNanoseconds: 5_000_000_000, wallMilliseconds: 0)
    for (number, (input, wanted)) in row.steps.enumerated() {
      let actions = apply(input, to: &queue, &now)
      #expect(text(actions) == wanted, "step \(number): \(input)")
    }
  }

  private func apply(_ input: Input, to queue: inout BuildQueue, _ now: inout Instant) -> [BuildQueue.Action] {
    switch input {
    case .enqueue(let name, let submitter, let cores, let memory, let priority, let deadline):
      return queue.enqueue(
        BuildQueue.Job(
          id: id(name), submitter: submitter, deadlineMilliseconds: deadline, cores: cores, memoryBytes: memory << 30,
          priority: priority), now: now)
    case .end(let name, let ending): return queue.ended(id(name), ending, now: now)
    case .drop(let name): return queue.drop(id(name), now: now)
    case .priority(let name, let priority):
      queue.setPriority(priority, of: id(name))
      return []
    case .wait(let seconds):
      now.monotonicNanoseconds += seconds * 1_000_000_000
      now.wallMilliseconds += seconds * 1_000
      return queue.step(now: now)
    case .clock(let seconds):
      now.wallMilliseconds = UInt64(Int64(now.wallMilliseconds) + seconds * 1_000)
      return queue.step(now: now)
    }
  }

  private func id(_ name: Character) -> Digest { SHA256.hash([name.asciiValue ?? 0]) }

  private func text(_ actions: [BuildQueue.Action]) -> String {
    func name(_ digest: Digest) -> Character {
      (0..<128).lazy.map { Character(Unicode.Scalar(UInt8($0))) }.first { id($0) == digest } ?? "?"
    }
    return actions.map { action in
      switch action {
      case .start(let job): "+\(name(job))"
      case .cancel(let job): "-\(name(job))"
      case .abstain(let job, _): "!\(name(job))"
      case .expired: "x"
      case .pause(let job, _, _): "~\(name(job))"
      }
    }.joined()
  }

  @Test func `a wake up is wanted for the end of the first pause alone`() {
    var queue = BuildQueue(capacity: BuildCapacity(cores: 2, memoryBytes: 1 << 40), pauses: [.seconds(3)])
    var now = Instant(monotonicNanoseconds: 0, wallMilliseconds: 0)
    _ = apply(.enqueue("a", by: "alder"), to: &queue, &now)
    #expect(queue.nextWakeUp(now: now) == nil)
    _ = apply(.end("a", Self.fault), to: &queue, &now)
    #expect(queue.nextWakeUp(now: now) == 3_000_000_000)
    _ = apply(.wait(3), to: &queue, &now)
    #expect(queue.nextWakeUp(now: now) == nil)
    #expect(queue.running == [id("a")])
  }

  @Test func `a spec asks for the cores that its processor time is of its wall time`() {
    var spec = EchoSource.spec(name: "x", recipe: "", toolchain: SHA256.hash([]))
    for (wall, cpu, cores) in [(1_800, 3_600, 2), (1_800, 3_601, 3), (60, 1, 1), (1, 604_800_000, 604_800_000)] {
      (spec.limits.wallSeconds, spec.limits.cpuSeconds) = (UInt64(wall), UInt64(cpu))
      let job = BuildQueue.Job(id: spec.jobID, spec: spec, submitter: "alder", deadlineMilliseconds: 1)
      #expect(job.cores == cores)
      #expect(job.memoryBytes == spec.limits.memoryBytes)
    }
  }

  @Test func `ten thousand jobs are queued in a moment`() {
    var queue = BuildQueue(capacity: BuildCapacity(cores: 2, memoryBytes: 1 << 40), pauses: [])
    let now = Instant(monotonicNanoseconds: 0, wallMilliseconds: 0)
    let started = ContinuousClock.now
    for number in 0..<10_000 {
      let id = SHA256.hash([UInt8(number & 255), UInt8(number >> 8)])
      _ = queue.enqueue(
        .init(id: id, submitter: "alder", deadlineMilliseconds: 9, cores: 2, memoryBytes: 1), now: now)
    }
    #expect(queue.waitingCount == 9_999)
    // A step that looks at every job for each job would take minutes.
    #expect(ContinuousClock.now - started < .seconds(20))
  }

  @Test func `pauses grow to the longest and no further`() {
    let pauses = [Duration].backOff(first: .seconds(2), factor: 4, longest: .seconds(600), count: 6)
    #expect(pauses == [2, 8, 32, 128, 512, 600].map { .seconds($0) })
    let short = [Duration].backOff(first: .seconds(2), factor: 4, longest: .seconds(1), count: 2)
    #expect(short == [.seconds(1), .seconds(1)])
  }
}

struct ByteCountTests {
  @Test(
    arguments: [
      ("0", 0), ("4096", 4_096), ("1 KiB", 1_024), ("1KiB", 1_024), ("20 GiB", 20 << 30), ("3 TiB", 3 << 40),
      ("4611686018427387904", 1 << 62),
    ] as [(String, UInt64)])
  func `a size is read`(text: String, bytes: UInt64) { #expect(ByteCount(parsing: text)?.bytes == bytes) }

  @Test(arguments: [
    "", " ", "GiB", "-1", "+1", "1.5 GiB", "01", "1  GiB", "1 gib", "1 GB", "1 GiB ", "5000000000000 TiB",
    "4611686018427387905", "99999999999999999999", "1 ", "१",
  ])
  func `what is no size is refused`(text: String) { #expect(ByteCount(parsing: text) == nil) }

  @Test(
    arguments: [
      (0, "0 bytes"), (1_023, "1023 bytes"), (1_024, "1 KiB"), (1_536, "1.5 KiB"), (17 << 30, "17 GiB"),
      ((1 << 30) - 1, "1023.9 MiB"),
    ] as [(UInt64, String)])
  func `and written`(bytes: UInt64, text: String) { #expect("\(ByteCount(bytes))" == text) }
}
