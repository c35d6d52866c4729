import SyncProof

/// How far a job has come.
public enum JobPhase: String, Sendable, CaseIterable, Codable {
  /// Ordered; builders rebuild and commit.
  case commit
  /// All have committed or the deadline passed; builders open their commitments.
  case reveal
  /// The verdict stands and the evidence is in the log, but no quorum has cosigned a checkpoint over it yet.
  case logged
  /// A cosigned checkpoint covers the evidence: the proof can be had.
  case cosigned
}

/// What one builder has done for a job, as the decided blocks tell it.
public struct BuilderProgress: Sendable, Equatable, Codable {
  public enum Step: String, Sendable, Codable {
    case waiting, committed, revealed, abstained, wrongOpening
  }
  public let builder: String
  public let step: Step
  public init(builder: String, step: Step) { (self.builder, self.step) = (builder, step) }
}

/// One job, for people and for the API.
public struct JobStatus: Sendable, Equatable, Codable {
  /// 64 hexadecimal digits.
  public let id: String
  public let package: String
  public let submitter: String
  public let phase: JobPhase
  public let builders: [BuilderProgress]
  /// `reproduced`, `diverged`, `failed` or `inconclusive`, once there is one.
  public let verdict: String?
  /// How many builders agree on the outcome that gave the verdict.
  public let agreeing: Int?
  /// The evidence's index in the log.
  public let index: UInt64?
  /// Path and SHA-256 of each artifact on which the builders agreed.
  public let artifacts: [ArtifactStatus]
  /// Decided times, Unix milliseconds.
  public let orderedMilliseconds: UInt64
  public let verdictMilliseconds: UInt64?
  /// Who got what, from the evidence; of a single job only, and once there is a verdict.
  public var outcomes: [OutcomeStatus]?
  public var absent: [AbsentBuilder]?
  /// This node's own attempts whose transcripts are kept; of a single job only.
  public var attempts: [AttemptStatus]?
  /// This node's report, where builders differ; of a single job only.
  public var divergence: DivergenceStatus?

  public struct ArtifactStatus: Sendable, Equatable, Codable {
    public let path: String
    public let sha256: String
    public let size: UInt64
    public init(path: String, sha256: String, size: UInt64) {
      (self.path, self.sha256, self.size) = (path, sha256, size)
    }
  }

  public init(
    id: String, package: String, submitter: String, phase: JobPhase, builders: [BuilderProgress], verdict: String?,
    agreeing: Int?, index: UInt64?, artifacts: [ArtifactStatus], orderedMilliseconds: UInt64,
    verdictMilliseconds: UInt64?
  ) {
    self.id = id
    self.package = package
    self.submitter = submitter
    self.phase = phase
    self.builders = builders
    self.verdict = verdict
    self.agreeing = agreeing
    self.index = index
    self.artifacts = artifacts
    self.orderedMilliseconds = orderedMilliseconds
    self.verdictMilliseconds = verdictMilliseconds
  }
}

/// A node at a glance.
public struct NodeStatus: Sendable, Equatable, Codable {
  public let name: String
  public let origin: String
  public let version: String
  public let epoch: UInt64
  public let view: UInt64
  /// Height of the last decided block.
  public let height: UInt64
  public let logSize: UInt64
  /// Size of the newest checkpoint that a quorum has cosigned.
  public let checkpointSize: UInt64
  public let openJobs: Int
  /// Peers with a working connection, in the order of their names.
  public let connectedPeers: [String]
  public let replicas: Int
  public let quorum: Int
  /// Names of replicas of which a proof of misbehaviour is kept.
  public let misbehaved: [String]
  /// Whether the node signs nothing, since its journal may be older than what it has signed.
  public let isObserving: Bool
  /// Views of this epoch of which the node has signed a timeout since it started: a leader was dead, the network cut,
  /// or the shortest timeout is too short for this disk and network. `nil`: its version does not count them.
  public let viewsGivenUp: UInt64?

  public init(
    name: String, origin: String, version: String, epoch: UInt64, view: UInt64, height: UInt64, logSize: UInt64,
    checkpointSize: UInt64, openJobs: Int, connectedPeers: [String], replicas: Int, quorum: Int, misbehaved: [String],
    isObserving: Bool = false, viewsGivenUp: UInt64? = nil
  ) {
    self.name = name
    self.origin = origin
    self.version = version
    self.epoch = epoch
    self.view = view
    self.height = height
    self.logSize = logSize
    self.checkpointSize = checkpointSize
    self.openJobs = openJobs
    self.connectedPeers = connectedPeers
    self.replicas = replicas
    self.quorum = quorum
    self.misbehaved = misbehaved
    self.isObserving = isObserving
    self.viewsGivenUp = viewsGivenUp
  }

  /// The numbers alone, which cost nothing to copy.
  public struct Figures: Sendable, Equatable, BitwiseCopyable {
    public let epoch: UInt64
    public let view: UInt64
    public let height: UInt64
    public let logSize: UInt64
    public let checkpointSize: UInt64
    public let openJobs: Int
    public let connectedPeers: Int
    public let replicas: Int
    public let quorum: Int
    public let isObserving: Bool
  }

