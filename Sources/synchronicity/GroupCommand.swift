import ArgumentParser
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime

/// `group` and its subcommands.
struct GroupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "group",
    abstract: "Makes a group of builders from their member cards, joins one, or changes its members.",
    subcommands: [
      Create.self, Card.self, Join.self, Next.self, Propose.self, Approve.self, Handovers.self, Handover.self,
    ])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the group file and the trust policy from the members' cards.",
      discussion: "The policy is what verifiers need; the group file is what every member's node needs.")

    @Option(help: "The log's name: a bare host name, such as builds.example.")
    var origin: String

    @Option(help: "How many builders must agree; a quorum of the group unless given.")
    var reproducers: Int?

    @Option(help: "How long builders have to build and commit.")
    var commitSeconds: UInt64 = 3_600

    @Option(help: "How long builders have to reveal.")
    var revealSeconds: UInt64 = 600

    @Option(help: "Where to write the group file.")
    var output = "group.txt"

    @Option(help: "Where to write the policy.")
    var policy = "policy"

    @Argument(help: "The members' cards.")
    var cards: [String]

    func run() async throws {
      let group = try Self.make(
        origin: origin, reproducers: reproducers, commitSeconds: commitSeconds, revealSeconds: revealSeconds,
        cards: cards)
      try BoundedFile.write(group.encode(), to: output)
      try BoundedFile.write(group.policy().encode(), to: policy)
      Console.line(
        "Made \(output) (\(group.members.count) builders, quorum \(group.quorum), \(group.reproducers) reproducers)"
          + " and \(policy). Chain \(group.chainID.hex).")
    }

    static func make(
      origin: String, reproducers: Int?, commitSeconds: UInt64, revealSeconds: UInt64, cards: [String]
    ) throws -> Group {
      var members: [GroupMember] = []
      for path in cards { members.append(try GroupCommand.card(path)) }
      do {
        return try Group(
          origin: Text(origin), epoch: 0, reproducers: reproducers, commitSeconds: commitSeconds,
          revealSeconds: revealSeconds, members: members)
      } catch {
        throw CommandFailure(.usage, error.message)
      }
    }
  }

  struct Card: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes this builder's member card, with the keys of the signer that its configuration names.",
      discussion: "init writes one for the keys of a seed; this one is for keys that a plugin holds.")

    @Option(help: "This node's configuration.")
    var config: String

    @Option(help: ArgumentHelp("Where the other replicas reach this one.", valueName: "host:port"))
    var address: String

    @Option(help: ArgumentHelp("Where others reach the gateway, if they do.", valueName: "url"))
    var publicGateway: String?

    @Option(help: "Where to write the card.")
    var output: String

    func run() async throws {
      let file = try ConfigurationFile(path: config)
      let signer = try await file.makeSigner()
      let card = try MemberCard(
        name: Text(file.name), address: Text(address), gateway: publicGateway.map { Text($0) }, signer: signer)
      try BoundedFile.write(card.encode(), to: output)
      Console.line("Made \(output); hand it to the group's creator.")
    }
  }

  struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks a group file against this node's keys and puts it beside the configuration.")

    @Option(help: "This node's configuration.")
    var config: String

    @Argument(help: "The group file.")
    var group: String

    func run() async throws {
      let configuration = try ConfigurationFile(path: config)
      let bytes = try BoundedFile.read(group, what: "group file", bytesMax: GroupFile.bytesMax)
      let parsed = try GroupFile.parse(bytes, path: group)
      let signer = try await configuration.makeSigner()
      try NodeConfiguration(name: Text(configuration.name), group: parsed, dataDirectory: configuration.data)
        .checkKeys(signer: signer)
      // The same group under other addresses, or a later epoch of it, goes on with the journal.
      if access(configuration.data + "/journal.sqlite", F_OK) == 0, access(configuration.group, F_OK) == 0,
        case let old = try GroupFile.read(configuration.group),
        old.chainID != parsed.chainID, old.origin != parsed.origin || old.epoch >= parsed.epoch
      {
        throw CommandFailure(
          .usage, "\(configuration.data) holds the journal of another group; give this group a folder of its own")
      }
      try BoundedFile.write(bytes, to: configuration.group)
      Console.line(
        "Joined \(parsed.origin.string) as \(configuration.name); start with: synchronicity node run --config \(config)"
      )
    }
  }
}
