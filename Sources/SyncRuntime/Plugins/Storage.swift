/// One change of a ``StorageBatch``.
public enum StorageChange: Sendable, Equatable {
  case put(key: [UInt8], value: [UInt8])
  case delete(key: [UInt8])
}

/// Changes that happen together or not at all, in the order given.
public struct StorageBatch: Sendable, Equatable {
  public var changes: [StorageChange]
  public init(_ changes: [StorageChange] = []) { self.changes = changes }
}

/// One ordered map from byte strings to byte strings.
///
/// Keys are 1 to 1,024 bytes and ordered by their bytes; values are at most 64 MiB.
/// Thread: any, one call at a time (the runtime's driver owns it and calls from its own thread, where blocking is
/// expected).
public protocol Storage: Sendable {
  func get(_ key: [UInt8]) throws(PluginError) -> [UInt8]?
  /// The entries whose keys start with `prefix` and are not below `start`, in ascending order, at most `limit`.
  func scan(prefix: [UInt8], from start: [UInt8], limit: Int) throws(PluginError) -> [(key: [UInt8], value: [UInt8])]
  /// Applies the whole batch or nothing. With `durable`, it survives a power cut once this has returned. Whatever
  /// survives one, durable or not, does so with every batch before it.
  func apply(_ batch: StorageBatch, durable: Bool) throws(PluginError)
  /// Releases files and locks; later calls fail with ``PluginError/Code/io``. A second close does nothing.
  func close()
}
