import Foundation
import Logging
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

struct DataPlanTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    /// `name:bytes:lastUse`.
    let entries: [String]
    let bytesMax: UInt64
    var pinned = ""
    var before: Int64 = 100
    let victims: String
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "nothing", entries: [], bytesMax: 0, victims: ""),
    Row(name: "just within", entries: ["a:5:1", "b:5:2"], bytesMax: 10, victims: ""),
    Row(name: "the least recently used first", entries: ["a:5:3", "b:5:1", "c:5:2"], bytesMax: 10, victims: "b"),
    Row(name: "no more than needed", entries: ["a:9:1", "b:1:2", "c:1:3"], bytesMax: 2, victims: "a"),
    Row(name: "as many as needed", entries: ["a:1:1", "b:1:2", "c:9:3"], bytesMax: 9, victims: "ab"),
    Row(name: "what is pinned stays", entries: ["a:5:1", "b:5:2", "c:5:3"], bytesMax: 5, pinned: "a", victims: "bc"),
    Row(name: "all pinned", entries: ["a:5:1", "b:5:2"], bytesMax: 1, pinned: "ab", victims: ""),
    Row(name: "what is too young stays", entries: ["a:5:99", "b:5:100", "c:5:101"], bytesMax: 0, victims: "a"),
    Row(name: "room for nothing", entries: ["a:5:1", "b:0:2", "c:5:3"], bytesMax: 0, victims: "abc"),
    Row(name: "no overflow", entries: ["a:9223372036854775807:1", "b:5:2"], bytesMax: 5, victims: "a"),
  ]

  @Test(arguments: rows)
  func `the plan takes what the policy says`(row: Row) throws {
    let entries = try row.entries.map { text in
      let parts = text.split(separator: ":")
      return DataPlan.Entry(
        name: Self.digest(Character(String(parts[0]))), bytes: try #require(UInt64(parts[1])),
        lastUse: try #require(Int64(parts[2])))
    }
    let victims = DataPlan.victims(
      entries, bytesMax: row.bytesMax, pinned: Set(row.pinned.map(Self.digest)), before: row.before)
    #expect(victims.map(\.name) == row.victims.map(Self.digest))
  }

  static func digest(_ name: Character) -> Digest { SHA256.hash([name.asciiValue ?? 0]) }
}

/// On a real folder.
struct DataSweeperTests {
  private final class Place {
    let scratch: Scratch
    let holds = SourceHolds()
    var directory: String { scratch.path }

    init() throws { scratch = try Scratch() }

    func file(_ path: String, kib: Int, age: Int) throws {
      let whole = "\(directory)/\(path)"
      try FileManager.default.createDirectory(
        atPath: URL(fileURLWithPath: whole).deletingLastPathComponent().path, withIntermediateDirectories: true)
      try Data(repeating: 1, count: kib * 1_024).write(to: URL(fileURLWithPath: whole))
      setAge(whole, age)
    }

    func tree(_ name: Character, kib: Int, age: Int) throws {
      let path = "sources/\(DataPlanTests.digest(name).hex)"
      try file("\(path)/src/lib.rs", kib: kib, age: age)
      setAge("\(directory)/\(path)", age)
    }

    func artifact(_ name: Character, kib: Int, age: Int) throws {
      let hex = DataPlanTests.digest(name).hex
      try file("artifacts/\(hex.prefix(2))/\(hex)", kib: kib, age: age)
    }

    private func setAge(_ path: String, _ age: Int) {
      let when = timespec(tv_sec: time(nil) - age, tv_nsec: 0)
      utimensat(AT_FDCWD, path, [when, when], 0)
    }

    func sweep(_ policy: DataPolicy, pins: DataPins = DataPins(), youngest age: Int = 10) async -> DataSweeper.Report {
      await DataSweeper(directory: directory, policy: policy, holds: holds)
        .sweep(before: Int64(time(nil) - age) * 1_000_000_000) { pins }
    }

