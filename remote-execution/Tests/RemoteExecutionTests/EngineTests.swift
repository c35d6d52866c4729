import Foundation
import GRPCCore
import RemoteExecution
import Testing

/// What an engine may answer that no run must believe. The engine here is of paper; the real one runs the sandbox's own
/// conformance suite.
@Suite struct EngineTests {
  private static let report = Data("end exited 0\nwall 5\npacked\n".utf8)
  private static let pack = Data("SYNCPK01EZ".utf8)
  private static let files = ["report": report, "transcript": Data("hello".utf8), "outputs": pack]

  /// A run of one writable mount, on a toolchain with one file.
  private func run(
    _ script: PaperEngine.Script, isCancelled: Bool = false, _ see: @Sendable (PaperEngine) throws -> Void = { _ in }
  ) async throws -> (RunReport, Data) {
    try await withFolder { folder in
      try await PaperEngine.with(script) { options, engine in
        let request = try Self.request(folder)
        let sandbox = RemoteSandbox(options)
        try await sandbox.prepare(try Self.prepare(folder))
        let work = Task {
          let said = Collected()
          let report = try await sandbox.run(request) { said.add($0) }
          return (report, said.data)
        }
        if isCancelled {
          while !engine.state.withLock({ $0.calls.contains("Execute") }) { try await Task.sleep(for: .milliseconds(5)) }
          try await Task.sleep(for: .milliseconds(50))
          work.cancel()
        }
        let result = await work.result
        try see(engine)
        return try result.get()
      }
    }
  }

  private final class Collected: @unchecked Sendable {
    private let lock = NSLock()
    private var bytes = Data()
    func add(_ data: Data) { lock.withLock { bytes += data } }
    var data: Data { lock.withLock { bytes } }
  }

