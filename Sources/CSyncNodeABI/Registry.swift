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
