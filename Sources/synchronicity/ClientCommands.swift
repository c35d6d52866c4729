import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime

/// Which node a command talks to.
struct NodeOption: ParsableArguments {
  @Option(help: ArgumentHelp("The gateway of a node.", valueName: "url"))
  var node = ProcessInfo.processInfo.environment["SYNCHRONICITY_NODE"] ?? "http://127.0.0.1:7680"

  var client: GatewayClient {
    get throws(CommandFailure) { try GatewayClient(checking: node) }
  }
}

/// `submit`: asks the group for a rebuild, or for many.
struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Asks the group to rebuild a package, or all packages of a list.",
    discussion: """
      The node resolves and pins every input, signs the job as its builder and hands it to the group.

      A list has a package a line, with features=a,b, rebuild=N and priority=N behind it where wanted, and comments \
      behind #. The node is pressed no more than it allows; packages that cannot be prepared are told by name and do \
      not stop the others. The same spec is the same job, so a list may be submitted again; with --state, what is \
      accepted already is not asked for again. With --wait, the exit code is 0 only when everything was reproduced.
      """)

  @OptionGroup var node: NodeOption
  @OptionGroup var list: SubmitListOptions
  @Option(help: "A Cargo feature beside the default ones; may be given again.")
  var feature: [String] = []
  @Flag(help: "Leave the default features off.")
  var noDefaultFeatures = false
  @Option(help: "release, dev or a profile of the crate's own; release unless given.")
  var profile: String?
  @Option(help: ArgumentHelp("What to build for; the toolchain's own host unless given.", valueName: "triple"))
  var target: String?
  @Option(help: ArgumentHelp("Build this program alone; may be given again, and with --lib.", valueName: "name"))
  var bin: [String] = []
  @Flag(help: "Build the library alone, or with the programs of --bin.")
  var lib = false
  @Option(
    help: ArgumentHelp("Build with this one; the node's own for such packages unless given.", valueName: "sha256"))
  var toolchain: String?
  @Option(help: "A number not used before: rebuild afresh what was rebuilt already.")
  var rebuild: UInt64?
  @Option(help: NameList.normaliseHelp)
  var normalise = ""
  @Option(help: "The higher, the sooner in this node's own queue, -100 to 100.")
  var priority: Int?
  @Flag(help: "Wait until the proof can be had.")
  var wait = false
  @Option(help: "How long the node may stay away, or leave a job unordered: 120, with --from 600.")
  var patienceSeconds: Int?
  @Flag(help: "Print JSON; with --from one object on a line.")
  var json = false
  @Argument(help: "The package, such as pkg:cargo/itoa@1.0.1.")
  var package: String?

  func validate() throws {
    try list.validate(package: package)
    if list.from != nil, !feature.isEmpty || priority != nil {
      throw ValidationError("In a list, features= and priority= stand behind the package.")
    }
    guard (0...1_000_000).contains(patienceSeconds ?? 0) else {
      throw ValidationError("--patience-seconds is 0 to 1000000.")
    }
    if let priority, !SubmitRequest.priorities.contains(priority) {
      throw ValidationError("--priority is -100 to 100, not \(priority).")
    }
  }

  func run() async throws {
    guard let package else { return try await submitList() }
    let id = try await node.client.submit(
      SubmitRequest(
        package: package, features: feature.isEmpty ? nil : feature, defaultFeatures: noDefaultFeatures ? false : nil,
        profile: profile, target: target, programs: bin.isEmpty ? nil : bin, library: lib ? true : nil,
        toolchain: toolchain, rebuild: rebuild,
        normalise: normalise.isEmpty ? nil : try Normalisation.parse(NameList.split(normalise)).map(\.rawValue),
        priority: priority))
    guard wait else {
      return json ? try Console.json(["id": id]) : Console.line(id)
    }
    try await follow(id, package)
  }

  private func submitList() async throws {
    var run = try list.run(
      client: try node.client, rebuild: rebuild, waits: wait, patience: .seconds(patienceSeconds ?? 600), isJSON: json)
    try await run.run()
  }

  /// Shows the job until its proof can be had; gives up when the node stays away, or the job is never ordered.
  private func follow(_ id: String, _ package: String) async throws {
    let client = try node.client
    var live = LiveLines()
    let patienceSeconds = patienceSeconds ?? 120
    var deadline = ContinuousClock.now + .seconds(patienceSeconds)
    while true {
      let answer = await look(client, id)
      if case .success(let job) = answer {
        deadline = ContinuousClock.now + .seconds(patienceSeconds)
        if !json { live.show([(id, JobLine(job).text, JobLine(job).text)]) }
        if job.phase == .cosigned {
          if json { try Console.json(job) }
          guard job.verdict == "reproduced" else {
            throw CommandFailure(.notVerified, "\(job.package): the verdict is \(job.verdict ?? "missing")")
          }
          return
        }
      }
      if case .failure(let failure) = answer, ContinuousClock.now >= deadline {
        guard failure.status == .usage else { throw failure }
        throw CommandFailure(
          .environment,
          "\(package) was accepted but not ordered for \(patienceSeconds) s; is a quorum up? Submit it again")
      }
      try await Task.sleep(for: .milliseconds(300))
    }
  }

  private func look(_ client: GatewayClient, _ id: String) async -> Result<JobStatus, CommandFailure> {
    do throws(CommandFailure) {
      return .success(try await client.job(id))
    } catch {
      return .failure(error)
    }
  }
}

