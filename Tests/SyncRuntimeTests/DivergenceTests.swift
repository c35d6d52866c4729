import Foundation
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

/// Four nodes whose builders differ.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct DivergenceTests {
  private func summary(_ world: World, _ number: Int, _ job: Digest) async throws -> DivergenceSummary {
    let node = try world.node(number)
    let path = try #require(await node.reportPath(job: job, .summary))
    return try JSONDecoder().decode(DivergenceSummary.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private func isReported(_ status: JobStatus) -> Bool { status.divergence?.state == .done }

  @Test func `everybody sees who got what, and has the others' bytes`() async throws {
    let world = try World(recipes: ["x": "say hello\nwho out"])
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    for number in 0..<4 {
      let status = try await world.wait(job, on: number, until: isReported)
      #expect(status.verdict == "diverged")
      let outcomes = try #require(status.outcomes)
      #expect(outcomes.map(\.kind) == [.built, .built, .built, .built])
      #expect(outcomes.flatMap(\.builders).sorted() == Keys.names)
      for outcome in outcomes {
        let bytes = [UInt8]((outcome.builders[0] + "\n").utf8)
        #expect(outcome.artifacts?.map(\.sha256) == [SHA256.hash(bytes).hex])
        #expect(outcome.artifacts?.map(\.size) == [UInt64(bytes.count)])
        let kept = "\(world.scratch.path)/\(Keys.names[number])/diverged/\(job.hex)/\(SHA256.hash(bytes).hex)"
        #expect(try FileDigest.sha256(path: kept).digest == SHA256.hash(bytes))
      }
      let summary = try await summary(world, number, job)
      #expect(summary.node == Keys.names[number] && summary.job == job.hex && summary.fetchFailures.isEmpty)
      #expect(summary.outcomes == outcomes)
      #expect(summary.artifacts.map(\.path) == ["out"])
      #expect(summary.artifacts[0].variants.allSatisfy { $0.isHeld })
      #expect(summary.artifacts[0].comparisons.count == 3)
      #expect(summary.diffoscope.state == .noToolchain)
      #expect(status.attempts?.map(\.ending) == ["built"])
      let path = try #require(await (try world.node(number)).transcriptPath(job: job, attempt: 1))
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "hello\n")
    }
    await world.stop()
  }

  @Test func `a minority that differs is shown beside what was reproduced`() async throws {
    let world = try World(recipes: ["x": "who out"])
    world.whos = [0: "same", 1: "same", 2: "other", 3: "same"]
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 2, until: isReported)
    #expect(status.verdict == "reproduced" && status.agreeing == 3)
    #expect(status.outcomes?.map(\.builders) == [["alder", "birch", "elm"], ["cedar"]])
    let summary = try await summary(world, 2, job)
    #expect(summary.artifacts[0].difference == .size)
    #expect(summary.artifacts[0].comparisons.map(\.differingBytes) == [5])
    await world.stop()
  }

  @Test func `agreement makes no report, and one that is not wanted is not made`() async throws {
    let world = try World(recipes: ["same": "echo out same", "differs": "who out"])
    world.divergence.comparing = .submitted
    try world.start()
    let same = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/same@1"))
    let differs = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/differs@1"))
    #expect(try await world.wait(differs, on: 0, until: isReported).verdict == "diverged")
    let agreed = try await world.wait(same, on: 0) { $0.phase == .cosigned }
    #expect(agreed.divergence == nil && agreed.outcomes?.count == 1)
    let elsewhere = try await world.wait(differs, on: 1) { $0.phase == .cosigned }
    #expect(elsewhere.divergence == nil)
    await world.stop()
  }

  @Test func `a builder that gives nothing costs its bytes and nothing else`() async throws {
    let world = try World(recipes: ["x": "who out"])
    world.divergence.answerTimeout = .milliseconds(300)
    world.silent.set(true, "elm")
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(job, on: 0, until: isReported)
    let found = try await summary(world, 0, job)
    #expect(found.fetchFailures.map(\.builder) == ["elm"])
    #expect(found.fetchFailures.map(\.error) == ["silent"])
    let held = found.artifacts[0].variants.filter(\.isHeld).flatMap(\.builders)
    #expect(held.sorted() == ["alder", "birch", "cedar"])
    await world.stop()
  }

  @Test func `a report that a stopped node left is made after its restart`() async throws {
    let world = try World(recipes: ["x": "who out"])
    world.divergence.answerTimeout = .milliseconds(300)
    world.divergence.roundPauses = [.seconds(100)]
    world.silent.set(true, "elm")
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let folder = "\(world.scratch.path)/alder/diverged/\(job.hex)"
    // Three of the four are there, and the fourth is waited for.
    _ = try await world.wait(job, on: 0) { status in
      status.divergence?.state == .fetching
        && (try? FileManager.default.contentsOfDirectory(atPath: folder))?.count { $0.count == 64 } == 3
    }
    await world.stop([0])
    let other = try world.node(1)
    #expect(await other.reportPath(job: job, .summary) == nil)
    world.silent.set(false, "elm")
    try world.start([0])
    let status = try await world.wait(job, on: 0, until: isReported)
    #expect(status.divergence?.summary == "/v1/jobs/\(job.hex)/divergence")
    let found = try await summary(world, 0, job)
    #expect(found.artifacts[0].variants.allSatisfy { $0.isHeld } && found.fetchFailures.isEmpty)
    await world.stop()
  }

  @Test func `a node that was killed before it began a report begins it at its start`() async throws {
    let world = try World(recipes: ["x": "who out"])
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(job, on: 3, until: isReported)
    await world.stop([3])
    for folder in ["reports", "diverged"] {
      try FileManager.default.removeItem(atPath: "\(world.scratch.path)/elm/\(folder)")
    }
    try world.start([3])
    #expect(try await world.wait(job, on: 3, until: isReported).divergence?.state == .done)
    await world.stop()
  }

  @Test func `outcomes that the evidence lists by digest alone are had from their builders`() async throws {
    let world = try World(recipes: [:])
    world.divergence.comparing = .submitted
    // All answer here, however busy the machine is.
    world.divergence.answerTimeout = .seconds(60)
    // Sizes of four digits make an outcome's text longer than the smallest that a submission must reckon with.
    for (number, name) in Keys.names.enumerated() { world.whos[number] = String(repeating: name, count: 400) }
    try world.start()
    func makeSpec(_ count: Int) -> BuildSpec {
      var spec = EchoSource.spec(name: "x", recipe: "crowd \(count)", toolchain: World.toolchain)
      spec.limits.diskBytes = 1 << 24
      spec.artifacts = (1_000..<1_000 + count).map { Text("\($0)") }
      return spec
    }
    let count = try #require((1...300).reversed().first { (try? makeSpec($0).validate()) != nil })
    let spec = makeSpec(count)
    let job = try await world.node(0).submit(spec)
    let status = try await world.wait(job, on: 0, seconds: 120, until: isReported)
    #expect(status.outcomes?.last?.kind == .unlisted)
    let found = try await summary(world, 0, job)
    // What the others did not keep for a report of their own, they still have as their own artifacts.
    let held = found.artifacts[0].variants.filter(\.isHeld).flatMap(\.builders)
    #expect(held.sorted() == Keys.names)
    #expect(found.comparisonsOmitted > 0)
    await world.stop()
  }

  @Test func `a flood of messages about artifacts does not hold up a job`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    try world.start()
    let first = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(first, on: 3) { $0.phase == .cosigned }
    let elm = world.network.transport(of: "elm")
    let flood = Task {
      while !Task.isCancelled {
        for size in [0, 1, 100, 100_000] {
          elm.send(MessageRoom.artifact.frame([UInt8](repeating: 1, count: size)), to: "alder")
        }
        await Task.yield()
      }
    }
    let second = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1", rebuild: 1))
    #expect(try await world.wait(second, on: 0) { $0.phase == .cosigned }.verdict == "reproduced")
    flood.cancel()
    await flood.value
    await world.stop()
  }

  @Test func `each attempt keeps its transcript, one that a fault ended too`() async throws {
    let world = try World(recipes: ["x": "echo out same"])
    world.faulty = [1]
    try world.start()
    let job = try await world.node(0).submit(SubmitRequest(package: "pkg:echo/x@1"))
    let status = try await world.wait(job, on: 1) { $0.phase == .cosigned }
    #expect(status.absent == [AbsentBuilder(builder: "birch", reason: "sandbox-fault")])
    #expect(status.attempts?.map(\.number) == [1, 2, 3])
    #expect(status.attempts?.map(\.ending) == ["fault unavailable", "fault unavailable", "fault unavailable"])
    let birch = try world.node(1)
    for attempt in [nil, 1, 2, 3] { #expect(await birch.transcriptPath(job: job, attempt: attempt) != nil) }
    #expect(await birch.transcriptPath(job: job, attempt: 4) == nil)
    await world.stop()
  }
}