  public var figures: Figures {
    Figures(
      epoch: epoch, view: view, height: height, logSize: logSize, checkpointSize: checkpointSize, openJobs: openJobs,
      connectedPeers: connectedPeers.count, replicas: replicas, quorum: quorum, isObserving: isObserving)
  }
}

/// What a node shows to those who serve it to others (the gateway, the command line).
///
/// Thread: any. Errors: ``PluginError``; ``PluginError/Code/invalid`` and ``PluginError/Code/notFound`` are the
/// asker's, the rest are the node's.
///
/// No function has a default: in an asynchronous context the compiler would take it before an actor's own synchronous
/// one.
public protocol NodeView: Sendable {
  func status() async -> NodeStatus
  /// Resolves the package with the node's Source, signs the spec as this builder and hands it to the group.
  ///
  /// - Returns: The job, which may exist already: the same spec is the same job.
  func submit(_ request: SubmitRequest) async throws(PluginError) -> Digest
  /// The newest jobs first, at most `limit` (1...1,000), those ordered before the job `before` where given.
  func jobs(limit: Int, before: Digest?) async -> [JobStatus]
  func job(_ id: Digest) async -> JobStatus?
  /// Proofs against members, each a file that is checked offline; at most one of each kind against each.
  func misbehaviours() async -> [MisbehaviourStatus]
  /// The newest checkpoint that a quorum has cosigned, a signed note.
  func checkpoint() async -> [UInt8]?
  /// C2SP tlog-tiles: `level` 0...5, `width` 1...256 hashes; `nil` where the published tree has no such tile.
  func tile(level: Int, index: UInt64, width: Int) async throws(PluginError) -> [UInt8]?
  /// C2SP tlog-tiles entry bundle: each leaf behind its 16-bit length.
  func entryBundle(index: UInt64, width: Int) async throws(PluginError) -> [UInt8]?
  /// The `.tlog-proof` of a job whose evidence is covered by a cosigned checkpoint.
  func proof(job: Digest) async throws(PluginError) -> [UInt8]?
  /// Path of a local file that holds the artifact; the bytes may be checked again by whoever receives them.
  func artifactPath(_ sha256: Digest) async -> String?
  /// Path of a local file with what this node's attempt printed, the newest attempt's unless a number is given; its
  /// bytes are the build's and may be hostile.
  func transcriptPath(job: Digest, attempt: Int?) async -> String?
  /// Path of a local file of this node's report on a job whose builders differ; what it quotes may be hostile.
  func reportPath(job: Digest, _ file: ReportFile) async -> String?
  /// What is proposed for the next epoch, and how far the change has come.
  func handovers() async -> HandoverList
  /// The group file that is proposed under this identity, its SHA-256.
  func proposal(_ id: Digest) async -> [UInt8]?
  /// The proof of the hand-over that ended this epoch, for who trusts its builders; `nil` where it is not kept here.
  func handover(epoch: UInt64) async throws(PluginError) -> [UInt8]?
  /// Takes an entry with which a member proposes a hand-over or approves of one.
  func submitHandover(_ entry: [UInt8]) async throws(PluginError)
}

public struct SubmitRequest: Sendable, Equatable, Codable {
  /// Such as `pkg:cargo/itoa@1.0.1`.
  public var package: String
  public var features: [String]?
  /// Whether the default features are on too; they are unless this is false.
  public var defaultFeatures: Bool?
  /// `release` unless given.
  public var profile: String?
  /// The toolchain's own host unless given.
  public var target: String?
  /// Names of programs; with neither these nor ``library``, all that the package has is built.
  public var programs: [String]?
  public var library: Bool?
  /// A toolchain's digest, 64 hexadecimal digits; the one that the node has for this type of package unless given.
  public var toolchain: String?
  /// A number that was not used before asks for a fresh rebuild of the same spec.
  public var rebuild: UInt64?
  /// Names of ``Normalisation``: what the build's own recipe shall hold still.
  public var normalise: [String]?
  /// The higher, the sooner among the jobs that were submitted to this node, in its own queue alone; 0 unless given.
  public var priority: Int?

  /// What a priority can be.
  public static let priorities = -100...100

  public init(
    package: String, features: [String]? = nil, defaultFeatures: Bool? = nil, profile: String? = nil,
    target: String? = nil, programs: [String]? = nil, library: Bool? = nil, toolchain: String? = nil,
    rebuild: UInt64? = nil, normalise: [String]? = nil, priority: Int? = nil
  ) {
    (self.package, self.features, self.rebuild, self.normalise) = (package, features, rebuild, normalise)
    (self.defaultFeatures, self.profile, self.target) = (defaultFeatures, profile, target)
    (self.programs, self.library, self.toolchain) = (programs, library, toolchain)
    self.priority = priority
  }

  public var selection: BuildSelection {
    BuildSelection(
      profile: profile, target: target, withDefaultFeatures: defaultFeatures ?? true, programs: programs ?? [],
      library: library ?? false)
  }
}
