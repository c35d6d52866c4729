import SyncLedger
import SyncProof
import Testing

@Suite struct GroupTests {
  /// Replaces the first `from` in a good group file of two members.
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let from: String
    let to: String
    var isTaken = false
    var testDescription: String { name }
  }

  static let file: [UInt8] = {
    let members = [
      Builders.member("ada", address: "10.0.0.1:7001", gateway: "https://ada.example/log"), Builders.member("bob"),
    ]
    return try! Group(origin: "builds.example", epoch: 7, commitSeconds: 600, revealSeconds: 60, members: members)
      .encode()
  }()

  static let ada = hex(Builders.key("ada", .log).publicKey)
  static let bob = hex(Builders.key("bob", .transport).publicKey)

  static func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

  static func hex(_ key: PublicKey) -> String { String(decoding: Hex.encode(key.bytes), as: UTF8.self) }

  static let rows: [Row] = [
    Row(name: "nothing changed", from: "epoch 7", to: "epoch 7", isTaken: true),
    Row(name: "another version", from: "group/v1", to: "group/v2"),
    Row(name: "an origin in capitals", from: "origin builds", to: "origin Builds"),
    Row(name: "an origin with a scheme", from: "origin builds", to: "origin https://builds"),
    Row(name: "an origin with a port", from: "builds.example", to: "builds.example:80"),
    Row(name: "an origin with an empty label", from: "builds.example", to: "builds..example"),
    Row(name: "an origin with a label that begins in -", from: "builds.example", to: "builds.-example"),
    Row(name: "a leading zero", from: "epoch 7", to: "epoch 07"),
    Row(name: "a sign", from: "epoch 7", to: "epoch +7"),
    Row(name: "the largest epoch", from: "epoch 7", to: "epoch 18446744073709551615", isTaken: true),
    Row(name: "an epoch above 64 bits", from: "epoch 7", to: "epoch 18446744073709551616"),
    Row(name: "one reproducer", from: "reproducers 2", to: "reproducers 1", isTaken: true),
    Row(name: "no reproducers", from: "reproducers 2", to: "reproducers 0"),
    Row(name: "more reproducers than members", from: "reproducers 2", to: "reproducers 3"),
    Row(name: "a phase of no time", from: "commit-seconds 600", to: "commit-seconds 0"),
    Row(name: "a phase of one second", from: "reveal-seconds 60", to: "reveal-seconds 1", isTaken: true),
    Row(name: "a phase above its bound", from: "reveal-seconds 60", to: "reveal-seconds 2678401"),
    Row(name: "a name in capitals", from: "member ada", to: "member Ada"),
    Row(name: "a name with a dot", from: "member ada", to: "member a.da"),
    Row(name: "a name that begins in -", from: "member ada", to: "member -ada"),
    Row(name: "an empty name", from: "member ada", to: "member "),
    Row(name: "a name of 64 bytes", from: "member ada", to: "member " + letters(64), isTaken: true),
    Row(name: "a name of 65 bytes", from: "member ada", to: "member " + letters(65)),
    Row(name: "a name twice", from: "member ada", to: "member bob"),
    Row(name: "members out of order", from: "member ada", to: "member cyd"),
    Row(name: "a key twice, in other roles", from: ada, to: bob),
    Row(name: "a key in capitals", from: ada, to: ada.uppercased()),
    Row(name: "a short key", from: ada, to: String(ada.dropLast())),
    Row(name: "an address without a port", from: "10.0.0.1:7001", to: "10.0.0.1"),
    Row(name: "port 0", from: "10.0.0.1:7001", to: "10.0.0.1:0"),
    Row(name: "port 65535", from: "10.0.0.1:7001", to: "10.0.0.1:65535", isTaken: true),
    Row(name: "port 65536", from: "10.0.0.1:7001", to: "10.0.0.1:65536"),
    Row(name: "a port with a leading zero", from: "10.0.0.1:7001", to: "10.0.0.1:0701"),
    Row(name: "an address without a host", from: "10.0.0.1:7001", to: ":7001"),
    Row(name: "an IPv6 address", from: "10.0.0.1:7001", to: "[fd00::1]:7001", isTaken: true),
    Row(name: "an IPv6 address without brackets", from: "10.0.0.1:7001", to: "fd00::1:7001"),
    Row(name: "a gateway without a scheme", from: "https://ada.example/log", to: "ada.example"),
    Row(name: "a gateway with a port", from: "https://ada.example/log", to: "http://ada.example:8080", isTaken: true),
    Row(name: "a gateway that ends in /", from: "https://ada.example/log", to: "https://ada.example/"),
    Row(name: "a space in a gateway", from: "https://ada.example/log", to: "https://ada.example/l og"),
    Row(name: "no gateway", from: "gateway https://ada.example/log\n", to: "", isTaken: true),
    Row(name: "a line is missing", from: "epoch 7\n", to: ""),
    Row(name: "a line stands twice", from: "epoch 7\n", to: "epoch 7\nepoch 7\n"),
    Row(name: "an unknown line", from: "epoch 7\n", to: "epoch 7\nmotto none\n"),
    Row(name: "a carriage return", from: "epoch 7\n", to: "epoch 7\r\n"),
    Row(name: "an empty line", from: "epoch 7\n", to: "epoch 7\n\n"),
  ]

  @Test(arguments: rows)
  func parserIsStrict(_ row: Row) throws {
    let text = String(decoding: Self.file, as: UTF8.self)
    #expect(text.contains(row.from))
    let bytes = Array(text.replacing(row.from, with: row.to, maxReplacements: 1).utf8)
    if row.isTaken {
      #expect(try Group(parsing: bytes).encode() == bytes)
    } else {
      #expect(throws: ProofError.self) { try Group(parsing: bytes) }
    }
  }

  @Test func everyCutIsRefused() throws {
    for count in 0..<Self.file.count {
      // A cut between two members leaves a whole group of one; its reproducers are too many then.
      #expect(throws: ProofError.self) { try Group(parsing: Array(Self.file[..<count])) }
    }
    #expect(throws: ProofError.self) { try Group(parsing: Self.file + [10]) }
  }

  @Test func membersAreSortedAndFound() throws {
    let names: [Text] = ["dan", "ada", "cyd", "bob"]
    let group = try Group(
      origin: "builds.example", epoch: 0, commitSeconds: 1, revealSeconds: 1,
      members: names.map { Builders.member($0) })
    #expect(group.members.map(\.name) == names.sorted())
    for name in names { #expect(group.member(named: name)?.name == name) }
    for name: Text in ["", "aaa", "bb", "zed"] { #expect(group.member(named: name)?.name == nil) }
  }

  @Test(arguments: [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (100, 67)])
  func quorumIsTheDefaultOfReproducers(_ row: (members: Int, quorum: Int)) {
    let group = Builders(row.members).group
    #expect(group.quorum == row.quorum)
    #expect(group.reproducers == row.quorum)
  }

  @Test func noMoreMembersThanALeafHolds() {
    let members = (0...100).map { Builders.member(Text("m\($0)")) }
    #expect(throws: ProofError.self) {
      try Group(origin: "builds.example", epoch: 0, commitSeconds: 1, revealSeconds: 1, members: members)
    }
    #expect(throws: ProofError.self) {
      try Group(origin: "builds.example", epoch: 0, commitSeconds: 1, revealSeconds: 1, members: [])
    }
  }

  /// Whoever moves stays in the chain; whatever else changes makes another one.
  @Test func chainIDLeavesPlacesOut() throws {
    func chain(
      _ origin: Text = "builds.example", epoch: UInt64 = 0, reproducers: Int? = nil, commit: UInt64 = 600,
      reveal: UInt64 = 60, salt: String = "", address: Text? = nil, gateway: Text? = nil
    ) throws -> Digest {
      try Group(
        origin: origin, epoch: epoch, reproducers: reproducers, commitSeconds: commit, revealSeconds: reveal,
        members: [Builders.member("ada", salt, address: address, gateway: gateway), Builders.member("bob")]
      ).chainID
    }
    let base = try chain()
    #expect(try chain(address: "elsewhere.example:9") == base)
    #expect(try chain(gateway: "http://elsewhere.example") == base)
    let others = [
      try chain("other.example"), try chain(epoch: 1), try chain(reproducers: 1), try chain(commit: 601),
      try chain(reveal: 61), try chain(salt: "x"),
    ]
    #expect(Set(others + [base]).count == others.count + 1)
  }
}

