import CSyncNode
import Glibc
import SyncProof
import SyncRuntime

/// A plugin's table as the program or the shared object gave it, checked and copied. Thread: any.
public final class NativePlugin: Sendable {
  public enum Kind: String, Sendable { case sandbox, signer, source, storage, transport }

  public let name: String
  public let version: String
  public let kind: Kind
  let table: Table

  /// The copied functions; each may be called from any thread.
  struct Table: @unchecked Sendable {
    var plugin: sync_plugin
    var sandbox = sync_sandbox_methods()
    var signer = sync_signer_methods()
    var source = sync_source_methods()
    var storage = sync_storage_methods()
    var transport = sync_transport_methods()
    var userData: UnsafeMutableRawPointer?
    var destroyUserData: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    /// Of a source: the types of purls that it serves.
    var type = ""
    var originType = ""
  }

  /// Checks a table of this process.
  ///
  /// - Parameters:
  ///   - plugin: Valid until this returns.
  ///   - from: What messages call it.
  /// - Throws: ``PluginError/Code/invalid`` with what is wrong in it. Then `destroyUserData` has been called.
  public init(
    _ plugin: UnsafePointer<sync_plugin>?, userData: UnsafeMutableRawPointer? = nil,
    destroyUserData: (@convention(c) (UnsafeMutableRawPointer?) -> Void)? = nil, from: String
  ) throws(PluginError) {
    do throws(PluginError) {
      (table, name, version, kind) = try NativePlugin.read(plugin, userData, destroyUserData, from)
    } catch {
      NativePlugin.end(userData, destroyUserData)
      throw error
    }
  }

  deinit { NativePlugin.end(table.userData, table.destroyUserData) }

  private static func end(
    _ userData: UnsafeMutableRawPointer?, _ destroy: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  ) {
    guard let destroy else { return }
    nonisolated(unsafe) let userData = userData
    CallThreads.detach { destroy(userData) }
  }

