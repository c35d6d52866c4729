import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import DockerSandbox

extension DockerSandboxTests {
  /// A process of ours is killed at each step; another one finds all that it left, and nothing else.
  @Suite struct Crashes {
    private static let importSteps: [DockerStep] = [.importBegun, .importHalf, .importFinished]

    @Test(arguments: DockerEngineKind.wanted) func aKilledRunLeavesNothing(engine: DockerEngineKind) async throws {
      try await DockerWorld.with(engine) { world in
        let input = try world.folder("input")
        let mounts = [SandboxMount(hostPath: input, insidePath: "/input", isWritable: false)]
        let (started, signal) = AsyncStream.makeStream(of: Void.self)
        var request = world.request(
          "echo up; until [ -e /input/end ]; do sleep 0.2; done; echo done", mounts: mounts, runID: "neighbour")
        // It is there for as long as the kills take, however slow the machine is.
        (request.limits.wallSeconds, request.limits.cpuSeconds) = (3_600, 3_600)
        request.onTranscript = { _ in signal.yield() }
        let neighbour = Task { [request] in try await world.sandbox.run(request) }
        for await _ in started { break }
        for step in DockerStep.allCases where !Self.importSteps.contains(step) {
          try await kill(at: step, in: world)
        }
        try Data().write(to: URL(fileURLWithPath: input + "/end"))
        let result = try await neighbour.value
        #expect(result.termination == .exited(status: 0))
        #expect(String(decoding: result.transcript, as: UTF8.self) == "up\ndone\n")
        #expect(try await world.containers().isEmpty)
      }
    }

    private func kill(at step: DockerStep, in world: DockerWorld) async throws {
      let run = "killed-\(step.rawValue)"
      try await expectKilled(try world.helper(killedAt: step, runID: run), step)
      let left = try await world.containers()
      let next = try DockerSandbox(stateDirectory: world.root + "/state", socketPath: world.socket)
      // Images of other tests may hang loose in the same engine; their names have a colon.
      #expect(try await next.removeLeftovers().filter { !$0.contains(":") } == [run], "\(step)")
      let containers = try await world.containers()
      #expect(containers.count == 1, "\(step): the neighbour's alone")
      let gone = left.filter { !containers.contains($0) }
      #expect(try await world.leftGroups(of: gone).isEmpty, "\(step)")
      #expect(try await world.leftProcesses(of: gone).isEmpty, "\(step)")
      #expect(world.mounts().allSatisfy { !$0.contains(run) }, "\(step)")
      for folder in ["runs", "disks"] {
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(world.root)/state/\(folder)")
        #expect(names == ["neighbour"], "\(step): \(folder)")
      }
    }

    private func expectKilled(_ helper: Process, _ step: DockerStep) async throws {
      helper.waitUntilExit()
      try #require(
        helper.terminationReason == .uncaughtSignal && helper.terminationStatus == SIGKILL,
        "\(step) was not met: status \(helper.terminationStatus)")
    }

    @Test(arguments: DockerEngineKind.wanted) func aKilledImportLeavesNothing(engine: DockerEngineKind) async throws {
      try await DockerWorld.with(engine) { world in
        let toolchain = try world.toolchainOfRandomBytes(8 << 20)
        let reference = DockerImages.reference(toolchain.digest)
        let marks = RunMarks(directory: world.root + "/state/toolchains")
        // An import that goes on meanwhile.
        let other = try #require(try marks.lock(Digest.zero.hex))
        for step in Self.importSteps {
          try await expectKilled(
            try world.helper(killedAt: step, runID: "importer", archive: toolchain.archive), step)
          let next = try DockerSandbox(stateDirectory: world.root + "/state", socketPath: world.socket)
          try await next.removeLeftovers()
          #expect(try marks.all() == [Digest.zero.hex], "\(step)")
          // What is there is the whole toolchain or nothing.
          let isWhole = await next.hasToolchain(toolchain.digest)
          #expect(try await world.images(named: reference).count == (isWhole ? 1 : 0), "\(step)")
          #expect(isWhole == (step == .importFinished), "\(step)")
        }
        marks.remove(Digest.zero.hex, other)
        // What a slow engine makes of an import that was given up: no lock tells of it any more.
        let late = try world.toolchainOfRandomBytes(4 << 20)
        let wrong = SHA256.hash(Array("another".utf8))
        try await world.sandbox.prepare(toolchain: late.digest, archive: late.archive)
        let tag = [("repo", DockerImages.repository), ("tag", wrong.hex)]
        let name = DockerImages.reference(late.digest)
        #expect(try await world.engine.call("POST", "/images/\(name)/tag", query: tag).status == 201)
        try await DockerSandbox(stateDirectory: world.root + "/state", socketPath: world.socket).removeLeftovers()
        let path = "/images/\(DockerImages.reference(wrong))/json"
        #expect(try await world.engine.call("GET", path).status == 404)
        #expect(await world.sandbox.hasToolchain(late.digest))
        #expect(try await world.engine.call("DELETE", "/images/\(name)").status == 200)
        try await world.sandbox.prepare(toolchain: toolchain.digest, archive: toolchain.archive)
        #expect(try await world.engine.call("DELETE", "/images/\(reference)").status == 200)
        #expect(try await world.images(named: reference).isEmpty)
      }
    }
  }
}

extension DockerWorld {
  /// A tar of one file that nobody has seen before.
  func toolchainOfRandomBytes(_ count: Int) throws -> (archive: String, digest: Digest) {
    let zero: UInt8 = 0
    var header = [UInt8](repeating: zero, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let digits = String(value, radix: 8)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    for (text, offset) in [
      ("file", 0), (octal(0o644, 7), 100), (octal(0, 7), 108), (octal(0, 7), 116), (octal(count, 11), 124),
      (octal(0, 11), 136), ("        0", 148), ("ustar\0", 257), ("00", 263),
    ] { put(text, at: offset) }
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\0 ", at: 148)
    var generator = SystemRandomNumberGenerator()
    let words = (0..<count / 8).map { _ in generator.next() as UInt64 }
    let bytes = header + words.withUnsafeBytes { Array($0) } + [UInt8](repeating: zero, count: 1_024)
    let digest = SHA256.hash(bytes)
    let path = "\(root)/\(digest.hex).tar"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return (path, digest)
  }
}