struct TranscriptStoreTests {
  private func read(_ store: TranscriptStore, _ job: Digest, _ attempt: Int?) -> [UInt8]? {
    store.path(of: job, attempt: attempt).flatMap { Folder.read($0, bytesMax: 9) }
  }

  @Test func `pieces are kept as they come, the whole in their place, and old attempts give way`() throws {
    let scratch = try Scratch()
    let store = TranscriptStore(retention: FolderRetention(root: scratch.path, days: 1, bytesMax: 1 << 20))
    let job = SHA256.hash([1])
    let first = try store.begin(job)
    first.append([1, 2])
    first.append([3])
    #expect(store.attempts(of: job).map(\.ending) == ["unfinished"])
    #expect(read(store, job, 1) == [1, 2, 3])
    first.end(nil, "fault io")
    first.append([9])
    #expect(read(store, job, 1) == [1, 2, 3])
    let second = try store.begin(job)
    second.append([7, 7, 7, 7])
    second.end([5], "built")
    #expect(read(store, job, nil) == [5])
    for _ in 3...20 { try store.begin(job).end([6], "exit-status 1") }
    #expect(store.attempts(of: job).map(\.number) == Array(5...20))
    #expect(store.path(of: job, attempt: 4) == nil)
  }

  @Test func `a transcript beyond its bound is cut`() throws {
    let scratch = try Scratch()
    let store = TranscriptStore(retention: FolderRetention(root: scratch.path, days: 1, bytesMax: 1 << 30))
    let open = try store.begin(SHA256.hash([1]))
    open.end([UInt8](repeating: 65, count: TranscriptStore.bytesMax + 5), "built")
    #expect(store.attempts(of: SHA256.hash([1])).map(\.bytes) == [UInt64(TranscriptStore.bytesMax)])
  }
}