    /// What of these is there: sources, artifacts.
    func left(_ names: String) -> String {
      let found = names.map { name -> String in
        let hex = DataPlanTests.digest(name).hex
        let paths = ["sources/\(hex)/src/lib.rs", "artifacts/\(hex.prefix(2))/\(hex)"]
        return paths.contains { access("\(directory)/\($0)", F_OK) == 0 } ? String(name) : ""
      }
      return found.joined()
    }
  }

  @Test func `rooms within their bounds are left alone`() async throws {
    let place = try Place()
    try place.tree("s", kib: 64, age: 500)
    try place.artifact("a", kib: 64, age: 500)
    let report = await place.sweep(DataPolicy())
    #expect(report == DataSweeper.Report())
    #expect(place.left("sa") == "sa")
    #expect(
      await DataSweeper(directory: "/nonexistent", policy: DataPolicy(), holds: place.holds)
        .sweep(before: .max) { DataPins() } == DataSweeper.Report())
  }

  @Test func `the least recently used sources go, but for pinned and held ones`() async throws {
    let place = try Place()
    for (name, age) in [("a", 900), ("b", 800), ("c", 700), ("d", 600), ("e", 5)] as [(Character, Int)] {
      try place.tree(name, kib: 64, age: age)
    }
    var pins = DataPins()
    pins.sources = [DataPlanTests.digest("b")]
    await place.holds.enter(DataPlanTests.digest("c"))
    place.holds.leave(DataPlanTests.digest("c"), reads: true)
    let report = await place.sweep(DataPolicy(sourceBytesMax: 0), pins: pins)
    #expect(place.left("abcde") == "bce")
    #expect(report.removed == 2)
    #expect(report.full == ["sources"])
    place.holds.give([DataPlanTests.digest("c")])
    let second = await place.sweep(DataPolicy(sourceBytesMax: 0))
    #expect(place.left("abcde") == "e")
    #expect(second.removed == 2)
    let names = try FileManager.default.contentsOfDirectory(atPath: place.directory + "/sources")
    #expect(names == [DataPlanTests.digest("e").hex], "nothing half removed is left")
  }

  @Test func `a tree that somebody is at stays`() async throws {
    let place = try Place()
    try place.tree("a", kib: 64, age: 900)
    await place.holds.enter(DataPlanTests.digest("a"))
    #expect(await place.sweep(DataPolicy(sourceBytesMax: 0)).removed == 0)
    place.holds.leave(DataPlanTests.digest("a"), reads: false)
    #expect(await place.sweep(DataPolicy(sourceBytesMax: 0)).removed == 1)
  }

  @Test func `artifacts go by age, the journal and strangers never`() async throws {
    let place = try Place()
    for (name, age) in [("a", 900), ("b", 800), ("c", 700)] as [(Character, Int)] {
      try place.artifact(name, kib: 64, age: age)
    }
    try place.file("journal.sqlite", kib: 256, age: 9_000)
    try place.file("artifacts/ab/notes", kib: 256, age: 9_000)
    try place.file("artifacts/incoming.1.2", kib: 256, age: 9_000)
    let link = DataPlanTests.digest("z").hex
    symlink("/etc/passwd", "\(place.directory)/artifacts/\(link.prefix(2))/\(link)")
    var pins = DataPins()
    pins.artifacts = [DataPlanTests.digest("a")]
    let policy = DataPolicy(artifactBytesMax: 140 << 10)
    let report = await place.sweep(policy, pins: pins)
    #expect(report.removed == 1 && report.full.isEmpty)
    #expect(place.left("abc") == "ac")
    for path in ["journal.sqlite", "artifacts/ab/notes", "artifacts/incoming.1.2"] {
      #expect(access("\(place.directory)/\(path)", F_OK) == 0, "\(path)")
    }
  }

  @Test func `a touch makes the oldest the youngest`() async throws {
    let place = try Place()
    try place.artifact("a", kib: 64, age: 900)
    try place.artifact("b", kib: 64, age: 800)
    let hex = DataPlanTests.digest("a").hex
    LastUse.touch("\(place.directory)/artifacts/\(hex.prefix(2))/\(hex)")
    _ = await place.sweep(DataPolicy(artifactBytesMax: 100 << 10))
    #expect(place.left("ab") == "a")
  }

  @Test func `one at a time comes to a tree, and all get there`() async throws {
    let holds = SourceHolds()
    let tree = DataPlanTests.digest("t")
    let inside = Inside()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<50 {
        group.addTask {
          await holds.enter(tree)
          await inside.visit()
          holds.leave(tree, reads: true)
        }
      }
    }
    #expect(await inside.most == 1)
    #expect(holds.isRead(tree))
    holds.give(Array(repeating: tree, count: 50))
    #expect(!holds.isRead(tree))
  }

  private actor Inside {
    private var count = 0
    private(set) var most = 0
    func visit() async {
      count += 1
      most = max(most, count)
      await Task.yield()
      count -= 1
    }
  }
}