  private static func request(_ folder: String) throws -> ExecRequest {
    for name in ["scratch", "output", "scratch-prepare"] {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    let line = """
      {"command":["/bin/true"],"environment":[],"hostName":"builder","limits":{"cpuSeconds":1,"diskBytes":4096,\
      "memoryBytes":3,"processes":4,"transcriptBytes":5,"wallSeconds":6},"mounts":[{"source":"\(folder)/output",\
      "target":"/output","writable":true}],"protocol":"synchronicity-exec/1","resultFile":"\(folder)/result.json",\
      "runID":"id-1","scratchFolder":"\(folder)/scratch","toolchain":{"digest":"aa","folder":"\(folder)/toolchain"},\
      "verb":"run","workingDirectory":"/build"}
      """
    return try ExecRequest(parsing: Data(line.utf8), verb: .run)
  }

  private static func prepare(_ folder: String) throws -> ExecRequest {
    for name in ["tree", "toolchain"] {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    try Data(repeating: 7, count: 200_000).write(to: URL(fileURLWithPath: "\(folder)/tree/large"))
    try Data("small".utf8).write(to: URL(fileURLWithPath: "\(folder)/tree/small"))
    let tar = Process()
    tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    tar.arguments = ["tar", "--create", "--file=\(folder)/toolchain.tar", "--directory=\(folder)/tree", "."]
    try tar.run()
    tar.waitUntilExit()
    let digest = REDigest(of: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/toolchain.tar"))).hash
    let line = """
      {"archive":"\(folder)/toolchain.tar","protocol":"synchronicity-exec/1","resultFile":"\(folder)/result.json",\
      "runID":"prepare-1","scratchFolder":"\(folder)/scratch-prepare","toolchain":{"digest":"\(digest)",\
      "folder":"\(folder)/toolchain"},"verb":"prepare"}
      """
    return try ExecRequest(parsing: Data(line.utf8), verb: .prepare)
  }

  @Test func aTrueAnswerIsBelieved() async throws {
    var script = PaperEngine.Script()
    script.files = Self.files
    let (report, said) = try await run(script) { engine in
      let state = engine.state.withLock { $0.actions }
      let action = try #require(state.first)
      // No cache may answer, and none may keep the answer.
      #expect(action.doNotCache && action.salt.count == 32 && engine.state.withLock { $0.skipsCache })
      #expect(action.timeout.seconds == 606)
    }
    #expect(report.end == .exited(status: 0) && said == Data("hello".utf8))
  }

  @Test func noTwoActionsAreTheSame() async throws {
    var script = PaperEngine.Script()
    script.files = Self.files
    try await withFolder { folder in
      try await PaperEngine.with(script) { options, engine in
        try await RemoteSandbox(options).prepare(try Self.prepare(folder))
        for _ in 0..<2 {
          let request = try Self.request(folder)
          _ = try await RemoteSandbox(options).run(request) { _ in }
          try FileManager.default.removeItem(atPath: folder + "/scratch")
        }
        let actions = engine.state.withLock { $0.actions }
        #expect(actions.count == 2 && actions[0].salt != actions[1].salt)
        #expect(actions[0].inputRootDigest == actions[1].inputRootDigest)
      }
    }
  }

  static let lies: [(name: String, code: Fault.Code, lie: @Sendable (inout PaperEngine.Script) -> Void)] = [
    ("a cached answer", .io, { $0.response = { $0.cachedResult = true } }),
    ("no report", .unavailable, { $0.files["report"] = nil }),
    ("no transcript", .unavailable, { $0.files["transcript"] = nil }),
    ("no outputs", .unavailable, { $0.files["outputs"] = nil }),
    ("nothing packed", .io, { $0.files["report"] = Data("end exited 0\nwall 5\n".utf8) }),
    ("an empty report", .io, { $0.files["report"] = Data() }),
    ("a garbage report", .io, { $0.files["report"] = Data("\u{0}\u{FF}".utf8) }),
    ("a huge report", .io, { $0.files["report"] = Data(repeating: 0x20, count: 1 << 17) }),
    ("a longer transcript than allowed", .io, { $0.files["transcript"] = Data("hello!".utf8) }),
    ("a pack that is none", .io, { $0.files["outputs"] = Data("SYNCPK02EZ".utf8) }),
    ("another content", .io, { $0.content = { Data($0.reversed()) } }),
    ("less content", .io, { $0.content = { $0.dropLast() } }),
    ("more content", .io, { $0.content = { $0 + [0] } }),
    (
      "a digest that is none", .io,
      {
        $0.response = {
          for index in $0.result.outputFiles.indices { $0.result.outputFiles[index].digest.hash = "../x" }
        }
      }
    ),
    (
      "a negative size", .io,
      {
        $0.response = {
          for index in $0.result.outputFiles.indices { $0.result.outputFiles[index].digest.sizeBytes = -1 }
        }
      }
    ),
    (
      "an empty file that has content", .io,
      {
        $0.response = {
          for index in $0.result.outputFiles.indices { $0.result.outputFiles[index].digest.sizeBytes = 0 }
        }
      }
    ),
    ("an error of the action", .unavailable, { $0.statuses = [13] }),
    ("a time limit of its own", .unavailable, { $0.statuses = [4] }),
    ("no right to execute", .unavailable, { $0.errors = [RPCError(code: .permissionDenied, message: "no")] }),
    ("content lost for good", .unavailable, { $0.statuses = [9, 9] }),
    ("an end of its own", .cancelled, { $0.statuses = [1] }),
    ("the launcher's fault", .unavailable, { $0.files["report"] = Data("fault 1 no namespaces\n".utf8) }),
    ("no execution", .unavailable, { $0.capabilities = { $0.executionCapabilities.execEnabled = false } }),
    ("another digest function", .unavailable, { $0.capabilities = { $0.cacheCapabilities.digestFunctions = [] } }),
    (
      "an old version", .unavailable,
      {
        $0.capabilities = { ($0.lowApiVersion.major, $0.highApiVersion.major) = (1, 1) }
      }
    ),
    (
      "a later major version", .unavailable,
      {
        $0.capabilities = { ($0.lowApiVersion.major, $0.highApiVersion.major) = (3, 3) }
      }
    ),
    ("content that nobody has", .io, { $0.lacksTheUnknown = true }),
    ("no room", .unavailable, { $0.refusesUploads = true }),
  ]

  @Test(arguments: lies.map(\.name)) func aLieCostsOneRun(_ name: String) async throws {
    let row = try #require(Self.lies.first { $0.name == name })
    var script = PaperEngine.Script()
    script.files = Self.files
    row.lie(&script)
    let error = await #expect(throws: Fault.self) { _ = try await run(script) }
    #expect(error?.code == row.code, "\(error?.description ?? "")")
    #expect(error?.message.isEmpty == false)
  }

  @Test func aLostConnectionIsTakenUpAgain() async throws {
    var script = PaperEngine.Script()
    script.files = Self.files
    script.losesAnswer = true
    script.errors = [RPCError(code: .unavailable, message: "busy")]
    let (report, _) = try await run(script) { engine in
      let calls = engine.state.withLock { $0.calls.filter { ["Execute", "WaitExecution"].contains($0) } }
      // Executed again only while it had no name.
      #expect(calls == ["Execute", "Execute", "WaitExecution"])
    }
    #expect(report.end == .exited(status: 0))
  }

  @Test func contentThatWasDroppedIsGivenOnceMore() async throws {
    var script = PaperEngine.Script()
    script.files = Self.files
    script.statuses = [9]
    let (report, _) = try await run(script) { engine in
      #expect(engine.state.withLock { $0.calls.filter { $0 == "Execute" }.count } == 2)
    }
    #expect(report.end == .exited(status: 0))
  }

  @Test func aCancelledRunIsEndedAtTheEngine() async throws {
    var script = PaperEngine.Script()
    script.files = Self.files
    script.waits = true
    let error = await #expect(throws: Fault.self) {
      _ = try await run(script, isCancelled: true) { engine in #expect(engine.state.withLock { $0.isCancelled }) }
    }
    #expect(error?.code == .cancelled)
  }

  @Test func anEngineThatIsAwayIsUnavailable() async throws {
    let address = try #require(EngineOptions.Address("grpc://127.0.0.1:1"))
    let begin = ContinuousClock.now
    try await withFolder { folder in
      let request = try Self.prepare(folder)
      let error = await #expect(throws: Fault.self) {
        try await RemoteSandbox(EngineOptions(address: address, launcher: "/bin/true")).prepare(request)
      }
      #expect(error?.code == .unavailable && error?.message.contains("127.0.0.1:1") == true)
    }
    #expect(ContinuousClock.now - begin < .seconds(40))
  }

  @Test func aTokenIsSentWhereItIsSafe() async throws {
    var script = PaperEngine.Script()
    script.files = Self.files
    try await withFolder { folder in
      try Data("abc".utf8).write(to: URL(fileURLWithPath: folder + "/token"))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder + "/token")
      let request = try Self.prepare(folder)
      try await PaperEngine.with(script) { options, engine in
        var options = options
        options.token = folder + "/token"
        try await RemoteSandbox(options).prepare(request)
        #expect(engine.state.withLock { $0.metadata["authorization"] } == "Bearer abc")
      }
      try FileManager.default.removeItem(atPath: folder + "/toolchain/root")
      var away = EngineOptions(
        address: try #require(EngineOptions.Address("grpc://192.0.2.1:80")), launcher: "/bin/true")
      away.token = folder + "/token"
      let error = await #expect(throws: Fault.self) { try await RemoteSandbox(away).prepare(request) }
      #expect(error?.code == .invalid)
    }
  }

  @Test func aToolchainWithAnotherDigestIsRefused() async throws {
    try await withFolder { folder in
      try await PaperEngine.with(PaperEngine.Script()) { options, _ in
        let request = try Self.prepare(folder)
        let handle = try #require(FileHandle(forUpdatingAtPath: folder + "/toolchain.tar"))
        try handle.seek(toOffset: 2_000)
        try handle.write(contentsOf: Data([9]))
        let error = await #expect(throws: Fault.self) { try await RemoteSandbox(options).prepare(request) }
        #expect(error?.code == .checksumMismatch)
      }
    }
  }
}
