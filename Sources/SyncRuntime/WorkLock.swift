import Glibc

/// A lock file for work that is done once on a host: one process does it, the others wait and find it done.
package enum WorkLock {
  private static let pause = Duration.milliseconds(100)

  /// - Parameters:
  ///   - path: The file, made if missing; it stays.
  ///   - work: What the holder does, such as "unpack X": for the sentence when waiting is cancelled.
  ///   - isShared: Whether others may hold it too, who share it likewise.
  /// - Returns: A descriptor. Closing it frees the lock, and so does the kernel for a process that dies.
  package static func take(_ path: String, to work: String, isShared: Bool = false) async throws(PluginError) -> Int32 {
    let descriptor = try opened(path)
    while flock(descriptor, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
      do { try await Task.sleep(for: pause) } catch {
        close(descriptor)
        throw PluginError(.cancelled, "Waiting for another process to \(work) was cancelled")
      }
    }
    return descriptor
  }

  /// - Returns: `nil` at once when somebody holds it.
  package static func tryToTake(_ path: String) throws(PluginError) -> Int32? {
    let descriptor = try opened(path)
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  private static func opened(_ path: String) throws(PluginError) -> Int32 {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Folder.error("open", path) }
    return descriptor
  }
}
