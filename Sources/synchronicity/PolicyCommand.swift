import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime

/// `policy check`, whether a policy may be replaced by another, and `policy follow`, which does it.
struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Compares trust policies, and follows a group from one to the next.",
    subcommands: [Check.self, Follow.self])

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says what changes for proofs when verifiers replace one trust policy by another.",
      discussion: """
        Two questions, answered for every proof that there can be. Does NEW accept all that OLD accepts? Then old \
        proofs stay good. Does OLD accept all that NEW accepts? Then nobody gains a say that it did not have. What \
        does not hold is shown by an example: whose signatures the one policy is content with and the other is not.

        Exit: 0 both hold; 1 one does not.
        """)

    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "The policy that verifiers have.")
    var old: String
    @Argument(help: "The policy that they shall have.")
    var new: String

    private struct Result: Encodable {
      let refused: [String]
      let weakened: [String]
    }

    func run() async throws {
      let change = PolicyChange(from: try PolicyFile.read(old), to: try PolicyFile.read(new))
      let refused = change.refused.map { sentence($0, accepting: "OLD", refusing: "NEW") }
      let weakened = change.weakened.map { sentence($0, accepting: "NEW", refusing: "OLD") }
      if json {
        try Console.json(Result(refused: refused, weakened: weakened))
      } else {
        show("every proof that OLD accepts stays accepted", "NEW refuses proofs that OLD accepts", refused)
        show("whatever NEW accepts, OLD accepts", "NEW accepts proofs that OLD refuses", weakened)
      }
      if !refused.isEmpty || !weakened.isEmpty { throw ExitCode(ExitStatus.notVerified.rawValue) }
    }

    private func show(_ good: String, _ bad: String, _ reasons: [String]) {
      if reasons.isEmpty { return Console.line(Console.paint("yes  ", .green) + good) }
      Console.line(Console.paint("no   ", .red) + bad)
      for reason in reasons { Console.line("     - \(reason)") }
    }

    private func sentence(_ finding: PolicyChange.Finding, accepting: String, refusing: String) -> String {
      func list(_ names: [Text]) -> String { names.map { shown($0) }.joined(separator: ", ") }
      return switch finding {
      case .log(let key): "the log key \(shown(key)) of \(accepting) is not in \(refusing)"
      case .quorum(let names) where names.isEmpty:
        "\(accepting) asks for no cosignature, \(refusing) asks for some"
      case .quorum(let names): "cosignatures by \(list(names)) are enough for \(accepting) and not for \(refusing)"
      case .reproducers(let names): "reveals by \(list(names)) are enough for \(accepting) and not for \(refusing)"
      case .keyOfBuilder(let name):
        "\(shown(name)) has another key in \(refusing), which refuses what is signed with that of \(accepting); "
          + "keep both keys in it"
      case .undecided(let what):
        "whether the \(shown(what)) of \(accepting) implies that of \(refusing) is too much to look at; compare "
          + "simpler groups"
      }
    }
  }
}

/// A trust policy in a file.
enum PolicyFile {
  static func read(_ path: String) throws(CommandFailure) -> Policy {
    let bytes = try BoundedFile.read(path, what: "policy", bytesMax: ProofLimits.policyBytesMax)
    do {
      return try Policy(parsing: bytes)
    } catch {
      throw CommandFailure(.usage, "\(path): \(error.message)")
    }
  }
}
