import ArgumentParser
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime

/// `group next`, `group propose`, `group approve`, `group handovers` and `group handover`: how members change.
extension GroupCommand {
  struct Next: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes the group file of the next epoch: with members added, removed or changed.",
      discussion: """
        The file is a proposal and nothing more: a member signs it with 'group propose', the others look at it and \
        sign with 'group approve'. What it does to those who trust the group now, 'policy check' says.
        """)
    @Option(help: "The card of a member that is added, or takes the place of the member of its name.")
    var add: [String] = []
    @Option(help: ArgumentHelp("A member that leaves.", valueName: "name"))
    var remove: [String] = []
    @Option(
      help: "How many builders must agree; as before unless given, or a quorum where that was one or is too many now.")
    var reproducers: Int?
    @Option(help: "How long builders have to build and commit; as before unless given.")
    var commitSeconds: UInt64?
    @Option(help: "How long builders have to reveal; as before unless given.")
    var revealSeconds: UInt64?
    @Option(help: "Where to write the group file.")
    var output: String
    @Option(help: "Where to write its policy; nowhere unless given.")
    var policy: String?
    @Argument(help: "The group file of the epoch that is to end.")
    var group: String

    func run() async throws {
      let old = try GroupFile.read(group)
      guard old.epoch < .max else { throw CommandFailure(.usage, "No epoch comes after \(old.epoch)") }
      var members = old.members
      for name in remove {
        guard let place = members.firstIndex(where: { $0.name == Text(name) }) else {
          throw CommandFailure(.usage, "The group has no member named \(name)")
        }
        members.remove(at: place)
      }
      for path in add {
        let card = try GroupCommand.card(path)
        members.removeAll { $0.name == card.name }
        members.append(card)
      }
      var wanted = reproducers ?? old.reproducers
      if reproducers == nil, old.reproducers == old.quorum || wanted > members.count {
        wanted = members.count - max(0, members.count - 1) / 3
      }
      let next: Group
      do {
        next = try Group(
          origin: old.origin, epoch: old.epoch + 1, reproducers: wanted,
          commitSeconds: commitSeconds ?? old.commitSeconds, revealSeconds: revealSeconds ?? old.revealSeconds,
          members: members)
      } catch {
        throw CommandFailure(.usage, error.message)
      }
      try BoundedFile.write(next.encode(), to: output)
      if let policy { try BoundedFile.write(next.policy().encode(), to: policy) }
      Console.line(
        "Made \(output): epoch \(next.epoch) of \(next.origin.string), \(next.members.count) builders, quorum "
          + "\(next.quorum), \(next.reproducers) reproducers. File \(SHA256.hash(next.encode()).hex).")
    }
  }

  /// What `propose` and `approve` have in common.
  struct Signing: ParsableArguments {
    @Option(help: "This member's configuration, which names its seed.")
    var config: String
    @Option(help: ArgumentHelp("The gateway to hand it to; this member's own unless given.", valueName: "url"))
    var node: String?
    @Argument(help: "The group file of the next epoch.")
    var group: String

    var name: String {
      get throws { try ConfigurationFile(path: config).name }
    }

    func sign(
      _ make: (_ next: Group, _ group: Group, _ name: Text, _ signer: any Signer) throws(PluginError) -> [UInt8]
    ) async throws -> (next: Group, entry: [UInt8], client: GatewayClient) {
      let file = try ConfigurationFile(path: config)
      let next = try GroupFile.read(group)
      let signer = try await file.makeSigner()
      let present = try GroupFile.present(file)
      guard next.origin == present.origin, next.epoch > present.epoch, next.epoch - present.epoch == 1 else {
        throw CommandFailure(
          .usage,
          "\(group) is of epoch \(next.epoch) of \(next.origin.string); wanted is the one after epoch "
            + "\(present.epoch) of \(present.origin.string)")
      }
      let client = try GatewayClient(checking: node ?? "http://\(file.gatewayListen.text)")
      return (next, try make(next, present, Text(file.name), signer), client)
    }
  }

  struct Propose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Signs a group file as this member's proposal for the next epoch, approves of it, and hands it in.")
    @OptionGroup var signing: Signing

    func run() async throws {
      let (_, proposal, client) = try await signing.sign(HandoverEntry.proposal)
      let (next, approval, _) = try await signing.sign(HandoverEntry.approval)
      _ = try await client.submitHandover(proposal)
      try await GroupCommand.settle(next, client) { $0 != nil }
      _ = try await client.submitHandover(approval)
      try await GroupCommand.report(next, approvedBy: try signing.name, client)
    }
  }

  struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Approves, as this member, of a group file that is proposed for the next epoch.",
      discussion: """
        Look at the file first: who approves vouches for everything in it. An approval cannot be taken back. With a \
        quorum of them, and as many as there are reproducers, the epoch ends once its open jobs have.
        """)
    @OptionGroup var signing: Signing

    func run() async throws {
      let (next, approval, client) = try await signing.sign(HandoverEntry.approval)
      _ = try await client.submitHandover(approval)
      try await GroupCommand.report(next, approvedBy: try signing.name, client)
    }
  }

  struct Handovers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows what is proposed for the next epoch, and who approves of it.")
    @OptionGroup var node: NodeOption
    @Flag(help: "Print JSON.")
    var json = false
    @Option(help: ArgumentHelp("Write the proposed group file of this identity.", valueName: "id"))
    var get: String?
    @Option(help: "Where to write it.")
    var output = "group-next.txt"

    func run() async throws {
      let list = try await node.client.handovers()
      if let get {
        guard let id = Digest(hex: get.utf8) else {
          throw CommandFailure(.usage, "A proposal is named by 64 lower-case hexadecimal digits, not by '\(get)'")
        }
        let bytes = try await node.client.proposal(id)
        guard SHA256.hash(bytes).hex == get else {
          throw CommandFailure(.notVerified, "The node gave another file than the one of this identity")
        }
        try BoundedFile.write(bytes, to: output)
        return Console.line("Made \(output)")
      }
      if json { return try Console.json(list) }
      Console.line("epoch \(list.epoch): \(list.phase.rawValue), \(list.approvalsWanted) approvals wanted")
      for proposal in list.proposals {
        Console.line("\(proposal.id)  by \(proposal.proposer)")
        let names = proposal.approvals.isEmpty ? "nobody yet" : proposal.approvals.joined(separator: ", ")
        Console.line("  approved by \(names)")
      }
    }
  }

  struct Handover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Fetches the proof of the hand-over that ended an epoch.",
      discussion: "With it, 'verify --handover' and 'policy follow' go from that epoch's policy to the next.")
    @OptionGroup var node: NodeOption
    @Option(help: "Where to write it; handover-EPOCH.tlog-proof unless given.")
    var output: String?
    @Argument(help: "The epoch that it ended.")
    var epoch: UInt64

    func run() async throws {
      let bytes = try await node.client.handover(epoch: epoch)
      let path = output ?? "handover-\(epoch).tlog-proof"
      try BoundedFile.write(bytes, to: path)
      Console.line("Made \(path)")
    }
  }

  static func card(_ path: String) throws -> GroupMember {
    let bytes = try BoundedFile.read(path, what: "member card", bytesMax: MemberCard.bytesMax)
    do {
      return try MemberCard(parsing: bytes).member
    } catch {
      throw CommandFailure(.usage, "\(path): \(error.message)")
    }
  }

  /// Waits until the group has ordered what was handed in, or has gone on to the next epoch: a node that does so does
  /// not answer for a moment.
  ///
  /// - Returns: What the node has then; `nil` once it is in the next epoch.
  @discardableResult
  private static func settle(
    _ next: Group, _ client: GatewayClient, until condition: (HandoverStatus?) -> Bool
  ) async throws -> HandoverList? {
    let id = SHA256.hash(next.encode()).hex
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      if let list = try? await client.handovers() {
        if list.epoch >= next.epoch || list.phase == .over { return nil }
        if condition(list.proposals.first(where: { $0.id == id })) { return list }
      }
      try await Task.sleep(for: .milliseconds(100))
    }
    throw CommandFailure(
      .environment,
      "What was handed in is not ordered after 30 s; see whether a quorum is connected: synchronicity status")
  }

  private static func report(_ next: Group, approvedBy name: String, _ client: GatewayClient) async throws {
    let id = SHA256.hash(next.encode()).hex
    let list = try await settle(next, client) { $0?.approvals.contains(name) ?? false }
    guard let list, let proposal = list.proposals.first(where: { $0.id == id }) else {
      return Console.line("The epoch is over; 'policy follow' shows who has approved.")
    }
    Console.line("Approved of \(id) for epoch \(next.epoch) of \(next.origin.string).")
    let progress =
      switch list.phase {
      case .open: "see 'group handovers'"
      case .ending: "the epoch ends with its open jobs"
      case .over: "the epoch is over"
      }
    Console.line("\(proposal.approvals.count) of \(list.approvalsWanted) approvals so far; \(progress).")
  }
}
