import Glibc
import SyncRuntime

/// Each limit stops a run, and gives the end its name.
extension SandboxCompatTest {
  private static func limits(_ change: (inout SandboxLimits) -> Void) -> SandboxLimits {
    var limits = SandboxCompatRun.limits
    change(&limits)
    return limits
  }

  /// The end by `wanted` of a script under limits.
  private static func ends(
    _ name: String, _ wanted: SandboxTermination, limits: SandboxLimits, _ script: String
  ) -> Check {
    Check(name) { suite in
      try await suite.withRun { run in
        let result = try await run.result(script, limits: limits)
        let end = String(decoding: result.transcript.suffix(300), as: UTF8.self)
        try require(result.termination == wanted, "it ended with \(result.termination): \(end)")
        try require(result.wallNanoseconds < 40_000_000_000, "it took \(result.wallNanoseconds / 1_000_000) ms")
      }
    }
  }

  static let limits: [Check] = [
    ends("wall time ends a run", .wallTimeExceeded, limits: limits { $0.wallSeconds = 1 }, "sleep 50"),
    ends(
      "wall time ends a run that ignores signals", .wallTimeExceeded, limits: limits { $0.wallSeconds = 1 },
      "trap '' TERM INT HUP; while :; do sleep 1; done"),
    ends("CPU time ends a run", .cpuTimeExceeded, limits: limits { $0.cpuSeconds = 1 }, "while :; do :; done"),
    ends(
      "CPU time counts for the whole tree", .cpuTimeExceeded, limits: limits { $0.cpuSeconds = 1 },
      "for i in 1 2 3; do (while :; do :; done) & done; wait"),
    ends(
      "memory ends a run", .memoryExceeded, limits: limits { ($0.memoryBytes, $0.diskBytes) = (64 << 20, 16 << 20) },
      "exec /bin/bash -c 'x=0123456789abcdef; while :; do x=$x$x; done'"),
    ends(
      "memory counts for the whole tree", .memoryExceeded,
      limits: limits { ($0.memoryBytes, $0.diskBytes) = (64 << 20, 16 << 20) },
      """
      for i in 1 2 3 4; do
        /bin/bash -c 'x=0123456789abcdef; for i in {1..20}; do x=$x$x; done; sleep 20' &
      done; wait; exit 1
      """),
    ends(
      "processes are refused beyond the limit", .processesExceeded, limits: limits { $0.processes = 10 },
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 2 & done; wait; exit 1"),
    ends(
      "the disk's end fails a run", .diskExceeded, limits: limits { $0.diskBytes = 8 << 20 },
      "dd if=/dev/zero of=/build/big bs=64k 2>/dev/null; exit 1"),
    ends(
      "the disk's end in a writable mount fails a run", .diskExceeded, limits: limits { $0.diskBytes = 8 << 20 },
      "dd if=/dev/zero of=/output/big bs=64k 2>/dev/null; exit 1"),
    ends(
      "the disk limit is one for all folders", .diskExceeded, limits: limits { $0.diskBytes = 8 << 20 },
      """
      dd if=/dev/zero of=/build/a bs=64k count=48 2>/dev/null && dd if=/dev/zero of=/tmp/b bs=64k count=48 2>/dev/null \
        && dd if=/dev/zero of=/output/c bs=64k count=48 2>/dev/null
      """),
    ends(
      "the transcript ends a run", .transcriptExceeded, limits: limits { $0.transcriptBytes = 1000 },
      "while :; do echo 0123456789; done"),
    Check("what was seen before a limit is kept") { suite in
      try await suite.withRun { run in
        let result = try await run.result(
          "i=0; while :; do echo $i; i=$((i+1)); done", limits: limits { $0.transcriptBytes = 1000 })
        let whole = (0..<1000).map { "\($0)\n" }.joined().utf8.prefix(1000)
        try require(result.transcript == [UInt8](whole), "\(result.transcript.count) bytes are kept")
        let late = try await run.result("echo before; sleep 50", limits: limits { $0.wallSeconds = 1 })
        try require(late.transcript == [UInt8]("before\n".utf8), "what was printed before the limit is lost")
      }
    },
    Check("a run at its limits succeeds") { suite in
      try await suite.withRun { run in
        let result = try await run.result(
          "dd if=/dev/zero of=/build/a bs=64k count=96 2>/dev/null; rm /build/a; head -c 1000 /dev/zero",
          limits: limits { ($0.diskBytes, $0.transcriptBytes) = (8 << 20, 1000) })
        try require(result.termination == .exited(status: 0), "it ended with \(result.termination)")
        try require(result.transcript.count == 1000, "\(result.transcript.count) bytes are kept")
      }
    },
    Check("a long file of holes does not fill the host") { suite in
      try await suite.withRun { run in
        _ = try await run.result("truncate -s 1T /output/a; truncate -s 60M /output/b; exit 0")
        var info = stat()
        let size = lstat(run.folder + "/output/a", &info) == 0 ? info.st_size : 0
        try require(UInt64(size) <= SandboxCompatRun.limits.diskBytes, "a file of \(size) bytes is on the host")
      }
    },
  ]
}