/// `status`: the node, or one job.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "status", abstract: "Shows a node, or one of its jobs.")
  @OptionGroup var node: NodeOption
  @Flag(help: "Print JSON.")
  var json = false
  @Argument(help: "A job's ID.")
  var job: String?

  func run() async throws {
    if let job {
      let status = try await node.client.job(job)
      return json ? try Console.json(status) : JobDetails(status).lines.forEach { Console.line($0) }
    }
    let status = try await node.client.status()
    if json { return try Console.json(status) }
    Console.line("\(status.name) of \(status.origin), version \(status.version)")
    let givenUp = status.viewsGivenUp.map { $0 == 0 ? "" : ", \($0) of its views given up since it started" } ?? ""
    Console.line("  height \(status.height), view \(status.view), epoch \(status.epoch)\(givenUp)")
    Console.line("  log \(status.logSize) leaves, \(status.checkpointSize) of them cosigned")
    Console.line("  \(status.openJobs) open jobs")
    let peers = status.connectedPeers.isEmpty ? "none" : status.connectedPeers.joined(separator: ", ")
    Console.line("  connected: \(peers) (quorum \(status.quorum) of \(status.replicas), this one included)")
    if status.isObserving {
      Console.line(Console.paint("  observing: signs nothing, since its journal may be an older copy", .yellow))
    }
    guard !status.misbehaved.isEmpty else { return }
    for proof in try await node.client.misbehaviours() {
      let leaf = proof.index.map { ", logged as leaf \($0)" } ?? ""
      Console.line(Console.paint("  misbehaved: \(proof.member), \(proof.kind) in \(proof.place)\(leaf)", .red))
    }
    Console.line("  fetch the proofs with: synchronicity misbehaviour get --node \(node.node)")
  }
}

/// `jobs`: the newest jobs.
struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "jobs", abstract: "Lists the newest jobs.")
  @OptionGroup var node: NodeOption
  @Option(help: "How many.")
  var limit = 50
  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    guard (1...1_000).contains(limit) else { throw CommandFailure(.usage, "--limit is 1 to 1000, not \(limit)") }
    let jobs = try await node.client.jobs(limit: limit)
    if json { return try Console.json(jobs) }
    if jobs.isEmpty { return Console.line("No jobs yet; submit one with: synchronicity submit pkg:cargo/NAME@VERSION") }
    for job in jobs { Console.line("\(job.id.prefix(16))  \(JobLine(job).text)") }
  }
}

