import Foundation
import SyncProof
import Testing

@testable import SyncRuntime

/// What every sandbox refuses before it makes anything, and the neighbour that it takes.
@Suite struct SandboxRequestRulesTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let isAllowed: Bool
    let change: @Sendable (inout SandboxRequest) -> Void
    var testDescription: String { name }
    init(_ name: String, _ isAllowed: Bool, _ change: @escaping @Sendable (inout SandboxRequest) -> Void) {
      (self.name, self.isAllowed, self.change) = (name, isAllowed, change)
    }
  }

  static let names: [Row] = [
    Row("a plain request", true) { _ in },
    Row("a run ID of 100 bytes", true) { $0.runID = String(repeating: "a", count: 100) },
    Row("a run ID of 101 bytes", false) { $0.runID = String(repeating: "a", count: 101) },
    Row("no run ID", false) { $0.runID = "" },
    Row("a run ID that climbs", false) { $0.runID = ".." },
    Row("a run ID with dots inside", true) { $0.runID = "a..b" },
    Row("a run ID with a slash", false) { $0.runID = "a/b" },
    Row("a run ID beyond ASCII", false) { $0.runID = "\u{E9}" },
    Row("a host name of 64 bytes", true) { $0.hostName = String(repeating: "a", count: 64) },
    Row("a host name of 65 bytes", false) { $0.hostName = String(repeating: "a", count: 65) },
    Row("a host name with a space", false) { $0.hostName = "a b" },
  ]

  static let paths: [Row] = [
    Row("no command", false) { $0.command = [] },
    Row("a relative program", false) { $0.command = ["sh"] },
    Row("a program that climbs", false) { $0.command = ["/bin/../sh"] },
    Row("a program with dots in its name", true) { $0.command = ["/bin/sh..x"] },
    Row("a relative working folder", false) { $0.workingDirectory = "build" },
    Row("a path of 4095 bytes", true) { $0.workingDirectory = "/" + String(repeating: "a", count: 4094) },
    Row("a path of 4096 bytes", false) { $0.workingDirectory = "/" + String(repeating: "a", count: 4095) },
    Row("a mount at the root", false) { $0.mounts = [mount("/h", "/")] },
    Row("a mount of a relative path", false) { $0.mounts = [mount("h", "/i")] },
    Row("a mount that climbs inside", false) { $0.mounts = [mount("/h", "/x/../y")] },
    Row("a mount", true) { $0.mounts = [mount("/h", "/i")] },
  ]

  static let texts: [Row] = [
    Row("an argument with a NUL", false) { $0.command.append("a\0b") },
    Row("an empty argument", true) { $0.command.append("") },
    Row("a value with a NUL", false) { $0.environment = [("A", "b\0")] },
    Row("a value with '='", true) { $0.environment = [("A", "b=c")] },
    Row("a name with '='", false) { $0.environment = [("A=B", "c")] },
    Row("a name with a NUL", false) { $0.environment = [("A\0", "c")] },
    Row("an empty name", false) { $0.environment = [("", "c")] },
  ]

  static let bounds: [Row] = [
    Row("no wall time", false) { $0.limits.wallSeconds = 0 },
    Row("a wall time of 2^30 s", true) { $0.limits.wallSeconds = 1 << 30 },
    Row("a wall time beyond 2^30 s", false) { $0.limits.wallSeconds = 1 << 30 + 1 },
    Row("a CPU time beyond 2^30 s", false) { $0.limits.cpuSeconds = 1 << 30 + 1 },
    Row("no memory", false) { $0.limits.memoryBytes = 0 },
    Row("memory of 2^50", true) { $0.limits.memoryBytes = 1 << 50 },
    Row("memory beyond 2^50", false) { $0.limits.memoryBytes = 1 << 50 + 1 },
    Row("no processes", false) { $0.limits.processes = 0 },
    Row("a disk beyond all bounds", false) { $0.limits.diskBytes = .max },
    Row("no transcript", false) { $0.limits.transcriptBytes = 0 },
  ]

  @Test(arguments: names + paths + texts + bounds) func requests(_ row: Row) {
    var request = SandboxRequest(
      runID: "run-1", toolchain: .zero, command: ["/bin/sh", "-c", "x"], environment: [("A", "b")],
      workingDirectory: "/build", mounts: [],
      limits: SandboxLimits(
        wallSeconds: 1, cpuSeconds: 1, memoryBytes: 1, processes: 1, diskBytes: 1, transcriptBytes: 1),
      scratchDirectory: "/s")
    row.change(&request)
    do throws(PluginError) {
      try request.validate()
      #expect(row.isAllowed)
    } catch {
      #expect(!row.isAllowed && error.code == .invalid && error.message.count > 15, "\(error)")
    }
  }

  @Test func anEngineMayAllowAShorterHostName() throws {
    var request = SandboxRequest(
      runID: "r", toolchain: .zero, command: ["/bin/sh"], environment: [], workingDirectory: "/", mounts: [],
      limits: SandboxLimits(
        wallSeconds: 1, cpuSeconds: 1, memoryBytes: 1, processes: 1, diskBytes: 1, transcriptBytes: 1),
      hostName: String(repeating: "a", count: 64), scratchDirectory: "/s")
    #expect(throws: PluginError(.invalid, "")) { try request.validate(hostNameBytesMax: 63) }
    request.hostName.removeLast()
    try request.validate(hostNameBytesMax: 63)
  }

  @Test func mountsMustBeThere() throws {
    let here = FileManager.default.temporaryDirectory.path
    #expect(throws: PluginError(.invalid, "")) { try Self.mount(here + "/no such", "/i").examine() }
    _ = try Self.mount(here, "/i").examine()
    _ = try Self.mount("/etc/passwd", "/i").examine()
    let file = SandboxMount(hostPath: "/etc/passwd", insidePath: "/i", isWritable: true)
    #expect(throws: PluginError(.invalid, "")) { try file.examine() }
  }

  private static func mount(_ host: String, _ inside: String) -> SandboxMount {
    SandboxMount(hostPath: host, insidePath: inside, isWritable: false)
  }
}
