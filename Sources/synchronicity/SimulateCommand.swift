import ArgumentParser
import Foundation
import SyncTesting

/// `simulate`: a whole group in one process, in virtual time, with faults from a seed.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Runs a whole group in this process, in virtual time, with faults from a seed.",
    discussion: """
      Replicas, ledgers and builders are the node's own; network, disks, clocks and processes fail as a plan says that \
      the seed gives. When something does not hold, the plan is made small and the command is printed that gives the \
      same events again. docs/SIMULATOR.md says what is checked. Exit codes: 0 everything held; 1 something did not; \
      2 usage.
      """)

  @Option(help: "The first seed.")
  var seed: UInt64 = 1
  @Option(help: ArgumentHelp("How many seeds, one after another.", valueName: "count"))
  var seeds: UInt64 = 1
  @Option(help: "Replicas, 1 to 25; each seed draws 1 to 7 unless given.")
  var replicas: Int?
  @Option(help: "Jobs submitted while things go wrong; each seed draws 1 to 6 unless given.")
  var jobs: Int?
  @Option(help: "How long things go wrong, in seconds of virtual time, 1 to 60.")
  var faultSeconds: UInt64 = 4
  @Option(
    help: ArgumentHelp(
      "What goes wrong, rather than what the seed draws; a line of the next epoch begins with \"next\".",
      valueName: "line;line"))
  var faults: String?
  @Option(
    help: ArgumentHelp("At so many of a thousand writes and effects a process ends.", valueName: "per-mille"))
  var crashes: UInt64?
  @Flag(
    inversion: .prefixedNo,
    help: "The group's members change meanwhile, which ends the epoch; one seed of five draws it unless given.")
  var handOver: Bool?
  @Flag(help: "One run for each write and each effect at which a process can end.")
  var crashEverywhere = false
  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    Console.isReservedForJSON.withLock { $0 = json }
    let options = try options()
    var tally = SimulationTally()
    var progress = SimulationProgress(seeds: seeds, isSilent: json)
    let (end, isOver) = seed.addingReportingOverflow(seeds)
    guard !isOver else { throw CommandFailure(.usage, "--seed and --seeds together pass the largest number") }
    for seed in seed..<end {
      do {
        if crashEverywhere {
          let found = try ConsensusSimulator.crashEverywhere(seed: seed, options: options) { found in
            progress.show(done: seed - self.seed, crashPoints: tally.crashPoints + found.points)
          }
          tally.add(found)
        } else {
          var simulator = try ConsensusSimulator(seed: seed, options: options)
          tally.add(simulator.run())
        }
      } catch let error as ConsensusFaultError {
        throw CommandFailure(.usage, error.description)
      }
      progress.show(done: seed - self.seed + 1, crashPoints: tally.crashPoints)
      if tally.failure != nil { break }
    }
    progress.settle()
    if let failure = tally.failure {
      let small = ConsensusSimulator.shrink(failure, options: options)
      tally.failure = small
      tally.replay = small.replayCommand(options)
    }
    if json { try Console.json(tally.report) } else { tally.show() }
    if tally.failure != nil { throw ExitCode(ExitStatus.notVerified.rawValue) }
  }

  private func options() throws(CommandFailure) -> ConsensusSimulator.Options {
    guard seeds > 0 else { throw CommandFailure(.usage, "--seeds is at least 1") }
    guard replicas.map({ (1...25).contains($0) }) ?? true, (1...60).contains(faultSeconds),
      jobs.map({ (0...1_000).contains($0) }) ?? true, crashes.map({ $0 <= 1_000 }) ?? true
    else {
      throw CommandFailure(
        .usage,
        "--replicas is 1 to 25, --fault-seconds 1 to 60, --jobs at most 1000, --crashes at most 1000 per mille")
    }
    var options = ConsensusSimulator.Options()
    options.replicas = replicas
    options.jobs = jobs
    options.faultSeconds = faultSeconds
    options.crashesPerMille = crashes
    options.handsOver = handOver
    if let faults {
      guard crashes == nil else {
        throw CommandFailure(.usage, "--faults is the whole plan; write --crashes as one of its lines")
      }
      do throws(ConsensusFaultError) {
        options.plan = try ConsensusFaultPlan(parsing: faults)
      } catch {
        throw CommandFailure(.usage, error.description)
      }
    }
    return options
  }
}

