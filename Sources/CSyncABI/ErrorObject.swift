// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/version.h: the error object.

import CSync
import SyncProof

/// Why a call is refused, before it becomes an object that C owns.
package struct CallError: Error {
  package let status: sync_status
  let message: Text
  let offset: Int?

  package init(_ status: sync_status, _ message: Text, at offset: Int? = nil) {
    (self.status, self.message, self.offset) = (status, message, offset)
  }

  /// The header gives SyncProof's codes the same numbers; a tidy test holds the two lists together.
  init(_ error: ProofError) {
    (status, message, offset) = (error.code.rawValue, error.sentence, error.offset)
  }

  /// Allocates the object that the caller of a C function is to destroy: one block of plain bytes, the header and
  /// then the message with a NUL. It is no Swift object, so that nothing counts its owners behind the C caller's back.
  func makeObject() -> OpaquePointer {
    let text = message.utf8
    let headerSize = MemoryLayout<ErrorHeader>.stride
    let block = UnsafeMutableRawPointer.allocate(
      byteCount: headerSize + text.count + 1, alignment: MemoryLayout<ErrorHeader>.alignment)
    block.storeBytes(of: ErrorHeader(offset: offset.map { Int64($0) } ?? -1, status: status), as: ErrorHeader.self)
    for i in 0..<text.count { block.storeBytes(of: text[i], toByteOffset: headerSize + i, as: UInt8.self) }
    block.storeBytes(of: 0, toByteOffset: headerSize + text.count, as: UInt8.self)
    return OpaquePointer(block)
  }
}

private struct ErrorHeader: BitwiseCopyable {
  let offset: Int64
  let status: sync_status
}

private func header(of error: OpaquePointer) -> ErrorHeader {
  UnsafeRawPointer(error).load(as: ErrorHeader.self)
}

@c @implementation
public func sync_error_get_code(_ error: OpaquePointer!) -> sync_status {
  guard let error else { return SYNC_OK }
  return header(of: error).status
}

@c @implementation
public func sync_error_get_message(_ error: OpaquePointer!) -> UnsafePointer<CChar>! {
  guard let error else { return cString("") }
  return (UnsafeRawPointer(error) + MemoryLayout<ErrorHeader>.stride).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func sync_error_get_offset(_ error: OpaquePointer!) -> Int64 {
  guard let error else { return -1 }
  return header(of: error).offset
}

@c @implementation
public func sync_error_destroy(_ error: OpaquePointer!) {
  guard let error else { return }
  UnsafeMutableRawPointer(error).deallocate()
}