/// `proof get`, `proof embed`, `proof extract`.
struct ProofCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proof", abstract: "Fetches proofs; puts them into artifacts and takes them out.",
    subcommands: [Get.self, Embed.self, Extract.self])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the proofs of packages or jobs as .tlog-proof files.")
    @OptionGroup var node: NodeOption
    @Option(help: "Where to write them.")
    var output = "."
    @Argument(help: "Packages (the newest job of each is taken) or job IDs.")
    var names: [String]

    func run() async throws {
      let client = try node.client
      let jobs = try await client.jobs(limit: 1_000)
      try BoundedFile.makeFolder(output)
      for name in names {
        let job: JobStatus
        if Digest(hex: name) != nil {
          job = try await client.job(name)
        } else if let found = jobs.first(where: { $0.package == name && $0.index != nil }) {
          job = found
        } else {
          throw CommandFailure(.environment, "\(node.node) has no finished job for \(name); submit it first")
        }
        let path = "\(output)/\(PackageName(job.package).fileName).tlog-proof"
        try BoundedFile.write(try await node.client.proof(job: job.id), to: path)
        Console.line(path)
      }
    }
  }
}

/// `artifact get`.
struct ArtifactCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "artifact", abstract: "Fetches artifacts by digest.", subcommands: [Get.self])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Fetches an artifact from a builder; it is checked on arrival.")
    @OptionGroup var node: NodeOption
    @Option(help: "The file to write; the digest's name unless given.")
    var output: String?
    @Argument(help: "The artifact's SHA-256.")
    var sha256: String

    func run() async throws {
      guard let digest = Digest(hex: sha256) else {
        throw CommandFailure(.usage, "\(sha256) is not a SHA-256 of 64 lower-case hexadecimal digits")
      }
      try await node.client.artifact(digest, to: output ?? sha256)
      Console.line(output ?? sha256)
    }
  }
}

/// `log checkpoint`, `log audit`.
struct LogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Shows the transparency log, and checks it.",
    subcommands: [CheckpointCommand.self, Audit.self])

  struct CheckpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "checkpoint", abstract: "Prints the newest cosigned tree head, a C2SP signed note.")
    @OptionGroup var node: NodeOption

    func run() async throws {
      Console.write(String(decoding: try await node.client.checkpoint(), as: UTF8.self), to: STDOUT_FILENO)
    }
  }
}

/// The part of a purl that makes a file's name.
struct PackageName {
  let text: String
  init(_ purl: String) { text = purl }

  /// `itoa-1.0.1` of `pkg:cargo/itoa@1.0.1`; anything that does not belong into a file name becomes `_`.
  var fileName: String {
    let name = text.split(separator: "/").last.map(String.init) ?? text
    return String(
      name.split(separator: "?").first.map(String.init)?.replacingOccurrences(of: "@", with: "-").map {
        $0.isASCII && ($0.isLetter || $0.isNumber || "-._+".contains($0)) ? $0 : "_"
      } ?? ["_"])
  }
}

/// One job on one line.
struct JobLine {
  let job: JobStatus
  init(_ job: JobStatus) { self.job = job }

  private func count(_ steps: BuilderProgress.Step...) -> Int {
    job.builders.count { steps.contains($0.step) }
  }

  /// Where the job is: ordered, building, committed, revealed, verdict, logged, cosigned.
  var phase: String {
    let total = job.builders.count
    switch job.phase {
    case .commit:
      let answered = total - count(.waiting)
      return answered == 0
        ? "ordered, building ×\(total)" : "committed \(answered)/\(total), building ×\(total - answered)"
    case .reveal: return "revealed \(count(.revealed))/\(total)"
    case .logged: return "\(verdict), logged at \(job.index ?? 0)"
    case .cosigned: return "\(verdict), logged at \(job.index ?? 0), cosigned"
    }
  }

  private var verdict: String {
    let text = "\(job.verdict ?? "?") \(job.agreeing ?? 0)/\(job.builders.count)"
    return Console.paint(text, job.verdict == "reproduced" ? .green : .red)
  }

  var text: String { "\(job.package)  \(phase)" }
}
