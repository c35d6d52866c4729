import SyncProof
import Testing

@Suite struct SpecTests {
  @Test func theSampleIsReadBack() throws {
    let spec = Sample.spec()
    try spec.validate()
    #expect(try BuildSpec(parsing: spec.encode()) == spec)
    #expect(spec.jobID == SHA256.hash(spec.encode()))
    #expect(spec.root?.name == "itoa" && spec.root?.version == "1.0.1")
    #expect(spec.root?.directoryName == "itoa-1.0.1")
  }

  private static let changes: [(String, ProofError.Code, @Sendable (inout BuildSpec) -> Void)] = [
    ("package without version", .invalidSpec, { $0.package = "pkg:cargo/itoa" }),
    ("package not a source", .invalidSpec, { $0.package = "pkg:cargo/itoa@1.0.2" }),
    ("package of no type", .invalidSpec, { $0.package = "pkg:itoa@1" }),
    ("package with a line break", .invalidSpec, { $0.package = "pkg:cargo/itoa\n@1" }),
    ("empty target", .invalidSpec, { $0.target = "" }),
    ("target with slash", .invalidSpec, { $0.target = "a/b" }),
    ("profile with space", .invalidSpec, { $0.profile = "re lease" }),
    ("features unsorted", .invalidSpec, { $0.features.reverse() }),
    ("feature twice", .invalidSpec, { $0.features = ["std", "std"] }),
    ("feature with comma", .invalidSpec, { $0.features = ["a,b"] }),
    ("feature too long", .invalidSpec, { $0.features = [Text(utf8: [UInt8](repeating: 97, count: 129))] }),
    ("sources unsorted", .invalidSpec, { $0.sources.reverse() }),
    ("source twice", .invalidSpec, { $0.sources.append($0.sources[1]) }),
    ("no sources", .invalidSpec, { $0.sources = [] }),
    ("folder climbs", .invalidSpec, { $0.sources[1] = item("pkg:cargo/..@1") }),
    ("version climbs", .invalidSpec, { $0.sources[1] = item("pkg:cargo/x@../../y") }),
    ("name begins with a dash", .invalidSpec, { $0.sources[1] = item("pkg:cargo/-x@1") }),
    ("purl with qualifiers", .invalidSpec, { $0.sources[1] = item("pkg:cargo/x@1?a=b") }),
    (
      "two sources in one folder", .invalidSpec,
      { $0.sources = [$0.sources[0], item("pkg:cargo/x-1@2"), item("pkg:cargo/x@1-2")] }
    ),
    (
      "source of two types in one folder", .invalidSpec,
      { $0.sources = [$0.sources[0], item("pkg:crate/itoa@1.0.1")] }
    ),
    (
      "origin with space", .invalidSpec,
      { $0.sources[1] = SourceItem(purl: "pkg:cargo/x@1", tree: .zero, claim: nil, origin: "a b") }
    ),
    ("variable twice", .invalidSpec, { $0.environment = [$0.environment[0], $0.environment[0]] }),
    ("variables unsorted", .invalidSpec, { $0.environment.reverse() }),
    ("variable begins with a digit", .invalidSpec, { $0.environment = [EnvironmentVariable(name: "1A", value: "")] }),
    ("value with newline", .invalidSpec, { $0.environment = [EnvironmentVariable(name: "A", value: "x\ny")] }),
    (
      "value too long", .invalidSpec,
      { $0.environment = [EnvironmentVariable(name: "A", value: Text(utf8: [UInt8](repeating: 97, count: 1_025)))] }
    ),
    ("no wall time", .invalidSpec, { $0.limits.wallSeconds = 0 }),
    ("too much wall time", .invalidSpec, { $0.limits.wallSeconds = 604_801 }),
    ("no CPU time", .invalidSpec, { $0.limits.cpuSeconds = 0 }),
    ("no memory", .invalidSpec, { $0.limits.memoryBytes = 0 }),
    ("no processes", .invalidSpec, { $0.limits.processes = 0 }),
    ("no disk", .invalidSpec, { $0.limits.diskBytes = 0 }),
    ("endless transcript", .invalidSpec, { $0.limits.transcriptBytes = .max }),
    ("no recipe", .invalidSpec, { $0.recipe = [] }),
    ("recipe too long", .invalidSpec, { $0.recipe = [UInt8](repeating: 97, count: 16_385) }),
    ("no artifacts", .invalidSpec, { $0.artifacts = [] }),
    ("artifacts unsorted", .invalidSpec, { $0.artifacts.reverse() }),
    ("artifact twice", .invalidSpec, { $0.artifacts = ["a", "a"] }),
    ("absolute path", .invalidSpec, { $0.artifacts = ["/a"] }),
    ("path climbs", .invalidSpec, { $0.artifacts = ["a/../b"] }),
    ("dot in path", .invalidSpec, { $0.artifacts = ["./a"] }),
    ("empty component", .invalidSpec, { $0.artifacts = ["a//b"] }),
    ("folder", .invalidSpec, { $0.artifacts = ["a/"] }),
    ("path with space", .invalidSpec, { $0.artifacts = ["a b"] }),
    ("path not ASCII", .invalidSpec, { $0.artifacts = ["\u{e9}"] }),
    ("path of 256 bytes", .invalidSpec, { $0.artifacts = [Text(utf8: [UInt8](repeating: 97, count: 256))] }),
    ("more than fits a leaf", .tooLarge, { $0.artifacts = many(1_000) }),
    ("1,001 artifacts", .invalidSpec, { $0.artifacts = many(1_001) }),
  ]

