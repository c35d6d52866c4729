// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/node.h: bytes that a call gives.

import CSync
import CSyncABI
import CSyncNode

private let headSize = 16

/// One block: the size, then the bytes, then a NUL.
func makeBytes(_ bytes: [UInt8]) -> OpaquePointer {
  let block = UnsafeMutableRawPointer.allocate(byteCount: headSize + bytes.count + 1, alignment: headSize)
  block.storeBytes(of: bytes.count, as: Int.self)
  (block + headSize).copyMemory(from: bytes, byteCount: bytes.count)
  block.storeBytes(of: 0, toByteOffset: headSize + bytes.count, as: UInt8.self)
  return OpaquePointer(block)
}

@c @implementation
public func sync_bytes_get_start(_ bytes: OpaquePointer!) -> UnsafePointer<UInt8>! {
  guard let bytes else { return nil }
  return (UnsafeRawPointer(bytes) + headSize).assumingMemoryBound(to: UInt8.self)
}

@c @implementation
public func sync_bytes_get_size(_ bytes: OpaquePointer!) -> Int {
  guard let bytes else { return 0 }
  return UnsafeRawPointer(bytes).load(as: Int.self)
}

@c @implementation
public func sync_bytes_destroy(_ bytes: OpaquePointer!) {
  guard let bytes else { return }
  UnsafeMutableRawPointer(bytes).deallocate()
}
