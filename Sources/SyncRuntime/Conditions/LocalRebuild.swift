import Foundation
import Glibc
import Logging
import SyncProof

/// One rebuild on this host, outside any group.
public struct Rebuild: Sendable {
  public let conditions: BuildConditions
  public let outcome: Outcome
  /// What it printed.
  public let transcript: [UInt8]
  public let wallNanoseconds: UInt64
  /// The kept file of each artifact, in the outcome's order.
  public let files: [String]

  public init(
    conditions: BuildConditions, outcome: Outcome, transcript: [UInt8] = [], wallNanoseconds: UInt64 = 0,
    files: [String] = []
  ) {
    self.conditions = conditions
    self.outcome = outcome
    self.transcript = transcript
    self.wallNanoseconds = wallNanoseconds
    self.files = files
  }

  /// Whether both gave the same: equal bytes, runnable by their owner alike, or the same failure. Other mode bits are
  /// the umask's, which may be what was varied.
  public func agrees(with other: Rebuild) -> Bool {
    guard case .built(let own) = outcome, case .built(let others) = other.outcome else {
      return outcome == other.outcome
    }
    return own.elementsEqual(others) {
      ($0.path, $0.sha256, $0.mode & 0o700) == ($1.path, $1.sha256, $1.mode & 0o700)
    }
  }
}

/// What varying conditions takes on one sandbox with one toolchain.
public struct ConditionKit: Sendable {
  /// The library that is loaded before libc; `nil` where the toolchain could not make it.
  let library: String?
  /// Conditions that cannot be varied here, and why.
  public let unvaried: [Condition: String]
}

/// Rebuilds specs on this host as a builder does, under conditions of the caller's choice, and tells nobody.
///
/// Thread: any; rebuilds may overlap.
public struct LocalRebuild: Sendable {
  private static let transcriptBytesMax: UInt64 = 256 << 20

  private let workshop: Workshop
  private let logger: Logger

  /// - Parameters:
  ///   - directory: Holds sources, artifacts and what is under way. Whoever gives it removes it.
  ///   - toolchainDirectories: Folders in which `<digest>.tar` is looked for when the sandbox lacks a toolchain.
  /// - Throws: ``PluginError/Code/io`` when the folder cannot be made.
  public init(
    sandbox: any Sandbox, source: any Source, directory: String, toolchainDirectories: [String] = [],
    logger: Logger = Logger(label: "rebuild", factory: { _ in SwiftLogNoOpLogHandler() })
  ) throws(PluginError) {
    workshop = Workshop(
      sandbox: sandbox, source: source, artifacts: try ArtifactStore(root: directory + "/artifacts"),
      directory: directory,
      transcripts: TranscriptStore(
        retention: FolderRetention(root: directory + "/transcripts", days: 1, bytesMax: Self.transcriptBytesMax)),
      toolchainDirectories: toolchainDirectories)
    self.logger = logger
  }

  /// Makes the toolchain ready in the sandbox.
  public func prepareToolchain(_ toolchain: Digest) async throws(PluginError) {
    try await workshop.prepareToolchain(toolchain)
  }

  /// Compiles what varies conditions, with the toolchain's own compiler, and looks which conditions it reaches.
  public func kit(for spec: BuildSpec) async throws(PluginError) -> ConditionKit {
    let source = workshop.directory + "/conditions.c"
    try Self.write(ConditionLibrary.checking, to: source)
    var making = spec
    (making.recipe, making.artifacts) = ([UInt8](Self.making.utf8), ["conditions.so"])
    let made = try await run(making, BuildConditions()) { (request, _) throws(PluginError) in
      request.mounts.append(SandboxMount(hostPath: source, insidePath: "/input/conditions.c", isWritable: false))
    }
    let kit = ConditionKit(library: made.files.first, unvaried: [:])
    var looking = spec
    (looking.recipe, looking.artifacts) = ([UInt8](Self.looking.utf8), [])
    let usual = try await rebuild(looking, under: BuildConditions(), with: kit)
    let varied = try await rebuild(looking, under: BuildConditions(varied: Set(Condition.allCases)), with: kit)
    let (before, after) = (Self.sight(usual), Self.sight(varied))
    var unvaried: [Condition: String] = [:]
    for condition in Condition.allCases where condition != .random {
      if condition.needsLibrary, kit.library == nil {
        unvaried[condition] = "the toolchain's cc cannot make the library that changes it"
      } else if before[condition.rawValue] == nil || before[condition.rawValue] == after[condition.rawValue] {
        unvaried[condition] =
          condition == .cpus ? "the host lends one processor only" : "the toolchain's programs do not see the change"
      }
    }
    if BuildConditions.moved(String(decoding: spec.recipe, as: UTF8.self)).utf8.elementsEqual(spec.recipe) {
      unvaried[.path] = "the recipe names no folder below /build"
    }
    return ConditionKit(library: kit.library, unvaried: unvaried)
  }

