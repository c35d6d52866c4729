import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import DockerSandbox

/// What needs no engine.
@Suite struct DockerSandboxPartsTests {
  @Test func framesPassInPiecesOfAnySize() {
    let bytes: [UInt8] =
      [1, 0, 0, 0, 0, 0, 0, 3] + [9, 8, 7] + [2, 0, 0, 0, 0, 0, 0, 0] + [2, 0, 0, 0, 0, 0, 0, 1, 5]
    for size in 1...bytes.count {
      var frames = DockerFrames()
      var (output, errors): ([UInt8], [UInt8]) = ([], [])
      for start in stride(from: 0, to: bytes.count, by: size) {
        let isWhole = frames.take(bytes[start..<min(start + size, bytes.count)]) { stream, piece in
          if stream == .output { output += piece } else { errors += piece }
        }
        #expect(isWhole)
      }
      #expect(output == [9, 8, 7] && errors == [5])
    }
  }

  @Test(arguments: [[3, 0, 0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 1], [1, 0, 0, 9, 0, 0, 0, 1]] as [[UInt8]])
  func whatIsNoFrameIsRefused(bytes: [UInt8]) {
    var frames = DockerFrames()
    #expect(!frames.take(bytes) { _, _ in })
  }

  static let reports: [(text: String, end: SandboxTermination?)] = [
    ("end 0000\n", .exited(status: 0)), ("end ff00\n", .exited(status: 255)), ("end 8200\n", .exited(status: 130)),
    ("end 0002\n", .signalled(2)), ("end 000d\n", .signalled(13)), ("end 0089\n", .signalled(9)),
    ("noise\nend 0300\n", .exited(status: 3)), ("end 0100\nend 0200\n", .exited(status: 1)), ("end 0000", nil),
    ("", nil), ("end 0\n", nil), ("end 00000\n", nil), ("end -100\n", nil), ("end 0x10\n", nil),
    ("the end 0000\n", nil),
  ]

  @Test(arguments: reports) func endsAreRead(_ row: (text: String, end: SandboxTermination?)) {
    #expect(DockerInit.end(in: [UInt8](row.text.utf8)) == row.end)
  }

  @Test func versionsCompareAsNumbers() {
    #expect(DockerProbe.atLeast("1.41", "1.41") && DockerProbe.atLeast("1.100", "1.41"))
    #expect(!DockerProbe.atLeast("1.9", "1.41"))
  }

  @Test func eachUnmetFindingHasAdvice() {
    let version = DockerProbe.Version(version: "1", apiVersion: "1.24", minAPIVersion: nil)
    let info = DockerProbe.Info(
      memoryLimit: false, swapLimit: nil, pidsLimit: nil, hasShares: nil, cgroupDriver: nil, cgroupVersion: nil,
      driver: nil, operatingSystemType: "windows", securityOptions: ["name=rootless"])
    let rootless = RootlessEngine(
      product: "Docker", driver: "none", isVersion2: false, isOurs: false, owner: nil, groups: nil)
    let findings = DockerProbe.judge(version, info, isRoot: false, rootless: rootless)
    #expect(findings.allSatisfy { !$0.isMet && $0.detail.count > 20 })
  }

  static let rootless: [(options: [String], rootless: Bool?, isRootless: Bool)] = [
    (["name=seccomp,profile=default", "name=rootless"], nil, true), (["name=seccomp,profile=default"], true, true),
    (["name=seccomp,profile=default"], false, false), (["name=seccomp,profile=default", "name=cgroupns"], nil, false),
  ]

  @Test(arguments: rootless) func rootlessEnginesAreKnown(
    _ row: (options: [String], rootless: Bool?, isRootless: Bool)
  ) {
    let info = DockerProbe.Info(
      memoryLimit: true, swapLimit: true, pidsLimit: true, hasShares: true, cgroupDriver: "systemd",
      cgroupVersion: "2", driver: "overlay2", operatingSystemType: "linux", securityOptions: row.options,
      rootless: row.rootless)
    #expect(info.isRootless == row.isRootless)
  }