  private static func item(_ purl: Text) -> SourceItem {
    SourceItem(purl: purl, tree: .zero, claim: nil, origin: "pkg:generic/x@1")
  }

  private static func many(_ count: Int) -> [Text] { (0..<count).map { Text("\($0)") }.sorted() }

  @Test(arguments: changes.indices) func whatIsOutOfBoundsIsRefused(_ row: Int) {
    let (name, wanted, change) = Self.changes[row]
    var spec = Sample.spec()
    change(&spec)
    #expect(code { try spec.validate() } == wanted, "\(name)")
    // What cannot be written cannot be read either, whatever the reason.
    #expect(code { _ = try BuildSpec(parsing: spec.encode()) } != nil, "\(name)")
  }

  private static let texts: [(String, String, String)] = [
    ("no last newline", "share/LICENSE\n", "share/LICENSE"),
    ("carriage return", "rebuild 0\n", "rebuild 0\r\n"),
    ("leading zero", "rebuild 0\n", "rebuild 00\n"),
    ("number too large", "rebuild 0\n", "rebuild 18446744073709551616\n"),
    ("upper-case digest", "toolchain ", "toolchain A"),
    ("two spaces", "rebuild 0", "rebuild  0"),
    ("trailing line", "share/LICENSE\n", "share/LICENSE\nx\n"),
    ("empty line", "rebuild 0\n", "rebuild 0\n\n"),
    ("line gone", "rebuild 0\n", ""),
    ("lines swapped", "target x86_64-unknown-linux-gnu\nprofile release\n", "profile release\ntarget x86_64\n"),
    ("variable without value", "SOURCE_DATE_EPOCH=", "SOURCE_DATE_EPOCH"),
    ("base64 without padding", "=\n", "\n"),
    ("empty lock", "lock ", "lock -"),
    ("claim of two dashes", " - pkg:deb", " -- pkg:deb"),
  ]

  @Test(arguments: texts.indices) func textIsStrict(_ row: Int) {
    let (name, old, new) = Self.texts[row]
    let bytes = Sample.spec().encode()
    let changed = bytes.replacing(old, with: new)
    #expect(changed != bytes, "\(name)")
    #expect(code { _ = try BuildSpec(parsing: changed) } != nil, "\(name)")
  }

  @Test func anotherVersionIsNamed() {
    let bytes = Sample.spec().encode().replacing("spec/v1", with: "spec/v2")
    #expect(code { _ = try BuildSpec(parsing: bytes) } == .unsupportedVersion)
  }

  @Test func everyFlippedBitIsAnotherSpecOrRefused() throws {
    let spec = Sample.spec()
    let bytes = spec.encode()
    for bit in 0..<bytes.count * 8 {
      let flipped = bytes.flipping(bit: bit)
      guard let other = try? BuildSpec(parsing: flipped) else { continue }
      #expect(other != spec && other.jobID != spec.jobID && other.encode() == flipped, "bit \(bit)")
    }
  }
}

@Suite struct OutcomeTests {
  static let outcomes: [Outcome] = [
    Sample.built(), .failed(.exitStatus(101)), .failed(.signal(9)), .failed(.wallTime), .failed(.cpuTime),
    .failed(.memory), .failed(.processes), .failed(.disk), .failed(.transcript),
    .failed(.missingArtifact("libitoa.rlib")), .failed(.badArtifact("share/LICENSE")),
    .failed(.recipe("needs-network")), .failed(.recipe("a")),
    .failed(.recipe(Text(String(repeating: "z9-", count: 21)))),
  ]