struct RetentionTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    /// Age in days and bytes, oldest first.
    let folders: [(days: Int, bytes: Int)]
    var kept: Set<Int> = []
    var room: UInt64 = 0
    let left: [Int]
    var testDescription: String { name }
  }

  @Test(arguments: [
    Row(name: "all fit", folders: [(9, 100), (1, 100)], left: [0, 1]),
    Row(name: "too old", folders: [(11, 1), (10, 1), (9, 1)], left: [1, 2]),
    Row(name: "too many bytes: the oldest go", folders: [(3, 400), (2, 400), (1, 400)], left: [1, 2]),
    Row(name: "room is made", folders: [(3, 400), (2, 400)], room: 500, left: [1]),
    Row(name: "what is worked on stays", folders: [(30, 600), (2, 400), (1, 400)], kept: [0], left: [0, 2]),
    Row(name: "more room than there is", folders: [(3, 1), (2, 1)], room: 5_000, left: []),
  ])
  func `a folder is kept within its days and bytes`(row: Row) throws {
    let scratch = try Scratch()
    let jobs = row.folders.indices.map { SHA256.hash([UInt8($0)]) }
    let now = 1_795_608_000
    for (index, folder) in row.folders.enumerated() {
      let path = "\(scratch.path)/\(jobs[index].hex)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try Data(count: folder.bytes).write(to: URL(fileURLWithPath: path + "/x"))
      let time = Date(timeIntervalSince1970: Double(now - folder.days * 86_400))
      try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
    }
    try FileManager.default.createDirectory(atPath: scratch.path + "/other", withIntermediateDirectories: true)
    let retention = FolderRetention(root: scratch.path, days: 10, bytesMax: 1_000)
    let used = retention.sweep(now: Int64(now), room: row.room, keeping: Set(row.kept.map { jobs[$0] }))
    let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
    #expect(Set(left) == Set(row.left.map { jobs[$0].hex } + ["other"]))
    #expect(used == UInt64(row.left.reduce(0) { $0 + row.folders[$1].bytes }))
  }
}
