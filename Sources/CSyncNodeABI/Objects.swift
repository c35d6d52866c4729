// What the functions of include/sync/node.h do alike: objects, texts, structs of the caller's.

import CSync
import CSyncABI
import SyncProof
import SyncRuntime

/// An object of ours behind a C pointer.
func object<Object: AnyObject>(_ pointer: OpaquePointer?, _ name: StaticString, _: Object.Type) throws(CallError)
  -> Object
{
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(try required(pointer, name))).takeUnretainedValue()
}

/// Counted once for the C caller, until ``release(_:_:)``.
func retained<Object: AnyObject>(_ object: Object) -> OpaquePointer {
  OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

func release<Object: AnyObject>(_ pointer: OpaquePointer?, _: Object.Type) {
  guard let pointer else { return }
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(pointer)).release()
}

/// The shell's refusals, as the caller of a C function gets them.
func failing<T>(_ work: () throws(PluginError) -> T) throws(CallError) -> T {
  do throws(PluginError) { return try work() } catch { throw CallError(error) }
}

/// A C string that must be there.
func text(_ start: UnsafePointer<CChar>?, _ name: StaticString) throws(CallError) -> String {
  try utf8(try required(start, name), "\(name)")
}

/// A C string. One that is no UTF-8 is refused: a path that is repaired would be another file's.
func utf8(_ start: UnsafePointer<CChar>, _ name: String) throws(CallError) -> String {
  guard let text = String(validatingCString: start) else {
    throw CallError(SYNC_ERROR_INVALID_ARGUMENT, Text("\(name) is not UTF-8"))
  }
  return text
}

/// Reads as much of an open struct of the caller's as there is; what is not there is zero.
///
/// - Parameter earlier: Its sizes in earlier versions, ascending: of one in between, the fields of the one below count.
func readStruct<Fields: BitwiseCopyable>(
  _ start: UnsafeRawPointer, as _: Fields.Type, _ name: StaticString, earlier: [Int] = []
) throws(CallError) -> Fields {
  let sizes = earlier + [MemoryLayout<Fields>.size]
  let size = start.loadUnaligned(as: UInt32.self)
  let version = start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
  guard version == UInt32(SYNC_ABI_VERSION) else {
    throw CallError(
      SYNC_ERROR_ABI_VERSION, Text("\(name).abi_version is \(version); this library's is \(SYNC_ABI_VERSION)"))
  }
  guard let known = sizes.last(where: { UInt32($0) <= size }) else {
    throw CallError(SYNC_ERROR_STRUCT_SIZE, Text("\(name).struct_size is \(size); at least \(sizes[0]) is wanted"))
  }
  return withUnsafeTemporaryAllocation(byteCount: MemoryLayout<Fields>.size, alignment: 16) { room in
    room.initializeMemory(as: UInt8.self, repeating: 0)
    room.copyMemory(from: UnsafeRawBufferPointer(start: start, count: known))
    return UnsafeRawBufferPointer(room).loadUnaligned(as: Fields.self)
  }
}
