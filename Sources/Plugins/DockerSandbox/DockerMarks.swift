import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// A file for each run under way, locked as long as its process lives: an unlocked one is a crashed run's.
///
/// The mark is there before anything of the run is made, and goes when everything is gone.
struct DockerMarks: Sendable {
  let directory: String

  func path(of run: String) -> String { "\(directory)/\(run)" }

  /// - Returns: The open mark, locked; `nil` when a living process has it.
  func lock(_ run: String) throws(PluginError) -> Int32? {
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
  func remove(_ run: String, _ file: Int32) {
    unlink(path(of: run))
    close(file)
  }

  func all() throws(PluginError) -> [String] {
    do { return try FileManager.default.contentsOfDirectory(atPath: directory).sorted() } catch {
      throw PluginError(.io, "Cannot list \(directory): \(error)")
    }
  }

  /// Seconds since the run of this mark began.
  func age(of run: String) -> Int {
    var info = stat()
    return stat(path(of: run), &info) == 0 ? max(0, time(nil) - info.st_mtim.tv_sec) : .max
  }

  private func error(_ verb: String, _ run: String) -> PluginError {
    PluginError(.io, "Cannot \(verb) \(path(of: run)): \(String(cString: strerror(errno)))")
  }
}

/// What the plugin's containers and images are labelled with.
enum DockerLabel {
  static let run = "synchronicity.run"
  /// The SHA-256 of the state folder's path: whose run it is.
  static let state = "synchronicity.state"
  static let toolchain = "synchronicity.toolchain"

  static func stateValue(_ directory: String) -> String { SHA256.hash([UInt8](directory.utf8)).hex }
  static func containerName(_ run: String) -> String { "synchronicity-\(run)" }

  /// The value of a list's `filters`.
  static func filter(_ filters: [String: [String]]) throws(PluginError) -> (String, String) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    do { return ("filters", String(decoding: try encoder.encode(filters), as: UTF8.self)) } catch {
      throw PluginError(.invalid, "No filter can be made of \(filters.keys.sorted()): \(error)")
    }
  }
}
