// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/node.h: the conformance suites, for plugins in any language.

import CSync
import CSyncABI
import CSyncNode
import NativePluginCheck
import PluginSuites
import SyncProof
import SyncRuntime

@c @implementation
public func sync_registry_check(
  _ registry: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ options: UnsafePointer<sync_check_options>!,
  _ hasPassed: UnsafeMutablePointer<Int32>!, _ report: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    report?.pointee = nil
    hasPassed?.pointee = 0
    let registry = try object(registry, "registry", RegistryObject.self)
    let name = try text(name, "name")
    let hasPassed = try required(hasPassed, "has_passed")
    let given = try options.map { (options) throws(CallError) in
      try NativeSuite.Given(try readStruct(UnsafeRawPointer(options), as: sync_check_options.self, "options"))
    }
    try requireOwnThread("check a plugin")
    let plugin = try failing { () throws(PluginError) in try registry.plugin(name) }
    let suite = NativeSuite(plugin, given ?? NativeSuite.Given())
    let findings = try waiting(until: nil) { () throws(PluginError) in try await suite.run() }
    hasPassed.pointee = findings.allSatisfy(\.hasPassed) ? 1 : 0
    report?.pointee = makeBytes([UInt8](NativeSuite.report(findings, on: plugin).utf8))
  }
}

extension NativeSuite.Given {
  private static let countMax = 1_000

  init(_ options: sync_check_options) throws(CallError) {
    guard options.reserved == 0, (0...1).contains(options.with_escapes) else {
      throw CallError(
        SYNC_ERROR_INVALID_ARGUMENT,
        Text("options.with_escapes is \(options.with_escapes), which is 0 or 1, and reserved \(options.reserved), 0"))
    }
    let toolchain = try options.toolchain.map { (path) throws(CallError) in try utf8(path, "options.toolchain") }
    guard toolchain?.hasPrefix("/") ?? true else {
      throw CallError(
        SYNC_ERROR_INVALID, Text("options.toolchain is an absolute path; this one is \(toolchain?.prefix(256) ?? "")"))
    }
    let allowed = try Self.pairs(options.allowed, options.allowed_count, "options.allowed")
    guard allowed.isEmpty || options.with_escapes == 1 else {
      throw CallError(SYNC_ERROR_INVALID_ARGUMENT, "options.allowed is of attempts that options.with_escapes wants")
    }
    self.init(
      settings: try Self.pairs(options.settings, options.settings_count, "options.settings"),
      toolchain: toolchain,
      package: try options.package.map { (purl) throws(CallError) in try utf8(purl, "options.package") },
      escapes: options.with_escapes == 1 ? allowed : nil)
  }

  private static func pairs(_ start: UnsafePointer<sync_setting>?, _ count: Int, _ what: String) throws(CallError)
    -> [String: String]
  {
    guard (0...countMax).contains(count) else {
      throw CallError(
        SYNC_ERROR_TOO_LARGE, Text("\(what) has \(UInt(bitPattern: count)) members; at most \(countMax) are taken"))
    }
    guard count == 0 || start != nil else {
      throw CallError(SYNC_ERROR_NULL_ARGUMENT, Text("\(what) is NULL and has \(count) members"))
    }
    var pairs: [String: String] = [:]
    for setting in UnsafeBufferPointer(start: start, count: count) {
      guard let name = setting.name, let value = setting.value else {
        throw CallError(SYNC_ERROR_NULL_ARGUMENT, Text("A member of \(what) has NULL for its name or value"))
      }
      let key = try utf8(name, "A name in \(what)")
      guard pairs.updateValue(try utf8(value, "A value in \(what)"), forKey: key) == nil else {
        throw CallError(SYNC_ERROR_INVALID_ARGUMENT, Text("\(what) has \(key.prefix(64)) twice"))
      }
    }
    return pairs
  }
}
