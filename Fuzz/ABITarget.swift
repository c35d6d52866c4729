import CSync
import Glibc
import SyncProof

/// Drives the C interface: the input is a list of calls, right and wrong, on two policies, two proofs and two hashers.
///
/// Bytes and structs are handed over in blocks of exactly the stated size, so that AddressSanitizer sees the first
/// byte that is read or written beyond.
func fuzzABI(_ bytes: [UInt8]) {
  var run = ABIRun(Choices(bytes))
  run.run()
}

private struct ABIRun {
  private var choices: Choices
  private var policies: [OpaquePointer?] = [nil, nil]
  private var proofs: [OpaquePointer?] = [nil, nil]
  private var hashers: [OpaquePointer?] = [nil, nil]
  /// What each hasher has taken since it was new.
  private var hashed: [[UInt8]] = [[], []]

  init(_ choices: Choices) { self.choices = choices }

  mutating func run() {
    var calls = 0
    while !choices.isAtEnd, calls < 24 {
      calls += 1
      let i = Int(choices.byte() & 1)
      switch choices.byte() % 15 {
      case 0: createPolicy(i)
      case 1: createProof(i)
      case 2: verifyOnce()
      case 3: verifyWithPolicy(i)
      case 4: verifyWithBoth(i)
      case 5: getInfo(i)
      case 6: getBuilder(i)
      case 7: getArtifact(i)
      case 8: getSource(i)
      case 9: getSignature(i)
      case 10: findEmbedded()
      case 11: createHasher(i)
      case 12: updateHasher(i)
      case 13: finishHasher(i)
      default: followPolicy(i)
      }
    }
    for i in 0..<2 {
      sync_policy_destroy(policies[i])
      sync_proof_destroy(proofs[i])
      sync_hasher_destroy(hashers[i])
    }
  }

  // MARK: Arguments

  /// Mostly 0.
  private mutating func flags() -> UInt32 { choices.byte() == 0xff ? UInt32(choices.byte()) : 0 }

  private mutating func seed() -> Seeds.Case {
    let cases = choices.byte() & 1 == 0 ? Seeds.accepted : Seeds.cases
    return cases[choices.below(cases.count)]
  }

  /// A text of the vectors as it is, with a byte changed, cut, or the fuzzer's own bytes.
  private mutating func text(_ seed: [UInt8]) -> [UInt8] {
    var out = seed
    switch choices.byte() % 5 {
    case 0, 1: break
    case 2: if !out.isEmpty { out[choices.below(out.count)] ^= choices.byte() }
    case 3: out.removeLast(min(out.count, choices.below(1 << 12)))
    default: out = choices.some(choices.below(1 << 9))
    }
    return out
  }

  private mutating func artifact(_ seed: Seeds.Case) -> [UInt8] {
    choices.byte() == 0 ? choices.some(32) + [UInt8](repeating: 0, count: 32) : seed.artifact.bytes
  }

  // MARK: Calls

  private mutating func createPolicy(_ i: Int) {
    sync_policy_destroy(policies[i])
    let policy = text(seed().policy)
    let flags = flags()
    var created: OpaquePointer? = OpaquePointer(bitPattern: 1)
    let status = checked(&choices) { error in
      withBlock(policy) { sync_policy_create($0, policy.count, flags, &created, error) }
    }
    hold((created != nil) == (status == SYNC_OK), "An object, or NULL")
    hold((status == SYNC_ERROR_UNKNOWN_FLAG) == (flags != 0), "Unknown flags are refused")
    hold(flags != 0 || (status == SYNC_OK) == ((try? Policy(parsing: policy)) != nil), "One parser")
    policies[i] = created
  }

