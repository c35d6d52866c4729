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
  /// Those of them that were added here.
  private let added = Mutex<[NativePlugin]>([])

  func add(_ plugin: NativePlugin) throws(PluginError) {
    let result = plugins.withLock { plugins in
      Result { () throws(PluginError) in try plugins.add(plugin) }
    }
    try result.get()
    added.withLock { $0.append(plugin) }
  }

  /// The one of that name that was added.
  func plugin(_ name: String) throws(PluginError) -> NativePlugin {
    let named = added.withLock { $0.filter { $0.name == name } }
    guard let plugin = named.first else {
      throw PluginError(.notFound, "No plugin named '\(name.prefix(64))' was added to this registry")
    }
    guard named.count == 1 else {
      let kinds = named.map(\.kind.rawValue).joined(separator: " and a ")
      throw PluginError(.invalid, "\(name) is a \(kinds) here: add the one to check to a registry of its own")
    }
    return plugin
  }
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
    try failing { () throws(PluginError) in try registry.add(try plugin.get()) }
  }
}

@c @implementation
public func sync_registry_load(
  _ registry: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let registry = try object(registry, "registry", RegistryObject.self)
    let path = try text(path, "path")
    try failing { () throws(PluginError) in try registry.add(try PluginLibrary.load(path)) }
  }
}

@c @implementation
public func sync_registry_destroy(_ registry: OpaquePointer!) { release(registry, RegistryObject.self) }
