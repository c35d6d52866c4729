// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/verify.h: converts and checks the arguments; SyncProof decides.

import CSync
import SyncProof

/// The struct's size when it was first published: the least that a caller may have.
private let verificationSizeMin: UInt32 = 56

@c @implementation
public func sync_verify(
  _ policy: UnsafePointer<UInt8>!, _ policySize: Int, _ proof: UnsafePointer<UInt8>!, _ proofSize: Int,
  _ artifactSHA256: UnsafePointer<UInt8>!, _ flags: UInt32, _ verification: UnsafeMutablePointer<sync_verification>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  if let error { error.pointee = nil }
  do throws(CallError) {
    // First of all: a call that is refused further down must not leave numbers that look like an answer.
    if let verification { try clear(verification) }
    guard flags == 0 else {
      throw CallError(SYNC_ERROR_UNKNOWN_FLAG, "flags is \(flags); this library knows no flag, so pass 0")
    }
    guard let artifactSHA256 else {
      throw CallError(SYNC_ERROR_NULL_ARGUMENT, "artifact_sha256 is NULL; \(SYNC_SHA256_SIZE) bytes are wanted")
    }
    let result = try verify(
      policy: bytes(policy, policySize, max: ProofLimits.policyBytesMax, named: "policy"),
      proof: bytes(proof, proofSize, max: ProofLimits.proofBytesMax, named: "proof"),
      artifact: UnsafeBufferPointer(start: artifactSHA256, count: Int(SYNC_SHA256_SIZE)))
    if let verification { fill(verification, from: result) }
    return SYNC_OK
  } catch {
    return refuse(error)
  }

  func refuse(_ reason: CallError) -> sync_status {
    if let error { error.pointee = reason.makeObject() }
    return reason.status
  }
}

/// Zeroes what the call is to write, once the struct is known to have room for it.
private func clear(_ verification: UnsafeMutablePointer<sync_verification>) throws(CallError) {
  // The two leading words one by one: the whole of the struct may not be there.
  let words = UnsafeRawPointer(verification)
  let size = words.load(as: UInt32.self)
  let version = words.load(fromByteOffset: 4, as: UInt32.self)
  guard size >= verificationSizeMin else {
    throw CallError(
      SYNC_ERROR_STRUCT_SIZE, "sync_verification.struct_size is \(size); at least \(verificationSizeMin) is wanted")
  }
  guard version == UInt32(SYNC_ABI_VERSION) else {
    throw CallError(
      SYNC_ERROR_ABI_VERSION, "sync_verification.abi_version is \(version); this library's is \(SYNC_ABI_VERSION)")
  }
  var empty = sync_verification()
  empty.struct_size = size
  empty.abi_version = version
  verification.pointee = empty
}

/// Copies the caller's bytes, so that what was checked cannot change underneath.
private func bytes(
  _ start: UnsafePointer<UInt8>?, _ size: Int, max sizeMax: Int, named name: StaticString
) throws(CallError) -> [UInt8] {
  // A size_t in the upper half of its range arrives as a negative number.
  guard (0...sizeMax).contains(size) else {
    throw CallError(
      SYNC_ERROR_TOO_LARGE, "\(name)_size is \(UInt(bitPattern: size)); at most \(sizeMax) bytes are taken")
  }
  guard size > 0 else { return [] }
  guard let start else { throw CallError(SYNC_ERROR_NULL_ARGUMENT, "\(name) is NULL, but its size is \(size)") }
  return [UInt8](UnsafeBufferPointer(start: start, count: size))
}

private func verify(
  policy: [UInt8], proof: [UInt8], artifact: UnsafeBufferPointer<UInt8>
) throws(CallError) -> Verification {
  guard let artifact = Digest(bytes: artifact) else { preconditionFailure("A digest of 32 bytes is a digest") }
  do throws(ProofError) {
    return try Verifier.verify(proof: proof, policy: Policy(parsing: policy), artifact: artifact)
  } catch {
    throw CallError(error)
  }
}

private func fill(_ verification: UnsafeMutablePointer<sync_verification>, from result: Verification) {
  verification.pointee.verdict = SYNC_VERDICT_REPRODUCED
  verification.pointee.cosigners = UInt32(clamping: result.cosigners.count)
  verification.pointee.reproducers = UInt32(clamping: result.reproducers.count)
  verification.pointee.builders = UInt32(clamping: result.evidence.builders.count)
  verification.pointee.leaf_index = result.index
  verification.pointee.tree_size = result.checkpoint.treeSize
  verification.pointee.height = result.evidence.height
  verification.pointee.time_milliseconds = result.evidence.timeMilliseconds
}
