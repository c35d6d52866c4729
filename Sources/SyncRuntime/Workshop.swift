import Foundation
import Glibc
import Logging
import SyncProof

/// Where one builder rebuilds: its sandbox, its sources, its folders.
///
/// Thread: any; builds of different jobs may overlap.
struct Workshop: Sendable {
  let sandbox: any Sandbox
  let source: any Source
  let artifacts: ArtifactStore
  /// Holds `attempts/` and `sources/`.
  let directory: String
  let transcripts: TranscriptStore
  let holds = SourceHolds()
  /// Folders in which `<digest>.tar` is looked for when the sandbox does not have a toolchain.
  let toolchainDirectories: [String]

  /// Changes what a run is asked for, and may put files into the attempt's folder, whose path it is given.
  typealias RequestChange = @Sendable (inout SandboxRequest, String) throws(PluginError) -> Void

  /// Fetches, runs, collects.
  ///
  /// - Parameter change: For rebuilds under other conditions than a builder's.
  /// - Throws: ``PluginError`` for a fault of this host, which says nothing about the package.
  func build(_ job: Digest, _ spec: BuildSpec, _ log: Logger, change: RequestChange? = nil)
    async throws(PluginError) -> Outcome
  {
    let transcript = try transcripts.begin(job)
    do throws(PluginError) {
      return try await build(job, spec, transcript, log, change)
    } catch {
      transcript.end(nil, "fault \(error.kind)")
      throw error
    }
  }

  private func build(
    _ job: Digest, _ spec: BuildSpec, _ transcript: OpenTranscript, _ log: Logger, _ change: RequestChange?
  ) async throws(PluginError) -> Outcome {
    try await prepareToolchain(spec.toolchain)
    let attempt = "\(directory)/attempts/\(job.hex)"
    Folder.remove(attempt)
    guard access(attempt, F_OK) != 0 else {
      throw PluginError(.io, "Cannot remove \(attempt), which an earlier attempt left; remove it by hand")
    }
    defer { Folder.remove(attempt) }
    let output = attempt + "/output"
    try Folder.make(output)
    var trees: [Digest] = []
    defer { holds.give(trees) }
    let mounts = try await inputs(of: spec, attempt: attempt, output: output, &trees)
    var request = SandboxRequest(
      runID: String(job.hex.prefix(16)) + "-" + UniqueName.next(), toolchain: spec.toolchain,
      command: ["/bin/sh", "/input/recipe.sh"],
      environment: spec.environment.map { ($0.name.string, $0.value.string) }, workingDirectory: "/build",
      mounts: mounts, limits: spec.limits, scratchDirectory: attempt + "/scratch",
      onTranscript: transcript.append)
    try Folder.make(request.scratchDirectory)
    try change?(&request, attempt)
    log.info("Rebuilding \(spec.package.string)")
    let result = try await sandbox.run(request)
    log.info(
      "Rebuilt \(spec.package.string)",
      metadata: [
        "termination": "\(result.termination)", "wallMilliseconds": "\(result.wallNanoseconds / 1_000_000)",
        "memoryPeakBytes": "\(result.memoryPeakBytes ?? 0)",
      ])
    let outcome: Outcome =
      if let reason = FailureReason(result.termination) {
        .failed(try reason.named(by: output))
      } else {
        try OutputCollector.collect(spec.artifacts, from: output, bytesMax: spec.limits.diskBytes, into: artifacts)
      }
    transcript.end(result.transcript, outcome.ending)
    return outcome
  }

  func prepareToolchain(_ toolchain: Digest) async throws(PluginError) {
    if await sandbox.hasToolchain(toolchain) { return }
    for folder in toolchainDirectories {
      let archive = "\(folder)/\(toolchain.hex).tar"
      // An operator may link archives together from elsewhere; the sandbox follows no links.
      guard access(archive, R_OK) == 0, let real = realpath(archive, nil) else { continue }
      defer { free(real) }
      return try await sandbox.prepare(toolchain: toolchain, archive: String(cString: real))
    }
    let folders = toolchainDirectories.joined(separator: ", ")
    throw PluginError(
      .notFound,
      "This builder does not have the toolchain \(toolchain); make it with 'synchronicity toolchain build', or put"
        + " \(toolchain).tar into one of: \(folders)")
  }

