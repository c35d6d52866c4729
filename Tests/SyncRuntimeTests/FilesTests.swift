import Foundation
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

struct FileDigestTests {
  @Test func `a file's digest is the one of FIPS 180-4's example`() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/abc"
    try Data("abc".utf8).write(to: URL(fileURLWithPath: path))
    let result = try FileDigest.sha256(path: path)
    #expect(result.digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(result.size == 3)
  }

  @Test func `OpenSSL and libsodium agree on sizes around the chunk`() throws {
    let scratch = try Scratch()
    for count in [0, 1, 1 << 20 - 1, 1 << 20, 1 << 20 + 1] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let path = "\(scratch.path)/\(count)"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      #expect(try FileDigest.sha256(path: path).digest == SHA256.hash(bytes))
    }
  }

  @Test func `what is not a regular file has no digest`() throws {
    let scratch = try Scratch()
    mkfifo(scratch.path + "/fifo", 0o600)
    symlink("/etc/passwd", scratch.path + "/link")
    for name in ["fifo", "link", "missing", "."] {
      #expect(throws: PluginError.self) { try FileDigest.sha256(path: "\(scratch.path)/\(name)") }
    }
  }
}

struct OutputCollectorTests {
  private struct Place {
    let scratch: Scratch
    let store: ArtifactStore
    var output: String { scratch.path + "/output" }

    init() throws {
      scratch = try Scratch()
      store = try ArtifactStore(root: scratch.path + "/artifacts")
      try FileManager.default.createDirectory(atPath: output + "/sub", withIntermediateDirectories: true)
    }

    func collect(_ paths: [Text], bytesMax: UInt64 = 1 << 20) throws -> Outcome {
      try OutputCollector.collect(paths, from: output, bytesMax: bytesMax, into: store)
    }
  }

  @Test func `declared files become artifacts, others are left`() throws {
    let place = try Place()
    try Data("one".utf8).write(to: URL(fileURLWithPath: place.output + "/a"))
    try Data("two".utf8).write(to: URL(fileURLWithPath: place.output + "/sub/b"))
    try Data("not declared".utf8).write(to: URL(fileURLWithPath: place.output + "/c"))
    chmod(place.output + "/a", 0o755)
    chmod(place.output + "/sub/b", 0o4644)
    let outcome = try place.collect(["a", "sub/b"])
    #expect(outcome.artifacts.map(\.mode) == [0o755, 0o644])
    #expect(outcome.artifacts.map(\.size) == [3, 3])
    for artifact in outcome.artifacts {
      let path = try #require(place.store.path(of: artifact.sha256))
      #expect(try FileDigest.sha256(path: path).digest == artifact.sha256)
    }
    #expect(try FileManager.default.subpathsOfDirectory(atPath: place.store.root).filter { $0.count > 60 }.count == 2)
  }

  struct HostileRow: CustomTestStringConvertible, Sendable {
    let name: String
    let plant: @Sendable (_ output: String) throws -> Void
    let path: Text
    let isMissing: Bool
    var testDescription: String { name }
  }

  @Test(arguments: [
    HostileRow(name: "nothing", plant: { _ in }, path: "x", isMissing: true),
    HostileRow(
      name: "link to a file of the host", plant: { symlink("/etc/passwd", $0 + "/x") }, path: "x", isMissing: false),
    HostileRow(name: "link in the middle", plant: { symlink("/etc", $0 + "/x") }, path: "x/passwd", isMissing: false),
    HostileRow(name: "FIFO", plant: { mkfifo($0 + "/x", 0o600) }, path: "x", isMissing: false),
    HostileRow(name: "folder", plant: { mkdir($0 + "/x", 0o755) }, path: "x", isMissing: false),
    HostileRow(
      name: "larger than the limit",
      plant: { try Data(count: (1 << 20) + 1).write(to: URL(fileURLWithPath: $0 + "/x")) }, path: "x",
      isMissing: false),
  ])
  func `a hostile output is a failure of the build`(row: HostileRow) throws {
    let place = try Place()
    try row.plant(place.output)
    let outcome = try place.collect([row.path])
    #expect(outcome == .failed(row.isMissing ? .missingArtifact(row.path) : .badArtifact(row.path)))
  }

  private func identity(_ path: String) throws -> UInt64 {
    var info = stat()
    try #require(lstat(path, &info) == 0)
    return UInt64(info.st_ino)
  }