/// A node keeps to its policy: what was proven stays, what nothing names goes.
@Suite(.timeLimit(.minutes(2)), .serialized)
struct NodeDataTests {
  @Test(arguments: [(true, true), (false, false)])
  func `proven artifacts stay unless the policy sweeps them`(keepsProven: Bool, isLeft: Bool) async throws {
    let world = try World(recipes: ["x": "echo out same"])
    world.dataPolicy = DataPolicy(artifactBytesMax: 0, sourceBytesMax: 0, keepsProven: keepsProven)
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    let artifact = try #require(Digest(hex: status.artifacts[0].sha256))
    let node = try world.node(0)
    try await node.plantStray()
    // The file's age is counted in whole seconds, less two for coarse clocks.
    let deadline = ContinuousClock.now + .seconds(20)
    var isThere = true
    while ContinuousClock.now < deadline {
      await node.sweepData()
      isThere = await node.artifactIsThere(artifact)
      if isThere == isLeft, await !node.strayIsThere { break }
      try await Task.sleep(for: .milliseconds(100))
    }
    #expect(isThere == isLeft)
    #expect(await !node.strayIsThere)
    await world.stop()
  }

  @Test func `what is pinned from outside stays`() async throws {
    let world = try World(recipes: ["x": "who out"])
    world.dataPolicy = DataPolicy(artifactBytesMax: 0, sourceBytesMax: 0)
    try world.start()
    let node = try world.node(0)
    let artifact = SHA256.hash([UInt8]("alder\n".utf8))
    await node.pin {
      var pins = DataPins()
      pins.artifacts = [artifact]
      return pins
    }
    let job = try await node.submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 0) { $0.phase == .cosigned }
    #expect(status.verdict == "diverged")
    let deadline = ContinuousClock.now + .seconds(20)
    try await node.plantStray()
    while ContinuousClock.now < deadline, await node.strayIsThere {
      await node.sweepData()
      try await Task.sleep(for: .milliseconds(100))
    }
    #expect(await node.artifactIsThere(artifact))
    #expect(await !node.strayIsThere)
    await world.stop()
  }
}

extension Node {
  private var stray: String {
    let hex = SHA256.hash([UInt8]("stray".utf8)).hex
    return "\(workshop.directory)/artifacts/\(hex.prefix(2))/\(hex)"
  }

  /// An old artifact that nothing names: where it is gone, a sweep has been.
  fileprivate func plantStray() throws {
    let place = URL(fileURLWithPath: stray)
    try FileManager.default.createDirectory(
      at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data("stray".utf8).write(to: place)
    let when = timespec(tv_sec: time(nil) - 900, tv_nsec: 0)
    utimensat(AT_FDCWD, stray, [when, when], 0)
  }

  fileprivate var strayIsThere: Bool { access(stray, F_OK) == 0 }

  /// Without the touch that a look by the gateway is.
  fileprivate func artifactIsThere(_ digest: Digest) -> Bool { workshop.artifacts.path(of: digest) != nil }
}
