import Glibc
import SyncProof
import SyncRuntime
import Synchronization

/// How runs end, and that they end wholly.
extension SandboxCompatTest {
  static let ending: [Check] = [
    Check("the status of the command is the run's") { suite in
      for status: Int32 in [0, 1, 3, 126, 255] {
        try await suite.withRun { run in
          let end = try await run.result("exit \(status)").termination
          try require(end == .exited(status: status), "exit \(status) gives \(end)")
        }
      }
    },
    Check("a run that failed has left its name in the output folder, and nothing else is taken for one") { suite in
      for (script, name) in [
        ("echo no-manifest >/output/failure", "no-manifest"), ("true", nil), ("echo No >/output/failure", nil),
        ("echo no-manifest >/output/x; ln -s x /output/failure", nil), ("mkdir /output/failure", nil),
        ("ln -s /etc/passwd /output/failure", nil), ("mkfifo /output/failure", nil),
        ("echo no-manifest >/output/failure; chmod 0 /output/failure", nil),
        ("head -c 1000000 /dev/zero >/output/failure", nil),
      ] as [(String, Text?)] {
        try await suite.withRun { run in
          let end = try await run.result("\(script); exit 65").termination
          let found = try RecipeFailure.name(in: run.folder + "/output")
          try require(end == .exited(status: 65) && found == name, "\(script): \(end), \(found?.string ?? "no name")")
        }
      }
    },
    Check("every signal is told alike, and no status is taken for one") { suite in
      // An engine that shows statuses alone says of every signal what a shell says.
      let hasStatusesAlone = try await suite.ending("kill -9 $$") == .exited(status: 137)
      // Those that a shell passes over in silence are among them.
      for signal: Int32 in [SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, SIGUSR1, 34, 64] {
        let end = try await suite.ending("kill -\(signal) $$; exit 99")
        try require(
          end == (hasStatusesAlone ? .exited(status: 128 + signal) : .signalled(signal)),
          "signal \(signal) gives \(end)")
      }
      for status: Int32 in [129, 130, 137, 139, 141, 143] {
        let end = try await suite.ending("exit \(status)")
        try require(end == .exited(status: status), "exit \(status) gives \(end)")
      }
    },
    Check("a missing command has status 127") { suite in
      try await suite.withRun { run in
        let result = try await suite.sandbox.run(run.request(["/no/such/program"]))
        try require(result.termination == .exited(status: 127), "it ended with \(result.termination)")
      }
    },
    Check("the transcript has every byte, output and errors as they came") { suite in
      try await suite.withRun { run in
        let pieces = Mutex<[UInt8]>([])
        var request = run.request("for i in 1 2 3; do echo o$i; echo e$i >&2; done; printf '\\377\\000\\200'")
        request.onTranscript = { piece in pieces.withLock { $0 += piece } }
        let result = try await suite.sandbox.run(request)
        let wanted = [UInt8]("o1\ne1\no2\ne2\no3\ne3\n".utf8) + [0xFF, 0, 0x80]
        try require(result.transcript == wanted, "it is \(result.transcript)")
        try require(pieces.withLock { $0 } == wanted, "the pieces are not the whole")
      }
    },
    Check("a transcript of 4 MB is whole") { suite in
      try await suite.withRun { run in
        let result = try await run.result("head -c 4000000 /dev/zero")
        try require(
          result.termination == .exited(status: 0) && result.transcript.count == 4_000_000,
          "\(result.termination) with \(result.transcript.count) bytes")
      }
    },
    Check("what a run left running neither delays nor survives it") { suite in
      let duration = uniqueSleep()
      try await suite.withRun { run in
        let result = try await run.result(
          """
          sleep \(duration) & (busybox setsid sleep \(duration) &); (trap '' HUP TERM; sleep \(duration)) &
          sleep 0.2; exit 4
          """)
        try require(result.termination == .exited(status: 4), "it ended with \(result.termination)")
        try require(result.wallNanoseconds < 20_000_000_000, "it waited for its children")
      }
      try require(processes(with: duration).isEmpty, "a child outlived its run")
    },
    Check("a limit kills the whole tree") { suite in
      let duration = uniqueSleep()
      try await suite.withRun { run in
        var limits = SandboxCompatRun.limits
        limits.wallSeconds = 1
        let result = try await run.result(
          "(busybox setsid sleep \(duration) &); busybox setsid sleep \(duration)", limits: limits)
        try require(result.termination == .wallTimeExceeded, "it ended with \(result.termination)")
      }
      try require(processes(with: duration).isEmpty, "a child outlived its run")
    },
    Check("cancelling kills the whole tree") { suite in
      let duration = uniqueSleep()
      try await suite.withRun { run in
        let (started, signal) = AsyncStream.makeStream(of: Void.self)
        var request = run.request("(busybox setsid sleep \(duration) &); echo up; sleep \(duration)")
        request.onTranscript = { _ in signal.yield() }
        let task = Task { [request] in try await suite.sandbox.run(request) }
        // A sandbox on another machine may tell the transcript at the end only; one on this host shows its processes.
        let looks = Task {
          while !Task.isCancelled && processes(with: duration).count < 2 {
            try? await Task.sleep(for: .milliseconds(20))
          }
          signal.yield()
        }
        for await _ in started { break }
        looks.cancel()
        let clock = ContinuousClock()
        let begin = clock.now
        task.cancel()
        try await suite.expect(.cancelled, "a cancelled run") { _ = try await task.value }
        try require(clock.now - begin < .seconds(15), "it took \(clock.now - begin)")
      }
      try require(processes(with: duration).isEmpty, "a child outlived its run")
    },
    Check("cancelled before it begins, a run does not run") { suite in
      try await suite.withRun { run in
        let request = run.request("echo x >/output/ran")
        let task = Task {
          while !Task.isCancelled { await Task.yield() }
          return try await suite.sandbox.run(request)
        }
        task.cancel()
        try await suite.expect(.cancelled, "a cancelled run") { _ = try await task.value }
      }
    },
    Check("orphans are reaped") { suite in
      try await suite.withRun { run in
        let text = try await run.text(
          "for i in 1 2 3; do (true & true & ) ; done; sleep 0.3; busybox grep -l '^State:.Z' /proc/[0-9]*/status; true"
        )
        try require(text.isEmpty, "zombies stay: \(text)")
      }
    },
    Check("time and memory are told") { suite in
      try await suite.withRun { run in
        let result = try await run.result("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.3")
        try require(result.termination == .exited(status: 0), "it ended with \(result.termination)")
        try require((300_000_000...50_000_000_000).contains(result.wallNanoseconds), "wall \(result.wallNanoseconds)")
        if let cpu = result.cpuNanoseconds {
          try require((1_000_000...50_000_000_000).contains(cpu), "cpu time \(cpu)")
        }
        if let peak = result.memoryPeakBytes { try require((10_000...1 << 30).contains(peak), "memory \(peak)") }
      }
    },
  ]
  private func ending(_ script: String) async throws -> SandboxTermination {
    try await withRun { run in try await run.result(script).termination }
  }
}
