// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/verify.h, verifying: converts and checks the arguments; SyncProof decides.

import CSync
import SyncProof

@c @implementation
public func sync_verify(
  _ policy: UnsafePointer<UInt8>!, _ policySize: Int, _ proof: UnsafePointer<UInt8>!, _ proofSize: Int,
  _ artifactSHA256: UnsafePointer<UInt8>!, _ flags: UInt32, _ verification: UnsafeMutablePointer<sync_verification>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let answer = try Answer(verification)
    try check(flags: flags)
    let policy = try Input(policy, policySize, "policy")
    let proof = try Input(proof, proofSize, "proof")
    let artifact = try digest(artifactSHA256)
    let parsed: Policy
    do throws(CallError) {
      parsed = try parse(policy: policy)
    } catch {
      // Two inputs, one offset: say which of them it is in.
      throw CallError(error.status, "In the policy: \(error.message)", at: error.offset)
    }
    answer.fill(from: try verify(proof, policy: parsed, artifact: artifact))
  }
}

@c @implementation
public func sync_policy_create(
  _ policy: UnsafePointer<UInt8>!, _ policySize: Int, _ flags: UInt32,
  _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    try check(flags: flags)
    created.pointee = makeObject(PolicyChain(try parse(policy: try Input(policy, policySize, "policy"))))
  }
}

@c @implementation
public func sync_policy_follow(
  _ policy: OpaquePointer!, _ epoch: UInt64, _ handover: UnsafePointer<UInt8>!, _ handoverSize: Int, _ flags: UInt32,
  _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    try check(flags: flags)
    var chain = UnsafePointer<PolicyChain>(try required(policy, "policy")).pointee
    let bytes = try Input(handover, handoverSize, "handover").copy(max: ProofLimits.proofBytesMax)
    _ = try refusing { () throws(ProofError) in try chain.follow(proof: bytes, endingEpoch: epoch) }
    created.pointee = makeObject(chain)
  }
}

@c @implementation
public func sync_policy_verify(
  _ policy: OpaquePointer!, _ proof: UnsafePointer<UInt8>!, _ proofSize: Int,
  _ artifactSHA256: UnsafePointer<UInt8>!, _ flags: UInt32, _ verification: UnsafeMutablePointer<sync_verification>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let answer = try Answer(verification)
    try check(flags: flags)
    let chain = UnsafePointer<PolicyChain>(try required(policy, "policy"))
    let proof = try Input(proof, proofSize, "proof")
    let artifact = try digest(artifactSHA256)
    let bytes = try proof.copy(max: ProofLimits.proofBytesMax)
    answer.fill(
      from: try refusing { () throws(ProofError) in try chain.pointee.verify(proof: bytes, artifact: artifact) })
  }
}

@c @implementation
public func sync_policy_destroy(_ policy: OpaquePointer!) { destroyObject(policy, PolicyChain.self) }

@c @implementation
public func sync_proof_verify(
  _ proof: OpaquePointer!, _ policy: OpaquePointer!, _ artifactSHA256: UnsafePointer<UInt8>!, _ flags: UInt32,
  _ verification: UnsafeMutablePointer<sync_verification>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let answer = try Answer(verification)
    try check(flags: flags)
    let proof = UnsafePointer<ProofObject>(try required(proof, "proof"))
    let chain = UnsafePointer<PolicyChain>(try required(policy, "policy"))
    let artifact = try digest(artifactSHA256)
    answer.fill(
      from: try refusing { () throws(ProofError) in
        try chain.pointee.verify(inspected: proof.pointee.inspection, artifact: artifact)
      })
  }
}

private func parse(policy: Input) throws(CallError) -> Policy {
  let bytes = try policy.copy(max: ProofLimits.policyBytesMax)
  return try refusing { () throws(ProofError) in try Policy(parsing: bytes) }
}

private func verify(_ proof: Input, policy: Policy, artifact: Digest) throws(CallError) -> Verification {
  let bytes = try proof.copy(max: ProofLimits.proofBytesMax)
  return try refusing { () throws(ProofError) in
    try Verifier.verify(proof: bytes, policy: policy, artifact: artifact)
  }
}

/// The caller's sync_verification, where there is one.
private struct Answer {
  private let fields: OpenStruct?

  init(_ verification: UnsafeMutablePointer<sync_verification>?) throws(CallError) {
    guard let verification else {
      fields = nil
      return
    }
    // Up to and without the two fields of bits.
    fields = try OpenStruct(
      verification, sizeMin: 56, sizeKnown: MemoryLayout<sync_verification>.size, "sync_verification")
  }

  func fill(from result: Verification) {
    guard let fields else { return }
    var answer = sync_verification()
    answer.verdict = SYNC_VERDICT_REPRODUCED
    answer.cosigners = UInt32(clamping: result.cosigners.count)
    answer.reproducers = UInt32(clamping: result.reproducers.count)
    answer.builders = UInt32(clamping: result.evidence.builders.count)
    answer.leaf_index = result.index
    answer.tree_size = result.checkpoint.treeSize
    answer.height = result.evidence.height
    answer.time_milliseconds = result.evidence.timeMilliseconds
    setBits(result.reproducerIndices, in: &answer.reproducer_bits)
    setBits(result.cosigners.map { $0.signatureIndex }, in: &answer.cosigner_bits)
    fields.fill(from: answer)
  }
}
