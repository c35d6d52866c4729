// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/verify.h: what a proof says.

import CSync
import SyncProof

@c @implementation
public func sync_proof_get_info(
  _ proof: OpaquePointer!, _ info: UnsafeMutablePointer<sync_proof_info>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let out = try OpenStruct(info, "sync_proof_info")
    let object = try object(behind: proof)
    let (proof, evidence) = (object.inspection.proof, object.evidence)
    var info = sync_proof_info()
    info.log_origin = object.infoText(0)
    info.package = object.infoText(1)
    info.package_name = object.infoText(2)
    info.package_version = object.infoText(3)
    info.submitter = object.infoText(4)
    store(evidence.jobID, in: &info.job_id)
    if let root = evidence.spec.root { store(root.tree, in: &info.source_sha256) }
    store(evidence.spec.toolchain, in: &info.toolchain_sha256)
    info.leaf_index = proof.index
    info.tree_size = proof.checkpoint.treeSize
    info.epoch = evidence.epoch
    info.height = evidence.height
    info.time_milliseconds = evidence.timeMilliseconds
    info.verdict = number(of: evidence.verdict)
    info.agreeing = UInt32(clamping: evidence.agreeing)
    info.reproducers = UInt32(clamping: evidence.reproducers)
    info.builder_count = UInt32(clamping: evidence.builders.count)
    info.artifact_count = UInt32(clamping: evidence.artifacts.count)
    info.source_count = UInt32(clamping: evidence.spec.sources.count)
    info.signature_count = UInt32(clamping: proof.note.signatures.count)
    info.outcome_count = UInt32(clamping: evidence.outcomes.count)
    out.fill(from: info)
  }
}

@c @implementation
public func sync_proof_get_builder(
  _ proof: OpaquePointer!, _ index: UInt32, _ builder: UnsafeMutablePointer<sync_builder_info>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let out = try OpenStruct(builder, "sync_builder_info")
    let object = try object(behind: proof)
    let evidence = object.evidence
    let i = try checked(index, below: evidence.builders.count, "builders")
    var builder = sync_builder_info()
    switch evidence.builders[i] {
    case .revealed(_, let outcome, _, _, _):
      builder.state = SYNC_BUILDER_REVEALED
      builder.outcome = UInt32(clamping: outcome)
      store(evidence.outcomes[outcome].digest, in: &builder.outcome_sha256)
    case .absent(_, let absence):
      builder.state = number(of: absence)
    }
    builder.name = object.builderText(i, 0)
    builder.sandbox = object.builderText(i, 1)
    builder.processor = object.builderText(i, 2)
    builder.kernel = object.builderText(i, 3)
    out.fill(from: builder)
  }
}

@c @implementation
public func sync_proof_get_artifact(
  _ proof: OpaquePointer!, _ index: UInt32, _ artifact: UnsafeMutablePointer<sync_artifact_info>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let out = try OpenStruct(artifact, "sync_artifact_info")
    let object = try object(behind: proof)
    let artifacts = object.evidence.artifacts
    let i = try checked(index, below: artifacts.count, "artifacts")
    var artifact = sync_artifact_info()
    artifact.path = object.artifactText(i)
    artifact.size = artifacts[i].size
    artifact.mode = UInt32(artifacts[i].mode)
    store(artifacts[i].sha256, in: &artifact.sha256)
    out.fill(from: artifact)
  }
}

@c @implementation
public func sync_proof_get_source(
  _ proof: OpaquePointer!, _ index: UInt32, _ source: UnsafeMutablePointer<sync_source_info>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let out = try OpenStruct(source, "sync_source_info")
    let object = try object(behind: proof)
    let sources = object.evidence.spec.sources
    let i = try checked(index, below: sources.count, "sources")
    var source = sync_source_info()
    source.package = object.sourceText(i, 0)
    source.origin = object.sourceText(i, 1)
    store(sources[i].tree, in: &source.tree_sha256)
    if let claim = sources[i].claim {
      store(claim, in: &source.claimed_sha256)
      source.has_claim = 1
    }
    out.fill(from: source)
  }
}

@c @implementation
public func sync_proof_get_signature(
  _ proof: OpaquePointer!, _ index: UInt32, _ signature: UnsafeMutablePointer<sync_signature_info>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let out = try OpenStruct(signature, "sync_signature_info")
    let object = try object(behind: proof)
    let signatures = object.inspection.proof.note.signatures
    let i = try checked(index, below: signatures.count, "signatures")
    var signature = sync_signature_info()
    signature.name = object.signatureText(i)
    signature.key_id = signatures[i].keyID
    if signatures[i].blob.count == Cosignature.byteCount {
      signature.is_timed = 1
      for byte in signatures[i].blob.prefix(8) { signature.time_seconds = signature.time_seconds << 8 | UInt64(byte) }
    }
    out.fill(from: signature)
  }
}

/// The object behind the handle.
private func object(behind proof: OpaquePointer?) throws(CallError) -> ProofObject {
  UnsafePointer<ProofObject>(try required(proof, "proof")).pointee
}

private func checked(_ index: UInt32, below count: Int, _ what: StaticString) throws(CallError) -> Int {
  guard UInt64(index) < UInt64(count) else {
    throw CallError(SYNC_ERROR_OUT_OF_RANGE, "index is \(index), but the proof has \(count) \(what)")
  }
  return Int(index)
}

private func number(of verdict: Verdict) -> Int32 {
  switch verdict {
  case .reproduced: SYNC_VERDICT_REPRODUCED
  case .diverged: SYNC_VERDICT_DIVERGED
  case .failed: SYNC_VERDICT_FAILED
  case .inconclusive: SYNC_VERDICT_INCONCLUSIVE
  }
}

private func number(of absence: Absence) -> Int32 {
  switch absence {
  case .noCommitment: SYNC_BUILDER_NO_COMMITMENT
  case .noReveal: SYNC_BUILDER_NO_REVEAL
  case .wrongOpening: SYNC_BUILDER_WRONG_OPENING
  case .sandboxFault: SYNC_BUILDER_SANDBOX_FAULT
  }
}