  /// From a policy of the hand-overs' table, or from one that is there, to the other place or to its own.
  private mutating func followPolicy(_ i: Int) {
    let chain = Seeds.chains[choices.below(Seeds.chains.count)]
    if choices.byte() & 1 == 0 {
      sync_policy_destroy(policies[i])
      policies[i] = nil
      let policy = chain.policy
      hold(
        withBlock(policy) { sync_policy_create($0, policy.count, 0, &policies[i], nil) } == SYNC_OK
          || (try? Policy(parsing: policy)) == nil, "One parser")
    }
    for handover in chain.handovers.prefix(4) {
      let (from, flags) = (policies[i], flags())
      let (text, epoch) = (text(handover), chain.epoch &+ UInt64(choices.byte() % 3))
      var created: OpaquePointer? = OpaquePointer(bitPattern: 1)
      let status = checked(&choices) { error in
        withBlock(text) { sync_policy_follow(from, epoch, $0, text.count, flags, &created, error) }
      }
      hold((created != nil) == (status == SYNC_OK), "An object, or NULL")
      hold(from != nil || status >= 100, "NULL is refused")
      guard status == SYNC_OK else { return }
      guard let parsed = try? Proof(parsing: text) else { preconditionFailure("What is followed is a proof") }
      hold(flags == 0 && Seeds.isMade(parsed), "Nobody signed what this hand-over says")
      let place = choices.byte() & 3 == 0 ? 1 - i : i
      sync_policy_destroy(policies[place])
      policies[place] = created
    }
  }

  private mutating func createProof(_ i: Int) {
    sync_proof_destroy(proofs[i])
    let proof = text(seed().proof)
    var created: OpaquePointer? = OpaquePointer(bitPattern: 1)
    let status = checked(&choices) { error in
      withBlock(proof) { sync_proof_create($0, proof.count, 0, &created, error) }
    }
    hold((created != nil) == (status == SYNC_OK), "An object, or NULL")
    hold((status == SYNC_OK) == ((try? Verifier.inspect(proof: proof)) != nil), "One parser")
    proofs[i] = created
  }

  private mutating func verifyOnce() {
    let seed = seed()
    let (policy, proof, artifact, flags) = (text(seed.policy), text(seed.proof), artifact(seed), flags())
    let status = verified(proof) { verification, error in
      withBlock(policy) { policyStart in
        withBlock(proof) {
          sync_verify(policyStart, policy.count, $0, proof.count, artifact, flags, verification, error)
        }
      }
    }
    guard policy == seed.policy, proof == seed.proof, artifact == seed.artifact.bytes, flags == 0 else { return }
    hold(status == seed.status || status >= 100, "The table's status")
  }

  private mutating func verifyWithPolicy(_ i: Int) {
    let seed = seed()
    let (policy, proof, artifact, flags) = (policies[i], text(seed.proof), artifact(seed), flags())
    let status = verified(proof) { verification, error in
      withBlock(proof) { sync_policy_verify(policy, $0, proof.count, artifact, flags, verification, error) }
    }
    hold(policy != nil || status >= 100, "NULL is refused")
  }

  private mutating func verifyWithBoth(_ i: Int) {
    let (seed, proof, policy) = (seed(), proofs[i], policies[Int(choices.byte() & 1)])
    let (artifact, flags) = (artifact(seed), flags())
    let status = verified(nil) { verification, error in
      sync_proof_verify(proof, policy, artifact, flags, verification, error)
    }
    hold((proof != nil && policy != nil) || status >= 100, "NULL is refused")
  }

  /// - Parameter proof: Of which nobody but the vectors may be believed.
  private mutating func verified(
    _ proof: [UInt8]?,
    _ call: (UnsafeMutablePointer<sync_verification>?, UnsafeMutablePointer<OpaquePointer?>?) -> sync_status
  ) -> sync_status {
    var shown = sync_verification()
    let status = filled(&choices, &shown, least: 56) { verification, error in call(verification, error) }
    if status == SYNC_OK {
      if let proof {
        guard let parsed = try? Proof(parsing: proof) else { preconditionFailure("What is accepted is a proof") }
        hold(Seeds.isMade(parsed), "Nobody signed what this proof says")
      }
    } else {
      hold(shown.verdict == 0 && shown.reproducers == 0 && shown.tree_size == 0, "A refusal shows nothing")
    }
    return status
  }

