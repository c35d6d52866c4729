import Subprocess
import SyncRuntime

/// Runs a program of the host's package manager, bounded in time and output, in English.
package struct Tool: Sendable {
  package let name: String
  let timeoutSeconds: Int64
  let outputBytesMax: Int

  package init(name: String, timeoutSeconds: Int64 = 300, outputBytesMax: Int = 64 << 20) {
    (self.name, self.timeoutSeconds, self.outputBytesMax) = (name, timeoutSeconds, outputBytesMax)
  }

  private static let errorBytesMax = 1 << 20

  /// - Returns: Standard output.
  /// - Throws: ``PluginError/Code/unavailable`` without such a program, ``PluginError/Code/io`` with the program's last
  ///   line when it fails, ``PluginError/Code/cancelled``.
  @discardableResult
  package func run(_ arguments: [String], in directory: String? = nil) async throws(PluginError) -> [UInt8] {
    let result = try await bounded { [self] in
      try await Subprocess.run(
        .name(name), arguments: Arguments(arguments), environment: Tool.environment,
        workingDirectory: directory.map { .init($0) }, output: .bytes(limit: outputBytesMax),
        error: .bytes(limit: Tool.errorBytesMax))
    }
    try check(result.terminationStatus, arguments: arguments, errors: result.standardError)
    return result.standardOutput
  }

  /// Gives standard output to `consume` piece by piece; what it throws ends the program.
  package func stream<State: Sendable>(
    _ arguments: [String], into state: State, _ consume: @escaping @Sendable (inout State, [UInt8]) throws -> Void
  ) async throws(PluginError) -> State {
    let result = try await bounded { [self] in
      try await Subprocess.run(
        .name(name), arguments: Arguments(arguments), environment: Tool.environment, input: .none, output: .sequence,
        error: .bytes(limit: Tool.errorBytesMax)
      ) { execution in
        var state = state
        for try await piece in execution.standardOutput {
          try consume(&state, piece.withUnsafeBytes { Array($0) })
        }
        return state
      }
    }
    try check(result.terminationStatus, arguments: arguments, errors: result.standardError)
    return result.closureResult
  }

  private static var environment: Environment { .inherit.updating(["LC_ALL": "C", "LANGUAGE": nil]) }

  /// Cancelling the task ends the program: it is killed when its task is.
  private func bounded<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result)
    async throws(PluginError) -> Result
  {
    do {
      return try await withThrowingTaskGroup(of: Result?.self) { group in
        defer { group.cancelAll() }
        group.addTask { try await body() }
        group.addTask { [timeoutSeconds] in
          try await Task.sleep(for: .seconds(timeoutSeconds))
          return nil
        }
        guard let first = try await group.next(), let result = first else {
          throw PluginError(.io, "\(name) did not end within \(timeoutSeconds) s; is the network or the disk stuck?")
        }
        return result
      }
    } catch let error as PluginError {
      throw error
    } catch is CancellationError {
      throw PluginError(.cancelled, "\(name) was cancelled")
    } catch let error as SubprocessError where error.code == .executableNotFound {
      throw PluginError(.unavailable, "This host has no \(name); install it or choose another source")
    } catch {
      guard !Task.isCancelled else { throw PluginError(.cancelled, "\(name) was cancelled") }
      throw PluginError(.io, "\(name) could not be run: \(error)")
    }
  }

  private func check(_ status: TerminationStatus, arguments: [String], errors: [UInt8]) throws(PluginError) {
    guard !status.isSuccess else { return }
    guard !Task.isCancelled else { throw PluginError(.cancelled, "\(name) was cancelled") }
    let lines = String(decoding: errors, as: UTF8.self).split(separator: "\n")
    let line = lines.last { $0.hasPrefix("E:") } ?? lines.last ?? "it said nothing"
    throw PluginError(.io, "\(name) failed (\(status)): \(line.prefix(300))")
  }
}
