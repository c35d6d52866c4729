// swift-format-ignore-file: AlwaysUseLowerCamelCase
// What every function of include/ does alike: error objects, flags, bytes and open structs.

import CSync
import SyncProof

/// Runs a function's work and turns what it throws into a status and, where one is wanted, an error object.
package func call(
  _ error: UnsafeMutablePointer<OpaquePointer?>?, _ work: () throws(CallError) -> Void
) -> sync_status {
  if let error { error.pointee = nil }
  do throws(CallError) {
    try work()
    return SYNC_OK
  } catch let reason {
    if let error { error.pointee = reason.makeObject() }
    return reason.status
  }
}

/// SyncProof's own refusals, as the caller of a C function gets them.
func refusing<T>(_ work: () throws(ProofError) -> T) throws(CallError) -> T {
  do throws(ProofError) {
    return try work()
  } catch {
    throw CallError(error)
  }
}

package func check(flags: UInt32) throws(CallError) {
  guard flags == 0 else {
    throw CallError(SYNC_ERROR_UNKNOWN_FLAG, "flags is \(flags); this library knows no flag, so pass 0")
  }
}

/// An argument that must not be NULL.
package func required<T>(_ argument: T?, _ name: StaticString) throws(CallError) -> T {
  guard let argument else { throw CallError(SYNC_ERROR_NULL_ARGUMENT, "\(name) is NULL") }
  return argument
}

/// The same for an object, with which each call begins: not generic, since what asks for metadata costs as much as a
/// short call.
package func required(_ object: OpaquePointer?, _ name: StaticString) throws(CallError) -> OpaquePointer {
  guard let object else { throw CallError(SYNC_ERROR_NULL_ARGUMENT, "\(name) is NULL") }
  return object
}

/// Where a new object is to go; NULL there until there is one.
package func slot(
  _ created: UnsafeMutablePointer<OpaquePointer?>?
) throws(CallError) -> UnsafeMutablePointer<OpaquePointer?> {
  let created = try required(created, "created")
  created.pointee = nil
  return created
}

func digest(_ start: UnsafePointer<UInt8>?) throws(CallError) -> Digest {
  let bytes = UnsafeBufferPointer(start: try required(start, "artifact_sha256"), count: Digest.byteCount)
  guard let digest = Digest(bytes: bytes) else { preconditionFailure("32 bytes are a digest") }
  return digest
}

/// Bytes of the caller's: a pointer that may be NULL where the size is 0.
package struct Input {
  private let start: UnsafePointer<UInt8>?
  private let size: Int
  private let name: StaticString

  /// - Throws: A wrong call only: what the size says of the input comes later, with ``copy(max:)``.
  package init(_ start: UnsafePointer<UInt8>?, _ size: Int, _ name: StaticString) throws(CallError) {
    guard start != nil || size == 0 else {
      throw CallError(SYNC_ERROR_NULL_ARGUMENT, "\(name) is NULL, but its size is \(UInt(bitPattern: size))")
    }
    (self.start, self.size, self.name) = (start, size, name)
  }

  /// Copies the bytes, so that what was checked cannot change underneath.
  package func copy(max sizeMax: Int) throws(CallError) -> [UInt8] {
    // A size_t in the upper half of its range arrives as a negative number.
    guard (0...sizeMax).contains(size) else {
      throw CallError(
        SYNC_ERROR_TOO_LARGE, "\(name)_size is \(UInt(bitPattern: size)); at most \(sizeMax) bytes are taken")
    }
    return [UInt8](UnsafeBufferPointer(start: start, count: size))
  }
}

/// An open struct of the caller's, of which as much is there as its first word says.
package struct OpenStruct {
  private let start: UnsafeMutableRawPointer
  /// Bytes that the caller has and this library knows.
  private let count: Int
  /// struct_size and abi_version: the caller's, never written.
  private static let headSize = 8

  /// Zeroes what the call is to write, so that a refused one leaves no numbers that look like an answer.
  ///
  /// - Parameters:
  ///   - sizeMin: The struct's size when it was first published.
  ///   - sizeKnown: Its size today.
  init(
    _ fields: UnsafeMutableRawPointer?, sizeMin: Int, sizeKnown: Int, _ name: StaticString
  ) throws(CallError) {
    start = try required(fields, name)
    // The two leading words one by one: the whole of the struct may not be there.
    let size = start.loadUnaligned(as: UInt32.self)
    let version = start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    guard UInt64(size) >= UInt64(sizeMin) else {
      throw CallError(
        SYNC_ERROR_STRUCT_SIZE, "\(name).struct_size is \(size); at least \(sizeMin) is wanted")
    }
    guard version == UInt32(SYNC_ABI_VERSION) else {
      throw CallError(
        SYNC_ERROR_ABI_VERSION, "\(name).abi_version is \(version); this library's is \(SYNC_ABI_VERSION)")
    }
    count = Int(min(UInt64(size), UInt64(sizeKnown)))
    (start + OpenStruct.headSize).initializeMemory(as: UInt8.self, repeating: 0, count: count - OpenStruct.headSize)
  }

  /// A struct to which nothing was appended since it was first published.
  package init<Fields: BitwiseCopyable>(
    _ fields: UnsafeMutablePointer<Fields>?, _ name: StaticString
  ) throws(CallError) {
    let size = MemoryLayout<Fields>.size
    try self.init(UnsafeMutableRawPointer(fields), sizeMin: size, sizeKnown: size, name)
  }

  /// - Parameter fields: The struct whose size `sizeKnown` was; its two leading words are not looked at.
  package func fill<Fields: BitwiseCopyable>(from fields: Fields) {
    let (start, count) = (start, count)
    withUnsafeBytes(of: fields) { bytes in
      let known = bytes[OpenStruct.headSize..<min(count, bytes.count)]
      UnsafeMutableRawBufferPointer(start: start + OpenStruct.headSize, count: known.count).copyBytes(from: known)
    }
  }
}

/// Writes a digest into a field `uint8_t …[32]`, which Swift sees as a tuple.
package func store<Field: BitwiseCopyable>(_ digest: Digest, in field: inout Field) {
  let bytes = digest.bytes
  withUnsafeMutableBytes(of: &field) { field in
    for i in 0..<min(field.count, bytes.count) { field[i] = bytes[i] }
  }
}

/// Sets the bits of these numbers in a field of bytes.
func setBits<Field: BitwiseCopyable>(_ numbers: [Int], in field: inout Field) {
  withUnsafeMutableBytes(of: &field) { field in
    for number in numbers where number >> 3 < field.count { field[number >> 3] |= 1 << UInt8(number & 7) }
  }
}

/// Moves a value to where C holds it: a plain block, and no Swift object whose owners would be counted behind the C
/// caller's back.
func makeObject<Value>(_ value: Value) -> OpaquePointer {
  let block = UnsafeMutablePointer<Value>.allocate(capacity: 1)
  block.initialize(to: value)
  return OpaquePointer(block)
}

func destroyObject<Value>(_ object: OpaquePointer?, _: Value.Type) {
  guard let object else { return }
  let block = UnsafeMutablePointer<Value>(object)
  block.deinitialize(count: 1)
  block.deallocate()
}
