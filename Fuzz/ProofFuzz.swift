// libFuzzer target over every parser of SyncProof and the verifier.
//
// Build and run (a minute; Linux, libsodium-dev):
//
//   swiftc -swift-version 6 -g -O -parse-as-library -package-name synchronicity -sanitize=fuzzer,address \
//     -I Sources/CSodium Sources/SyncProof/*.swift Fuzz/ProofFuzz.swift -o proof-fuzz
//   mkdir -p corpus && cp Tests/SyncProofTests/Goldens/* corpus/
//   ASAN_OPTIONS=detect_leaks=0 ./proof-fuzz -max_total_time=60 -max_len=8192 corpus
//
// What must hold: nothing traps; what a canonical parser accepts it writes back byte by byte; a policy is read back
// as itself; nothing that the fuzzer makes up is proved. A finding becomes a row of a unit test.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzProof(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  canonical(bytes) { try NoteKey(vkey: $0).vkey }
  canonical(bytes) { try SignedNote(parsing: $0).encode() }
  canonical(bytes) { try Checkpoint(parsingBody: $0).body() }
  canonical(bytes) { try BuildSpec(parsing: $0).encode() }
  canonical(bytes) { try Outcome(parsing: $0).encode() }
  canonical(bytes) { try Reveal(parsing: $0).encode() }
  canonical(bytes) { try Evidence(parsing: $0).encode() }
  canonical(bytes) { try Proof(parsing: $0).encode() }
  canonical(bytes) { try MerkleFrontier(parsing: $0).encode() }
  canonical(bytes) { try Tile(path: Text(utf8: $0)).path.utf8 }
  if let decoded = Base64.decode(bytes) { precondition(Base64.encode(decoded) == bytes, "One value, one base64") }
  entries(bytes)
  paths(bytes)
  if let policy = try? Policy(parsing: bytes) {
    let again = try? Policy(parsing: policy.encode())
    precondition(again == policy, "A policy is read back as itself")
    _ = policy.exportTlogPolicy()
    _ = policy.meetsQuorum(policy.witnesses.map { $0.name })
  }
  if let policy = samplePolicy, let proof = try? Proof(parsing: bytes) {
    if (try? Verifier.verify(proof: proof, policy: policy, artifact: .zero)) != nil {
      preconditionFailure("The fuzzer has no keys")
    }
    _ = try? Verifier.verifyEvidence(leaf: proof.leaf, origin: proof.checkpoint.origin, policy: policy)
  }
  return 0
}

private func canonical(_ bytes: [UInt8], _ roundTrip: ([UInt8]) throws -> [UInt8]) {
  guard let back = try? roundTrip(bytes) else { return }
  precondition(back == bytes, "What is accepted is canonical")
}

private func entries(_ bytes: [UInt8]) {
  guard let width = bytes.first, let tile = Tile(.entries, index: 0, width: Int(width) + 1) else { return }
  let rest = [UInt8](bytes.dropFirst())
  guard let entries = try? tile.decodeEntries(rest) else { return }
  precondition(Tile.encode(entries: entries) == rest, "What is accepted is canonical")
}

/// Sizes and hashes from the input: the checks of paths must not trap whatever they are given.
private func paths(_ bytes: [UInt8]) {
  var reader = ByteReader(bytes)
  guard let a = try? reader.read(UInt64.self), let b = try? reader.read(UInt64.self),
    let c = try? reader.read(UInt64.self), let root = try? reader.readDigest()
  else { return }
  var path: [Digest] = []
  while path.count < 70, let digest = try? reader.readDigest() { path.append(digest) }
  try? Merkle.verifyInclusion(leafHash: root, index: a, treeSize: b, path: path, root: root)
  try? Merkle.verifySubtreeInclusion(leafHash: root, index: a, start: b, end: c, path: path, root: root)
  try? Merkle.verifyConsistency(oldSize: a, oldRoot: root, newSize: b, newRoot: root, path: path)
  try? Merkle.verifySubtreeConsistency(
    start: a, end: b, subtreeRoot: root, treeSize: c, treeRoot: root, path: path)
}

/// Knows the names of the golden proof, with other keys.
private let samplePolicy: Policy? = {
  let origin: Text = "demo.synchronicity.example"
  guard let one = PublicKey(bytes: SHA256.hash([1]).bytes), let two = PublicKey(bytes: SHA256.hash([2]).bytes),
    let log = try? NoteKey(name: origin, kind: .ed25519, publicKey: one),
    let builder = try? NoteKey(name: "ada.demo.synchronicity.example", kind: .ed25519, publicKey: two)
  else { return nil }
  return try? Policy(
    logs: [PolicyLog(key: log)], witnesses: [], builders: [PolicyBuilder(name: "ada", key: builder)], groups: [],
    quorum: nil, reproducers: "ada")
}()
