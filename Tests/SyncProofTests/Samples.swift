import CSodium
import SyncProof

/// An Ed25519 key pair made from a label.
struct SampleKey {
  let publicKey: PublicKey
  private let secret: [UInt8]

  init(_ label: String) {
    let seed = SHA256.hash([UInt8](label)).bytes
    var publicBytes = [UInt8](repeating: 0, count: 32)
    var secret = [UInt8](repeating: 0, count: 64)
    precondition(crypto_sign_seed_keypair(&publicBytes, &secret, seed) == 0, "A seed of 32 bytes gives a pair")
    self.secret = secret
    publicKey = PublicKey(bytes: publicBytes)!
  }

  func sign(_ message: [UInt8]) -> Signature {
    var signature = [UInt8](repeating: 0, count: 64)
    crypto_sign_detached(&signature, nil, message, UInt64(message.count), secret)
    return Signature(bytes: signature)!
  }
}

/// A group of four builders, a log of thirteen leaves and a proof for one of them, all the same on every run.
struct Sample {
  static let origin: Text = "demo.synchronicity.example"
  static let members = ["ada", "bob", "cyd", "dee"]

  static func key(_ member: String, _ role: String) -> SampleKey { SampleKey("\(member) \(role)") }

  static func logKey(_ member: String) throws -> NoteKey {
    try NoteKey(name: origin, kind: .ed25519, publicKey: key(member, "log").publicKey)
  }

  static func cosignerKey(_ member: String) throws -> NoteKey {
    try NoteKey(
      name: Text("\(member).\(origin.string)"), kind: .cosignatureV1, publicKey: key(member, "cosigner").publicKey)
  }

  static func builderKey(_ member: String) throws -> NoteKey {
    try NoteKey(
      name: Text("\(member).\(origin.string)"), kind: .ed25519, publicKey: key(member, "builder").publicKey)
  }

  /// Witnesses `<member>-cosigner`, builders `<member>`.
  static func policy(
    quorum: Int = 3, reproducers: Int = 3, logs: [String] = ["ada", "bob"], witnesses: [String] = members,
    builders: [String] = members
  ) throws -> Policy {
    try Policy(
      logs: logs.map { PolicyLog(key: try logKey($0), url: $0 == "ada" ? "https://ada.example/log" : nil) },
      witnesses: witnesses.map { PolicyWitness(name: Text("\($0)-cosigner"), key: try cosignerKey($0)) },
      builders: builders.map { PolicyBuilder(name: Text($0), key: try builderKey($0)) },
      groups: [
        PolicyGroup(name: "cosigners", threshold: quorum, members: witnesses.map { Text("\($0)-cosigner") }),
        PolicyGroup(name: "rebuilders", threshold: reproducers, members: builders.map { Text($0) }),
      ],
      quorum: "cosigners", reproducers: "rebuilders")
  }

  static func spec(artifacts: [Text] = ["libitoa.rlib", "share/LICENSE"]) -> BuildSpec {
    BuildSpec(
      package: "pkg:cargo/itoa@1.0.1", rebuild: 0, toolchain: SHA256.hash([UInt8]("toolchain")),
      target: "x86_64-unknown-linux-gnu", profile: "release", features: ["default", "std"],
      sources: [
        SourceItem(
          purl: "pkg:cargo/itoa@1.0.1", tree: SHA256.hash([UInt8]("itoa tree")),
          claim: SHA256.hash([UInt8]("itoa crate")),
          origin: "pkg:deb/debian/librust-itoa-dev@1.0.1-1?arch=amd64"),
        SourceItem(
          purl: "pkg:cargo/ryu@1.0.2", tree: SHA256.hash([UInt8]("ryu tree")), claim: nil,
          origin: "pkg:deb/debian/librust-ryu-dev@1.0.2-1?arch=amd64"),
      ],
      lock: SHA256.hash([UInt8]("Cargo.lock")),
      environment: [
        EnvironmentVariable(name: "RUSTFLAGS", value: "-C debuginfo=0"),
        EnvironmentVariable(name: "SOURCE_DATE_EPOCH", value: "1640995200"),
      ],
      limits: Limits(
        wallSeconds: 600, cpuSeconds: 1_200, memoryBytes: 2_147_483_648, processes: 256, diskBytes: 4_294_967_296,
        transcriptBytes: 1_048_576),
      recipe: [UInt8]("set -e\ncargo build --release --offline\ncp target/release/libitoa.rlib /output/\n"),
      artifacts: artifacts)
  }

