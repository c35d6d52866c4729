import Foundation
import Glibc
import SyncProof

/// Runs Debian's diffoscope on artifacts of two outcomes, in the node's own sandbox: others' artifacts are hostile, and
/// so are the many programs that diffoscope calls on them.
struct Diffoscope: Sendable {
  /// What is taken of a report.
  static let textBytesMax = 1 << 20
  static let htmlBytesMax = 4 << 20

  struct Report: Sendable {
    let status: DiffoscopeStatus
    var text: [UInt8]?
    var html: [UInt8]?
  }

  /// Two outcomes: a label and files by their path in the outcome.
  struct Side: Sendable {
    /// A builder's name.
    let label: String
    let files: [(path: String, file: String)]
  }

  let workshop: Workshop
  let policy: DivergencePolicy

  func run(_ job: Digest, _ first: Side, _ second: Side) async -> Report {
    guard let toolchain = policy.toolchain else {
      return Report(
        status: DiffoscopeStatus(
          state: .noToolchain,
          detail: "This node has no toolchain to compare with; its operator can make one with scripts/toolchain diff"))
    }
    let scratch = "\(workshop.directory)/attempts/diff-\(job.hex)"
    Folder.remove(scratch)
    defer { Folder.remove(scratch) }
    do throws(PluginError) {
      try await workshop.prepareToolchain(toolchain)
      for folder in ["output", "scratch"] { try Folder.make("\(scratch)/\(folder)") }
      try Diffoscope.place(first, in: scratch + "/first")
      try Diffoscope.place(second, in: scratch + "/second")
      let result = try await workshop.sandbox.run(request(job, toolchain, scratch, first.label, second.label))
      return report(result, scratch + "/output")
    } catch {
      let detail = error.code == .notFound ? "its toolchain is not here" : "fault \(error.kind)"
      return Report(
        status: DiffoscopeStatus(
          state: error.code == .notFound ? .noToolchain : .failed, detail: "diffoscope could not be run: \(detail)"))
    }
  }

  /// Second names for the files, so that nothing is copied. What an outcome's artifact is called is checked text:
  /// relative, printable, without dots that lead out.
  private static func place(_ side: Side, in folder: String) throws(PluginError) {
    try Folder.make(folder)
    for (path, file) in side.files {
      let target = "\(folder)/\(path)"
      if let slash = target.lastIndex(of: "/") { try Folder.make(String(target[..<slash])) }
      guard link(file, target) == 0 else { throw Folder.error("link", target) }
    }
  }

  private func request(
    _ job: Digest, _ toolchain: Digest, _ scratch: String, _ first: String, _ second: String
  ) -> SandboxRequest {
    // diffoscope ends itself a little before the sandbox would, so that what it has found is kept.
    let seconds = max(1, policy.wallSeconds * 4 / 5)
    return SandboxRequest(
      runID: "diff-\(job.hex.prefix(16))-\(UniqueName.next())", toolchain: toolchain,
      command: [
        "/usr/bin/diffoscope", "--no-progress", "--exclude-directory-metadata=yes", "--max-container-depth=8",
        "--timeout=\(seconds)", "--max-text-report-size=\(Diffoscope.textBytesMax / 2)",
        "--max-report-size=\(Diffoscope.htmlBytesMax / 2)", "--max-diff-block-lines=512", "--text=/output/report.txt",
        "--html=/output/report.html", "/compare/\(first)", "/compare/\(second)",
      ],
      environment: [
        ("HOME", "/build"), ("LC_ALL", "C.UTF-8"), ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
        ("PYTHONDONTWRITEBYTECODE", "1"), ("TMPDIR", "/tmp"), ("TZ", "UTC"),
      ],
      workingDirectory: "/build",
      mounts: [
        SandboxMount(hostPath: scratch + "/first", insidePath: "/compare/\(first)", isWritable: false),
        SandboxMount(hostPath: scratch + "/second", insidePath: "/compare/\(second)", isWritable: false),
        SandboxMount(hostPath: scratch + "/output", insidePath: "/output", isWritable: true),
      ],
      limits: Limits(
        wallSeconds: policy.wallSeconds, cpuSeconds: policy.wallSeconds * 2, memoryBytes: policy.memoryBytes,
        processes: 256, diskBytes: 512 << 20, transcriptBytes: 64 << 10),
      scratchDirectory: scratch + "/scratch")
  }

  private func report(_ result: SandboxResult, _ output: String) -> Report {
    let text = Folder.read(output + "/report.txt", bytesMax: Diffoscope.textBytesMax, isCut: true)
    let html = Folder.read(output + "/report.html", bytesMax: Diffoscope.htmlBytesMax)
    // 0: no difference that it shows; 1: differences.
    let isDone = [.exited(status: 0), .exited(status: 1)].contains(result.termination)
    guard isDone, let text else {
      let words = FailureReason(result.termination)?.words ?? "it wrote no report"
      return Report(
        status: DiffoscopeStatus(state: .failed, detail: "diffoscope ended without a whole report: \(words)"),
        text: text, html: html)
    }
    return Report(
      status: DiffoscopeStatus(state: .done, detail: "made in the sandbox \(workshop.sandbox.name)"), text: text,
      html: html)
  }
}