  /// Under version 2 a controller that is missing has another mend than under version 1.
  @Test(arguments: [("1", "boot with"), ("2", "cgroup.subtree_control")]) func eachVersionHasItsMend(
    version: String, words: String
  ) {
    let info = DockerProbe.Info(
      memoryLimit: false, swapLimit: false, pidsLimit: false, hasShares: false, cgroupDriver: "systemd",
      cgroupVersion: version, driver: "overlay2", operatingSystemType: "linux",
      securityOptions: ["name=seccomp,profile=default"])
    let unmet = DockerProbe.judge(
      DockerProbe.Version(version: "1", apiVersion: "1.41", minAPIVersion: nil), info, isRoot: true, rootless: nil
    ).filter { !$0.isMet }
    #expect(unmet.map(\.name) == ["memory limit", "processes limit", "cpu limit"])
    #expect(unmet.allSatisfy { $0.detail.contains(words) })
  }

  @Test func theFilterIsNarrowed() throws {
    let given = """
      {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
        {"names": ["read", "clone", "clone3", "unshare", "mount", "socket", "io_uring_setup"],
         "action": "SCMP_ACT_ALLOW", "args": []},
        {"names": ["setns"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}
      """
    let data = try #require(EngineFilter.narrow(Data(given.utf8)))
    let root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let rules = try #require(root["syscalls"] as? [[String: Any]])
    let allowed = rules.filter { $0["action"] as? String == "SCMP_ACT_ALLOW" }
    #expect(allowed.map { $0["names"] as? [String] } == [["read"], ["clone"]] + Array(repeating: ["socket"], count: 4))
    #expect((allowed[1]["args"] as? [[String: Any]])?.count == 1)
    let families = allowed.dropFirst(2).map { ($0["args"] as? [[String: Any]])?.first?["value"] as? Int }
    #expect(families == [1, 2, 10, 16])
    let refusals = rules.filter { $0["action"] as? String == "SCMP_ACT_ERRNO" }
    let refused = refusals.flatMap { $0["names"] as? [String] ?? [] }
    #expect(Set(["clone3", "io_uring_setup", "mount", "setns", "unshare"]).isSubset(of: refused))
    #expect(root["defaultErrnoRet"] as? Int == 38)
    for text in ["", "[]", "{}", "{\"syscalls\": 1}"] { #expect(EngineFilter.narrow(Data(text.utf8)) == nil) }
  }

  /// Started by nobody who bounds it: what it starts is bounded all the same.
  @Test func processOneBoundsWhatItStarts() throws {
    let folder = NSTemporaryDirectory() + "docker-init-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let limits = SandboxLimits(
      wallSeconds: 60, cpuSeconds: 60, memoryBytes: 256 << 20, processes: 64, diskBytes: 64 << 20,
      transcriptBytes: 1 << 20)
    try DockerInit.write(into: folder, bounds: ContainerSpec.bounds(of: limits))
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "\(folder)/\(DockerInit.name)")
    process.arguments = ["NAME=value", "", "/bin/cat", "/proc/self/limits"]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    var text = ""
    while !text.contains("realtime timeout") {
      let piece = output.fileHandleForReading.availableData
      try #require(!piece.isEmpty, "\(text)")
      text += String(decoding: piece, as: UTF8.self)
    }
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    for (name, bound) in [
      ("cpu time", 62), ("file size", 65 << 20), ("stack size", 8 << 20), ("core file size", 1),
      ("open files", 4_096), ("locked memory", 64 << 10),
    ] { #expect(lines.contains { $0.hasPrefix("Max \(name) \(bound) \(bound) ") }, "\(text)") }
  }

  @Test func whatAnEngineMadeForADiskThatItDoesNotSeeGoes() throws {
    let path = NSTemporaryDirectory() + "docker-disk-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileManager.default.createDirectory(atPath: path + "/sys/fs/cgroup", withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: path + "/empty"))
    for _ in 0..<2 { try DockerDisk.remove(path) }
    #expect(access(path, F_OK) != 0 && errno == ENOENT)
    #expect(throws: PluginError(.io, "")) { try DockerDisk.remove("/proc/self") }
  }

  @Test func anEngineThatIsNotThereIsASentence() async throws {
    let folder = NSTemporaryDirectory() + "docker-none-\(UInt64.random(in: .min ... .max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let sandbox = try DockerSandbox(stateDirectory: folder, socketPath: "/no/such/socket")
    let probe = await sandbox.probe()
    #expect(!probe.isUsable)
    #expect(probe.findings.first?.detail.contains("/no/such/socket") == true)
    await #expect(throws: PluginError(.unavailable, "")) { try await sandbox.removeLeftovers() }
    #expect(await !sandbox.hasToolchain(.zero))
    #expect(throws: PluginError(.invalid, "")) { try DockerSandbox(stateDirectory: "relative") }
  }
}
