import ArgumentParser
import Foundation
import SyncRuntime

/// The exit codes of every command; they never change meaning.
enum ExitStatus: Int32 {
  /// Done, or verified.
  case done = 0
  /// A well-formed input that does not prove what was asked.
  case notVerified = 1
  /// Wrong usage, or malformed input.
  case usage = 2
  /// The environment: cannot reach, cannot write, a sandbox is missing.
  case environment = 3
}

/// Ends a command with one sentence on standard error.
struct CommandFailure: Error, CustomStringConvertible {
  let status: ExitStatus
  let message: String

  init(_ status: ExitStatus, _ message: String) { (self.status, self.message) = (status, message) }

  init(_ error: PluginError) {
    switch error.code {
    case .invalid, .checksumMismatch: self.init(.usage, error.message)
    default: self.init(.environment, error.message)
    }
  }

  var description: String { message }
}

@main
struct Synchronicity: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synchronicity",
    abstract: "Rebuilds packages on several builders that do not trust each other, and proves that the bytes agree.",
    discussion: """
      Exit codes: 0 done or verified; 1 not verified; 2 wrong usage or malformed input; 3 environment.
      """,
    version: Node.version,
    subcommands: [
      DemoCommand.self, InitCommand.self, GroupCommand.self, NodeCommand.self, SubmitCommand.self,
      StatusCommand.self, JobsCommand.self, ProofCommand.self, ArtifactCommand.self, VerifyCommand.self,
      InspectCommand.self, PolicyCommand.self, LogCommand.self, TranscriptCommand.self, ReportCommand.self,
      MisbehaviourCommand.self, CheckCommand.self, ToolchainCommand.self, SimulateCommand.self,
    ])

  /// ArgumentParser ends wrong usage with 64; here it is 2, as the design fixes it.
  static func main() async {
    signal(SIGPIPE, SIG_IGN)
    do {
      // Swift replaces bytes that are no UTF-8, and the name that comes out may be another file's.
      if let repaired = CommandLine.arguments.first(where: { $0.unicodeScalars.contains("\u{FFFD}") }) {
        throw CommandFailure(
          .usage, "The argument \(repaired) is not UTF-8, which this program needs; rename the file, or pass it as -")
      }
      var command = try parseAsRoot()
      if var command = command as? AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let failure as CommandFailure {
      Console.error(failure.message)
      Foundation.exit(failure.status.rawValue)
    } catch let error as PluginError {
      let failure = CommandFailure(error)
      Console.error(failure.message)
      Foundation.exit(failure.status.rawValue)
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      let text = fullMessage(for: error)
      guard exitCode(for: error) != .success else {
        Console.line(text)
        Foundation.exit(ExitStatus.done.rawValue)
      }
      guard exitCode(for: error) == .validationFailure else {
        Console.error("\(error)")
        Foundation.exit(ExitStatus.environment.rawValue)
      }
      Console.write(text + "\n", to: STDERR_FILENO)
      Foundation.exit(ExitStatus.usage.rawValue)
    }
  }
}
