// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/node.h: plugins that nodes can choose by name.

import CSync
import CSyncABI
import CSyncNode
import NativePlugins
import NodeAssembly
import SyncProof
import SyncRuntime
import Synchronization

/// What sync_registry points to.
final class RegistryObject: Sendable {
  let plugins = Mutex(PluginRegistry.shipped)
}

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
  String(cString: try required(start, name))
}

@c @implementation
public func sync_registry_create(
  _ flags: UInt32, _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    try check(flags: flags)
    created.pointee = retained(RegistryObject())
  }
}

@c @implementation
public func sync_registry_add(
  _ registry: OpaquePointer!, _ plugin: UnsafePointer<sync_plugin>!, _ userData: UnsafeMutableRawPointer!,
  _ destroyUserData: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    // Whatever is wrong, the user data is taken over.
    let plugin = Result { () throws(PluginError) in
      try NativePlugin(plugin, userData: userData, destroyUserData: destroyUserData, from: "The plugin")
    }
    let registry = try object(registry, "registry", RegistryObject.self)
    try failing { () throws(PluginError) in
      let plugin = try plugin.get()
      let result = registry.plugins.withLock { plugins in
        Result { () throws(PluginError) in try plugins.add(plugin) }
      }
      try result.get()
    }
  }
}

@c @implementation
public func sync_registry_load(
  _ registry: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let registry = try object(registry, "registry", RegistryObject.self)
    let path = try text(path, "path")
    try failing { () throws(PluginError) in
      let plugin = try PluginLibrary.load(path)
      let result = registry.plugins.withLock { plugins in
        Result { () throws(PluginError) in try plugins.add(plugin) }
      }
      try result.get()
    }
  }
}

@c @implementation
public func sync_registry_destroy(_ registry: OpaquePointer!) { release(registry, RegistryObject.self) }

/// Reads as much of an open struct of the caller's as there is; what is not there is zero.
func readStruct<Fields: BitwiseCopyable>(_ start: UnsafeRawPointer, as _: Fields.Type, _ name: StaticString)
  throws(CallError) -> Fields
{
  let sizeKnown = MemoryLayout<Fields>.size
  let size = start.loadUnaligned(as: UInt32.self)
  let version = start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
  guard version == UInt32(SYNC_ABI_VERSION) else {
    throw CallError(
      SYNC_ERROR_ABI_VERSION, Text("\(name).abi_version is \(version); this library's is \(SYNC_ABI_VERSION)"))
  }
  guard size >= UInt32(sizeKnown) else {
    throw CallError(SYNC_ERROR_STRUCT_SIZE, Text("\(name).struct_size is \(size); at least \(sizeKnown) is wanted"))
  }
  return start.loadUnaligned(as: Fields.self)
}