  private mutating func getInfo(_ i: Int) {
    let proof = proofs[i]
    var info = sync_proof_info()
    let status = filled(&choices, &info) { sync_proof_get_info(proof, $0, $1) }
    guard status == SYNC_OK, info.struct_size >= MemoryLayout<sync_proof_info>.size else { return }
    for text in [info.log_origin, info.package, info.package_name, info.package_version, info.submitter] {
      hold(text != nil && strlen(text!) < 1024, "Strings are there and end")
    }
    hold((1...4).contains(info.verdict) && info.builder_count <= SYNC_BUILDERS_MAX, "Bounds hold")
    hold(
      info.signature_count <= SYNC_SIGNATURES_MAX && info.artifact_count <= SYNC_ARTIFACTS_MAX, "Bounds hold")
    hold(info.source_count <= SYNC_SOURCES_MAX && info.outcome_count <= info.builder_count, "Bounds hold")
    for (count, get) in [
      (info.builder_count, getBuilderCount), (info.artifact_count, getArtifactCount),
      (info.source_count, getSourceCount), (info.signature_count, getSignatureCount),
    ] {
      hold(count == 0 || get(proof, count - 1) == SYNC_OK, "The last one is there")
      hold(get(proof, count) == SYNC_ERROR_OUT_OF_RANGE, "The one behind it is not")
    }
  }

  private mutating func getBuilder(_ i: Int) {
    let (proof, index) = (proofs[i], index())
    var builder = sync_builder_info()
    let status = filled(&choices, &builder) { sync_proof_get_builder(proof, index, $0, $1) }
    guard status == SYNC_OK, builder.struct_size >= MemoryLayout<sync_builder_info>.size else { return }
    for text in [builder.name, builder.sandbox, builder.processor, builder.kernel] {
      hold(text != nil && strlen(text!) <= 64, "Strings are there and end")
    }
    hold((1...5).contains(builder.state) && (builder.state == 1 || builder.outcome == 0), "States are known")
    hold((builder.state == 1) == (strlen(builder.sandbox) > 0), "Who is absent says nothing")
  }

  private mutating func getArtifact(_ i: Int) {
    let (proof, index) = (proofs[i], index())
    var artifact = sync_artifact_info()
    let status = filled(&choices, &artifact) { sync_proof_get_artifact(proof, index, $0, $1) }
    guard status == SYNC_OK, artifact.struct_size >= MemoryLayout<sync_artifact_info>.size else { return }
    hold(artifact.path != nil && strlen(artifact.path) <= 255 && artifact.mode <= 0o7777, "Bounds hold")
  }

  private mutating func getSource(_ i: Int) {
    let (proof, index) = (proofs[i], index())
    var source = sync_source_info()
    let status = filled(&choices, &source) { sync_proof_get_source(proof, index, $0, $1) }
    guard status == SYNC_OK, source.struct_size >= MemoryLayout<sync_source_info>.size else { return }
    hold(source.package != nil && strlen(source.package) <= 255 && source.has_claim <= 1, "Bounds hold")
    hold(source.origin != nil && strlen(source.origin) <= 255, "Bounds hold")
  }

  private mutating func getSignature(_ i: Int) {
    let (proof, index) = (proofs[i], index())
    var signature = sync_signature_info()
    let status = filled(&choices, &signature) { sync_proof_get_signature(proof, index, $0, $1) }
    guard status == SYNC_OK, signature.struct_size >= MemoryLayout<sync_signature_info>.size else { return }
    hold(signature.name != nil && (1...512).contains(strlen(signature.name)), "Bounds hold")
    hold(signature.is_timed == 1 || (signature.is_timed == 0 && signature.time_seconds == 0), "Times are whole")
  }

