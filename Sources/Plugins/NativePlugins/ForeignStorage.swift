import CSyncNode
import SyncProof
import SyncRuntime

/// A storage whose methods are C functions. Thread: any, one call at a time; the caller waits.
public final class ForeignStorage: Storage {
  private let instance: ForeignInstance
  private static let keyBytesMax = 1_024
  private static let valueBytesMax = 64 << 20

  public init(_ plugin: NativePlugin, node: String, stateDirectory: String, settings: [String: String])
    async throws(PluginError)
  {
    instance = try await ForeignInstance(plugin, node: node, stateDirectory: stateDirectory, settings: settings)
  }

  public func get(_ key: [UInt8]) throws(PluginError) -> [UInt8]? {
    try check(key)
    let method = instance.plugin.table.storage.get
    do throws(PluginError) {
      return try instance.callAndWait("get", expected: .bytes, deadline: ForeignInstance.short) {
        arena, instance, call in
        var form = ForeignStorage.form(arena, key: key)
        return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
      }.bytes
    } catch {
      if error.code == .notFound { return nil }
      throw error
    }
  }

  public func scan(prefix: [UInt8], from start: [UInt8], limit: Int) throws(PluginError)
    -> [(key: [UInt8], value: [UInt8])]
  {
    var records: [(key: [UInt8], value: [UInt8])] = []
    var start = start
    while records.count < limit {
      let wanted = min(limit - records.count, ForeignStorage.pageRecords)
      let page = try scanPage(prefix, start, wanted, after: records.last?.key)
      records += page.records
      guard let last = page.records.last?.key, page.isCut || page.records.count == wanted else { break }
      // The next key that there can be.
      start = last + [0]
    }
    return records
  }

  private static let pageRecords = 4_096

  private func scanPage(_ prefix: [UInt8], _ start: [UInt8], _ limit: Int, after: [UInt8]?) throws(PluginError)
    -> ForeignAnswer
  {
    let method = instance.plugin.table.storage.scan
    let page = try instance.callAndWait("scan", expected: .done, deadline: ForeignInstance.short) {
      arena, instance, call in
      var form = ForeignStorage.form(arena, key: prefix, start: start, limit: limit)
      return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
    }
    var before = after
    for record in page.records {
      guard record.key.starts(with: prefix), !record.key.lexicographicallyPrecedes(start),
        before.map({ $0.lexicographicallyPrecedes(record.key) }) ?? true
      else {
        throw PluginError(
          .io, "The storage \(instance.plugin.name) (scan) gave keys out of order, twice, or that were not asked for")
      }
      before = record.key
    }
    guard page.records.count <= limit else {
      throw PluginError(
        .io,
        "The storage \(instance.plugin.name) (scan) gave \(page.records.count) records; at most \(limit) are wanted")
    }
    return page
  }

  public func apply(_ batch: StorageBatch, durable: Bool) throws(PluginError) {
    for change in batch.changes {
      switch change {
      case .put(let key, let value):
        try check(key)
        guard value.count <= ForeignStorage.valueBytesMax else {
          throw PluginError(.invalid, "A value has \(value.count) bytes; at most 64 MiB are stored")
        }
      case .delete(let key): try check(key)
      }
    }
    let method = instance.plugin.table.storage.apply
    _ = try instance.callAndWait("apply", expected: .done, deadline: ForeignInstance.short) { arena, instance, call in
      let changes = batch.changes.map { change in
        switch change {
        case .put(let key, let value):
          sync_change(
            key: arena.bytes(key), key_size: key.count, value: arena.bytes(value), value_size: value.count)
        case .delete(let key): sync_change(key: arena.bytes(key), key_size: key.count, value: nil, value_size: 0)
        }
      }
      let (size, version) = head(of: sync_apply_request.self)
      var form = sync_apply_request(
        struct_size: size, abi_version: version, changes: arena.structs(changes), changes_count: changes.count,
        durable: durable ? 1 : 0, reserved: 0)
      return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
    }
  }

  /// Waits until the instance is gone, so that its files and locks are free.
  public func close() { instance.closeAndWait() }

  private func check(_ key: [UInt8]) throws(PluginError) {
    guard (1...ForeignStorage.keyBytesMax).contains(key.count) else {
      throw PluginError(.invalid, "A key has \(key.count) bytes; 1 to \(ForeignStorage.keyBytesMax) are taken")
    }
  }

  private static func form(_ arena: RequestArena, key: [UInt8], start: [UInt8] = [], limit: Int = 0)
    -> sync_storage_request
  {
    let (size, version) = head(of: sync_storage_request.self)
    return sync_storage_request(
      struct_size: size, abi_version: version, key: arena.bytes(key), key_size: key.count, start: arena.bytes(start),
      start_size: start.count, limit: UInt64(limit))
  }
}
