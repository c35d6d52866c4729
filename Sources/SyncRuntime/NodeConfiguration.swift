import NIOCore
import SyncLedger
import SyncProof

/// What a node is told at its start. Keys and group are checked before anything is touched.
public struct NodeConfiguration: Sendable {
  /// This builder's name in the group.
  public var name: Text
  public var group: Group
  /// Holds the artifacts, sources, transcripts and attempts of this node.
  public var dataDirectory: String
  /// The toolchain for jobs that are submitted here; without one, submissions are refused with a sentence.
  public var toolchain: Digest?
  /// Those for certain types of package instead, by the purl's type, such as `pypi`.
  public var toolchains: [String: Digest]
  /// Folders in which `<digest>.tar` is looked for.
  public var toolchainDirectories: [String]
  /// What builds may use of this host, all together.
  public var capacity: BuildCapacity
  /// What the data folder may hold.
  public var dataPolicy: DataPolicy
  /// How long a build waits for its next try after each fault of this host (no disk space, no network); then the
  /// builder abstains.
  public var faultPauses: [Duration]
  /// The consensus' shortest timeout, what a dead leader costs: above a view's round trips and syncs of the disk. Where
  /// views last longer the timeout follows them.
  public var timeoutBaseMilliseconds: UInt64
  public var divergence: DivergencePolicy
  public var retention: RetentionPolicy
  /// Whether the data folder was put back from an older copy, or is new although this builder has signed before: the
  /// node observes, and signs nothing until that is safe.
  public var isRestored: Bool
  /// Decided blocks between two snapshots: about so many are applied again at a start. The first one comes up to as
  /// many later, each node's behind another block; while more is open than the blocks are long, eight times as many may
  /// come.
  public var snapshotBlocks: UInt64
  /// Whether the start leaves the snapshot aside and applies every decided block, and says so if that gives another.
  public var appliesAllBlocks: Bool
  /// How long the node stays in an epoch that is over, for others that are a moment behind.
  public var lingerMilliseconds: UInt64

  public init(
    name: Text, group: Group, dataDirectory: String, toolchain: Digest? = nil, toolchains: [String: Digest] = [:],
    toolchainDirectories: [String] = [], capacity: BuildCapacity = .ofThisHost(), dataPolicy: DataPolicy = DataPolicy(),
    faultPauses: [Duration] = .backOff(first: .seconds(2), factor: 4, longest: .seconds(600), count: 5),
    timeoutBaseMilliseconds: UInt64 = 250, divergence: DivergencePolicy = DivergencePolicy(),
    retention: RetentionPolicy = RetentionPolicy(), isRestored: Bool = false,
    snapshotBlocks: UInt64 = 1_024, appliesAllBlocks: Bool = false, lingerMilliseconds: UInt64 = 4_000
  ) {
    self.name = name
    self.group = group
    self.dataDirectory = dataDirectory
    self.toolchain = toolchain
    self.toolchains = toolchains
    self.toolchainDirectories = toolchainDirectories
    self.capacity = capacity
    self.dataPolicy = dataPolicy
    self.faultPauses = faultPauses
    self.timeoutBaseMilliseconds = timeoutBaseMilliseconds
    self.divergence = divergence
    self.retention = retention
    self.isRestored = isRestored
    self.snapshotBlocks = max(1, snapshotBlocks)
    self.appliesAllBlocks = appliesAllBlocks
    self.lingerMilliseconds = lingerMilliseconds
  }
}

/// The plugins of one node and the thread that it owns.
public struct NodePlugins: Sendable {
  public var storage: any Storage
  public var transport: any Transport
  public var signer: any Signer
  public var sandbox: any Sandbox
  public var source: any Source
  /// The node runs on this loop and blocks it while it syncs the disk: give it one of its own.
  public var eventLoop: any EventLoop

  public init(
    storage: any Storage, transport: any Transport, signer: any Signer, sandbox: any Sandbox, source: any Source,
    eventLoop: any EventLoop
  ) {
    self.storage = storage
    self.transport = transport
    self.signer = signer
    self.sandbox = sandbox
    self.source = source
    self.eventLoop = eventLoop
  }
}

extension NodeConfiguration {
  /// Checks that the signer's keys are those that the group file gives to this name.
  ///
  /// - Throws: ``PluginError/Code/invalid`` with the role of the first key that differs.
  public func checkKeys(signer: any Signer) throws(PluginError) { _ = try ownMember(signer: signer) }

  /// The same check.
  ///
  /// - Returns: This node's place in the group.
  func ownMember(signer: any Signer) throws(PluginError) -> (index: Int, member: GroupMember) {
    guard let index = group.members.firstIndex(where: { $0.name == name }) else {
      throw PluginError(
        .invalid,
        "The group \(group.origin.string) has no member named \(name.string); check `name` in the configuration")
    }
    let member = group.members[index]
    let expected: [(KeyRole, PublicKey)] = [
      (.log, member.logKey), (.cosigner, member.cosignerKey), (.builder, member.builderKey),
      (.consensus, member.consensusKey), (.transport, member.transportKey),
    ]
    for (role, key) in expected where try signer.publicKey(for: role) != key {
      throw PluginError(
        .invalid,
        "The \(role.rawValue) key of this node is not the one that the group file gives to \(name.string);"
          + " use the seed that the member card was made from")
    }
    return (index, member)
  }
}