  private mutating func index() -> UInt32 {
    choices.byte() < 0xf0 ? UInt32(choices.byte() % 8) : UInt32(truncatingIfNeeded: choices.word())
  }

  private mutating func findEmbedded() {
    var file = choices.some(choices.below(256))
    if choices.byte() & 1 == 1 {
      let length = choices.byte() < 0xe0 ? UInt64(choices.byte()) : choices.word()
      file += (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * UInt64($0))) } + EmbeddedProof.mark
    }
    var (headSize, tailSize, size) = (min(8, file.count), file.count, UInt64(file.count))
    let isTrue = choices.byte() < 0xe0
    if !isTrue {
      headSize = min(headSize, Int(choices.byte() % 10))
      tailSize = min(tailSize, choices.below(256))
      size = choices.word()
    }
    let (head, tail) = (Array(file.prefix(headSize)), Array(file.suffix(tailSize)))
    var found = sync_embedded()
    let status = filled(&choices, &found) { found, error in
      withBlock(head) { headStart in
        withBlock(tail) { sync_embedded_find(headStart, headSize, $0, tailSize, size, 0, found, error) }
      }
    }
    guard isTrue, status < 100 else { return }
    let wanted = try? EmbeddedProof.find(head: head, tail: tail, fileSize: size)
    hold((wanted != nil) == (status == SYNC_OK), "One reader")
    guard let wanted, found.struct_size >= MemoryLayout<sync_embedded>.size else { return }
    hold(
      found.form == wanted.form.rawValue && found.content_size == wanted.contentSize
        && found.proof_offset == wanted.proofOffset && found.proof_size == UInt64(wanted.proofSize), "One reader")
  }

  private mutating func createHasher(_ i: Int) {
    sync_hasher_destroy(hashers[i])
    let flags = flags()
    var created: OpaquePointer?
    let status = checked(&choices) { sync_hasher_create(flags, &created, $0) }
    hold((created != nil) == (status == SYNC_OK), "An object, or NULL")
    (hashers[i], hashed[i]) = (created, [])
  }

  private mutating func updateHasher(_ i: Int) {
    let (hasher, piece) = (hashers[i], choices.some(choices.below(300)))
    let status = checked(&choices) { error in
      withBlock(piece) { sync_hasher_update(hasher, $0, piece.count, error) }
    }
    hold((status == SYNC_OK) == (hasher != nil), "NULL is refused")
    if hasher != nil { hashed[i] += piece }
  }

  private mutating func finishHasher(_ i: Int) {
    let hasher = hashers[i]
    var digest = [UInt8](repeating: 0, count: 32)
    let status = checked(&choices) { sync_hasher_finish(hasher, &digest, $0) }
    hold((status == SYNC_OK) == (hasher != nil), "NULL is refused")
    hold(status != SYNC_OK || digest == SHA256.hash(hashed[i]).bytes, "The digest of all pieces")
    hashed[i] = []
  }
}

// MARK: Blocks

/// A block of its own, of exactly these bytes; NULL for none.
private func withBlock<T>(_ bytes: [UInt8], _ body: (UnsafePointer<UInt8>?) -> T) -> T {
  guard !bytes.isEmpty else { return body(nil) }
  let block = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
  defer { block.deallocate() }
  block.initialize(from: bytes, count: bytes.count)
  return body(block)
}

/// Calls with or without room for an error, and holds the error to the status.
private func checked(
  _ choices: inout Choices, _ call: (UnsafeMutablePointer<OpaquePointer?>?) -> sync_status
) -> sync_status {
  guard choices.byte() & 3 != 0 else { return call(nil) }
  var error: OpaquePointer? = OpaquePointer(bitPattern: 1)
  let status = call(&error)
  hold((error == nil) == (status == SYNC_OK), "An error for each refusal")
  hold(sync_error_get_code(error) == status, "The error's code is the status")
  hold(
    status == SYNC_OK || (1...SYNC_ERROR_WRONG_EPOCH).contains(status) || (100...105).contains(status),
    "Statuses are known")
  guard let message = sync_error_get_message(error) else { preconditionFailure("A message is never NULL") }
  hold(strlen(message) > 0 || status == SYNC_OK, "A refusal says why")
  hold(sync_error_get_offset(error) >= -1, "An offset, or none")
  sync_error_destroy(error)
  return status
}

