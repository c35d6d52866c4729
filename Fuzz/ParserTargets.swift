import SyncProof

func fuzzNote(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try SignedNote(parsing: bytes).encode() }
  guard let note = try? SignedNote(parsing: bytes) else { return }
  hold((1...ProofLimits.signaturesMax).contains(note.signatures.count), "Bounds hold")
  for policy in Seeds.policies {
    let keys = policy.logs.map { $0.key } + policy.witnesses.map { $0.key }
    guard let verified = try? note.verifiedSignatures(by: keys) else { continue }
    for signature in verified {
      let message = signature.timestamp.map { Cosignature.message(timestamp: $0, body: note.text) } ?? note.text
      hold(Seeds.isSigned(message), "Nobody signed this text")
    }
  }
}

func fuzzCheckpoint(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try Checkpoint(parsingBody: bytes).body() }
  guard let checkpoint = try? Checkpoint(parsingBody: bytes) else { return }
  hold(checkpoint.treeSize <= ProofLimits.treeSizeMax && !checkpoint.origin.utf8.isEmpty, "Bounds hold")
}

func fuzzProof(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try Proof(parsing: bytes).encode() }
  guard let proof = try? Proof(parsing: bytes) else {
    hold((try? Verifier.inspect(proof: bytes)) == nil, "What is no proof cannot be looked into")
    return
  }
  let inspection = try? Verifier.inspect(proof: bytes)
  let artifact = inspection?.evidence.artifacts.first?.sha256 ?? .zero
  for policy in Seeds.policies {
    guard let result = try? Verifier.verify(proof: bytes, policy: policy, artifact: artifact) else { continue }
    hold(Seeds.isMade(proof), "Nobody signed what this proof says")
    hold(result.evidence == inspection?.evidence && result.index == proof.index, "One proof, one meaning")
    hold(policy.meetsReproducers(result.reproducers), "The thresholds are met")
    hold(policy.meetsQuorum(result.cosigners.map { $0.name }), "The thresholds are met")
    hold(
      (try? Verifier.verify(proof: bytes, policy: policy, artifact: .zero)) == nil, "Nothing has this digest")
  }
}

func fuzzEvidence(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try Evidence(parsing: bytes).encode() }
  guard let evidence = try? Evidence(parsing: bytes) else { return }
  hold(bytes.count <= ProofLimits.leafBytesMax, "Bounds hold")
  hold(Evidence.leafBytesWorst(for: evidence.spec) <= ProofLimits.leafBytesMax, "Bounds hold")
  let supporters = evidence.supporters
  hold(supporters == supporters.sorted(by: >) && !supporters.contains(0), "Most builders first")
  hold((supporters.first ?? 0) == evidence.agreeing, "The count is the lines'")
  hold(
    Evidence.judge(
      supporters: supporters, leaderIsBuilt: evidence.outcomes.first?.outcome?.isBuilt ?? false,
      reproducers: evidence.reproducers) == evidence.verdict, "The verdict is the lines'")
  hold((evidence.verdict == .reproduced) == !evidence.artifacts.isEmpty, "Artifacts are agreed on")
  for policy in Seeds.policies {
    guard let verified = try? Verifier.verifyEvidence(leaf: bytes, origin: evidence.group, policy: policy) else {
      continue
    }
    // Reveals are signed each for itself, so the fuzzer may leave builders out, but make none.
    hold(verified.agreeing.count <= evidence.agreeing, "Who agrees is counted once")
    hold(verified.agreeing.count == verified.agreeingIndices.count, "Who agrees is counted once")
    for i in verified.agreeingIndices {
      guard case .revealed(let name, let outcome, let nonce, let statement, _) = evidence.builders[i] else {
        hold(false, "Who agrees has revealed")
        continue
      }
      let message = Reveal.signedBytes(
        group: evidence.group, job: evidence.jobID, builder: name, outcome: evidence.outcomes[outcome].digest,
        nonce: nonce, statement: statement)
      hold(Seeds.isSigned(message), "Nobody signed this outcome")
    }
  }
}

/// The input as a leaf, and as a proof to follow from wherever the vectors' chains lead.
func fuzzHandover(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try Handover(parsing: bytes).encode() }
  if let handover = try? Handover(parsing: bytes) {
    hold(bytes.count <= ProofLimits.leafBytesMax && handover.epoch < .max, "Bounds hold")
    hold((1...ProofLimits.buildersMax).contains(handover.approvals.count), "Bounds hold")
    hold(handover.policy.logs.allSatisfy { $0.key.name == handover.group }, "Another group has no say")
    hold((try? Evidence(parsing: bytes)) == nil, "A leaf is of one kind")
    for place in Seeds.places {
      guard (try? place.verifyHandover(leaf: bytes, origin: handover.group)) != nil else { continue }
      let signers = handover.approvals.filter {
        Seeds.isSigned(
          Handover.signedBytes(
            group: handover.group, epoch: handover.epoch, policy: handover.policyDigest, builder: $0.builder))
      }
      hold(!signers.isEmpty, "Nobody signed this hand-over")
    }
  }
  for place in Seeds.places {
    var chain = place
    guard (try? chain.follow(proof: bytes)) != nil else {
      hold(chain == place, "After a refusal the chain is as it was")
      continue
    }
    guard let proof = try? Proof(parsing: bytes) else { return hold(false, "What is followed is a proof") }
    hold(Seeds.isMade(proof), "Nobody signed what this hand-over says")
    hold(chain.policies.count == place.policies.count + 1, "One hand-over, one policy")
    hold(chain.policies.dropLast().elementsEqual(place.policies), "What was followed before stays")
    hold(chain.epoch == place.epoch.map { $0 + 1 }, "One hand-over, one epoch")
    let end = chain
    hold((try? chain.follow(proof: bytes)) == nil && chain == end, "A hand-over is followed once")
  }
}

