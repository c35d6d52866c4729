import Foundation
import SyncProof
import SyncRuntime
import Synchronization
import Testing

@testable import ExecSandbox

/// Commands that break the contract, each a small shell script, with what one run of it costs.
@Suite struct ExecSandboxHostileTests {
  /// What every script begins with: reads the request, and can answer it.
  static let prologue = #"""
    #!/bin/bash
    field() { printf '%s' "$request" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
    answer() {
      file=$(field resultFile)
      printf '{"protocol":"synchronicity-exec/1","verb":"%s","runID":"%s",%s}' "$verb" "$(field runID)" "$1" >"$file"
    }
    verb=$1
    if [ "$verb" != run ]; then IFS= read -r request; fi
    if [ "$verb" = prepare ]; then answer '"ready":true'; exit; fi
    if [ "$verb" = clean ]; then answer '"cleaned":true'; exit; fi

    """#
  static let reads = "IFS= read -r request\n"
  static let good = #"answer '"end":"exited","status":0,"wallNanoseconds":1'"# + "\n"

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let script: String
    /// The error's code and words of it, or how the run ends all the same.
    let code: PluginError.Code?
    let words: String
    let end: SandboxTermination?
    var testDescription: String { name }

    init(_ name: String, _ code: PluginError.Code, _ words: String, _ script: String...) {
      (self.name, self.script, self.code, self.words, end) = (name, script.joined(), code, words, nil)
    }

    init(_ name: String, _ end: SandboxTermination, _ script: String...) {
      (self.name, self.script, code, words, self.end) = (name, script.joined(), nil, "", end)
    }
  }

  static let silence: [Row] = [
    Row("a good one, to compare with", .exited(status: 0), reads, good),
    Row("says nothing", .io, "gave no result", reads),
    Row("reads nothing and says nothing", .io, "gave no result", ""),
    Row("never ends", .io, "did not end within 2 s", reads, "sleep 1000"),
    Row("never ends and ignores signals", .io, "did not end", "trap '' TERM INT HUP\nwhile :; do sleep 1; done"),
    Row("closes its streams and never ends", .io, "did not end", "exec >&- 2>&- <&-\nsleep 1000"),
    Row("dies", .io, "died of signal 9", reads, good, "kill -9 $$"),
    Row(
      "fails though it told a result", .io, "status 3; 0 is wanted, and a result file (it said: no place)",
      reads, good, "echo 'no place' >&2\nexit 3"),
    Row(
      "fails with very many words", .io, "(it said: last)",
      reads, "head -c 50000000 /dev/zero | tr '\\0' x >&2\necho >&2\necho last >&2\nexit 1"),
    Row(
      "leaves one behind that holds its streams", .exited(status: 0),
      reads, good, "setsid sleep 5 &\nsleep 0.1"),
    Row("leaves one behind in its process group", .exited(status: 0), reads, good, "sleep 1000 &"),
  ]

  static let answers: [Row] = [
    Row("garbage", .io, "no JSON", reads, "echo garbage >$(field resultFile)"),
    Row("nothing in the file", .io, "no JSON", reads, ": >$(field resultFile)"),
    Row(
      "answers twice in one file", .io, "something follows",
      reads, good, "cp $file $file.2\ncat $file.2 >>$file\nrm $file.2"),
    Row("answers in two files", .io, "more than one answer", reads, good, "cp $file $file.new"),
    Row("1 GiB of JSON", .io, "more than 65536 bytes", reads, "truncate -s 1G $(field resultFile)"),
    Row(
      "very many brackets", .io, "nested too deep",
      reads, "head -c 60000 /dev/zero | tr '\\0' '[' >$(field resultFile)"),
    Row("a link", .io, "cannot be opened", reads, "ln -s /etc/passwd $(field resultFile)"),
    Row("a FIFO", .io, "no regular file", reads, "mkfifo $(field resultFile)"),
    Row("a folder", .io, "no regular file", reads, "mkdir $(field resultFile)"),
    Row("of another run", .io, "'runID'", reads, good, "sed -i 's/\"runID\":\"/&x/' $file"),
    Row("of another protocol", .io, "'protocol'", reads, good, "sed -i 's:exec/1:exec/2:' $file"),
    Row("of another verb", .io, "'verb'", reads, good, "sed -i 's/\"run\"/\"clean\"/' $file"),
    Row(
      "a name twice", .io, "stands twice",
      reads, #"answer '"end":"exited","status":0,"status":1,"wallNanoseconds":1'"#),
    Row(
      "a status out of range", .io, "'status' is not 0 to 255",
      reads, #"answer '"end":"exited","status":256,"wallNanoseconds":1'"#),
    Row("no status", .io, "'status' goes with", reads, #"answer '"end":"exited","wallNanoseconds":1'"#),
    Row("an end that is not known", .io, "'end' is none of", reads, #"answer '"end":"ok","wallNanoseconds":1'"#),
    Row(
      "a member that is not known", .io, "'note' is not known",
      reads, #"answer '"end":"exited","status":0,"wallNanoseconds":1,"note":"x"'"#),
    Row(
      "a fault", .unavailable, "The queue is closed",
      reads, #"answer '"fault":"unavailable","message":"The queue is\nclosed"'"#),
    Row("a fault without a sentence", .io, "'message'", reads, #"answer '"fault":"io"'"#),
    Row("a fault of its own kind", .io, "'fault' is none of", reads, #"answer '"fault":"x","message":"y"'"#),
    Row("a farm's own limit", .memoryExceeded, reads, #"answer '"end":"memory","wallNanoseconds":1'"#),
  ]

  static let floods: [Row] = [
    Row("a flood of transcript", .transcriptExceeded, reads, "cat /dev/zero"),
    Row("a flood that ends too late", .transcriptExceeded, reads, good, "head -c 2000 /dev/zero"),
    Row("a transcript at its limit", .exited(status: 0), reads, good, "head -c 1000 /dev/zero"),
    Row(
      "more output than the disk limit", .diskExceeded,
      reads, good, "truncate -s 1T \"${file%/answer/*}/writable-0/big\""),
    Row(
      "odd things as outputs", .exited(status: 0),
      reads, good, "cd \"${file%/answer/*}/writable-0\" && ln -s /etc/passwd a && mkfifo b && echo x >c && chmod 6755 c"
    ),
  ]

  @Test(arguments: silence + answers + floods) func costsOneRun(_ row: Row) async throws {
    try await HostileWorld.with(Self.prologue + row.script) { world in
      let begin = ContinuousClock.now
      do {
        let result = try await world.run()
        #expect(result.termination == row.end && result.transcript.count <= 1_000)
      } catch let error as PluginError {
        #expect(error.code == row.code && error.message.contains(row.words), "\(error)")
        #expect(error.message.count < 2_000 && !error.message.contains("\n"))
      }
      #expect(ContinuousClock.now - begin < .seconds(60))
      #expect(try world.left().isEmpty)
    }
  }

  @Test func outputsArriveHarmless() async throws {
    let row = Self.floods[4]
    try await HostileWorld.with(Self.prologue + row.script) { world in
      _ = try await world.run()
      var info = stat()
      for (name, kind) in [("a", S_IFLNK), ("b", S_IFIFO), ("c", S_IFREG)] {
        #expect(lstat("\(world.root)/output/\(name)", &info) == 0 && info.st_mode & S_IFMT == kind)
      }
      #expect(info.st_mode & 0o7777 == 0o755)
    }
  }

  @Test func aCommandThatIgnoresItsLifelineIsKilled() async throws {
    let word = "8648\(UInt32.random(in: 10_000...99_999))"
    let script = Self.prologue + "echo up\ntrap '' TERM INT HUP\nsleep \(word)\nsleep \(word)"
    try await HostileWorld.with(script) { world in
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      let run = Task { try await world.run { _ in signal.yield() } }
      for await _ in started { break }
      run.cancel()
      await #expect(throws: PluginError(.cancelled, "")) { try await run.value }
      #expect(ExecWorld.processes(word).isEmpty)
    }
  }

  /// A farm may still be at work for a command that was killed: it is asked to clean, at once or at the next start.
  @Test(arguments: [true, false]) func aKilledCommandIsAskedToClean(works: Bool) async throws {
    let clean = "if [ \"$1\" = clean ]; then date >>\"${0%/*}/cleaned\"; \(works ? ":" : "exit 1"); fi\n"
    let prologue = Self.prologue.replacingOccurrences(of: "verb=$1\n", with: clean + "verb=$1\n")
    try await HostileWorld.with(prologue + "sleep 1000") { world in
      await #expect(throws: PluginError(.io, "")) { try await world.run() }
      #expect(access(world.root + "/cleaned", F_OK) == 0)
      #expect(try world.left() == (works ? [] : ["hostile", "hostile"]))
      if !works {
        await #expect(throws: PluginError(.io, "")) { try await world.sandbox.removeLeftovers() }
        try HostileWorld.write(Self.prologue, to: world.root + "/command")
        #expect(try await world.sandbox.removeLeftovers() == ["hostile"])
        #expect(try world.left().isEmpty)
      }
    }
  }

  /// The command of a killed node may live on and answer while the next node has its leftovers cleaned.
  @Test func aLateAnswerOfAKilledRunIsNotTheCleaningOnes() async throws {
    let fails = "if [ \"$1\" = clean ]; then exit 1; fi\nverb=$1\n"
    let prologue = Self.prologue.replacingOccurrences(of: "verb=$1\n", with: fails)
    try await HostileWorld.with(prologue + "sleep 1000") { world in
      await #expect(throws: PluginError(.io, "")) { try await world.run() }
      let late = #"answer '"cleaned":true'; echo '{"verb":"run"}' >"${file%/*/*}/answer/result.json"; exit"#
      let cleaning = Self.prologue.replacingOccurrences(of: #"answer '"cleaned":true'; exit"#, with: late)
      try HostileWorld.write(cleaning, to: world.root + "/command")
      #expect(try await world.sandbox.removeLeftovers() == ["hostile"])
      #expect(try world.left().isEmpty)
    }
  }

  @Test func aCommandThatHeedsItsLifelineIsLeftTimeToCleanUp() async throws {
    let script = Self.prologue + Self.reads + "echo up\nread -r end\ntouch \"$(dirname \"$0\")/cleaned\""
    try await HostileWorld.with(script) { world in
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      let run = Task { try await world.run { _ in signal.yield() } }
      for await _ in started { break }
      run.cancel()
      await #expect(throws: PluginError(.cancelled, "")) { try await run.value }
      #expect(access(world.root + "/cleaned", F_OK) == 0)
    }
  }

  /// Nothing of this process's own reaches the command: no variable, no open file.
  @Test func theCommandInheritsNothingButWhatIsListed() async throws {
    let script = Self.prologue + Self.reads + Self.good + "env | sort | cut -d= -f1; ls /proc/self/fd | wc -l"
    setenv("SYNC_TEST_LISTED", "1", 1)
    setenv("SYNC_TEST_SECRET", "1", 1)
    let leak = open("/etc/passwd", O_RDONLY)
    defer { close(leak) }
    try await HostileWorld.with(script, environment: ["SYNC_TEST_LISTED", "SYNC_TEST_ABSENT"]) { world in
      let text = String(decoding: try await world.run().transcript, as: UTF8.self)
      // The shell's own three; and `ls` opens the folder that it lists.
      let names = ["HOME", "LANG", "PATH", "PWD", "SHLVL", "SYNC_TEST_LISTED", "_"]
      #expect(text == names.map { $0 + "\n" }.joined() + "4\n")
    }
  }

  @Test func aRequestOfMegabytesArrivesWhole() async throws {
    let script = Self.prologue + "head -n 1 | wc -c\nrequest=$(cat \"$(dirname \"$0\")/request\")\n"
    let text = String(repeating: "x", count: 3 << 20)
    try await HostileWorld.with(script) { world in
      let transcript = Mutex<[UInt8]>([])
      await #expect(throws: PluginError(.io, "")) {
        try await world.run(argument: text) { piece in transcript.withLock { $0 += piece } }
      }
      let count = Int(String(decoding: transcript.withLock { $0 }, as: UTF8.self).dropLast()) ?? 0
      #expect(count > text.count)
    }
  }

  @Test func whatCannotBeStartedIsASentence() async throws {
    try await ExecWorld.withFolder { root in
      let script = root + "/plain"
      #expect(FileManager.default.createFile(atPath: script, contents: Data("x".utf8)))
      for path in ["/no/such/command", script] {
        let sandbox = try ExecSandbox(stateDirectory: root + "/state", command: [path])
        let probe = await sandbox.probe()
        #expect(!probe.isUsable && probe.findings.first?.detail.contains(path) == true)
        #expect(await !sandbox.hasToolchain(.zero))
      }
      for command in [[], ["relative"], ["/a\0b"], ["/a", "b\0"]] {
        #expect(throws: PluginError(.invalid, "")) { try ExecSandbox(stateDirectory: root, command: command) }
      }
      for name in ["", "A=B", "1A", "A B"] {
        #expect(throws: PluginError(.invalid, "")) {
          try ExecSandbox(stateDirectory: root, command: ["/a"], environment: [name])
        }
      }
      #expect(throws: PluginError(.invalid, "")) { try ExecSandbox(stateDirectory: "relative", command: ["/a"]) }
    }
  }

  static let probes: [(String, String, Bool)] = [
    ("nothing", "\"findings\":[]", false),
    ("all met", "\"findings\":[\(findings(met: "true"))]", true),
    ("one unmet", "\"findings\":[\(findings(met: "true")),{\"name\":\"x\",\"met\":false,\"detail\":\"y\"}]", false),
    ("a finding with more in it", "\"findings\":[{\"name\":\"x\",\"met\":true,\"detail\":\"y\",\"z\":1}]", false),
    ("no list", "\"findings\":1", false),
    ("a fault", "\"fault\":\"io\",\"message\":\"broken\"", false),
  ]

  private static func findings(met: String) -> String {
    ExecSandbox.properties.map { "{\"name\":\"\($0)\",\"met\":\(met),\"detail\":\"d\"}" }.joined(separator: ",")
  }

  @Test(arguments: probes) func probesAreShown(_ row: (name: String, answer: String, isUsable: Bool)) async throws {
    try await HostileWorld.with(Self.prologue + "answer '\(row.answer)'") { world in
      let probe = await world.sandbox.probe()
      #expect(probe.isUsable == row.isUsable, "\(probe.findings)")
      #expect(probe.findings.allSatisfy { !$0.detail.isEmpty })
      if row.name == "nothing" {
        #expect(probe.findings.filter { !$0.isMet }.map(\.name) == ExecSandbox.properties)
      }
    }
  }

  @Test func aToolchainThatIsNotMadeReadyIsNotThere() async throws {
    let script = "#!/bin/sh\nIFS= read -r request\necho 'tar: no space' >&2\nexit 2"
    try await ExecWorld.withFolder { root in
      let world = try HostileWorld(root: root, script: script)
      let error = await #expect(throws: PluginError.self) { try await world.prepare() }
      #expect(error?.message.contains("no space") == true)
      #expect(await !world.sandbox.hasToolchain(world.toolchain))
      try HostileWorld.write(Self.prologue, to: root + "/command")
      try await world.prepare()
      #expect(await world.sandbox.hasToolchain(world.toolchain))
    }
  }
}

/// A sandbox whose command is a script, with a toolchain that nobody unpacks.
private struct HostileWorld {
  let root: String
  let sandbox: ExecSandbox
  let toolchain: Digest

  init(root: String, script: String, environment: [String] = []) throws {
    self.root = root
    try Self.write(script, to: root + "/command")
    try Data("toolchain".utf8).write(to: URL(fileURLWithPath: root + "/archive.tar"))
    toolchain = SHA256.hash([UInt8]("toolchain".utf8))
    try FileManager.default.createDirectory(atPath: root + "/output", withIntermediateDirectories: true)
    sandbox = try ExecSandbox(
      stateDirectory: root + "/state", command: [root + "/command"], environment: environment, patience: .seconds(1),
      grace: .milliseconds(500))
  }

  static func with(_ script: String, environment: [String] = [], _ body: (HostileWorld) async throws -> Void)
    async throws
  {
    try await ExecWorld.withFolder { root in
      let world = try HostileWorld(root: root, script: script, environment: environment)
      try await world.prepare()
      try await body(world)
    }
  }

  /// With a descriptor that no child keeps: who has a program open for writing keeps everybody from executing it.
  static func write(_ script: String, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
    try FileHandle(fileDescriptor: file, closeOnDealloc: true).write(contentsOf: Data(script.utf8))
    chmod(path, 0o755)
  }

  func prepare() async throws { try await sandbox.prepare(toolchain: toolchain, archive: root + "/archive.tar") }

  func run(argument: String = "x", onTranscript: (@Sendable ([UInt8]) -> Void)? = nil) async throws -> SandboxResult {
    try await sandbox.run(
      SandboxRequest(
        runID: "hostile", toolchain: toolchain, command: ["/bin/true", argument], environment: [],
        workingDirectory: "/build",
        mounts: [SandboxMount(hostPath: root + "/output", insidePath: "/output", isWritable: true)],
        limits: SandboxLimits(
          wallSeconds: 1, cpuSeconds: 1, memoryBytes: 1 << 20, processes: 4, diskBytes: 1 << 20,
          transcriptBytes: 1_000),
        scratchDirectory: root, onTranscript: onTranscript))
  }

  /// What is left of runs.
  func left() throws -> [String] {
    try ["runs", "calls"].flatMap { try FileManager.default.contentsOfDirectory(atPath: "\(root)/state/\($0)") }
  }
}
