import Foundation
import SwiftProtobuf
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The verbs of `synchronicity-exec/1`, on an engine.
///
/// Each run is one action: the launcher of the chroot sandbox as its program, the toolchain and the mounts as folders
/// of its input root. The launcher isolates the build on the worker, whatever the engine does besides, and brings home
/// three files: its report, the transcript, and a pack of what the build left.
public struct RemoteSandbox: Sendable {
  let options: EngineOptions
  /// Gets bytes sent, and in all.
  let onUpload: @Sendable (Int64, Int64) -> Void

  public init(_ options: EngineOptions, onUpload: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }) {
    (self.options, self.onUpload) = (options, onUpload)
  }

  private static let answerBytesMax: Int64 = 1 << 16
  /// Beyond the spec's wall time limit: the launcher's own bounds on setting up and on bringing files home, and theirs
  /// who fetch and send them.
  private static let slackSeconds: UInt64 = 600

  // Probing.

  /// Asks the engine, and lets a worker set up a run that executes nothing.
  public func probe(_ request: ExecRequest) async throws -> [ExecAnswer.Finding] {
    let scratch = request.scratchFolder
    return try await Engine.with(options, for: request.runID) { engine in
      let findings = [
        ExecAnswer.Finding("engine", true, "speaks the Remote Execution API \(engine.capabilities.versions)"),
        ExecAnswer.Finding("cache", true, "is never asked: do_not_cache, a salt for each run"),
        ExecAnswer.Finding(
          "tree", true,
          "modes \(engine.capabilities.tree.modes ? "kept" : "but for 'executable' lost"), times"
            + " \(engine.capabilities.tree.times ? "kept" : "lost"), absolute links"
            + " \(engine.capabilities.tree.absoluteLinks ? "kept" : "refused")"),
      ]
      var tree = MerkleTree(engine.capabilities.tree)
      var root = REDirectory()
      root.files = [try launcher(&tree)]
      let action = try action(["./launcher", "action", "probe"], root: root, seconds: 60, outputs: 2, &tree)
      try await engine.upload(tree)
      let response = try await Execution(engine: engine, noteFile: scratch + "/operation").run(action)
      let report = try await file("report", of: response, engine, in: scratch, bytesMax: Self.answerBytesMax)
      guard try RunReport(parsing: report.text()).end == .exited(status: 0) else {
        throw Fault(.unavailable, "The launcher's trial on a worker did not succeed: \(try report.text())")
      }
      let lines = try await file("transcript", of: response, engine, in: scratch, bytesMax: Self.answerBytesMax).text()
      return findings + WorkerFindings.findings(in: lines)
    }
  }

  // Preparing.

  /// Unpacks the toolchain, describes it, and gives the engine what it lacks.
  public func prepare(_ request: ExecRequest) async throws {
    guard let toolchain = request.toolchain, let archive = request.archive else { throw Fault(.invalid, "No archive") }
    let root = toolchain.folder + "/root"
    try await Unpacking.unpack(archive, digest: toolchain.digest, into: root)
    try await Engine.with(options, for: request.runID) { engine in
      var tree = MerkleTree(engine.capabilities.tree)
      let digest = try tree.addFolder(root)
      try await engine.upload(tree, onProgress: onUpload)
      try PreparedTree.write(tree, root: digest, below: root, to: toolchain.folder + "/tree")
    }
  }

  // Running.

  /// - Parameter transcript: Gets what the build printed, once it has ended.
  public func run(_ request: ExecRequest, transcript: @escaping @Sendable (Data) throws -> Void)
    async throws -> RunReport
  {
    guard let toolchain = request.toolchain, let mounts = request.mounts, let limits = request.limits else {
      throw Fault(.invalid, "The request 'run' lacks a member")
    }
    let scratch = request.scratchFolder
    return try await Engine.with(options, for: request.runID) { engine in
      var tree = MerkleTree(engine.capabilities.tree)
      let root = try inputRoot(request, toolchain, mounts, &tree)
      let action = try action(
        ["./launcher", "action"], root: root, seconds: limits.wallSeconds + Self.slackSeconds, outputs: 3, &tree)
      let execution = Execution(engine: engine, noteFile: scratch + "/operation")
      let response = try await execute(action, tree, execution)
      let report = try RunReport(
        parsing: try await file("report", of: response, engine, in: scratch, bytesMax: Self.answerBytesMax).text())
      let said = try await file(
        "transcript", of: response, engine, in: scratch,
        bytesMax: Int64(clamping: limits.transcriptBytes))
      while case let piece = try said.read(1 << 18), !piece.isEmpty { try transcript(piece) }
      let writable = mounts.filter(\.writable).map(\.source)
      guard report.isPacked else { throw Fault(.io, "The launcher did not come to pack what the run left") }
      let outputs = try await file(
        "outputs", of: response, engine, in: scratch, bytesMax: Self.packBytesMax(limits.diskBytes))
      for folder in writable { try Self.empty(folder) }
      try OutputPack.unpack(outputs.path, into: writable, bytesMax: limits.diskBytes)
      return report
    }
  }

  /// What all files may hold, and for each file that the disk has room for its name, its pieces and its target.
  private static func packBytesMax(_ diskBytes: UInt64) -> Int64 {
    Int64(clamping: diskBytes.multipliedReportingOverflow(by: 3).partialValue &+ (64 << 20))
  }

  private func inputRoot(
    _ request: ExecRequest, _ toolchain: ExecRequest.Toolchain, _ mounts: [ExecRequest.Mount], _ tree: inout MerkleTree
  ) throws -> REDirectory {
    var folder = REDirectory()
    for (index, mount) in mounts.enumerated() {
      let name = "\(index)"
      if try HostFile(mount.source).status().st_mode & S_IFMT == S_IFDIR {
        folder.directories.append(Self.node(name, try tree.addFolder(mount.source)))
      } else {
        folder.files.append(try tree.addFile(mount.source, as: name))
      }
    }
    // By their bytes, not by their numbers.
    folder.directories.sort { $0.name < $1.name }
    folder.files.sort { $0.name < $1.name }
    var settings = REFileNode()
    (settings.name, settings.digest) = ("settings", tree.add(try LauncherSettings.bytes(for: request)))
    let prepared = try PreparedTree.read(toolchain.folder + "/tree", below: toolchain.folder + "/root", into: &tree)
    var root = REDirectory()
    root.files = [try launcher(&tree), settings]
    root.directories = [Self.node("mount", try tree.add(folder)), Self.node("toolchain", prepared)]
    return root
  }

  private static func node(_ name: String, _ digest: REDigest) -> REDirectoryNode {
    var node = REDirectoryNode()
    (node.name, node.digest) = (name, digest)
    return node
  }

  private func launcher(_ tree: inout MerkleTree) throws -> REFileNode {
    var node: REFileNode
    do { node = try tree.addFile(options.launcher, as: "launcher") } catch let fault as Fault {
      throw Fault(.unavailable, "The launcher is missing: \(fault.message); see --launcher")
    }
    node.isExecutable = true
    return node
  }

  /// An action that no cache can answer for and no other run can share: it is never kept, and its salt is its own.
  private func action(
    _ arguments: [String], root: REDirectory, seconds: UInt64, outputs: Int, _ tree: inout MerkleTree
  ) throws -> REDigest {
    var command = RECommand()
    command.arguments = arguments
    command.outputPaths = ["answer/outputs", "answer/report", "answer/transcript"].suffix(outputs)
    command.platform.properties = options.platform.sorted { ($0.name, $0.value) < ($1.name, $1.value) }.map {
      var property = REPlatform.Property()
      (property.name, property.value) = ($0.name, $0.value)
      return property
    }
    var action = REAction()
    action.commandDigest = tree.add(try command.serializedData())
    action.inputRootDigest = try tree.add(root)
    action.timeout = .init(seconds: Int64(clamping: seconds))
    action.doNotCache = true
    var random = SystemRandomNumberGenerator()
    action.salt = Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    // Servers of 2.1 read the command's, later ones the action's.
    action.platform = command.platform
    return tree.add(try action.serializedData())
  }

  /// An engine may drop content between the question for it and its use: it is given once more.
  private func execute(_ action: REDigest, _ tree: MerkleTree, _ execution: Execution) async throws
    -> REExecuteResponse
  {
    try await execution.engine.upload(tree, onProgress: onUpload)
    do { return try await execution.run(action) } catch let fault as Fault where fault.code == .notFound {
      try await execution.engine.upload(tree, onProgress: onUpload)
      do { return try await execution.run(action) } catch let fault as Fault where fault.code == .notFound {
        throw Fault(.unavailable, fault.message)
      }
    }
  }

  // What came home.

  private func file(
    _ name: String, of response: REExecuteResponse, _ engine: Engine, in folder: String, bytesMax: Int64
  ) async throws -> HostFile {
    guard let output = response.result.outputFiles.first(where: { $0.path == "answer/\(name)" }) else {
      throw try await lost(name, response, engine, in: folder)
    }
    let path = "\(folder)/\(name)"
    try await engine.download(output.digest, to: path, bytesMax: bytesMax, "the run's \(name)")
    return try HostFile(path)
  }

  /// The launcher was not executed, or was killed: the engine's own words say why.
  private func lost(_ name: String, _ response: REExecuteResponse, _ engine: Engine, in folder: String) async throws
    -> Fault
  {
    let result = response.result
    var words = result.stderrRaw
    if words.isEmpty, result.hasStderrDigest, (1...Self.answerBytesMax).contains(result.stderrDigest.sizeBytes) {
      let path = "\(folder)/stderr"
      try? await engine.download(result.stderrDigest, to: path, bytesMax: Self.answerBytesMax, "the engine's words")
      words = (try? HostFile(path).read(Int(Self.answerBytesMax))) ?? Data()
    }
    let worker = result.executionMetadata.worker.isEmpty ? "a worker" : "the worker \(result.executionMetadata.worker)"
    let said = String(decoding: words.suffix(600), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return Fault(
      .unavailable,
      "The launcher gave no \(name) on \(worker): its status is \(result.exitCode)"
        + (said.isEmpty ? "" : ", and it said: \(said)"))
  }

  private static func empty(_ folder: String) throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }

  // Cleaning.

  /// Ends the work of a run whose call was killed.
  public func clean(_ request: ExecRequest) async throws {
    guard let file = try? HostFile(request.scratchFolder + "/operation") else { return }
    let name = try file.text()
    guard !name.isEmpty else { return }
    try await Engine.with(options, for: request.runID) { engine in
      let execution = Execution(engine: engine, noteFile: request.scratchFolder + "/operation")
      // An engine that cannot cancel ends what nobody waits for, at its limits at the latest: it is not waited for.
      guard await execution.end(name) else { return }
      guard await execution.isOver(name, within: .seconds(60)) else {
        throw Fault(.unavailable, "The engine's work \(name) does not end")
      }
    }
  }
}

extension HostFile {
  func text() throws -> String { String(decoding: try read(1 << 16), as: UTF8.self) }
}
