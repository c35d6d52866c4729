import SyncProof

/// What a sandbox plugin says of the host it runs on.
public struct SandboxProbe: Sendable, Equatable {
  /// One checked requirement, with the reason when it is not met.
  public struct Finding: Sendable, Equatable {
    public let name: String
    public let isMet: Bool
    /// What was found; when not met, what is wanted.
    public let detail: String
    /// Met, but by less than the plugin can do on a better host: `detail` says what is weaker.
    public let isWeaker: Bool
    /// One line that would mend it: a command, a setting, a package. Nil when there is nothing to mend, or when no line
    /// would.
    public let mend: String?
    public init(name: String, isMet: Bool, detail: String, isWeaker: Bool = false, mend: String? = nil) {
      (self.name, self.isMet, self.detail) = (name, isMet, detail)
      (self.isWeaker, self.mend) = (isWeaker, mend)
    }
  }
  public let findings: [Finding]
  public var isUsable: Bool { findings.allSatisfy(\.isMet) }
  public init(findings: [Finding]) { self.findings = findings }
}

/// A folder of the host that the sandboxed program sees.
public struct SandboxMount: Sendable, Equatable {
  /// An absolute path on the host.
  public let hostPath: String
  /// An absolute path inside; its parents are made.
  public let insidePath: String
  public let isWritable: Bool
  public init(hostPath: String, insidePath: String, isWritable: Bool) {
    (self.hostPath, self.insidePath, self.isWritable) = (hostPath, insidePath, isWritable)
  }
}

/// The bounds of one run, as its spec gives them; disk counts what the run may write, in total, to its private file
/// systems and to its writable mounts.
public typealias SandboxLimits = Limits

/// One run: what to execute, on which root, with what in sight.
public struct SandboxRequest: Sendable, Equatable {
  /// Unique on this host; names scratch folders, cgroups and containers, so that leftovers can be found.
  public var runID: String
  /// A toolchain that ``Sandbox/prepare(toolchain:archive:)`` has made ready.
  public var toolchain: Digest
  /// Absolute path of the program inside, then its arguments.
  public var command: [String]
  /// The whole environment, in the order of the names; nothing is added or inherited.
  public var environment: [(name: String, value: String)]
  public var workingDirectory: String
  public var mounts: [SandboxMount]
  public var limits: SandboxLimits
  /// Fixed inside, whatever the host's name is.
  public var hostName: String
  /// A folder of the host for this run's private files; the sandbox removes what it puts there.
  public var scratchDirectory: String
  /// Called with pieces of the transcript as they come, on a thread of the sandbox; at most `transcriptBytes` in all.
  public var onTranscript: (@Sendable ([UInt8]) -> Void)?

  public init(
    runID: String, toolchain: Digest, command: [String], environment: [(name: String, value: String)],
    workingDirectory: String, mounts: [SandboxMount], limits: SandboxLimits, hostName: String = "builder",
    scratchDirectory: String, onTranscript: (@Sendable ([UInt8]) -> Void)? = nil
  ) {
    self.runID = runID
    self.toolchain = toolchain
    self.command = command
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.mounts = mounts
    self.limits = limits
    self.hostName = hostName
    self.scratchDirectory = scratchDirectory
    self.onTranscript = onTranscript
  }

  public static func == (a: SandboxRequest, b: SandboxRequest) -> Bool {
    a.runID == b.runID && a.toolchain == b.toolchain && a.command == b.command
      && a.environment.elementsEqual(b.environment, by: ==) && a.workingDirectory == b.workingDirectory
      && a.mounts == b.mounts && a.limits == b.limits && a.hostName == b.hostName
      && a.scratchDirectory == b.scratchDirectory
  }
}

/// How a run ended. A run that failed is a value; only a fault of the sandbox itself is thrown.
public enum SandboxTermination: Sendable, Equatable {
  case exited(status: Int32)
  case signalled(Int32)
  case wallTimeExceeded
  case cpuTimeExceeded
  case memoryExceeded
  case processesExceeded
  case diskExceeded
  case transcriptExceeded
}

public struct SandboxResult: Sendable, Equatable {
  public let termination: SandboxTermination
  /// Standard output and error as they were interleaved, cut at the limit.
  public let transcript: [UInt8]
  public let wallNanoseconds: UInt64
  /// User and system time of the whole tree, where the host can tell.
  public let cpuNanoseconds: UInt64?
  public let memoryPeakBytes: UInt64?
  public init(
    termination: SandboxTermination, transcript: [UInt8], wallNanoseconds: UInt64, cpuNanoseconds: UInt64?,
    memoryPeakBytes: UInt64?
  ) {
    self.termination = termination
    self.transcript = transcript
    self.wallNanoseconds = wallNanoseconds
    self.cpuNanoseconds = cpuNanoseconds
    self.memoryPeakBytes = memoryPeakBytes
  }
}

/// A sandbox that can clear away what a killed run has left.
public protocol LeftoverSandbox: Sandbox {
  /// - Returns: A line for each thing that was removed.
  @discardableResult
  func removeLeftovers() async throws(PluginError) -> [String]
}

/// A plugin that holds what must be let go of when its node ends.
public protocol ClosablePlugin: Sendable {
  /// Returns when nothing of the plugin runs any more. Once; later calls of the plugin fail.
  func close() async
}

/// Runs one program alone: no network, no sight of the host, bounded in everything.
///
/// Whatever the plugin is, a run sees the same: host name, user 1000 (or 0 mapped), umask 022, the paths of the
/// request, and nothing else of the host. Thread: any; runs may overlap.
public protocol Sandbox: Sendable {
  /// The name by which the configuration chooses it, such as `chroot`.
  var name: String { get }
  var version: String { get }
  /// Checks what the host can do, without changing it.
  func probe() async -> SandboxProbe
  /// Makes the toolchain ready: unpacks `archive` (a tar file whose SHA-256 is `toolchain`), once.
  func prepare(toolchain: Digest, archive: String) async throws(PluginError)
  /// Whether ``prepare(toolchain:archive:)`` has been done for this digest.
  func hasToolchain(_ toolchain: Digest) async -> Bool
  /// Runs to the end. Cancelling the task kills the whole tree and throws ``PluginError/Code/cancelled``.
  ///
  /// - Throws: ``PluginError`` when the sandbox itself failed; such a run has no outcome and may be tried again.
  func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult
}