  /// Fetches what is missing, runs the recipe, keeps the artifacts.
  ///
  /// - Throws: ``PluginError`` for a fault of this host; a build that failed is a value.
  public func rebuild(_ spec: BuildSpec, under conditions: BuildConditions, with kit: ConditionKit)
    async throws(PluginError) -> Rebuild
  {
    try await run(spec, conditions) { (request, attempt) throws(PluginError) in
      conditions.change(&request)
      if conditions.varied.contains(.path) {
        let recipe = BuildConditions.moved(String(decoding: spec.recipe, as: UTF8.self))
        try Self.write([UInt8](recipe.utf8), to: attempt + "/recipe.sh")
      }
      let settings = conditions.settings
      guard let library = kit.library, !settings.isEmpty else { return }
      try Self.write([UInt8](settings.utf8), to: attempt + "/conditions")
      try Self.write([UInt8]("/input/conditions.so\n".utf8), to: attempt + "/preload")
      for (host, inside) in [
        (library, "/input/conditions.so"), (attempt + "/conditions", "/input/conditions"),
        // The loader's own list, so that no variable tells of it and no program can drop it.
        (attempt + "/preload", "/etc/ld.so.preload"),
      ] {
        request.mounts.append(SandboxMount(hostPath: host, insidePath: inside, isWritable: false))
      }
    }
  }

  private func run(_ spec: BuildSpec, _ conditions: BuildConditions, change: @escaping Workshop.RequestChange)
    async throws(PluginError) -> Rebuild
  {
    // Names the run's folders; rebuilds may overlap, also those of one spec.
    let name = SHA256.hash((0..<4).flatMap { _ in withUnsafeBytes(of: UInt64.random(in: 0 ... .max), Array.init) })
    let started = ContinuousClock.now
    let built: Result<Outcome, PluginError>
    do throws(PluginError) {
      built = .success(try await workshop.build(name, spec, logger, change: change))
    } catch {
      built = .failure(error)
    }
    let parts = (ContinuousClock.now - started).components
    // Also behind a failure nothing is written any more once this returns.
    let digests = (try? built.get())?.artifacts.map(\.sha256) ?? []
    let lost = await BlockingThread.run { [workshop] () throws(PluginError) in
      workshop.artifacts.settle()
      return try workshop.artifacts.keep(digests)
    }
    let outcome = try built.get()
    guard try lost.get().isEmpty else {
      throw PluginError(.io, "Artifacts are gone from \(workshop.artifacts.root); does something else write there?")
    }
    defer { Folder.remove("\(workshop.directory)/transcripts/\(name.hex)") }
    let transcript = workshop.transcripts.path(of: name, attempt: nil).flatMap {
      FileManager.default.contents(atPath: $0)
    }
    return Rebuild(
      conditions: conditions, outcome: outcome,
      transcript: transcript.map { [UInt8]($0) } ?? [],
      wallNanoseconds: UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds / 1_000_000_000),
      files: outcome.artifacts.compactMap { workshop.artifacts.path(of: $0.sha256) })
  }

  private static func write(_ bytes: [UInt8], to path: String) throws(PluginError) {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
      throw Folder.error("write", path)
    }
  }

  private static let making = """
    cc -O1 -shared -fPIC '-DSETTINGS="/input/conditions"' -o /output/conditions.so /input/conditions.c

    """

  /// One line for each condition: its name, and what a program sees of it.
  private static let looking = """
    echo "clock $(($(date +%s) / 86400))"
    echo "cpus $(nproc)"
    echo "environment ${NOISE:-}"
    echo "host-name $(uname -n)"
    echo "kernel $(uname -r)"
    echo "locale ${LC_ALL:-}"
    echo "path $PWD"
    echo "readdir $(ls -U /usr | tr '\\n' ' ')"
    echo "source-date-epoch ${SOURCE_DATE_EPOCH:-}"
    echo "time-zone $(date +%Z)"
    echo "umask $(umask)"
    echo "user ${HOME:-}"

    """

  private static func sight(_ rebuild: Rebuild) -> [String: String] {
    var seen: [String: String] = [:]
    for line in String(decoding: rebuild.transcript, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      if let name = words.first { seen[name] = words.count > 1 ? words[1] : "" }
    }
    return seen
  }
}
