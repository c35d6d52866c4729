import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// Checks that a ``Sandbox`` keeps its protocol's promises, by real runs.
///
/// The toolchain needs `/bin/sh`, bash, coreutils and busybox: `scripts/toolchain tiny` builds one.
///
/// ```swift
/// let suite = SandboxCompatTest(sandbox: sandbox, toolchain: digest, archive: path, scratchDirectory: folder)
/// for finding in await suite.run() { #expect(finding.hasPassed, "\(finding)") }
/// ```
public struct SandboxCompatTest: Sendable {
  let sandbox: any Sandbox
  let toolchain: Digest
  let archive: String
  let scratchDirectory: String

  /// - Parameters:
  ///   - archive: The toolchain's tar.
  ///   - scratchDirectory: An existing folder, empty at the end.
  public init(sandbox: any Sandbox, toolchain: Digest, archive: String, scratchDirectory: String) {
    self.sandbox = sandbox
    self.toolchain = toolchain
    self.archive = archive
    self.scratchDirectory = scratchDirectory
  }

  struct Check: Sendable {
    let name: String
    let body: @Sendable (SandboxCompatTest) async throws -> Void
    init(_ name: String, _ body: @escaping @Sendable (SandboxCompatTest) async throws -> Void) {
      (self.name, self.body) = (name, body)
    }
  }

  /// Runs every check, one after the other; some wait for a limit, so that it takes about a quarter of a minute.
  public func run() async -> [CompatFinding] {
    let ready = await CompatFinding.check("the host is fit and the toolchain gets ready", prepare)
    guard ready.hasPassed else { return [ready] }
    var findings = [ready]
    for check in Self.preparing + Self.sight + Self.isolation + Self.limits + Self.ending {
      findings.append(await CompatFinding.check(check.name) { try await check.body(self) })
    }
    findings.append(
      CompatFinding.check("nothing is left in the scratch folder") {
        let left = try FileManager.default.contentsOfDirectory(atPath: scratchDirectory)
        try require(left.isEmpty, "\(left) are left")
      })
    return findings
  }

  private func prepare() async throws {
    let unmet = await sandbox.probe().findings.filter { !$0.isMet }
    try require(unmet.isEmpty, unmet.map { "\($0.name): \($0.detail)" }.joined(separator: "; "))
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
    try require(await sandbox.hasToolchain(toolchain), "it is not there after it was prepared")
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
  }

  static let preparing: [Check] = [
    Check("an archive with another digest is refused") { suite in
      var bytes = suite.toolchain.bytes
      bytes[0] ^= 1
      let other = try requireValue(Digest(bytes: bytes), "no digest")
      try await suite.expect(.checksumMismatch, "another digest") {
        try await suite.sandbox.prepare(toolchain: other, archive: suite.archive)
      }
      try require(await !suite.sandbox.hasToolchain(other), "the refused toolchain is there")
    },
    Check("an unknown toolchain is a fault with a sentence") { suite in
      try await suite.withRun { run in
        var request = run.request("exit 0")
        request.toolchain = .zero
        try await suite.expect(.notFound, "an unknown toolchain") { _ = try await suite.sandbox.run(request) }
      }
    },
    Check("malformed requests are refused") { suite in
      try await suite.withRun { run in
        let rows: [(String, (inout SandboxRequest) -> Void)] = [
          ("an empty command", { $0.command = [] }),
          ("a run ID with a slash", { $0.runID = "../x" }),
          ("an empty run ID", { $0.runID = "" }),
          ("a relative working directory", { $0.workingDirectory = "build" }),
          (
            "a mount out of its place",
            {
              $0.mounts = [SandboxMount(hostPath: run.folder, insidePath: "/x/../y", isWritable: false)]
            }
          ),
          (
            "a mount of what is not there",
            {
              $0.mounts = [SandboxMount(hostPath: run.folder + "/no", insidePath: "/x", isWritable: false)]
            }
          ),
          ("a variable with '=' in its name", { $0.environment = [("A=B", "c")] }),
          ("an argument with a NUL", { $0.command.append("a\0b") }),
          ("no time", { $0.limits.wallSeconds = 0 }),
          ("no processes", { $0.limits.processes = 0 }),
          ("a limit beyond all bounds", { $0.limits.memoryBytes = .max }),
        ]
        for (name, change) in rows {
          var request = run.request("exit 0")
          change(&request)
          try await suite.expect(.invalid, name) { _ = try await suite.sandbox.run(request) }
        }
      }
    },
  ]

  func expect(_ code: PluginError.Code, _ what: String, _ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as PluginError {
      try require(error.code == code, "\(what) fails with code \(error.code.rawValue), not \(code.rawValue): \(error)")
      return try require(!error.message.isEmpty, "\(what) fails without a sentence")
    }
    throw CompatFailure("\(what) does not fail")
  }
}

func requireValue<Value>(_ value: Value?, _ sentence: @autoclosure () -> String) throws -> Value {
  guard let value else { throw CompatFailure(sentence()) }
  return value
}