  @Test(arguments: outcomes) func eachIsReadBack(_ outcome: Outcome) throws {
    let bytes = outcome.encode()
    #expect(try Outcome(parsing: bytes) == outcome)
    #expect(outcome.answers(Sample.spec()))
    for bit in 0..<bytes.count * 8 {
      let flipped = bytes.flipping(bit: bit)
      guard let other = try? Outcome(parsing: flipped) else { continue }
      #expect(other != outcome && other.digest != outcome.digest && other.encode() == flipped, "bit \(bit)")
    }
  }

  @Test(arguments: ["a", "no-manifest", "a-", "z9", "a--b", String(repeating: "a", count: 63)])
  func aRecipeMayNameItsFailure(_ name: String) {
    #expect(FailureReason.isName(Text(name)))
    #expect(
      Outcome.failed(.recipe(Text(name))).encode() == [UInt8]("synchronicity-outcome/v1\nfailed recipe \(name)\n".utf8))
  }

  @Test(arguments: [
    "", "A", "a b", "9", "-", "\u{e4}", "a\n", "a{", "a`", "a\u{7f}", String(repeating: "a", count: 64),
  ])
  func othersAreNoNames(_ name: String) { #expect(!FailureReason.isName(Text(name))) }

  /// A spec's bound is reckoned with artifacts; a failure never needs more.
  @Test func aFailureIsNoLongerThanArtifacts() {
    let artifact = Artifact(path: "a", mode: 0o644, size: .max, sha256: .zero)
    let name = Text(String(repeating: "a", count: ProofLimits.failureNameBytesMax))
    #expect(Outcome.failed(.recipe(name)).encode().count < Outcome.built([artifact]).encode().count)
  }

  @Test func digestsDiffer() {
    #expect(Set(Self.outcomes.map { $0.digest }).count == Self.outcomes.count)
  }

  @Test(arguments: [
    "built\n", "failed exit-status 0\n", "failed exit-status 256\n", "failed signal 0\n", "failed signal 128\n",
    "failed exit-status\n", "failed\n", "failed wall-time \n", "failed boredom\n", "failed wall-time\nx\n",
    "failed missing-artifact ../x\n", "failed bad-artifact \n", "",
    "failed recipe\n", "failed recipe \n", "failed recipe  a\n", "failed recipe a \n", "failed recipe a b\n",
    "failed recipe a\nb\n", "failed recipe a\r\n", "failed recipe a", "failed recipe 1a\n", "failed recipe -a\n",
    "failed recipe A\n", "failed recipe aB\n", "failed recipe a_b\n", "failed recipe a.b\n", "failed recipe a/b\n",
    "failed recipe \u{e4}\n", "failed recipe a\0\n", "failed recipe a\t\n",
    "failed recipe \(String(repeating: "a", count: 64))\n",
  ])
  func othersAreRefused(_ text: String) {
    #expect(code { _ = try Outcome(parsing: [UInt8]("synchronicity-outcome/v1\n" + text)) } == .malformed)
  }

  @Test func whatAnswersAnotherSpecIsSeen() {
    #expect(!Sample.built(spec: Sample.spec(artifacts: ["other"])).answers(Sample.spec()))
    #expect(!Outcome.failed(.missingArtifact("other")).answers(Sample.spec()))
    #expect(!Outcome.built([Sample.built().artifacts[0]]).answers(Sample.spec()))
  }

  @Test func artifactsAreSortedAndBounded() throws {
    let artifacts = Sample.built().artifacts
    #expect(code { _ = try Outcome(parsing: Outcome.built(artifacts.reversed()).encode()) } == .malformed)
    #expect(code { _ = try Outcome(parsing: Outcome.built([artifacts[0], artifacts[0]]).encode()) } == .malformed)
    let many = (0..<1_001).map {
      Artifact(path: Text("\(10_000 + $0)"), mode: 0o644, size: 0, sha256: .zero)
    }
    #expect(code { _ = try Outcome(parsing: Outcome.built(many).encode()) } == .tooLarge)
    #expect(code { _ = try Outcome(parsing: Outcome.built(many.dropLast()).encode()) } == nil)
    let wide = Artifact(path: "a", mode: 0o7777, size: .max, sha256: .zero)
    #expect(try Outcome(parsing: Outcome.built([wide]).encode()) == .built([wide]))
  }
}
