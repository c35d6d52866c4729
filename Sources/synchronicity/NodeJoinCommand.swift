import ArgumentParser
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime

extension NodeCommand {
  /// `node join`: the log of the epochs before, for a builder that was no member of them.
  struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Brings the log to a new member of a group that has been running, before its first start.",
      discussion: """
        From the node named it takes the hand-overs from the policy's epoch on, and every leaf of the log up to the \
        last of them. Nothing of it is believed: hand-overs are verified under the policy, and the leaves must have \
        the root that the old builders have cosigned. Then 'node run' goes on by itself. A member that was away for \
        the ends of two epochs, or has lost its disk, does the same.

        Exit: 0 the node can be run; 1 what was served does not hold; 2 the command line or a file is wrong; \
        3 the log cannot be read.
        """)
    @OptionGroup var node: NodeOption
    @Option(help: "The configuration that init wrote; its group file is that of the epoch to join.")
    var config: String
    @Option(help: ArgumentHelp("A trust policy of the group, of this epoch or an earlier one.", valueName: "file"))
    var policy: String
    @Option(help: ArgumentHelp("The policy's epoch; 0 is a group's first.", valueName: "number"))
    var epoch: UInt64
    @Flag(help: "Print JSON.")
    var json = false

    private struct Result: Encodable {
      let origin: String
      let epoch: UInt64
      let leaves: UInt64
    }

    func run() async throws {
      let file = try ConfigurationFile(path: config)
      let group = try GroupFile.read(file.group)
      let signer = try await file.makeSigner()
      try NodeConfiguration(name: Text(file.name), group: group, dataDirectory: file.data).checkKeys(signer: signer)
      guard epoch < group.epoch else {
        throw CommandFailure(
          .usage,
          "The group file is of epoch \(group.epoch); the policy must be of an earlier one, whose builders handed over")
      }
      let client = try node.client
      var chain = PolicyChain(try PolicyFile.read(policy), epoch: epoch)
      var last: (policy: Policy, proof: [UInt8])?
      for ended in epoch..<group.epoch {
        let proof = try await client.handover(epoch: ended)
        last = (chain.newest, proof)
        do throws(ProofError) {
          try chain.follow(proof: proof)
        } catch {
          throw CommandFailure(.notVerified, "The hand-over of epoch \(ended) does not hold: \(error.message)")
        }
      }
      guard let last else { return }
      try BoundedFile.makeFolder(file.data)
      let storage = try await file.makeStorage()
      defer { storage.close() }
      var join = try EpochJoin(storage: storage, group: group, handover: last.proof, policy: last.policy)
      try await take(from: client, &join)
      do throws(PluginError) {
        try join.finish()
      } catch {
        throw CommandFailure(.notVerified, error.message)
      }
      let leaves = join.progress.of
      if json { return try Console.json(Result(origin: group.origin.string, epoch: group.epoch, leaves: leaves)) }
      Console.line(
        "\(leaves) leaves of \(group.origin.string) are here; start with: synchronicity node run --config \(config)")
    }

    private func take(from client: GatewayClient, _ join: inout EpochJoin) async throws {
      var live = LiveLines()
      let clock = ContinuousClock()
      var shown = clock.now
      let size = join.progress.of
      while let bundle = join.nextBundle {
        let bytes = try await client.file(bundle.path.string, bytesMax: LogAudit.bundleBytesMax)
        do throws(PluginError) {
          try join.take(bundle: bytes)
        } catch {
          guard error.code == .invalid else { throw error }
          throw CommandFailure(.notVerified, "\(bundle.path.string): \(error.message)")
        }
        if Console.isTerminal, !json, clock.now - shown > .milliseconds(200) || join.progress.taken == size {
          shown = clock.now
          let share = Int(join.progress.taken * 30 / max(1, size))
          let bar = String(repeating: "█", count: share) + String(repeating: "░", count: 30 - share)
          live.show([("log", "\(bar) \(join.progress.taken) of \(size) leaves", "")])
        }
      }
      live.settle()
    }
  }
}
