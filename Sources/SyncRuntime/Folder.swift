import Foundation
import Glibc

/// Folders of a node, with errors that name the path.
package enum Folder {
  /// Makes the folder and its parents, mode 0755 less the umask; one that is there is fine.
  package static func make(_ path: String, mode: mode_t = 0o755) throws(PluginError) {
    var partial = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      partial += "/" + part
      if mkdir(partial, mode) != 0, errno != EEXIST { throw error("create the folder", partial) }
    }
  }

  /// Removes a tree; a missing one is fine. Symbolic links are removed, not followed.
  package static func remove(_ path: String) {
    try? FileManager.default.removeItem(atPath: path)
  }

  package static func error(_ verb: String, _ path: String) -> PluginError {
    let number = errno
    let hint = number == ENOSPC ? "; free some space on its file system, nothing was lost" : ""
    return PluginError(.io, "Cannot \(verb) \(path): \(String(cString: strerror(number)))\(hint)")
  }
}
