import GRDB
import Glibc
import SyncRuntime

/// Makes an empty file that only its owner can read, durably; SQLite gives its log the same mode.
func createFile(at path: String) throws(PluginError) {
  let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  if descriptor < 0 {
    if errno == EEXIST { return }
    throw PluginError(
      .io, "Cannot create the journal \(path): \(String(cString: strerror(errno))); does its directory exist?")
  }
  defer { close(descriptor) }
  guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else {
    throw PluginError(.io, "Cannot sync \(path): \(String(cString: strerror(errno)))")
  }
  try syncFolder(of: path)
}

/// Makes the name of a new file durable.
func syncFolder(of path: String) throws(PluginError) {
  let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  defer { if descriptor >= 0 { close(descriptor) } }
  guard descriptor >= 0, fsync(descriptor) == 0 else {
    throw PluginError(.io, "Cannot sync \(directory): \(String(cString: strerror(errno)))")
  }
}

/// What a user reads when SQLite fails.
func translate(_ error: any Error, path: String) -> PluginError {
  if let error = error as? PluginError { return error }
  guard let error = error as? DatabaseError else { return PluginError(.io, "The journal \(path) failed: \(error)") }
  let detail = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
  switch error.resultCode {
  case .SQLITE_BUSY, .SQLITE_LOCKED:
    return PluginError(
      .unavailable, "The journal \(path) is in use by another process; stop that node, or name another data directory")
  case .SQLITE_FULL:
    return PluginError(.io, "The disk is full: the journal \(path) cannot grow; free some space")
  case .SQLITE_NOTADB:
    return PluginError(.io, damagedJournal(path, "it is not an SQLite file, or its head is damaged"))
  case .SQLITE_CORRUPT:
    return PluginError(.io, damagedJournal(path, detail))
  case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_READONLY:
    return PluginError(.io, "Cannot open the journal \(path) for writing (\(detail)); check its owner and mode")
  case .SQLITE_TOOBIG, .SQLITE_NOMEM:
    return PluginError(.invalid, "The journal \(path) refuses a batch of this size (\(detail))")
  case .SQLITE_MISUSE:
    return PluginError(.io, "The journal \(path) is closed")
  default:
    let code = error.extendedResultCode.rawValue
    return PluginError(
      .io, "Reading or writing the journal \(path) failed (\(detail), code \(code)); look for disk errors in dmesg")
  }
}

func damagedJournal(_ path: String, _ finding: String) -> String {
  "The journal \(path) is damaged (\(finding)); move it away with its -wal and -ahead, put an older copy of all three"
    + " or nothing in their place, and start the node with --restored"
}

/// Whether a commit that has failed so has changed nothing.
func isHarmless(_ error: any Error) -> Bool {
  guard let error = error as? DatabaseError else { return false }
  return [.SQLITE_FULL, .SQLITE_TOOBIG].contains(error.resultCode)
}

/// Whether the file's state is unknown after this error, so that nothing more may be written.
func isFatal(_ error: any Error) -> Bool {
  // A record that is not as it was written.
  if let error = error as? PluginError { return error.code == .io }
  guard let error = error as? DatabaseError else { return false }
  return [.SQLITE_IOERR, .SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
}
