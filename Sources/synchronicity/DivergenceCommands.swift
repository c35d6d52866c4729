import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime

/// `transcript`: what a build printed on one node.
struct TranscriptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transcript", abstract: "Prints what a node's attempt at a job printed.",
    discussion: """
      Each node keeps the transcripts of its own attempts, those that failed too. Control characters are shown, not \
      obeyed: ^[ is an escape.
      """)
  @OptionGroup var node: NodeOption
  @Option(help: "Which attempt; the newest unless given. `status JOB` lists them.")
  var attempt: Int?
  @Argument(help: "A job's ID.")
  var job: String

  func run() async throws {
    if let attempt, !(1...999_999).contains(attempt) {
      throw CommandFailure(.usage, "--attempt \(attempt) is no attempt; they are numbered from 1 on")
    }
    let bytes = try await node.client.transcript(job: job, attempt: attempt)
    Console.write(String(decoding: TerminalText.harmless(bytes), as: UTF8.self), to: STDOUT_FILENO)
  }
}

/// `report get`.
struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Fetches a node's report on a job whose builders differ.",
    subcommands: [Get.self])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the report's files and prints what it comes to.",
      discussion: """
        The files are summary.json and, where the node has diffoscope, diffoscope.txt and diffoscope.html. A report is \
        the node's own statement, no evidence. Do not open the page with scripts allowed: it quotes what builds made.
        """)
    @OptionGroup var node: NodeOption
    @Option(help: "Where to write them.")
    var output = "."
    @Flag(help: "Print the summary's JSON.")
    var json = false
    @Argument(help: "A job's ID.")
    var job: String

    func run() async throws {
      let client = try node.client
      let status = try await client.job(job)
      guard let divergence = status.divergence else {
        throw CommandFailure(
          .environment, "\(node.node) has no report on \(job.prefix(16)): its builders agree, or it makes none")
      }
      guard divergence.state == .done else {
        throw CommandFailure(.environment, "The report is not done yet (\(divergence.state.rawValue)); ask again later")
      }
      let bytes = try await client.report(job: job, suffix: "")
      guard let summary = try? JSONDecoder().decode(DivergenceSummary.self, from: Data(bytes)) else {
        throw CommandFailure(.environment, "\(node.node) sent a report that this version cannot read")
      }
      try BoundedFile.makeFolder(output)
      try BoundedFile.write(bytes, to: output + "/summary.json")
      for (path, suffix) in [(divergence.text, ".txt"), (divergence.html, ".html")] where path != nil {
        try BoundedFile.write(
          try await client.report(job: job, suffix: suffix), to: "\(output)/diffoscope\(suffix)")
      }
      if json { return Console.write(String(decoding: bytes, as: UTF8.self), to: STDOUT_FILENO) }
      for line in DivergenceLines(summary).lines { Console.line(line) }
    }
  }
}

/// One job on several lines: who got what, and what this node has to say of it.
struct JobDetails {
  let lines: [String]

  init(_ job: JobStatus) {
    var lines: [String] = []
    for outcome in job.outcomes ?? [] {
      let names = outcome.builders.joined(separator: ", ")
      let what =
        switch outcome.kind {
        case .built: "built"
        case .failed: "failed: \(outcome.failure ?? "")"
        case .unlisted: "an outcome that the evidence lists by digest alone"
        }
      lines.append("  \(outcome.digest.prefix(16))  \(names): \(what)")
      for artifact in outcome.artifacts ?? [] {
        lines.append("    \(artifact.sha256)  \(artifact.mode)  \(artifact.size) bytes  \(artifact.path)")
      }
    }
    for absent in job.absent ?? [] { lines.append("  \(absent.builder): \(absent.reason)") }
    for attempt in job.attempts ?? [] {
      lines.append("  attempt \(attempt.number) of this node: \(attempt.ending), \(attempt.bytes) bytes of transcript")
    }
    if let divergence = job.divergence {
      let hint = divergence.state == .done ? "; fetch it with: synchronicity report get \(job.id)" : ""
      lines.append("  report of this node: \(divergence.state.rawValue)\(hint)")
    }
    self.lines = [JobLine(job).text] + lines.map { TerminalText.harmless($0) }
  }
}

/// A report's summary for people.
struct DivergenceLines {
  let lines: [String]

  init(_ summary: DivergenceSummary) {
    var lines = ["\(summary.package): \(summary.verdict); as \(summary.node) sees it, which is no evidence"]
    for artifact in summary.artifacts {
      lines.append("  \(artifact.path): \(artifact.difference.rawValue)")
      for variant in artifact.variants {
        let names = variant.builders.joined(separator: ", ")
        lines.append("    \(variant.sha256?.prefix(16) ?? "none            ")  \(names)")
      }
      for comparison in artifact.comparisons {
        let at = comparison.firstDifference.map { ", the first at \($0)" } ?? ""
        let pair = "\(comparison.first.prefix(8)) and \(comparison.second.prefix(8))"
        lines.append("    \(pair): \(comparison.differingBytes) bytes\(at)")
        for cause in comparison.causes {
          let place = cause.place.isEmpty ? "" : " in \(cause.place)"
          let guess = "\(cause.code.rawValue) (\(cause.confidence.rawValue))"
          lines.append("      \(guess)\(place): \(cause.first) | \(cause.second)")
        }
      }
    }
    for failure in summary.fetchFailures {
      lines.append("  not had from \(failure.builder): \(failure.sha256.prefix(16)), \(failure.error)")
    }
    let causes = summary.causes.isEmpty ? "none found" : summary.causes.map(\.rawValue).joined(separator: ", ")
    lines.append("  causes: \(causes); diffoscope: \(summary.diffoscope.state.rawValue)")
    self.lines = lines.map { TerminalText.harmless($0) }
  }
}
