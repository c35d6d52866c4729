import Foundation
import Glibc
import SyncRuntime

/// More of something than a run was given: each must be refused, or end the run.
struct EscapeBomb: Sendable {
  let words: String
  let sentence: String
  let outsideWords: String?
  let limits: SandboxLimits

  private init(
    _ words: String, _ sentence: String, outside: String?, change: (inout SandboxLimits) -> Void
  ) {
    (self.words, self.sentence, self.outsideWords) = (words, sentence, outside)
    var limits = SandboxCompatRun.limits
    limits.wallSeconds = 30
    change(&limits)
    self.limits = limits
  }

  /// Each once.
  static var outsideWords: [String] { Array(Set(all.compactMap(\.outsideWords))).sorted() }

  static let all: [EscapeBomb] =
    [
      EscapeBomb("forks:60", "60 processes are too many for 20", outside: "forks:60") { $0.processes = 20 },
      EscapeBomb("fork-bomb", "a fork bomb ends with its run", outside: nil) {
        ($0.processes, $0.wallSeconds) = (30, 3)
      },
      EscapeBomb("open-files:6000", "6000 open files are too many", outside: "open-files:6000") { _ in },
    ]
    + [("memory", "memory"), ("memfd", "memory of files without a name"), ("shared-memory", "shared memory")].map {
      EscapeBomb("\($0.0):400", "400 MB of \($0.1) are too much for 64", outside: "\($0.0):400") {
        ($0.memoryBytes, $0.diskBytes) = (64 << 20, 16 << 20)
      }
    }
    + ["/tmp", "/build", "/dev/shm", "/output"].flatMap { (folder: String) in
      [
        EscapeBomb("disk:\(folder):40", "40 MB in \(folder) are too much for 8", outside: "disk:.:40") {
          $0.diskBytes = 8 << 20
        },
        EscapeBomb("inodes:\(folder):9000", "9000 files in \(folder) are too many for 8 MB", outside: "inodes:.:9000") {
          $0.diskBytes = 8 << 20
        },
      ]
    }
}

extension SandboxCompatTest {
  func explode(_ bomb: EscapeBomb, with program: EscapeProgram, outside: [String: String]) async throws {
    if let words = bomb.outsideWords {
      let said = outside[words] ?? "is not tried"
      try require(said == "worked", "\(words) \(said) without a sandbox: it shows nothing")
    }
    try await withRun { run in
      try program.copy(to: run.folder + "/input/escape", mode: 0o755)
      // The last word names no attempt, but the processes.
      var request = run.request(["/input/package/escape", bomb.words, run.runID])
      request.limits = bomb.limits
      let result = try await sandbox.run(request)
      let said = EscapeProgram.results(in: result.transcript)[bomb.words]
      let isRefused = said?.hasPrefix("refused") ?? false
      let limits: [SandboxTermination] = [
        .memoryExceeded, .processesExceeded, .diskExceeded, .wallTimeExceeded, .cpuTimeExceeded,
      ]
      try require(
        said != "worked" && (isRefused || limits.contains(result.termination)),
        "it \(said ?? "says nothing of it") and ends with \(result.termination): "
          + String(decoding: result.transcript.suffix(200), as: UTF8.self))
      try require(result.wallNanoseconds < 60_000_000_000, "it took \(result.wallNanoseconds / 1_000_000) ms")
      try require(Self.processes(with: run.runID).isEmpty, "a process is left")
    }
  }
}