  private static func read(
    _ given: UnsafePointer<sync_plugin>?, _ userData: UnsafeMutableRawPointer?,
    _ destroy: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, _ from: String
  ) throws(PluginError) -> (Table, String, String, Kind) {
    guard let given else { throw PluginError(.invalid, "\(from) gives no plugin: it cannot work with this runtime") }
    let plugin = try copy(given, from)
    var table = Table(plugin: plugin, userData: userData, destroyUserData: destroy)
    guard let name = plugin.name.map({ String(cString: $0) }), let version = plugin.version.map({ String(cString: $0) })
    else { throw PluginError(.invalid, "\(from): a plugin has a name and a version; one is NULL") }
    guard (1...64).contains(version.utf8.count), version.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw PluginError(.invalid, "\(from): a version is 1 to 64 printable characters without spaces")
    }
    guard plugin.create != nil else { throw PluginError(.invalid, "\(from): create is NULL") }
    var kinds: [Kind] = []
    if let methods = plugin.sandbox {
      try check(methods, "sync_sandbox_methods", MemoryLayout<sync_sandbox_methods>.size, from)
      table.sandbox = methods.pointee
      let isWhole =
        methods.pointee.probe != nil && methods.pointee.prepare != nil && methods.pointee.has_toolchain != nil
        && methods.pointee.run != nil
      try require(isWhole, "sandbox", from)
      kinds.append(.sandbox)
    }
    if let methods = plugin.signer {
      try check(methods, "sync_signer_methods", MemoryLayout<sync_signer_methods>.size, from)
      table.signer = methods.pointee
      try require(methods.pointee.public_key != nil && methods.pointee.sign != nil, "signer", from)
      kinds.append(.signer)
    }
    if let methods = plugin.source {
      try check(methods, "sync_source_methods", MemoryLayout<sync_source_methods>.size, from)
      table.source = methods.pointee
      try require(methods.pointee.resolve != nil && methods.pointee.fetch != nil, "source", from)
      table.type = try purlType(methods.pointee.type, from)
      table.originType = try purlType(methods.pointee.origin_type, from)
      kinds.append(.source)
    }
    if let methods = plugin.storage {
      try check(methods, "sync_storage_methods", MemoryLayout<sync_storage_methods>.size, from)
      table.storage = methods.pointee
      let isWhole = methods.pointee.get != nil && methods.pointee.scan != nil && methods.pointee.apply != nil
      try require(isWhole, "storage", from)
      kinds.append(.storage)
    }
    if let methods = plugin.transport {
      try check(methods, "sync_transport_methods", MemoryLayout<sync_transport_methods>.size, from)
      table.transport = methods.pointee
      let isWhole = methods.pointee.start != nil && methods.pointee.send != nil && methods.pointee.stop != nil
      try require(isWhole, "transport", from)
      kinds.append(.transport)
    }
    guard kinds.count == 1, let kind = kinds.first else {
      throw PluginError(
        .invalid,
        "\(from): a plugin is one of sandbox, signer, source, storage, transport; this one has \(kinds.count) of them")
    }
    return (table, name, version, kind)
  }

  /// The struct as a plugin of any release has it: what its own does not know is not there.
  private static func copy(_ plugin: UnsafePointer<sync_plugin>, _ from: String) throws(PluginError) -> sync_plugin {
    let first = MemoryLayout<sync_plugin>.offset(of: \.transport) ?? MemoryLayout<sync_plugin>.size
    try check(plugin, "sync_plugin", first, from)
    // A size that ends within a field does not have that field.
    let size = UInt32(MemoryLayout<sync_plugin>.size)
    let count = UnsafeRawPointer(plugin).loadUnaligned(as: UInt32.self) >= size ? Int(size) : first
    var whole = sync_plugin()
    withUnsafeMutableBytes(of: &whole) { $0.copyMemory(from: UnsafeRawBufferPointer(start: plugin, count: count)) }
    return whole
  }

  /// The two leading words alone: the rest of a struct may not be there.
  private static func check(_ start: UnsafeRawPointer, _ name: String, _ size: Int, _ from: String)
    throws(PluginError)
  {
    let got = start.loadUnaligned(as: UInt32.self)
    let version = start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    guard version == UInt32(SYNC_ABI_VERSION) else {
      throw PluginError(
        .invalid,
        "\(from): \(name).abi_version is \(version), and this runtime's is \(SYNC_ABI_VERSION); build the plugin with"
          + " this runtime's headers")
    }
    guard got >= UInt32(size) else {
      throw PluginError(.invalid, "\(from): \(name).struct_size is \(got); at least \(size) is wanted")
    }
  }

  private static func require(_ isWhole: Bool, _ kind: String, _ from: String) throws(PluginError) {
    guard isWhole else { throw PluginError(.invalid, "\(from): a method that every \(kind) has is NULL") }
  }

  private static func purlType(_ text: UnsafePointer<CChar>?, _ from: String) throws(PluginError) -> String {
    let type = text.map { String(cString: $0) } ?? ""
    guard (1...32).contains(type.utf8.count), type.utf8.allSatisfy({ (0x61...0x7A).contains($0) }) else {
      throw PluginError(.invalid, "\(from): a source's type and origin_type are purl types such as \"cargo\"")
    }
    return type
  }
}

/// Shared objects that hold a plugin.
public enum PluginLibrary {
  /// Loads a shared object and asks it for its plugin; it stays loaded.
  ///
  /// - Parameter path: Absolute.
  /// - Throws: ``PluginError/Code/invalid`` when it is none, or wants another runtime.
  public static func load(_ path: String) throws(PluginError) -> NativePlugin {
    guard path.hasPrefix("/") else {
      throw PluginError(.invalid, "A plugin's path is absolute; this one is '\(path)'")
    }
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
      throw PluginError(.invalid, "Cannot load the plugin \(path): \(reason())")
    }
    guard let symbol = dlsym(library, SYNC_PLUGIN_ENTRY) else {
      throw PluginError(.invalid, "\(path) is no plugin: it has no function \(SYNC_PLUGIN_ENTRY)")
    }
    let entry = unsafeBitCast(
      symbol, to: (@convention(c) (UnsafePointer<sync_host>?) -> UnsafePointer<sync_plugin>?).self)
    guard let plugin = entry(PluginHost.table) else {
      throw PluginError(
        .invalid,
        "\(path) gives no plugin: it cannot work with this runtime, which is \(Node.version) with the ABI version"
          + " \(SYNC_ABI_VERSION); take a build of the plugin for that, or ask its author why")
    }
    return try NativePlugin(plugin, from: path)
  }

  private static func reason() -> String { dlerror().map { String(cString: $0) } ?? "no reason is given" }
}
