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

struct RecipeFailureTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let plant: @Sendable (_ path: String) throws -> Void
    var found: Text?
    var testDescription: String { name }

    init(_ name: String, found: Text? = nil, plant: @escaping @Sendable (_ path: String) throws -> Void) {
      (self.name, self.found, self.plant) = (name, found, plant)
    }

    /// A file with this text.
    init(_ name: String, text: String, found: Text? = nil) {
      self.init(name, found: found) { try Data(text.utf8).write(to: URL(fileURLWithPath: $0)) }
    }
  }

  private static let longest = String(repeating: "a", count: 63)

  @Test(arguments: [
    Row("a name", text: "needs-network\n", found: "needs-network"),
    Row("the longest name", text: longest + "\n", found: Text(longest)),
    Row("nothing") { _ in },
    Row("an empty file", text: ""), Row("a newline alone", text: "\n"), Row("no newline", text: "a"),
    Row("two newlines", text: "a\n\n"), Row("two lines", text: "a\nb\n"), Row("a carriage return", text: "a\r\n"),
    Row("one letter too many", text: longest + "a\n"), Row("as long, without newline", text: longest + "a"),
    Row("a megabyte", text: String(repeating: "a", count: 1 << 20) + "\n"),
    Row("capitals", text: "Needs\n"), Row("a space", text: "a b\n"), Row("a digit first", text: "1a\n"),
    Row("a NUL", text: "a\0\n"), Row("a path", text: "../x\n"),
    Row("no UTF-8") {
      try Data([0x61, 0xff, 0x0a]).write(to: URL(fileURLWithPath: $0))
    },
    Row("a link to a name") {
      try Data("needs-network\n".utf8).write(to: URL(fileURLWithPath: $0 + "-else"))
      symlink($0 + "-else", $0)
    },
    Row("a link to itself") { symlink("failure", $0) }, Row("a link to nothing") { symlink("/nowhere", $0) },
    Row("a FIFO") { mkfifo($0, 0o644) }, Row("a folder") { mkdir($0, 0o755) },
    Row("what only its owner reads") {
      try Data("needs-network\n".utf8).write(to: URL(fileURLWithPath: $0))
      chmod($0, 0o640)
    },
    Row("what nobody reads") {
      try Data("needs-network\n".utf8).write(to: URL(fileURLWithPath: $0))
      chmod($0, 0)
    },
  ])
  func `only a plain file with one name is a name`(row: Row) throws {
    let scratch = try Scratch()
    try row.plant(scratch.path + "/failure")
    #expect(try RecipeFailure.name(in: scratch.path) == row.found)
    // A status tells of it; a limit and a signal tell more than the recipe knows.
    let named = row.found.map { FailureReason.recipe($0) }
    #expect(try FailureReason.exitStatus(66).named(by: scratch.path) == named ?? .exitStatus(66))
    #expect(try FailureReason.memory.named(by: scratch.path) == .memory)
    #expect(try FailureReason.signal(9).named(by: scratch.path) == .signal(9))
  }

  @Test func `a folder that is gone is a fault of the host`() {
    #expect(throws: PluginError(.io, "")) { try RecipeFailure.name(in: "/nowhere/output") }
  }

  @Test func `an artifact may be called so`() throws {
    let scratch = try Scratch()
    try Data("needs-network\n".utf8).write(to: URL(fileURLWithPath: scratch.path + "/failure"))
    let store = try ArtifactStore(root: scratch.path + "/artifacts")
    let outcome = try OutputCollector.collect(["failure"], from: scratch.path, bytesMax: 100, into: store)
    #expect(outcome.artifacts.map(\.path) == ["failure"])
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
      let outcome = try OutputCollector.collect(paths, from: output, bytesMax: bytesMax, into: store)
      #expect(try store.keep(outcome.artifacts.map(\.sha256)).isEmpty)
      return outcome
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

  @Test func `what is not on the disk is said to be lost`() throws {
    let place = try Place()
    try Data("one".utf8).write(to: URL(fileURLWithPath: place.output + "/a"))
    let here = try #require(try place.collect(["a"]).artifacts.first).sha256
    let lost = SHA256.hash([UInt8]("two".utf8))
    #expect(try place.store.keep([here, lost, here]) == [lost])
    #expect(try place.store.keep([]) == [])
    // Two names for the same bytes are on their way at once.
    for name in ["b", "c"] { try Data("one".utf8).write(to: URL(fileURLWithPath: place.output + "/\(name)")) }
    #expect(try place.collect(["b", "c"]).artifacts.map(\.sha256) == [here, here])
    #expect(try FileManager.default.subpathsOfDirectory(atPath: place.store.root).filter { $0.count > 60 }.count == 1)
  }

  @Test func `what cannot be written is an error once, and is there when it can be`() throws {
    let place = try Place()
    let digests = ["one", "two", "three"].map { SHA256.hash([UInt8]($0.utf8)) }
    // Files where the folders of their first two digits would be.
    let obstacles = digests.dropLast().map { "\(place.store.root)/\($0.hex.prefix(2))" }
    for path in obstacles { try Data().write(to: URL(fileURLWithPath: path)) }
    func collect() throws -> Outcome {
      for (name, text) in [("a", "one"), ("b", "two"), ("c", "three")] {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(place.output)/\(name)"))
      }
      return try OutputCollector.collect(["a", "b", "c"], from: place.output, bytesMax: 100, into: place.store)
    }
    #expect(try collect().artifacts.map(\.sha256) == digests)
    #expect(throws: PluginError.self) { try place.store.keep(digests) }
    #expect(try place.store.keep(digests) == Array(digests.dropLast()))
    for path in obstacles { try FileManager.default.removeItem(atPath: path) }
    _ = try collect()
    #expect(try place.store.keep(digests) == [])
    let names = try FileManager.default.contentsOfDirectory(atPath: place.store.root)
    #expect(names.count == 3 && names.allSatisfy { $0.count == 2 })
  }

  @Test func `a thousand artifacts hold few descriptors`() throws {
    let place = try Place()
    let names = (0..<1_000).map { String($0) }
    for name in names { try Data(name.utf8).write(to: URL(fileURLWithPath: "\(place.output)/\(name)")) }
    let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    let outcome = try OutputCollector.collect(
      names.map { Text($0) }, from: place.output, bytesMax: 1 << 20, into: place.store)
    // Other tests open files meanwhile, but not hundreds.
    #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count < before + 200)
    #expect(try place.store.keep(outcome.artifacts.map(\.sha256)).isEmpty)
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
