import Glibc
import SyncRuntime

/// The folders of one call: where the command answers, where it may work, and what stands for writable mounts.
struct ExecFolder {
  let path: String
  let answer: String
  var resultFile: String { "\(answer)/\(ExecAnswer.fileName)" }
  var scratch: String { path + "/scratch" }

  /// Makes them, empty; what an earlier call of the name has left goes.
  init(making path: String) throws(PluginError) {
    self.path = path
    answer = path + "/answer"
    try remove()
    for folder in [path, answer, scratch] { try Folder.make(folder, mode: 0o700) }
  }

  /// Of a call that was cut off: its scratch folder as it was left, and a place of its own for the answer, since that
  /// call's command may be running still, and answer meanwhile.
  init(reopening path: String) throws(PluginError) {
    self.path = path
    answer = path + "/answer-clean"
    try Self.remove(answer)
    for folder in [path, answer, scratch] { try Folder.make(folder, mode: 0o700) }
  }

  /// Removes everything. What a farm still has mounted there, or wrote as somebody else, is an error.
  func remove() throws(PluginError) { try Self.remove(path) }

  static func remove(_ path: String) throws(PluginError) {
    guard access(path, F_OK) == 0 else { return }
    do throws(FolderCopy.Failure) { try FolderCopy.empty(path) } catch {
      throw PluginError(.io, "Cannot empty \(path), which the command used: \(error); remove it by hand")
    }
    guard rmdir(path) == 0 else { throw Folder.error("remove", path) }
  }

  /// Makes a folder for each writable mount, filled with what the host's holds.
  ///
  /// The command never sees the host's own: what arrives there is bounded by this side.
  ///
  /// - Returns: What stands for each mount, in the order of the mounts.
  func stage(_ mounts: [SandboxMount], diskBytes: UInt64) throws(PluginError) -> [String] {
    var copy = FolderCopy(budget: diskBytes)
    var sources: [String] = []
    for (index, mount) in mounts.enumerated() {
      guard mount.isWritable else {
        sources.append(mount.hostPath)
        continue
      }
      let folder = "\(path)/writable-\(index)"
      try Folder.make(folder, mode: 0o755)
      do throws(FolderCopy.Failure) { try copy.copy(from: mount.hostPath, to: folder) } catch {
        throw PluginError(
          .invalid, "What \(mount.hostPath) holds does not fit the disk limit of \(diskBytes) bytes: \(error)")
      }
      sources.append(folder)
    }
    return sources
  }

  /// Gives the host's folders what stands for them now.
  ///
  /// - Returns: False when it is more than the limit; then the host's folders are empty.
  static func bringHome(_ mounts: [SandboxMount], from sources: [String], diskBytes: UInt64) throws(PluginError) -> Bool
  {
    let writable = zip(mounts, sources).filter(\.0.isWritable)
    var copy = FolderCopy(budget: diskBytes)
    for (mount, source) in writable {
      do throws(FolderCopy.Failure) {
        try FolderCopy.empty(mount.hostPath)
        do throws(FolderCopy.Failure) { try copy.copy(from: source, to: mount.hostPath) } catch .overflow {
          for (mount, _) in writable { try FolderCopy.empty(mount.hostPath) }
          return false
        }
      } catch {
        throw PluginError(.io, "Cannot copy what the run wrote to \(mount.hostPath): \(error)")
      }
    }
    return true
  }
}
