// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/verify.h: SHA-256 of bytes that come in pieces.

import CSync
import SyncProof

@c @implementation
public func sync_hasher_create(
  _ flags: UInt32, _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    try check(flags: flags)
    created.pointee = makeObject(SHA256.Stream())
  }
}

@c @implementation
public func sync_hasher_update(
  _ hasher: OpaquePointer!, _ bytes: UnsafeRawPointer!, _ size: Int, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let hasher = UnsafeMutablePointer<SHA256.Stream>(try required(hasher, "hasher"))
    guard size != 0 else { return }
    let bytes = try required(bytes, "bytes")
    // No object is larger than half of the address space: such a size is a mistake, not a length.
    guard size > 0 else {
      throw CallError(SYNC_ERROR_TOO_LARGE, "size is \(UInt(bitPattern: size)); at most \(Int.max) bytes are taken")
    }
    hasher.pointee.update(UnsafeRawBufferPointer(start: bytes, count: size))
  }
}

@c @implementation
public func sync_hasher_finish(
  _ hasher: OpaquePointer!, _ sha256: UnsafeMutablePointer<UInt8>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let hasher = UnsafeMutablePointer<SHA256.Stream>(try required(hasher, "hasher"))
    let sha256 = try required(sha256, "sha256")
    let digest = hasher.pointee.finish().bytes
    for i in digest.indices { sha256[i] = digest[i] }
    hasher.pointee = SHA256.Stream()
  }
}

@c @implementation
public func sync_hasher_destroy(_ hasher: OpaquePointer!) { destroyObject(hasher, SHA256.Stream.self) }
