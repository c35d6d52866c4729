// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/verify.h: the proof inside an artifact's file.

import CSync
import SyncProof

@c @implementation
public func sync_embedded_find(
  _ head: UnsafePointer<UInt8>!, _ headSize: Int, _ tail: UnsafePointer<UInt8>!, _ tailSize: Int, _ fileSize: UInt64,
  _ flags: UInt32, _ found: UnsafeMutablePointer<sync_embedded>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let out = try OpenStruct(found, "sync_embedded")
    try check(flags: flags)
    let head = try end(head, headSize, most: EmbeddedProof.headBytes, of: fileSize, "head")
    let tail = try end(tail, tailSize, most: EmbeddedProof.tailBytes, of: fileSize, "tail")
    let place = try refusing { () throws(ProofError) in
      try EmbeddedProof.find(head: head, tail: tail, fileSize: fileSize)
    }
    var found = sync_embedded()
    found.form = place.form.rawValue
    found.content_size = place.contentSize
    found.proof_offset = place.proofOffset
    found.proof_size = UInt64(place.proofSize)
    out.fill(from: found)
  }
}

/// One end of the file, which must be as long as the file lets it be.
private func end(
  _ start: UnsafePointer<UInt8>?, _ size: Int, most sizeMax: Int, of fileSize: UInt64, _ name: StaticString
) throws(CallError) -> UnsafeBufferPointer<UInt8> {
  let wanted = Int(min(UInt64(sizeMax), fileSize))
  guard size == wanted else {
    throw CallError(
      SYNC_ERROR_INVALID_ARGUMENT,
      "\(name)_size is \(UInt(bitPattern: size)); of a file of \(fileSize) bytes it must be \(wanted)")
  }
  guard size > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
  return UnsafeBufferPointer(start: try required(start, name), count: size)
}
