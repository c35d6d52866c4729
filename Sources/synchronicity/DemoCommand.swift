import ArgumentParser
import Foundation
import Synchronization
import SyncProof
import SyncRuntime

/// `demo`: the whole walk on this machine, with four builders as four processes.
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Four builders on this machine rebuild real crates and prove it.",
    discussion: """
      Makes a group of four, each a process with its own keys, data and journal; submits the crates; writes artifacts, \
      proofs and the policy; stops the builders; verifies every proof offline; and shows that one flipped byte is \
      refused. Use scripts/demo, which makes the toolchain first.
      """)

  static let defaultCrates = ["itoa", "anyhow", "time-macros", "pulldown-cmark"]

  @Option(help: ArgumentHelp("The toolchain: a tar file of a root file system with cargo.", valueName: "file"))
  var toolchain: String

  @Option(help: "Where artifacts, proofs and the policy are written; emptied first.")
  var output = "demo-out"

  @Option(help: "The first of eight ports on loopback; free ones are taken unless given.")
  var port: Int?

  @Option(help: ArgumentHelp("Take crates from this sparse registry, not from Debian.", valueName: "url"))
  var registry: String?

  @Option(help: "Give up after this many seconds.")
  var timeoutSeconds = 1_800

  @Flag(help: "Print a summary as JSON at the end.")
  var json = false

  @Argument(help: "Crates, as NAME or NAME@VERSION.")
  var crates: [String] = DemoCommand.defaultCrates

  func run() async throws {
    let started = ContinuousClock.now
    Console.isReservedForJSON.withLock { $0 = json }
    let group = try DemoGroup(output: output, toolchain: toolchain, firstPort: port, registry: registry)
    try await group.start()
    let jobs: [DemoJob]
    do {
      jobs = try await DemoRun(group: group, crates: crates, timeoutSeconds: timeoutSeconds).run()
    } catch {
      await group.stop()
      throw error
    }
    await group.stop()
    Console.line("\nAll four builders are stopped. Verifying offline, from files alone:")
    let isGood = try DemoVerification(output: output, policy: group.policy).run(jobs)
    let seconds = (ContinuousClock.now - started).components.seconds
    if json { try Console.json(DemoSummary(jobs: jobs, seconds: seconds)) }
    guard isGood else { throw CommandFailure(.notVerified, "The demo did not prove what it should; see above") }
    Console.line(
      "\n\(jobs.count) crates, each rebuilt by four builders, proven and verified in \(seconds) s. Try it yourself:")
    if let job = jobs.first, let artifact = job.artifacts.first {
      Console.line("  \(CommandLine.arguments[0]) verify --policy \(group.policy) --proof \(job.proof) \(artifact)")
    }
  }
}

/// One crate's way through the demo.
struct DemoJob: Encodable {
  let package: String
  let id: String
  let proof: String
  let artifacts: [String]
  let verdict: String
  /// Decided time from order to verdict.
  let milliseconds: UInt64
}

struct DemoSummary: Encodable {
  let jobs: [DemoJob]
  let seconds: Int64
}

/// Submits, watches and fetches.
struct DemoRun {
  let group: DemoGroup
  let crates: [String]
  let timeoutSeconds: Int

  /// Between two looks at the jobs: short enough to see each phase.
  private static let lookInterval = Duration.milliseconds(100)

  func run() async throws -> [DemoJob] {
    Console.line("Submitting \(crates.count) crates, each through another builder:")
    let submissions = crates.enumerated().map { number, crate in
      let builder = group.builders[number % group.builders.count]
      return Submission(
        package: crate.hasPrefix("pkg:") ? crate : "pkg:cargo/\(crate)", builder: builder.name,
        client: GatewayClient(builder.gateway))
    }
    let statuses = try await withThrowingTaskGroup(of: Void.self) { tasks in
      for submission in submissions { tasks.addTask { await submission.submit() } }
      return try await watch(submissions)
    }
    return try await fetch(statuses)
  }

  /// One crate on its way to a job.
  private final class Submission: Sendable {
    let package: String
    let builder: String
    let client: GatewayClient
    private let answer = Mutex<Result<String, CommandFailure>?>(nil)

    init(package: String, builder: String, client: GatewayClient) {
      (self.package, self.builder, self.client) = (package, builder, client)
    }

    /// The job's ID, once the builder has taken it; throws the builder's refusal.
    var id: String? {
      get throws { try answer.withLock { $0 }?.get() }
    }

    func submit() async {
      do throws(CommandFailure) {
        let id = try await client.submit(SubmitRequest(package: package))
        answer.withLock { $0 = .success(id) }
      } catch {
        answer.withLock { $0 = .failure(CommandFailure(error.status, "\(package): \(error.message)")) }
      }
    }
  }

  /// - Returns: The final status of each job, in the order of the crates; the same job is there once.
  private func watch(_ submissions: [Submission]) async throws -> [JobStatus] {
    let client = GatewayClient(group.builders[0].gateway)
    let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
    var live = LiveLines()
    var tick = 0
    while true {
      try group.checkAlive()
      var statuses: [JobStatus] = []
      var lines: [(key: String, live: String, plain: String)] = []
      var isComplete = true
      for submission in submissions {
        guard let id = try submission.id, let status = try? await client.job(id) else {
          isComplete = false
          let text = "\(submission.package)  \(submission.builder) pins its inputs"
          lines.append((submission.package, DemoLine.waiting(text, tick: tick), "  " + text))
          continue
        }
        if !statuses.contains(where: { $0.id == id }) { statuses.append(status) }
        lines.append((submission.package, DemoLine(job: status, tick: tick).text, "  " + JobLine(status).text))
      }
      live.show(lines)
      tick += 1
      if isComplete, statuses.allSatisfy({ $0.phase == .cosigned }) { return statuses }
      guard ContinuousClock.now < deadline else {
        throw CommandFailure(
          .environment, "The jobs did not finish in \(timeoutSeconds) s; the builders' logs are in \(group.folder)")
      }
      try await Task.sleep(for: Self.lookInterval)
    }
  }

