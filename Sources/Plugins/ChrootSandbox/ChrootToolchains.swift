import SyncProof
import SyncRuntime

/// The toolchains that this sandbox has unpacked, for those who look after a host's disk.
extension ChrootSandbox {
  /// Sorted.
  public func unpackedToolchains() -> [Digest] { toolchains.all() }

  /// Reads every file of an unpacked toolchain and compares it with what was unpacked.
  ///
  /// - Throws: ``PluginError/Code/notFound`` when it is not unpacked, ``PluginError/Code/checksumMismatch``.
  public func verifyUnpacked(_ toolchain: Digest) async throws(PluginError) {
    try await BlockingThread.run { () throws(PluginError) in try toolchains.verify(toolchain) }.get()
  }

  /// Removes an unpacked toolchain in which nothing runs.
  ///
  /// - Parameter isTrial: Only says whether it could be removed.
  /// - Returns: False when a run of this or another process uses it.
  public func removeUnpacked(_ toolchain: Digest, isTrial: Bool = false) throws(PluginError) -> Bool {
    try toolchains.remove(toolchain, isTrial: isTrial)
  }
}