  static func built(_ variant: String = "", spec: BuildSpec = spec()) -> Outcome {
    .built(
      spec.artifacts.map { path in
        Artifact(path: path, mode: 0o644, size: 4_096, sha256: SHA256.hash(path.utf8 + [UInt8](variant)))
      })
  }

  /// The digest of the first artifact of the agreed outcome.
  static var artifact: Digest { built().artifacts[0].sha256 }

  static func reveal(_ member: String, _ outcome: Outcome, spec: BuildSpec = spec()) throws -> Reveal {
    try Reveal(
      group: origin, job: spec.jobID, builder: Text(member), outcome: outcome,
      nonce: SHA256.hash([UInt8]("nonce of \(member)")).bytes,
      statement: BuilderStatement(
        sandbox: "chroot/0.1", processor: Text("Example CPU of \(member)"), kernel: "Linux 6.1.0"))
  }

  static func report(_ member: String, _ outcome: Outcome, spec: BuildSpec = spec()) throws -> BuilderReport {
    let reveal = try reveal(member, outcome, spec: spec)
    return .revealed(reveal, key(member, "builder").sign(reveal.signedBytes()))
  }

  static func evidence(
    _ reports: [BuilderReport]? = nil, reproducers: Int = 3, spec: BuildSpec = spec(), group: Text = origin
  ) throws -> Evidence {
    try Evidence(
      group: group, epoch: 1, height: 42, timeMilliseconds: 1_790_000_000_000, submitter: "ada",
      reproducers: reproducers, spec: spec,
      reports: reports ?? [
        try report("ada", built()), try report("bob", built()), .absent(name: "cyd", .noReveal),
        try report("dee", built()),
      ])
  }

  /// A log of `size` leaves with `leaf` at `index`.
  static func tree(_ leaf: [UInt8], index: UInt64, size: UInt64) -> SampleTree {
    var tree = SampleTree()
    for i in 0..<size { tree.append(i == index ? leaf : [UInt8]("leaf \(i)")) }
    return tree
  }

  static func proof(
    leaf: [UInt8], index: UInt64 = 5, size: UInt64 = 13, origin: Text = origin, logs: [String] = ["ada"],
    cosigners: [String] = ["ada", "bob", "dee"]
  ) throws -> Proof {
    let tree = tree(leaf, index: index, size: size)
    let body = Checkpoint(origin: origin, treeSize: size, root: tree.root).body()
    var signatures: [NoteSignature] = []
    for member in logs {
      let name = try NoteKey(name: origin, kind: .ed25519, publicKey: key(member, "log").publicKey)
      signatures.append(NoteSignature(key: name, signature: key(member, "log").sign(body)))
    }
    for (i, member) in cosigners.enumerated() {
      let timestamp = 1_790_000_001 + UInt64(i)
      let message = Cosignature.message(timestamp: timestamp, body: body)
      signatures.append(
        NoteSignature(
          key: try cosignerKey(member), timestamp: timestamp, signature: key(member, "cosigner").sign(message)))
    }
    return try Proof(
      leaf: leaf, index: index, path: tree.inclusionPath(index, size),
      note: SignedNote(text: body, signatures: signatures))
  }

  static func proof(cosigners: [String] = ["ada", "bob", "dee"]) throws -> Proof {
    try proof(leaf: try evidence().encode(), cosigners: cosigners)
  }
}

/// Every complete subtree's root, by level.
struct SampleTree {
  private(set) var levels: [[Digest]] = [[]]

  var size: UInt64 { UInt64(levels[0].count) }
  var root: Digest { size == 0 ? Merkle.emptyRoot : MerkleProver.root(start: 0, end: size, hash: hash) }

  mutating func append(_ leaf: [UInt8]) {
    levels[0].append(Merkle.leafHash(leaf))
    var level = 0
    while levels[level].count % 2 == 0 {
      if levels.count == level + 1 { levels.append([]) }
      let below = levels[level]
      levels[level + 1].append(Merkle.nodeHash(below[below.count - 2], below[below.count - 1]))
      level += 1
    }
  }

  func hash(_ level: Int, _ index: UInt64) -> Digest { levels[level][Int(index)] }

  func root(at size: UInt64) -> Digest {
    size == 0 ? Merkle.emptyRoot : MerkleProver.root(start: 0, end: size, hash: hash)
  }

  func inclusionPath(_ index: UInt64, _ size: UInt64) -> [Digest] {
    MerkleProver.inclusionPath(index: index, treeSize: size, hash: hash)
  }

  func consistencyPath(_ old: UInt64, _ new: UInt64) -> [Digest] {
    MerkleProver.consistencyPath(oldSize: old, newSize: new, hash: hash)
  }
}
