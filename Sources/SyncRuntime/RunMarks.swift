import Foundation
import Glibc

/// A file for each run under way, locked as long as its process lives: an unlocked one is a crashed run's.
///
/// The mark is there before anything of the run is made, and goes when everything is gone.
package struct RunMarks: Sendable {
  package let directory: String

  package init(directory: String) { self.directory = directory }

  package func path(of run: String) -> String { "\(directory)/\(run)" }

  /// - Returns: The open mark, locked; `nil` when a living process has it.
  package func lock(_ run: String) throws(PluginError) -> Int32? {
    while true {
      let file = open(path(of: run), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard file >= 0 else { throw error("open", run) }
      var info = stat()
      if flock(file, LOCK_EX | LOCK_NB) == 0, fstat(file, &info) == 0 {
        if info.st_nlink > 0 { return file }
        // Removed by a cleaner between open and lock.
        close(file)
        continue
      }
      let isHeld = errno == EWOULDBLOCK
      let failure = error("lock", run)
      close(file)
      if isHeld { return nil }
      throw failure
    }
  }

  /// Ends a run's mark; the file goes first, so that no one can lock a file that is about to go.
  package func remove(_ run: String, _ file: Int32) {
    unlink(path(of: run))
    close(file)
  }

  /// Leaves the mark for the next cleaner. Unlocked by name: a child that was started meanwhile shares the open file
  /// until it executes something, and with it a lock that is only closed.
  package func release(_ file: Int32) {
    flock(file, LOCK_UN)
    close(file)
  }

  package func all() throws(PluginError) -> [String] {
    do { return try FileManager.default.contentsOfDirectory(atPath: directory).sorted() } catch {
      throw PluginError(.io, "Cannot list \(directory): \(error)")
    }
  }

  /// Seconds since the run of this mark began.
  package func age(of run: String) -> Int {
    var info = stat()
    return stat(path(of: run), &info) == 0 ? max(0, time(nil) - info.st_mtim.tv_sec) : .max
  }

  private func error(_ verb: String, _ run: String) -> PluginError { Folder.error(verb, path(of: run)) }
}