/// Calls with a struct of some size, right or wrong, in a block of its own; then copies what is there into `out`.
///
/// - Parameter least: The struct's size when it was first published, the whole of it unless stated.
private func filled<Struct>(
  _ choices: inout Choices, _ out: inout Struct, least: Int = MemoryLayout<Struct>.size,
  _ call: (UnsafeMutablePointer<Struct>?, UnsafeMutablePointer<OpaquePointer?>?) -> sync_status
) -> sync_status {
  let whole = MemoryLayout<Struct>.size
  var (size, version) = (whole, UInt32(SYNC_ABI_VERSION))
  switch choices.byte() {
  case 0xc0...0xef: size = least - 4 + choices.below(whole - least + 40)
  case 0xf0...0xf7: size = 8 + choices.below(400)
  case 0xf8...0xfb: version = UInt32(choices.byte())
  case 0xfc: return checked(&choices) { call(nil, $0) }
  default: break
  }
  let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
  defer { block.deallocate() }
  memset(block, 0xa5, size)
  block.storeBytes(of: UInt32(size), as: UInt32.self)
  block.storeBytes(of: version, toByteOffset: 4, as: UInt32.self)
  let status = checked(&choices) { call(block.assumingMemoryBound(to: Struct.self), $0) }
  if size < least { hold(status == SYNC_ERROR_STRUCT_SIZE, "A struct too small is refused") }
  if size >= least, version != UInt32(SYNC_ABI_VERSION) {
    hold(status == SYNC_ERROR_ABI_VERSION, "Another version is refused")
  }
  guard status != SYNC_ERROR_STRUCT_SIZE, status != SYNC_ERROR_ABI_VERSION else { return status }
  hold(block.load(as: UInt32.self) == UInt32(size), "The caller's words stay")
  for i in whole..<max(whole, size) {
    let byte = block.load(fromByteOffset: i, as: UInt8.self)
    hold(byte == 0xa5 || byte == 0, "Nothing is made up behind the struct")
  }
  withUnsafeMutableBytes(of: &out) {
    $0.copyMemory(from: UnsafeRawBufferPointer(start: block, count: min(size, whole)))
  }
  return status
}

// MARK: The last of each

private func getBuilderCount(_ proof: OpaquePointer?, _ index: UInt32) -> sync_status {
  var one = sync_builder_info()
  (one.struct_size, one.abi_version) = (UInt32(MemoryLayout<sync_builder_info>.size), UInt32(SYNC_ABI_VERSION))
  return sync_proof_get_builder(proof, index, &one, nil)
}

private func getArtifactCount(_ proof: OpaquePointer?, _ index: UInt32) -> sync_status {
  var one = sync_artifact_info()
  (one.struct_size, one.abi_version) = (UInt32(MemoryLayout<sync_artifact_info>.size), UInt32(SYNC_ABI_VERSION))
  return sync_proof_get_artifact(proof, index, &one, nil)
}

private func getSourceCount(_ proof: OpaquePointer?, _ index: UInt32) -> sync_status {
  var one = sync_source_info()
  (one.struct_size, one.abi_version) = (UInt32(MemoryLayout<sync_source_info>.size), UInt32(SYNC_ABI_VERSION))
  return sync_proof_get_source(proof, index, &one, nil)
}

private func getSignatureCount(_ proof: OpaquePointer?, _ index: UInt32) -> sync_status {
  var one = sync_signature_info()
  (one.struct_size, one.abi_version) = (UInt32(MemoryLayout<sync_signature_info>.size), UInt32(SYNC_ABI_VERSION))
  return sync_proof_get_signature(proof, index, &one, nil)
}
