import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime
import VerifyTool

/// `verify`: offline, from files alone. What it does and prints is `synchronicity-verify`'s.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks offline that artifacts were rebuilt by the builders of a policy.",
    usage: """
      synchronicity verify --policy <file> [--epoch <number> --handover <file> ...] [--proof <file>] \
      [--package <purl>] [--allow-extra] [--json] <artifact> ...
      synchronicity verify --policy <file> [--epoch <number> --handover <file> ...] --proof <file> --sha256 <hex> \
      [--package <purl>] [--json]
      """,
    discussion: """
      Both thresholds are checked: the policy's quorum of cosigners on the log's tree head, and the policy's \
      reproducers, each with its own signature, on exactly this artifact. Nothing is sent anywhere. Without --proof, \
      the proof inside the artifact is taken, or ARTIFACT.tlog-proof beside it. A folder must hold every artifact of \
      its proof, with its path, size, mode and digest. A proof says which package its artifact is of; who wants that \
      package and no other, which may have been rebuilt as well, names it with --package. Where the group's members \
      have changed, --handover leads from the policy to the one that took its place; then proofs of either hold.
      """)

  @Option(help: ArgumentHelp("The trust policy.", valueName: "file"))
  var policy: [String]

  @Option(
    help: ArgumentHelp(
      "A hand-over, by which others took the place of the policy's builders. Repeat it in order.", valueName: "file"))
  var handover: [String] = []

  @Option(
    help: ArgumentHelp(
      "The policy's epoch, which the first hand-over must end; 0 is a group's first.", valueName: "number"))
  var epoch: [String] = []

  @Option(help: ArgumentHelp("The proof.", valueName: "file"))
  var proof: [String] = []

  @Option(help: ArgumentHelp("The artifact's digest, in place of the artifact.", valueName: "hex"))
  var sha256: [String] = []

  @Option(
    help: ArgumentHelp(
      "The package that must be proven, such as pkg:cargo/itoa@1.0.1; without @… any version.", valueName: "purl"))
  var package: [String] = []

  @Flag(help: "Let a folder hold more than what is proven.")
  var allowExtra = false

  @Flag(help: "Print one JSON object on a line for each artifact.")
  var json = false

  @Argument(help: "Files and folders; - is standard input.")
  var artifact: [String] = []

  func run() async throws {
    // Of two policies, nobody could say which one was meant to be trusted.
    for (name, values) in [
      ("--policy", policy), ("--epoch", epoch), ("--proof", proof), ("--sha256", sha256), ("--package", package),
    ]
    where values.count > 1 {
      throw CommandFailure(.usage, "\(name) is given twice; name one")
    }
    var request = VerifyRequest(
      policy: Array((policy.first ?? "").utf8), proof: proof.first.map { Array($0.utf8) },
      sha256: sha256.first.map { Array($0.utf8) }, artifacts: artifact.map { Array($0.utf8) })
    request.handovers = handover.map { Array($0.utf8) }
    request.epoch = epoch.first.map { Array($0.utf8) }
    request.package = package.first.map { Array($0.utf8) }
    request.allowsExtra = allowExtra
    request.isJSON = json
    request.paints = (Console.isColoured, isatty(STDERR_FILENO) == 1)
    let status = VerifyRun.perform(request)
    guard status == .verified else { throw ExitCode(status.rawValue) }
  }

  /// Checks one artifact and prints nothing.
  static func verify(policy: String, proof: String, artifact: String) throws(CommandFailure) -> Verification {
    do throws(VerifyRefusal) {
      return try VerifyRun.check(
        policy: Array(policy.utf8), proof: Array(proof.utf8), artifact: Array(artifact.utf8))
    } catch {
      throw CommandFailure(ExitStatus(rawValue: error.status.rawValue) ?? .environment, error.message.string)
    }
  }
}