/// What a group promises about memory.
@Suite struct ShareTests {
  @Test func aSubmittersShareOfOpenJobsIsBounded() {
    var world = World(Builders(100))
    let builders = world.builders
    let share = LedgerLimits.openJobsMax / 100
    world.block(of: (0..<share).map { builders.submission(.sample(rebuild: UInt64($0))) })
    let one = BuildSpec.sample(rebuild: 1_000_000)
    #expect(!world.ledger.admits(builders.submission(one)))
    #expect(world.block(builders.submission(one)).refusals == [.shareUsedUp])
    #expect(world.ledger.admits(builders.submission(one, by: "bob")))
    // The share comes back with the verdicts.
    #expect(world.block(later: 600_000).verdicts.count == share)
    #expect(world.ledger.admits(builders.submission(one)))
  }

  @Test func aSubmittersShareOfSpecBytesIsBounded() {
    var world = World(Builders(100))
    let builders = world.builders
    let entries = (0..<LedgerLimits.openJobsMax / 100).map {
      builders.submission(.sample(rebuild: UInt64(100 + $0), recipeBytes: 6_000))
    }
    let specBytes = BuildSpec.sample(rebuild: 100, recipeBytes: 6_000).encode().count
    let fitting = LedgerLimits.openSpecBytesMax / 100 / specBytes
    #expect(fitting < entries.count)
    let events = world.block(of: entries)
    #expect(events.refusals == Array(repeating: .shareUsedUp, count: entries.count - fitting))
    #expect(world.ledger.openJobs.count == fitting)
    #expect(!world.ledger.admits(entries[fitting]))
    #expect(world.ledger.admits(builders.submission(.sample(rebuild: 1, recipeBytes: 6_000), by: "bob")))
    #expect(world.block(later: 600_000).verdicts.count == fitting)
    #expect(world.ledger.admits(entries[fitting]))
  }

  @Test(arguments: ["no recipe", "no artifacts", "artifacts out of order"])
  func specsAreValidated(_ row: String) {
    let world = World()
    var spec = BuildSpec.sample(moreArtifacts: ["a", "z"])
    switch row {
    case "no recipe": spec.recipe = []
    case "no artifacts": spec.artifacts = []
    default: spec.artifacts.reverse()
    }
    var other = world
    #expect(!world.ledger.admits(world.builders.submission(spec)))
    #expect(other.block(world.builders.submission(spec)).refusals == [.invalidSpec])
  }

  @Test func aSpecWhoseEvidenceMightNotFitIsRefused() {
    var world = World()
    let paths = (0..<999).map { Text("some/folder/with/a/long/name/\(1000 + $0)") }
    let spec = BuildSpec.sample(moreArtifacts: paths)
    #expect(world.block(world.builders.submission(spec)).refusals == [.tooLarge])
  }
}
