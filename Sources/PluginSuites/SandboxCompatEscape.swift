import Foundation
import Glibc
import SyncRuntime

/// Attempts to leave the sandbox, each of which must fail inside.
///
/// A small C program makes them; `cc` of the host compiles it when the checks begin, from the sources that this module
/// carries. What is harmless is first done without a sandbox, where it must work: a check that cannot fail says
/// nothing.
extension SandboxCompatTest {
  /// Runs every attempt, and every bomb and hostile output after them; it takes about ten seconds.
  ///
  /// - Parameter allowing: Attempts that this plugin lets through, by their words (`io-uring`), with the reason why
  ///   they do no harm there.
  public func escapes(allowing: [String: String] = [:]) async -> [CompatFinding] {
    let program: EscapeProgram
    do {
      try await prepareForEscapes()
      program = try EscapeProgram(folder: scratchDirectory + "/escape-program")
    } catch {
      return [CompatFinding(name: "the attempts get ready", hasPassed: false, detail: "\(error)")]
    }
    defer { program.remove() }
    var findings: [CompatFinding] = []
    do {
      findings += try await attempts(with: program, allowing: allowing)
    } catch {
      findings.append(CompatFinding(name: "the attempts are made", hasPassed: false, detail: "\(error)"))
    }
    let outside = (try? program.runOutside(EscapeBomb.outsideWords)) ?? [:]
    for bomb in EscapeBomb.all where allowing[bomb.words] == nil {
      findings.append(
        await CompatFinding.check(bomb.sentence) { try await explode(bomb, with: program, outside: outside) })
    }
    for check in Self.escapeChecks {
      findings.append(await CompatFinding.check(check.name) { try await check.body(self, program) })
    }
    return findings
  }

  struct EscapeCheck: Sendable {
    let name: String
    let body: @Sendable (SandboxCompatTest, EscapeProgram) async throws -> Void
    init(_ name: String, _ body: @escaping @Sendable (SandboxCompatTest, EscapeProgram) async throws -> Void) {
      (self.name, self.body) = (name, body)
    }
  }

  private func prepareForEscapes() async throws {
    let unmet = await sandbox.probe().findings.filter { !$0.isMet }
    try require(unmet.isEmpty, unmet.map { "\($0.name): \($0.detail)" }.joined(separator: "; "))
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
  }

  /// All attempts of the tables in one run.
  private func attempts(with program: EscapeProgram, allowing: [String: String]) async throws -> [CompatFinding] {
    let host = try EscapeHost(program: program)
    defer { host.close() }
    return try await withRun { run in
      try program.copy(to: run.folder + "/input/escape", mode: 0o755)
      var all = EscapeAttempt.calls + EscapeAttempt.processes + EscapeAttempt.sights + host.attempts
      if geteuid() == 0 {
        try program.copy(to: run.folder + "/input/privileged", mode: 0o4755)
        all.append(
          EscapeAttempt(
            "privileged-file:/input/package/privileged", "a set-user-ID program of root makes nobody root",
            outside: "privileged-file:\(run.folder)/input/privileged"))
      }
      let outside = try program.runOutside(all.compactMap { $0.isPossibleOutside ? $0.outsideWords : nil })
      let result = try await sandbox.run(run.request(["/input/package/escape"] + all.map(\.words)))
      let inside = EscapeProgram.results(in: result.transcript)
      return all.map { attempt in
        CompatFinding.check(attempt.sentence) {
          try attempt.judge(
            inside: inside[attempt.words], outside: outside[attempt.outsideWords],
            isAllowed: allowing[attempt.words] != nil,
            said: String(decoding: result.transcript.suffix(200), as: UTF8.self))
        }
      }
    }
  }
}

/// The program of attempts, compiled for this host.
struct EscapeProgram: Sendable {
  let folder: String
  var path: String { folder + "/escape" }