  /// Fetches every source into a folder by its digest and lists what the sandbox sees.
  ///
  /// - Parameter trees: The digests of those that are held from now on, also after an error.
  private func inputs(of spec: BuildSpec, attempt: String, output: String, _ trees: inout [Digest])
    async throws(PluginError) -> [SandboxMount]
  {
    let recipe = attempt + "/recipe.sh"
    guard FileManager.default.createFile(atPath: recipe, contents: Data(spec.recipe)) else {
      throw Folder.error("write", recipe)
    }
    var mounts = [SandboxMount(hostPath: recipe, insidePath: "/input/recipe.sh", isWritable: false)]
    let registry = attempt + "/registry"
    try Folder.make(registry)
    for item in spec.sources {
      let tree = try await tree(of: item)
      trees.append(item.tree)
      let inside = spec.isRoot(item) ? "/input/package" : "/registry/\(item.directoryName.string)"
      mounts.append(SandboxMount(hostPath: tree, insidePath: inside, isWritable: false))
    }
    if spec.sources.allSatisfy(spec.isRoot) {
      mounts.append(SandboxMount(hostPath: registry, insidePath: "/registry", isWritable: false))
    }
    mounts.append(SandboxMount(hostPath: output, insidePath: "/output", isWritable: true))
    return mounts
  }

  /// The folder of a source, fetched unless it is there, and held; what is there is checked each time, since a power
  /// cut or a failing disk may have changed it under its name.
  private func tree(of item: SourceItem) async throws(PluginError) -> String {
    let tree = "\(directory)/sources/\(item.tree.hex)"
    await holds.enter(item.tree)
    var isReady = false
    defer { holds.leave(item.tree, reads: isReady) }
    if !isIntact(tree, item) {
      guard !holds.isRead(item.tree) else {
        throw PluginError(.io, "\(tree) has changed on disk while a build reads it; it is fetched again behind that")
      }
      Folder.remove(tree)
      try Folder.make("\(directory)/sources")
      try await source.fetch(item, into: tree)
    }
    LastUse.touch(tree)
    isReady = true
    return tree
  }

  private func isIntact(_ tree: String, _ item: SourceItem) -> Bool {
    access(tree, F_OK) == 0 && (try? TreeDigest.sha256(directory: tree)) == item.tree
  }
}

extension Outcome {
  /// How an attempt's list calls it: `built`, or the words of its failure.
  var ending: String {
    if case .failed(let reason) = self { return reason.words }
    return "built"
  }
}

extension FailureReason {
  /// `nil` for a run that succeeded.
  init?(_ termination: SandboxTermination) {
    switch termination {
    case .exited(status: 0): return nil
    case .exited(let status): self = .exitStatus(UInt8(truncatingIfNeeded: status))
    case .signalled(let number): self = .signal(UInt8(truncatingIfNeeded: number))
    case .wallTimeExceeded: self = .wallTime
    case .cpuTimeExceeded: self = .cpuTime
    case .memoryExceeded: self = .memory
    case .processesExceeded: self = .processes
    case .diskExceeded: self = .disk
    case .transcriptExceeded: self = .transcript
    }
  }

  /// What the recipe itself calls it, where it ended with a status and left a name.
  ///
  /// - Parameter output: What it had as `/output`.
  func named(by output: String) throws(PluginError) -> FailureReason {
    guard case .exitStatus = self, let name = try RecipeFailure.name(in: output) else { return self }
    return .recipe(name)
  }
}

extension BuilderStatement {
  /// What this host says of itself.
  static func ofThisHost(sandbox: any Sandbox) -> BuilderStatement {
    var name = utsname()
    uname(&name)
    let kernel = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let processor =
      Folder.readKernelFile("/proc/cpuinfo")?.split(separator: "\n")
      .first { $0.hasPrefix("model name") }?.split(separator: ":", maxSplits: 1).last.map {
        $0.trimmingCharacters(in: .whitespaces)
      } ?? "unknown"
    return BuilderStatement(
      reportedSandbox: Text("\(sandbox.name)/\(sandbox.version)"), processor: Text(processor), kernel: Text(kernel))
  }
}