/// What the runs of one command came to.
private struct SimulationTally {
  /// As JSON.
  struct Report: Encodable {
    let seeds: Int
    let events: Int
    let blocks: Int
    let verdicts: Int
    let crashes: Int
    let crashPoints: Int
    /// Starts from a snapshot.
    let resumes: Int
    let misbehaviours: Int
    let handovers: Int
    /// Of next epochs.
    let nextBlocks: Int
    /// Of the last seed: SHA-256 over every event.
    let traceDigest: String?
    let failure: String?
    let replay: String?
  }

  private var seeds = 0
  private var events = 0
  private var blocks = 0
  private var verdicts = 0
  private var crashes = 0
  private(set) var crashPoints = 0
  private var resumes = 0
  private var misbehaviours = 0
  private var handovers = 0
  private var nextBlocks = 0
  private var traceDigest: String?
  var failure: ConsensusSimulator.Result?
  var replay: String?

  mutating func add(_ result: ConsensusSimulator.Result) {
    seeds += 1
    events += result.events
    blocks += result.height
    verdicts += result.verdicts.count
    crashes += result.crashes
    crashPoints += result.crashPoints
    resumes += result.resumes
    misbehaviours += result.provenMisbehaviours
    handovers += result.hasHandedOver ? 1 : 0
    nextBlocks += result.nextHeight
    traceDigest = result.traceDigest.hex
    if result.failure != nil { failure = result }
  }

  mutating func add(_ found: ConsensusSimulator.Everywhere) {
    seeds += 1
    events += found.events
    crashes += found.points
    crashPoints += found.points
    failure = found.failure
  }

  var report: Report {
    Report(
      seeds: seeds, events: events, blocks: blocks, verdicts: verdicts, crashes: crashes, crashPoints: crashPoints,
      resumes: resumes, misbehaviours: misbehaviours, handovers: handovers, nextBlocks: nextBlocks,
      traceDigest: traceDigest, failure: failure?.failure,
      replay: replay)
  }

  func show() {
    Console.line(
      "\(seeds) seeds, \(events) events, \(blocks) blocks, \(verdicts) verdicts; \(handovers) epochs handed over,"
        + " \(nextBlocks) blocks in the next ones")
    Console.line(
      "\(crashes) crashes, \(crashPoints) of them in a write or between two effects; \(resumes) starts from a snapshot")
    if seeds == 1, let traceDigest { Console.line("trace \(traceDigest)") }
    if let failure = failure?.failure, let replay {
      Console.line(Console.paint("failed: \(failure)", .red))
      Console.line(replay)
    } else {
      Console.line(Console.paint("everything held", .green))
    }
  }
}

/// One moving line on a terminal, and nothing elsewhere.
private struct SimulationProgress {
  let seeds: UInt64
  let isSilent: Bool
  private var live = LiveLines()
  private var lastShown: Date?

  init(seeds: UInt64, isSilent: Bool) { (self.seeds, self.isSilent) = (seeds, isSilent) }

  mutating func show(done: UInt64, crashPoints: Int) {
    let now = Date()
    guard !isSilent, Console.isTerminal, lastShown.map({ now.timeIntervalSince($0) > 0.1 }) ?? true else { return }
    lastShown = now
    let columns = 30
    let filled = Int(Double(done) / Double(seeds) * Double(columns))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: columns - filled)
    live.show([("simulate", "  \(bar) \(done) of \(seeds) seeds, \(crashPoints) crash points", "")])
  }

  /// Takes the moving line away.
  func settle() {
    guard lastShown != nil else { return }
    Console.write("\u{1B}[A\u{1B}[2K", to: STDOUT_FILENO)
  }
}