  init(folder: String) throws {
    self.folder = folder
    let sources: [(String, [UInt8])] = [
      ("escape.h", PackageResources.escape_h), ("escape.c", PackageResources.escape_c),
      ("escape-calls.c", PackageResources.escape_calls_c),
      ("escape-processes.c", PackageResources.escape_processes_c),
      ("escape-reach.c", PackageResources.escape_reach_c),
    ]
    try FileManager.default.createDirectory(atPath: folder + "/work", withIntermediateDirectories: true)
    for (name, bytes) in sources { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
    let names = sources.map(\.0).filter { $0.hasSuffix(".c") }
    // Static, since the toolchain may have no C library, or another one.
    let said = try Self.output(
      of: "/usr/bin/env", ["cc", "-static", "-O1", "-D_GNU_SOURCE", "-o", path] + names.map { "\(folder)/\($0)" },
      in: folder)
    try require(access(path, X_OK) == 0, "cc cannot compile the attempts (install gcc and libc6-dev): \(said)")
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  /// By a process of its own: what this one has open for writing, a process that it starts meanwhile has open too, and
  /// nobody can execute it.
  func copy(to target: String, mode: mode_t) throws {
    let said = try Self.output(of: "/usr/bin/env", ["cp", path, target], in: folder)
    try require(access(target, F_OK) == 0, "cannot copy the attempts: \(said)")
    try require(chmod(target, mode) == 0, "cannot change the mode of \(target)")
  }

  /// What the words came to without a sandbox.
  func runOutside(_ words: [String]) throws -> [String: String] {
    Self.results(in: [UInt8](try Self.output(of: path, ["--outside"] + words, in: folder + "/work").utf8))
  }

  /// Lines of words and what came of them.
  static func results(in transcript: [UInt8]) -> [String: String] {
    var results: [String: String] = [:]
    for line in String(decoding: transcript, as: UTF8.self).split(separator: "\n") {
      guard let space = line.firstIndex(of: " ") else { continue }
      results[String(line[..<space])] = String(line[line.index(after: space)...])
    }
    return results
  }

  static func output(of program: String, _ arguments: [String], in folder: String) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What of the host the attempts try to reach: listeners in every family, and a process.
final class EscapeHost {
  private let server = Process()
  private let bystander = Process()
  private let input = Pipe()
  private let socket: String
  private let name = "synchronicity-escape-\(UInt32.random(in: .min ... .max))"
  /// In no other argument than the bystander's.
  private let marker = "bystander-\(UInt32.random(in: .min ... .max))"
  private var ports: [String: String] = [:]
  private static let endPolls = 200
  private static let endPollMicroseconds: UInt32 = 10_000

  init(program: EscapeProgram) throws {
    // A socket's path has few bytes.
    socket = NSTemporaryDirectory() + "\(name).socket"
    let output = Pipe()
    server.executableURL = URL(fileURLWithPath: program.path)
    server.arguments = ["serve", socket, name]
    server.standardInput = input
    server.standardOutput = output
    try server.run()
    var text = ""
    while !text.contains("ready") {
      let piece = output.fileHandleForReading.availableData
      try require(!piece.isEmpty, "the listeners do not come up: \(text)")
      text += String(decoding: piece, as: UTF8.self)
    }
    ports = EscapeProgram.results(in: [UInt8](text.utf8))
    bystander.executableURL = URL(fileURLWithPath: program.path)
    bystander.arguments = ["linger", marker]
    bystander.standardInput = FileHandle.nullDevice
    bystander.standardOutput = FileHandle.nullDevice
    try bystander.run()
  }

  func close() {
    for process in [bystander, server] { kill(process.processIdentifier, SIGKILL) }
    try? input.fileHandleForWriting.close()
    unlink(socket)
    // Not waited for in earnest: whoever else was started meanwhile may hold what tells of their ends.
    for _ in 0..<EscapeHost.endPolls where bystander.isRunning || server.isRunning {
      usleep(EscapeHost.endPollMicroseconds)
    }
    // What is kept of a process until it is waited for goes, too.
    for process in [bystander, server] where !process.isRunning { process.waitUntilExit() }
  }

  var attempts: [EscapeAttempt] {
    let families = ["tcp4", "tcp6", "udp4", "udp6"].compactMap { family in
      ports[family].map { EscapeAttempt("\(family):\($0)", "the host's loopback is not reached by \(family)") }
    }
    return families + [
      EscapeAttempt("path-socket:\(socket)", "a socket in the host's file system is not reached"),
      EscapeAttempt("abstract-stream:\(name)", "an abstract socket of the host is not reached"),
      EscapeAttempt("abstract-datagram:\(name)-datagram", "an abstract datagram socket of the host is not reached"),
      EscapeAttempt("find-process:\(String(marker.reversed()))", "a process of the host is not seen"),
      EscapeAttempt("signal:\(bystander.processIdentifier)", "a process of the host is not signalled"),
    ]
  }
}
