import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import ChrootSandbox

/// An unpacked toolchain that somebody changed must not be built with.
@Suite("Unpacked toolchains", .serialized)
struct ToolchainStoreTests {
  private static let isPossible = ChrootWorld.isPossible

  /// Unpacked anew for the test, which damages it.
  private func with(_ body: (ChrootWorld, String) async throws -> Void) async throws {
    try await ChrootWorld.with { world in
      try await world.sandbox.prepare(toolchain: world.toolchain, archive: world.archive)
      try await body(world, "\(world.root)/state/toolchains/\(world.toolchain)")
    }
  }

  /// As the next process sees it.
  private func fresh(_ world: ChrootWorld) throws -> ChrootSandbox {
    try ChrootSandbox(stateDirectory: world.root + "/state", initPath: ChrootWorld.initPath)
  }

  /// Changes a byte and sets the times of its content back, as one who hides it would.
  private static func flip(_ path: String) throws {
    var info = stat()
    try #require(stat(path, &info) == 0)
    var bytes = try #require(FileManager.default.contents(atPath: path))
    bytes[bytes.count / 2] ^= 1
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    try file.write(contentsOf: bytes)
    try file.close()
    var times = [info.st_atim, info.st_mtim]
    try #require(utimensat(AT_FDCWD, path, &times, 0) == 0)
  }

  struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let act: @Sendable (String) throws -> Void
  }

  static let damages = [
    Damage(testDescription: "a byte flipped, times set back") { try flip($0 + "/usr/bin/dash") },
    Damage(testDescription: "a file more") { try Data().write(to: URL(fileURLWithPath: $0 + "/usr/lib/new")) },
    Damage(testDescription: "a file less") { try FileManager.default.removeItem(atPath: $0 + "/etc/issue") },
    Damage(testDescription: "another mode") { #expect(chmod($0 + "/usr/bin/env", 0o4755) == 0) },
    Damage(testDescription: "a link elsewhere") { folder in
      try FileManager.default.removeItem(atPath: folder + "/bin")
      try FileManager.default.createSymbolicLink(atPath: folder + "/bin", withDestinationPath: "/tmp")
    },
    Damage(testDescription: "no record") { #expect(unlink($0 + ".record") == 0) },
    Damage(testDescription: "a record of another") { folder in
      try Data("synchronicity-unpacked/v1\nquick \(Digest.zero.hex)\ncontent \(Digest.zero.hex)\n".utf8)
        .write(to: URL(fileURLWithPath: folder + ".record"))
    },
  ]

  @Test(
    "Each change is noticed before anything runs, and unpacking mends it", .enabled("no engine") { isPossible },
    arguments: damages)
  func noticesDamage(_ damage: Damage) async throws {
    try await with { world, folder in
      try await world.sandbox.verifyUnpacked(world.toolchain)
      try damage.act(folder)
      let next = try fresh(world)
      #expect(await !next.hasToolchain(world.toolchain))
      await #expect(throws: PluginError(.checksumMismatch, "")) { _ = try await next.run(world.request("true")) }
      await #expect(throws: PluginError(.checksumMismatch, "")) { try await next.verifyUnpacked(world.toolchain) }
      try await next.prepare(toolchain: world.toolchain, archive: world.archive)
      #expect(try await next.run(world.request("true")).termination == .exited(status: 0))
      try await next.verifyUnpacked(world.toolchain)
    }
  }

  @Test("What a run uses is not removed; afterwards it is", .enabled("no engine") { isPossible })
  func keepsWhatIsUsed() async throws {
    try await with { world, folder in
      let sandbox = try fresh(world)
      #expect(sandbox.unpackedToolchains() == [world.toolchain])
      async let run = world.run("sleep 3", runID: "keeps-it")
      while !FileManager.default.fileExists(atPath: world.root + "/state/runs/keeps-it") {
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(try !sandbox.removeUnpacked(world.toolchain, isTrial: true))
      #expect(try !sandbox.removeUnpacked(world.toolchain))
      #expect(try await run.termination == .exited(status: 0))
      #expect(try sandbox.removeUnpacked(world.toolchain, isTrial: true))
      #expect(FileManager.default.fileExists(atPath: folder))
      #expect(try sandbox.removeUnpacked(world.toolchain))
      #expect(!FileManager.default.fileExists(atPath: folder) && sandbox.unpackedToolchains().isEmpty)
      await #expect(throws: PluginError(.notFound, "")) { _ = try await world.run("true") }
    }
  }
}
