// swift-format-ignore-file: AlwaysUseLowerCamelCase
// What the page calls beside the C interface: the same verification, with the report that the programs print.

import CSync
import SyncProof

/// sync_verify, with what the proof shows, or why it does not, as the report's JSON.
///
/// - Returns: `size.pointee` bytes of UTF-8, for the caller to `free`.
@c
public func page_verify(
  _ policy: UnsafePointer<UInt8>?, _ policySize: Int, _ proof: UnsafePointer<UInt8>?, _ proofSize: Int,
  _ artifactSHA256: UnsafePointer<UInt8>?, _ size: UnsafeMutablePointer<Int>
) -> UnsafeMutablePointer<UInt8>? {
  report(size) { () throws(CallError) in
    let policy = try Input(policy, policySize, "policy").copy(max: ProofLimits.policyBytesMax)
    let proof = try Input(proof, proofSize, "proof").copy(max: ProofLimits.proofBytesMax)
    let artifact = try digest(artifactSHA256)
    do throws(ProofError) {
      return Report.verification(
        try Verifier.verify(proof: proof, policy: Policy(parsing: policy), artifact: artifact))
    } catch {
      return Report.refusal(error)
    }
  }
}

/// The proof's own word, which nobody has verified.
///
/// - Returns: As ``page_verify(_:_:_:_:_:_:)``.
@c
public func page_inspect(
  _ proof: UnsafePointer<UInt8>?, _ proofSize: Int, _ size: UnsafeMutablePointer<Int>
) -> UnsafeMutablePointer<UInt8>? {
  report(size) { () throws(CallError) in
    let proof = try Input(proof, proofSize, "proof").copy(max: ProofLimits.proofBytesMax)
    do throws(ProofError) {
      return Report.inspection(try Verifier.inspect(proof: proof))
    } catch {
      return Report.refusal(error)
    }
  }
}

private func report(
  _ size: UnsafeMutablePointer<Int>, _ make: () throws(CallError) -> [UInt8]
) -> UnsafeMutablePointer<UInt8>? {
  let json: [UInt8]
  do throws(CallError) {
    json = try make()
  } catch {
    json = Report.refusal(ProofError(ProofError.Code(rawValue: error.status), error.message, at: error.offset))
  }
  let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: json.count)
  copy.initialize(from: json, count: json.count)
  size.pointee = json.count
  return copy
}

/// sync_embedded_find, as JSON: `form`, `contentSize`, `proofOffset` and `proofSize`, or the report's refusal.
///
/// - Returns: As ``page_verify(_:_:_:_:_:_:)``.
@c
public func page_find_embedded(
  _ head: UnsafePointer<UInt8>?, _ headSize: Int, _ tail: UnsafePointer<UInt8>?, _ tailSize: Int, _ fileSize: UInt64,
  _ size: UnsafeMutablePointer<Int>
) -> UnsafeMutablePointer<UInt8>? {
  report(size) { () throws(CallError) in
    let head = try Input(head, headSize, "head").copy(max: EmbeddedProof.headBytes)
    let tail = try Input(tail, tailSize, "tail").copy(max: EmbeddedProof.tailBytes)
    do throws(ProofError) {
      let found = try EmbeddedProof.find(head: head, tail: tail, fileSize: fileSize)
      let json: String =
        "{\"form\":\(found.form.rawValue),\"contentSize\":\(found.contentSize),"
        + "\"proofOffset\":\(found.proofOffset),\"proofSize\":\(found.proofSize)}"
      return [UInt8](json.utf8)
    } catch {
      return Report.refusal(error)
    }
  }
}