  @Test func `a file that is ours alone is moved, not copied`() throws {
    let place = try Place()
    let file = place.output + "/a"
    try Data("one".utf8).write(to: URL(fileURLWithPath: file))
    chmod(file, 0o755)
    let inode = try identity(file)
    let outcome = try place.collect(["a"])
    let path = try #require(place.store.path(of: outcome.artifacts[0].sha256))
    #expect(try identity(path) == inode)
    #expect(access(file, F_OK) != 0)
    var info = stat()
    #expect(stat(path, &info) == 0 && info.st_mode & 0o7777 == 0o644)
  }

  /// What could still change under its name in the store is copied: another name of it, or somebody who writes.
  @Test(arguments: ["another name", "a writer", "a writable mapping"])
  func `a file that others can reach is copied`(how: String) throws {
    let place = try Place()
    let file = place.output + "/a"
    try Data("good".utf8).write(to: URL(fileURLWithPath: file))
    let inode = try identity(file)
    if how == "another name" { link(file, place.scratch.path + "/other") }
    let writer = open(how == "another name" ? place.scratch.path + "/other" : file, O_RDWR)
    try #require(writer >= 0)
    if how == "a writable mapping" {
      let memory = mmap(nil, 4, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0)
      close(writer)
      defer { munmap(memory, 4) }
      try expectCopy(place, inode) { memory?.storeBytes(of: 0x6C69_7665, as: UInt32.self) }
      return
    }
    defer { close(writer) }
    try expectCopy(place, inode) { pwrite(writer, "evil", 4, 0) }
  }

  private func expectCopy(_ place: Place, _ inode: UInt64, _ change: () -> Void) throws {
    let outcome = try place.collect(["a"])
    #expect(outcome.artifacts.map(\.sha256) == [SHA256.hash([UInt8]("good".utf8))])
    let path = try #require(place.store.path(of: outcome.artifacts[0].sha256))
    #expect(try identity(path) != inode)
    change()
    #expect(try FileDigest.sha256(path: path).digest == outcome.artifacts[0].sha256)
  }

  @Test func `many artifacts are all there, in the order of their paths`() throws {
    let place = try Place()
    let names = (0..<40).map { "file\($0)" }
    for name in names { try Data(name.utf8).write(to: URL(fileURLWithPath: "\(place.output)/\(name)")) }
    let outcome = try place.collect(names.map { Text($0) })
    #expect(outcome.artifacts.map(\.path.string) == names)
    #expect(outcome.artifacts.map(\.sha256) == names.map { SHA256.hash([UInt8]($0.utf8)) })
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.store.root).allSatisfy { $0.count == 2 })
  }

  @Test func `a failed build takes nothing`() throws {
    let place = try Place()
    try Data("one".utf8).write(to: URL(fileURLWithPath: place.output + "/a"))
    #expect(try place.collect(["a", "b"]) == .failed(.missingArtifact("b")))
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.store.root).isEmpty)
  }

  @Test func `the limit is on all artifacts together`() throws {
    let place = try Place()
    for name in ["a", "b"] { try Data(count: 600_000).write(to: URL(fileURLWithPath: "\(place.output)/\(name)")) }
    #expect(try place.collect(["a", "b"]) == .failed(.badArtifact("b")))
  }
}

struct RecordTests {
  private func reveal() throws -> Reveal {
    try Reveal(
      group: "test.example", job: SHA256.hash([1]), builder: "alder", outcome: .failed(.exitStatus(3)),
      nonce: [UInt8](repeating: 7, count: 32),
      statement: BuilderStatement(reportedSandbox: "echo/1", processor: "any", kernel: "6"))
  }

  @Test func `an attempt's record is what was stored, and an abstention is one too`() throws {
    let record = AttemptRecord(reveal: try reveal())
    #expect(try AttemptRecord.decode(AttemptRecord.encode(record)) == record)
    #expect(try AttemptRecord.decode(AttemptRecord.encode(nil)) == nil)
    #expect(throws: ProofError.self) { try AttemptRecord.decode([2]) }
    #expect(throws: ProofError.self) { try AttemptRecord.decode([]) }
  }

  @Test func `a member card round-trips, and others are refused`() throws {
    let keys = try Keys()
    let card = try MemberCard(
      name: "alder", address: "alder.example:7600", gateway: "http://alder.example:7680", signer: keys.signers[0])
    #expect(try MemberCard(parsing: card.encode()) == card)
    #expect(throws: ProofError.self) { try MemberCard(parsing: keys.group.encode()) }
    #expect(throws: ProofError.self) { try MemberCard(parsing: card.encode() + card.encode().dropFirst(24)) }
    #expect(throws: ProofError.self) { try MemberCard(parsing: Array(card.encode().dropLast())) }
    #expect(throws: PluginError.self) {
      try MemberCard(name: "Alder!", address: "a:1", gateway: nil, signer: keys.signers[0])
    }
  }
}
