import Glibc
import SyncRuntime

/// Finds and starts `synchronicity-sandbox-init`.
struct Launcher {
  static let fileName = "synchronicity-sandbox-init"
  let path: String

  /// What the process wrote.
  struct Output: Sendable {
    var transcript: [UInt8] = []
    var report: [UInt8] = []
  }

  init(explicit: String?) throws(PluginError) {
    var candidates: [String] = []
    if let explicit {
      candidates = [explicit]
    } else {
      // In a program that embeds a node, the launcher is the library's.
      for folder in [Self.programFolder(), Self.libraryFolder()] {
        guard let folder else { continue }
        candidates += ["\(folder)/\(Self.fileName)", "\(folder)/../libexec/synchronicity/\(Self.fileName)"]
      }
    }
    guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else {
      throw PluginError(
        .unavailable,
        "The chroot sandbox wants \(Self.fileName), which is not at \(candidates.joined(separator: " or at "))")
    }
    path = found
  }

  private static func programFolder() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { return nil }
    let program = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return program.lastIndex(of: "/").map { String(program[..<$0]) }
  }

  /// The folder of the file that this code was loaded from, where that is a library: the kernel tells what is mapped
  /// where.
  private static func libraryFolder() -> String? {
    let place = UInt(bitPattern: #dsohandle)
    for line in (Folder.readKernelFile("/proc/self/maps") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
      let bounds = fields.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
      guard fields.count == 6, bounds.count == 2, bounds[0] <= place, place < bounds[1] else { continue }
      let path = fields[5].drop { $0 == " " }
      guard path.hasSuffix(".so") || path.contains(".so.") else { return nil }
      return path.lastIndex(of: "/").map { String(path[..<$0]) }
    }
    return nil
  }

  /// - Parameters:
  ///   - input: What the process reads first; the stream then stays open as its lifeline. Without it, the stream is
  ///     at its end from the start.
  ///   - onOutput: Called with what the process writes to its standard output.
  func start(_ arguments: [String], input: [UInt8]?, onOutput: (@Sendable ([UInt8]) -> Void)?) throws(PluginError)
    -> LauncherProcess
  {
    let child = try ChildProcess(path: path, arguments: arguments, hasOutput: true)
    if input == nil { child.closeInput() }
    return LauncherProcess(child: child, input: input ?? [], onOutput: onOutput)
  }
}

/// One running launcher.
struct LauncherProcess {
  let child: ChildProcess
  let input: [UInt8]
  let onOutput: (@Sendable ([UInt8]) -> Void)?

  /// Reads until the process has ended. Cancelling the task closes the lifeline, whereupon the launcher kills its run.
  func finish() async throws(PluginError) -> Launcher.Output {
    let result: Result<Launcher.Output, PluginError> = await withTaskCancellationHandler {
      await BlockingThread.run { () throws(PluginError) in
        // A launcher that has refused already does not read; its report says why.
        child.send(input)
        let output = try drain()
        child.closeInput()
        child.wait()
        return output
      }
    } onCancel: {
      child.closeInput()
    }
    return try result.get()
  }

  private func drain() throws(PluginError) -> Launcher.Output {
    var output = Launcher.Output()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var files = [
      pollfd(fd: child.output, events: Int16(POLLIN), revents: 0),
      pollfd(fd: child.errors, events: Int16(POLLIN), revents: 0),
    ]
    while files.contains(where: { $0.fd >= 0 }) {
      if poll(&files, 2, -1) < 0 {
        if errno == EINTR { continue }
        throw PluginError(.io, "poll: \(String(cString: strerror(errno)))")
      }
      for index in files.indices where files[index].fd >= 0 && files[index].revents != 0 {
        let count = read(files[index].fd, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else {
          files[index].fd = -1
          continue
        }
        let piece = [UInt8](buffer[..<count])
        if index == 0 {
          output.transcript += piece
          onOutput?(piece)
        } else {
          output.report += piece
        }
      }
    }
    return output
  }
}
