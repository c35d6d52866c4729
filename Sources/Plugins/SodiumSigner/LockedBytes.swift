import CSodium
import SyncRuntime

/// Bytes between guard pages, kept out of swap and core dumps, wiped when they are released.
///
/// `@unchecked Sendable`: whoever makes one writes to it before anybody else has it, then calls ``makeReadOnly()``;
/// from there on every thread only reads, and a write would stop the process.
final class LockedBytes: @unchecked Sendable {
  let count: Int
  private let start: UnsafeMutablePointer<UInt8>

  private static let isSodiumReady = sodium_init() >= 0

  /// - Throws: ``PluginError/Code/unavailable`` when the system gives no memory.
  init(count: Int) throws(PluginError) {
    guard LockedBytes.isSodiumReady else {
      throw PluginError(.unavailable, "libsodium does not start: the system gives it no random numbers")
    }
    guard let start = sodium_malloc(count) else {
      throw PluginError(.unavailable, "The system gives no \(count) bytes of guarded memory; see `ulimit -v`")
    }
    self.count = count
    self.start = start.bindMemory(to: UInt8.self, capacity: count)
  }

  /// The first of ``count`` bytes, for the length of the call.
  func withBytes<R>(_ body: (UnsafeMutablePointer<UInt8>) -> R) -> R { body(start) }

  /// - Parameter bytes: Exactly ``count`` bytes.
  func fill(with bytes: [UInt8]) {
    precondition(bytes.count == count, "Locked bytes are filled as a whole")
    start.update(from: bytes, count: count)
  }

  func makeReadOnly() { sodium_mprotect_readonly(start) }

  // Makes the memory writable again, wipes it and releases it.
  deinit { sodium_free(start) }
}
