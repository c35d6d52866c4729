import Glibc
import Synchronization

/// A child whose standard input, output and errors are streams of ours.
///
/// It gets a process group of its own, so that a terminal's interrupt reaches the node alone.
package final class ChildProcess: Sendable {
  private let input: Mutex<Int32?>
  private let pid: pid_t
  /// -1 when the child's output goes to `/dev/null`.
  package let output: Int32
  package let errors: Int32
  private static let attemptsMax = 50

  /// It inherits no open file.
  ///
  /// - Parameters:
  ///   - path: Looked up in PATH if it holds no slash.
  ///   - environment: `NAME=VALUE` each, or `nil` for this process's own.
  package init(path: String, arguments: [String], environment: [String]? = nil, hasOutput: Bool) throws(PluginError) {
    // Sockets, since a write to one can be told to raise no SIGPIPE, and since they are born close-on-exec.
    let streams = try Self.streams(count: hasOutput ? 3 : 2, for: path)
    let last = streams.count - 1
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, streams[0].theirs, 0)
    if hasOutput {
      posix_spawn_file_actions_adddup2(&actions, streams[1].theirs, 1)
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    posix_spawn_file_actions_adddup2(&actions, streams[last].theirs, 2)
    for file in Self.inherited() { posix_spawn_file_actions_addclose(&actions, file) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    let options = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
    posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: Int(options)))
    var child: pid_t = 0
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    var variables = (environment ?? []).map { strdup($0) } + [nil]
    var status: Int32 = 0
    // A program that was just written counts as busy while any child, between its fork and its exec, still has it open.
    for attempt in 1...Self.attemptsMax {
      status =
        environment == nil
        ? posix_spawnp(&child, path, &actions, &attributes, &words, environ)
        : posix_spawnp(&child, path, &actions, &attributes, &words, &variables)
      guard status == ETXTBSY, attempt < Self.attemptsMax else { break }
      usleep(10_000)
    }
    for word in words + variables { free(word) }
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
    for stream in streams { close(stream.theirs) }
    guard status == 0 else {
      for stream in streams { close(stream.ours) }
      throw PluginError(.unavailable, "Cannot start \(path): \(String(cString: strerror(status)))")
    }
    input = Mutex(streams[0].ours)
    (pid, output, errors) = (child, hasOutput ? streams[1].ours : -1, streams[last].ours)
  }

  /// What is open here without a mark to close it in a child, whoever forgot that.
  private static func inherited() -> [Int32] {
    guard let directory = opendir("/proc/self/fd") else { return [] }
    defer { closedir(directory) }
    var files: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let file = Int32(name), file > 2 else { continue }
      let flags = fcntl(file, F_GETFD)
      if flags >= 0 && flags & FD_CLOEXEC == 0 { files.append(file) }
    }
    return files
  }

  private static func streams(count: Int, for path: String) throws(PluginError) -> [(ours: Int32, theirs: Int32)] {
    var made: [(ours: Int32, theirs: Int32)] = []
    for _ in 0..<count {
      var pair: [Int32] = [-1, -1]
      let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
        let reason = String(cString: strerror(errno))
        for stream in made {
          close(stream.ours)
          close(stream.theirs)
        }
        throw PluginError(.io, "Cannot make the streams of \(path): \(reason)")
      }
      made.append((pair[0], pair[1]))
    }
    return made
  }

  deinit {
    closeInput()
    if output >= 0 { close(output) }
    close(errors)
  }

  /// Blocks until the child has taken all of it.
  ///
  /// - Returns: Whether it did; a child that has ended does not.
  @discardableResult
  package func send(_ bytes: [UInt8]) -> Bool {
    // Under the lock, so that the number cannot become another file's meanwhile.
    input.withLock { descriptor in
      guard let descriptor else { return false }
      var start = 0
      while start < bytes.count {
        let count = bytes.withUnsafeBytes {
          Glibc.send(descriptor, $0.baseAddress! + start, bytes.count - start, Int32(MSG_NOSIGNAL))
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        start += count
      }
      return true
    }
  }

  /// Sends as much as the child's stream takes at once.
  ///
  /// - Returns: How many bytes it took; `nil` when nobody will read any more.
  package func sendSome(_ bytes: ArraySlice<UInt8>) -> Int? {
    input.withLock { descriptor in
      guard let descriptor else { return nil }
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if count < 0 { return errno == EAGAIN || errno == EINTR ? 0 : nil }
      return count
    }
  }

  /// Ends the child's standard input; a second call does nothing.
  package func closeInput() {
    input.withLock { descriptor in
      guard let open = descriptor else { return }
      descriptor = nil
      close(open)
    }
  }

  /// - Returns: The status as `waitpid` gives it, or -1.
  @discardableResult
  package func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      if errno != EINTR { return -1 }
    }
    return status
  }

  /// Whether the child has ended. Until ``wait()`` its number stays its own, and its group's.
  package var hasEnded: Bool {
    var info = siginfo_t()
    let options = WEXITED | WNOHANG | WNOWAIT
    return waitid(P_PID, id_t(pid), &info, options) != 0 || info.si_signo != 0
  }

  /// Kills the child and what it has started, but for what left its process group. Not after ``wait()``.
  package func killGroup() { kill(-pid, SIGKILL) }
}
