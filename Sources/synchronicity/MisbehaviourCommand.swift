import ArgumentParser
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime

/// `misbehaviour get`, `misbehaviour check`.
struct MisbehaviourCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "misbehaviour",
    abstract: "Fetches proofs that members signed what honest ones do not, and checks them offline.",
    subcommands: [Get.self, Check.self])

  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the proofs that a node keeps, a file for each.")
    @OptionGroup var node: NodeOption
    @Option(help: "The folder to write them to.")
    var output = "."

    func run() async throws {
      let proofs = try await node.client.misbehaviours()
      guard !proofs.isEmpty else { return Console.line("\(node.node) keeps no proof of misbehaviour.") }
      try BoundedFile.makeFolder(output)
      for proof in proofs {
        // Names come from a node that nobody has to trust.
        guard MisbehaviourProof.Kind(rawValue: proof.kind) != nil,
          !proof.member.isEmpty, proof.member.utf8.count <= ProofLimits.memberNameBytesMax,
          proof.member.utf8.allSatisfy({ 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x2d })
        else {
          throw CommandFailure(.environment, "\(node.node) does not answer as a Synchronicity gateway does; is it one?")
        }
        let path = "\(output)/\(proof.member)-\(proof.kind).misbehaviour"
        try BoundedFile.write(Array(proof.proof.utf8), to: path)
        Console.line(path)
      }
    }
  }

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks proofs against a group file, offline.",
      discussion: """
        What is checked: that the statements contradict each other, or hold a certificate that no quorum made, and \
        that the member's key in the group file signed them. A proof is a node's file or a leaf of the log. Exit: 0 \
        all are proven; 1 one is not; 2 a file is no such proof.
        """)
    @Option(help: ArgumentHelp("The group file.", valueName: "file"))
    var group: String
    @Flag(help: "Print one JSON object on a line for each proof.")
    var json = false
    @Argument(help: "The proofs.")
    var proof: [String]

    private struct Result: Encodable {
      let file: String
      let member: String
      let kind: String
      let place: String
    }

    func run() async throws {
      let members = try GroupFile.read(group)
      for path in proof {
        let bytes = try BoundedFile.read(path, what: "proof", bytesMax: MisbehaviourProof.bytesMax)
        let found: MisbehaviourProof
        do {
          found = try MisbehaviourProof(parsing: bytes, group: members)
        } catch {
          let status: ExitStatus = [.invalidSignature, .groupMismatch].contains(error.code) ? .notVerified : .usage
          throw CommandFailure(status, "\(path): \(error.message)")
        }
        if json {
          try Console.jsonLine(
            Result(file: path, member: found.member.string, kind: found.kind.rawValue, place: found.place))
        } else {
          Console.line("proven  \(found.member.string): \(found.kind.rawValue) in \(found.place)")
        }
      }
    }
  }
}