  private func fetch(_ statuses: [JobStatus]) async throws -> [DemoJob] {
    var jobs: [DemoJob] = []
    for (number, status) in statuses.enumerated() {
      // Another builder than the one that was asked for the job: any of them will do.
      let client = GatewayClient(group.builders[(number + 1) % group.builders.count].gateway)
      let name = PackageName(status.package).fileName
      let proof = "\(group.output)/\(name).tlog-proof"
      let proofBytes = try await patient { try await client.proof(job: status.id) }
      try BoundedFile.write(proofBytes, to: proof)
      // The mode is proven too; over HTTP come bytes alone.
      let proven = (try? Verifier.inspect(proof: proofBytes))?.evidence.artifacts ?? []
      var artifacts: [String] = []
      for artifact in status.artifacts {
        guard let digest = Digest(hex: artifact.sha256) else { continue }
        let folder = "\(group.output)/\(name)"
        let path = "\(folder)/\(artifact.path)"
        try BoundedFile.makeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        try await client.artifact(digest, to: path)
        if let mode = proven.first(where: { $0.path.string == artifact.path })?.mode { chmod(path, mode_t(mode)) }
        artifacts.append(path)
      }
      let time = (status.verdictMilliseconds ?? 0) - min(status.orderedMilliseconds, status.verdictMilliseconds ?? 0)
      jobs.append(
        DemoJob(
          package: status.package, id: status.id, proof: proof, artifacts: artifacts,
          verdict: status.verdict ?? "missing", milliseconds: time))
    }
    return jobs
  }

  /// Another builder may see the quorum of cosigners a moment later.
  private func patient<T>(_ body: () async throws -> T) async throws -> T {
    for _ in 0..<40 {
      if let value = try? await body() { return value }
      try await Task.sleep(for: .milliseconds(250))
    }
    return try await body()
  }
}

/// One job's moving line: a bar over the seven phases.
struct DemoLine {
  let job: JobStatus
  let tick: Int

  private static let width = 24
  private static let spinner = Array("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

  /// The line of a crate that is no job yet.
  static func waiting(_ text: String, tick: Int) -> String {
    "  \(spinner[tick % 10]) \(String(repeating: "░", count: width))  \(text)"
  }

  var text: String {
    let total = Double(job.builders.count)
    let committed = Double(job.builders.count { $0.step != .waiting })
    let revealed = Double(job.builders.count { $0.step == .revealed || $0.step == .wrongOpening })
    let share =
      switch job.phase {
      case .commit: 0.05 + 0.65 * committed / total
      case .reveal: 0.70 + 0.15 * revealed / total
      case .logged: 0.90
      case .cosigned: 1.0
      }
    let filled = Int(share * Double(Self.width))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
    let mark = job.phase == .cosigned ? Console.paint("✓", .green) : String(Self.spinner[tick % 10])
    return "  \(mark) \(bar)  \(JobLine(job).text)"
  }
}

/// Verifies what the demo wrote, with no builder running, and tries to be cheated.
struct DemoVerification {
  let output: String
  let policy: String

  func run(_ jobs: [DemoJob]) throws -> Bool {
    var isGood = true
    for job in jobs {
      guard job.verdict == "reproduced", !job.artifacts.isEmpty else {
        Console.line("  " + Console.paint("✗ \(job.package): \(job.verdict)", .red))
        isGood = false
        continue
      }
      for artifact in job.artifacts {
        do {
          let verification = try VerifyCommand.verify(policy: policy, proof: job.proof, artifact: artifact)
          let log = verification.checkpoint.origin
          let builders = verification.reproducers.map { Report.short($0, in: log).string }.joined(separator: ", ")
          Console.line("  " + Console.paint("✓", .green) + " \(artifact)  rebuilt by \(builders)")
        } catch {
          Console.line("  " + Console.paint("✗ \(artifact): \(error.message)", .red))
          isGood = false
        }
      }
    }
    guard let job = jobs.first(where: { !$0.artifacts.isEmpty }) else { return false }
    return try refusesFlippedByte(job) && isGood
  }

  private func refusesFlippedByte(_ job: DemoJob) throws -> Bool {
    let original = job.artifacts[0]
    let flipped = output + "/flipped-" + URL(fileURLWithPath: original).lastPathComponent
    guard var bytes = FileManager.default.contents(atPath: original), !bytes.isEmpty else { return false }
    let middle = bytes.startIndex + bytes.count / 2
    bytes[middle] ^= 1
    try BoundedFile.write([UInt8](bytes), to: flipped)
    do {
      _ = try VerifyCommand.verify(policy: policy, proof: job.proof, artifact: flipped)
      Console.line("  " + Console.paint("✗ \(flipped) was ACCEPTED with a flipped byte", .red))
      return false
    } catch {
      Console.line("  " + Console.paint("✓", .green) + " one byte flipped, and refused: \(error.message)")
      return error.status == .notVerified
    }
  }
}
