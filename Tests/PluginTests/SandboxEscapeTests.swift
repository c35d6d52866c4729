import Foundation
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import ChrootSandbox
@testable import DockerSandbox

/// Attempts to leave each sandbox that there is here.
@Suite(.serialized) struct SandboxEscapeTests {
  @Test(.enabled("no tiny toolchain or launcher: scripts/toolchain tiny builds one") { ChrootWorld.isPossible })
  func nothingLeavesTheChrootSandbox() async throws {
    try await ChrootWorld.with { world in
      try await world.prepare()
      let findings = await suite(world.sandbox, world.folder("scratch")).escapes()
      expect(findings)
    }
  }

  /// The whole of both suites, by a user of the host without any right.
  @Test(.enabled { ChrootWorld.isPossible && geteuid() == 0 })
  func anOrdinaryUsersSandboxConformsAndHolds() async throws {
    try await ChrootWorld.with { world in
      let user = try await OrdinaryUserSandbox(world: world)
      let suite = suite(user, world.folder("scratch"))
      for finding in await suite.run() { #expect(finding.hasPassed, "\(finding)") }
      // Without a cgroup a run's shared memory is told by nothing: the probe says that the limit is weaker.
      let probe = await user.probe()
      let isSampled = probe.findings.contains { $0.name == "memory limit" && $0.isWeaker }
      let reason = "no cgroup: seen by nothing but the host's own memory limits"
      expect(await suite.escapes(allowing: isSampled ? ["shared-memory:400": reason] : [:]))
    }
  }

  @Test(arguments: DockerEngineKind.wanted) func nothingLeavesTheDockerSandbox(engine: DockerEngineKind) async throws {
    try await DockerWorld.with(engine) { world in
      let suite = SandboxCompatTest(
        sandbox: world.sandbox, toolchain: world.toolchain, archive: world.archive,
        scratchDirectory: try world.folder("scratch"))
      let findings = await suite.escapes(allowing: DockerAllowances.reasons)
      expect(findings)
    }
  }

  private func suite(_ sandbox: any Sandbox, _ scratch: String) -> SandboxCompatTest {
    let tiny = ChrootWorld.tinyToolchain
    return SandboxCompatTest(
      sandbox: sandbox, toolchain: tiny?.digest ?? .zero, archive: tiny?.archive ?? "", scratchDirectory: scratch)
  }

  private func expect(_ findings: [CompatFinding]) {
    for finding in findings { #expect(finding.hasPassed, "\(finding)") }
    #expect(findings.count >= 120)
  }
}

/// What Docker 20.10's own profile and masks let pass.
enum DockerAllowances {
  private static let own =
    "process 1 is a program of the toolchain with the run's own rights; limits are judged outside"
  private static let tells = "it tells of the host and changes nothing; the engine's list of masked paths lacks it"
  private static let netlink = "it belongs to the container's own network namespace, in which the run has no right"

  /// Of no harm.
  static let reasons: [String: String] = [
    "ptrace": own, "process-vm-readv": own, "pidfd-getfd": own, "kcmp": own, "proc-of-init:+mem": own,
    "proc-of-init:root": own, "proc-of-init:cwd": own, "proc-of-init:environ": own, "proc-of-init:fd": own,
    "proc-of-init:exe": own, "read:/proc/key-users": tells, "read:/proc/interrupts": tells,
    "socket:16/3/9": netlink, "socket:16/3/12": netlink, "socket:16/3/15": netlink, "socket:16/3/16": netlink,
  ]
}

/// The chroot sandbox with a launcher that has given up root.
struct OrdinaryUserSandbox: Sandbox {
  static let user: uid_t = 61_234
  let inner: ChrootSandbox
  let world: ChrootWorld
  var name: String { inner.name }
  var version: String { inner.version }
  private let state: String

  init(world: ChrootWorld) async throws {
    self.world = world
    state = world.root + "/user-state"
    let launcher = world.root + "/launcher"
    try ChrootWorld.copyProgram(ChrootWorld.initPath ?? "", to: launcher)
    let wrapper = world.root + "/as-user"
    let script = """
      #!/bin/sh
      exec setpriv --reuid=\(Self.user) --regid=\(Self.user) --clear-groups \(launcher) "$@"

      """
    try Data(script.utf8).write(to: URL(fileURLWithPath: wrapper + ".text"))
    try ChrootWorld.copyProgram(wrapper + ".text", to: wrapper)
    for path in [world.root, launcher, wrapper] { chmod(path, 0o755) }
    inner = try ChrootSandbox(stateDirectory: state, initPath: wrapper)
    Self.give(state)
  }

  /// Folder and content, without following links.
  private static func give(_ path: String) {
    lchown(path, user, user)
    guard let all = FileManager.default.enumerator(atPath: path) else { return }
    for case let name as String in all { lchown("\(path)/\(name)", user, user) }
  }

  func probe() async -> SandboxProbe { await inner.probe() }

  func prepare(toolchain: Digest, archive: String) async throws(PluginError) {
    let isThere = await inner.hasToolchain(toolchain)
    try await inner.prepare(toolchain: toolchain, archive: archive)
    guard !isThere else { return }
    // As if the user itself had unpacked it, which the record beside it tells.
    Self.give(state + "/toolchains")
    let folder = "\(state)/toolchains/\(toolchain.hex)"
    try ToolchainRecord(of: folder).write(to: folder + ".record")
  }

  func hasToolchain(_ toolchain: Digest) async -> Bool { await inner.hasToolchain(toolchain) }

  func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    for mount in request.mounts where mount.isWritable { Self.give(mount.hostPath) }
    return try await inner.run(request)
  }
}
