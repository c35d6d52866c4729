import ArgumentParser
import Foundation
import SyncProof

extension PolicyCommand {
  /// `policy follow`: from a trust policy to the one that took its place.
  struct Follow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Follows a group's hand-overs from a trust policy to the one that has taken its place.",
      discussion: """
        When the members of a group change, the builders of the epoch that ends hand over to those of the next: they \
        sign the next trust policy, and the log holds it. Each hand-over is checked offline, under the policy that the \
        one before it gave: a log and the quorum of cosigners of that policy, and signatures of its reproducers. \
        Nothing that the new policy says is believed before.

        Without --output the policy goes to standard output, and what was checked to standard error. Keep the policy \
        that you came from, and the hand-overs: older proofs hold by them, with verify --handover. policy check says \
        what the new policy changes; a policy that asked for more than the group's own asks for less behind a hand-over.

        Exit: 0 followed; 1 a hand-over does not hold, or is not the next; 2 malformed input; 3 a file cannot be read \
        or written.
        """)

    @Option(
      help: ArgumentHelp(
        "The policy's epoch, which the first hand-over must end; 0 is a group's first. The next one's is printed.",
        valueName: "number"))
    var epoch: UInt64
    @Option(help: ArgumentHelp("Where to write the policy.", valueName: "file"))
    var output: String?
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "The policy that you trust.")
    var policy: String
    @Argument(help: "The hand-overs, in order.")
    var handovers: [String]

    private struct Result: Encodable {
      struct Step: Encodable {
        let file: String
        let group: String
        let epoch: UInt64
        let nextEpoch: UInt64
        let policySHA256: String
        let index: UInt64
        let treeSize: UInt64
        let approvers: [String]
        let cosigners: [String]
      }
      let handovers: [Step]
      let epoch: UInt64
      let policySHA256: String
      /// Left out if it is in a file, or not UTF-8.
      let policy: String?
      let output: String?
    }

    func validate() throws {
      guard !handovers.isEmpty else { throw ValidationError("Name the hand-overs to follow, in order") }
    }

    func run() async throws {
      var chain = PolicyChain(try PolicyFile.read(policy), epoch: epoch)
      var steps: [Result.Step] = []
      for path in handovers { steps.append(try Self.follow(path, &chain)) }
      let text = chain.newest.encode()
      if let output { try BoundedFile.write(text, to: output) }
      guard let last = steps.last else { return }
      if json {
        let shown = output == nil ? String(validating: text, as: UTF8.self) : nil
        return try Console.json(
          Result(
            handovers: steps, epoch: last.nextEpoch, policySHA256: last.policySHA256, policy: shown, output: output))
      }
      // Lines for people go where they are not taken for the policy.
      let descriptor = output == nil ? STDERR_FILENO : STDOUT_FILENO
      for step in steps { Console.write(Self.line(step) + "\n", to: descriptor) }
      guard let output else {
        return try FileHandle.standardOutput.write(contentsOf: Data(text))
      }
      Console.line("Made \(output), the policy of epoch \(last.nextEpoch)")
    }

    private static func follow(_ path: String, _ chain: inout PolicyChain) throws(CommandFailure) -> Result.Step {
      let verified = try HandoverFile.follow(path, &chain)
      let handover = verified.handover
      return Result.Step(
        file: path, group: handover.group.string, epoch: handover.epoch, nextEpoch: handover.epoch + 1,
        policySHA256: handover.policyDigest.hex, index: verified.index, treeSize: verified.checkpoint.treeSize,
        approvers: verified.approvers.map(\.string), cosigners: verified.cosigners.map(\.name.string))
    }

    private static func line(_ step: Result.Step) -> String {
      func list(_ names: [String]) -> String { names.map { shown(Text($0)) }.joined(separator: ", ") }
      return """
        \(Console.paint("followed", .green))  \(shown(Text(step.file)))
          group        \(step.group), epoch \(step.epoch) to \(step.nextEpoch)
          approved by  \(list(step.approvers))
          cosigned by  \(step.cosigners.isEmpty ? "nobody; the policy asks for none" : list(step.cosigners))
          log          leaf \(step.index) of \(step.treeSize)
        """
    }
  }

  /// Names are a file's: nothing in them may move a terminal's cursor.
  static func shown(_ text: Text) -> String { String(decoding: VisibleText.encode(text.utf8), as: UTF8.self) }
}

/// A hand-over's proof in a file.
enum HandoverFile {
  static func follow(_ path: String, _ chain: inout PolicyChain) throws(CommandFailure) -> VerifiedHandover {
    let bytes = try BoundedFile.read(path, what: "hand-over", bytesMax: ProofLimits.proofBytesMax)
    do throws(ProofError) {
      return try chain.follow(proof: bytes)
    } catch {
      let isMalformed = [.malformed, .tooLarge, .unsupportedVersion].contains(error.code)
      throw CommandFailure(
        isMalformed ? .usage : .notVerified, "The hand-over \(path) does not hold: \(error.message)")
    }
  }
}