func fuzzSpec(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try BuildSpec(parsing: bytes).encode() }
  guard let spec = try? BuildSpec(parsing: bytes) else { return }
  hold(spec.root.map { spec.isRoot($0) } == true, "The package is a source")
  hold(Evidence.leafBytesWorst(for: spec) <= ProofLimits.leafBytesMax, "Bounds hold")
  for source in spec.sources {
    hold(!source.name.utf8.isEmpty && !source.version.utf8.isEmpty, "A purl has both")
    hold(!source.directoryName.utf8.contains(UInt8(ascii: "/")), "A folder's name is one")
  }
  for path in spec.artifacts { hold(path.utf8.first != UInt8(ascii: "/"), "Paths are relative") }
}

func fuzzOutcome(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try Outcome(parsing: bytes).encode() }
  canonical(bytes) { bytes throws(ProofError) in try Reveal(parsing: bytes).encode() }
  guard let outcome = try? Outcome(parsing: bytes) else { return }
  hold(outcome.isBuilt == !outcome.artifacts.isEmpty, "A build has artifacts")
}

func fuzzPolicy(_ bytes: [UInt8]) {
  guard let policy = try? Policy(parsing: bytes) else { return }
  let again = try? Policy(parsing: policy.encode())
  hold(again == policy, "A policy is read back as itself")
  hold(again?.encode() == policy.encode(), "One policy, one text")
  _ = policy.exportTlogPolicy()
  hold(policy.meetsQuorum(policy.witnesses.map { $0.name }), "All witnesses are enough")
  hold(policy.meetsReproducers(policy.builders.map { $0.name }), "All builders are enough")
  hold(!policy.meetsReproducers([]), "Nobody is never enough")
  hold(policy.quorum == nil || !policy.meetsQuorum([]), "Nobody is enough only for no quorum")
}

/// The whole file is the input: its ends are cut from it as callers cut them.
func fuzzEmbedded(_ bytes: [UInt8]) {
  let head = bytes.prefix(EmbeddedProof.headBytes)
  let tail = bytes.suffix(EmbeddedProof.tailBytes)
  let size = UInt64(bytes.count)
  if let found = try? EmbeddedProof.find(head: head, tail: tail, fileSize: size) {
    if found.form == .none {
      hold(found.contentSize == size && found.proofSize == 0 && found.proofOffset == 0, "Nothing is found")
    } else {
      let proof = Array(bytes[Int(found.proofOffset)...].prefix(found.proofSize))
      hold(proof.count == found.proofSize && found.contentSize <= found.proofOffset, "The proof is inside")
      let content = Array(bytes[..<Int(found.contentSize)])
      if let region = try? EmbeddedProof.region(
        for: proof, contentHead: Array(content.prefix(8)), contentEnd: Array(content.suffix(16)),
        contentSize: found.contentSize)
      {
        hold(content + region == bytes, "A file is written in one way")
      } else {
        hold(EmbeddedProof.isMarked(content.suffix(16)) || content.count < 8, "What is found can be embedded")
      }
    }
  }
  // The same bytes as content: what is embedded is found, and taking it away gives the content back.
  let proof = Array(bytes.prefix(1 + bytes.count % 7)) + [0]
  guard
    let region = try? EmbeddedProof.region(
      for: proof, contentHead: Array(head), contentEnd: Array(bytes.suffix(16)), contentSize: size)
  else { return }
  let file = bytes + region
  let found = try? EmbeddedProof.find(
    head: file.prefix(EmbeddedProof.headBytes), tail: file.suffix(EmbeddedProof.tailBytes), fileSize: UInt64(file.count)
  )
  hold(found?.contentSize == size && found?.proofSize == proof.count, "What is embedded is found")
}

/// What is too small for a target of its own.
func fuzzParts(_ bytes: [UInt8]) {
  canonical(bytes) { bytes throws(ProofError) in try NoteKey(vkey: bytes).vkey }
  canonical(bytes) { bytes throws(ProofError) in try MerkleFrontier(parsing: bytes).encode() }
  canonical(bytes) { bytes throws(ProofError) in try Tile(path: Text(utf8: bytes)).path.utf8 }
  if let decoded = Base64.decode(bytes) { hold(Base64.encode(decoded) == bytes, "One value, one base64") }
  if let decoded = Hex.decode(bytes) { hold(Hex.encode(decoded) == bytes, "One value, one hexadecimal") }
  entries(bytes)
  paths(bytes)
  pieces(bytes)
}

private func entries(_ bytes: [UInt8]) {
  guard let width = bytes.first, let tile = Tile(.entries, index: 0, width: Int(width) + 1) else { return }
  let rest = [UInt8](bytes.dropFirst())
  guard let entries = try? tile.decodeEntries(rest) else { return }
  hold(Tile.encode(entries: entries) == rest, "What is accepted is canonical")
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

/// A digest of pieces is the digest of the whole.
private func pieces(_ bytes: [UInt8]) {
  var stream = SHA256.Stream()
  var rest = bytes[...]
  while let first = rest.first {
    let piece = rest.prefix(Int(first) + 1)
    stream.update([UInt8](piece))
    rest = rest.dropFirst(piece.count)
  }
  hold(stream.finish() == SHA256.hash(bytes), "One text, one digest")
}
