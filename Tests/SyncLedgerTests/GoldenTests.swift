import Foundation
import SyncLedger
import SyncProof
import Testing

/// Whole texts, read like code when they change. `SYNC_REWRITE_GOLDENS=1` writes them anew.
@Suite struct GoldenTests {
  private func expect(_ text: String, equals name: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Goldens/\(name)")
    if ProcessInfo.processInfo.environment["SYNC_REWRITE_GOLDENS"] == "1" {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == text)
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// Five builders: three agree, one diverges, one opens wrongly; a second job times out.
  private func life() -> (world: World, leaf: [UInt8]) {
    var world = World(Builders(5, reproducers: 3))
    let builders = world.builders
    let spec = BuildSpec.sample()
    let job = spec.jobID
    let good = Outcome.sample("good", of: spec)
    let bad = Outcome.sample("bad", of: spec)
    world.block(builders.submission(spec, by: "bob"))
    world.block(builders.submission(spec, by: "ada"), builders.submission(.sample(rebuild: 1), by: "eve"), later: 900)
    world.block(
      builders.commitment(job, by: "cyd", to: good), builders.commitment(job, by: "ada", to: good), later: 9_000)
    world.block(builders.opening(job, by: "ada", of: good), builders.commitment(job, by: "ada", to: bad), later: 20)
    world.block(
      builders.commitment(job, by: "bob", to: good), builders.commitment(job, by: "dan", to: bad),
      builders.commitment(job, by: "eve", to: good), later: 4_000)
    world.block(builders.abstention(job, by: "eve"), builders.opening(job, by: "cyd", of: good), later: 15)
    world.block(
      builders.opening(job, by: "eve", of: bad), builders.opening(job, by: "bob", of: good),
      builders.opening(job, by: "dan", of: bad), later: 15)
    let last = world.block(builders.opening(job, by: "ada", of: good), later: 15)
    world.block(builders.opening(job, by: "eve", of: good), later: 600_000)
    return (world, last.leaf ?? [])
  }

  @Test func aJobsLife() throws {
    try expect(life().world.transcript.joined(separator: "\n") + "\n", equals: "job-life.txt")
  }

  @Test func evidenceLeaf() throws { try expect(text(life().leaf), equals: "evidence-leaf.txt") }

  @Test func groupFileAndPolicy() throws {
    let members = [
      Builders.member("ada", address: "10.0.0.1:7001", gateway: "https://ada.example/log"), Builders.member("bob"),
    ]
    let group = try Group(
      origin: "builds.example", epoch: 7, commitSeconds: 600, revealSeconds: 60, members: members)
    try expect(text(group.encode()) + "# chain \(group.chainID)\n", equals: "group.txt")
    try expect(text(group.policy().encode()), equals: "policy.txt")
    #expect(try Policy(parsing: group.policy().encode()) == group.policy())
  }

  @Test func entriesAndTheirSignedBytes() throws {
    let builders = Builders()
    let chain = builders.group.chainID
    let spec = BuildSpec.sample()
    let job = spec.jobID
    let outcome = Outcome.failed(.exitStatus(101))
    let reveal = builders.reveal(job, by: "ada", outcome)
    let signature = builders.key("ada", .builder).sign(reveal.signedBytes())
    let rows: [(entry: [UInt8], signed: [UInt8])] = [
      (builders.submission(spec), Entry.submissionSignedBytes(job: job, submitter: "ada", chainID: chain)),
      (
        builders.commitment(job, by: "ada", to: outcome),
        Entry.commitmentSignedBytes(job: job, builder: "ada", commitment: reveal.commitment, chainID: chain)
      ),
      (builders.abstention(job, by: "ada"), Entry.abstentionSignedBytes(job: job, builder: "ada", chainID: chain)),
      (
        builders.opening(job, by: "ada", of: outcome),
        Entry.revealSignedBytes(reveal, signature: signature, chainID: chain)
      ),
      (
        builders.accusation(
          "ada", .doubleCommitment,
          [
            builders.commitment(job, by: "ada", to: outcome),
            builders.commitment(job, by: "ada", to: .failed(.wallTime)),
          ]),
        []
      ),
    ]
    var golden = ""
    for row in rows {
      golden += text(row.signed) + text(Hex.encode(row.entry)) + "\n\n"
      #expect(try Entry(parsing: row.entry).encode() == row.entry)
    }
    try expect(golden, equals: "entries.txt")
  }
}
