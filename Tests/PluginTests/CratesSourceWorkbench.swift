import ChrootSandbox
import Foundation
import SourceTools
import SyncProof
import SyncRuntime

@testable import CratesSource

/// The real sandbox with a toolchain that `scripts/toolchain` makes or finds, and a folder of its own.
struct CrateWorkbench {
  /// How a build ended, the digests of the artifacts when it ended well, else what the recipe calls its failure.
  typealias Built = (result: SandboxResult, digests: [Digest], name: Text?)

  let sandbox: any Sandbox
  let toolchain: Digest
  let scratch: String
  /// Where the toolchain's tar lies, and what sandboxes made of it.
  let cache: String
  var archive: String { "\(cache)/\(toolchain.hex).tar" }

  /// False only where a missing engine may be passed over: with CI=true, tests run and fail.
  static var isPossible: Bool {
    let environment = ProcessInfo.processInfo.environment
    let folders = (environment["PATH"] ?? "").split(separator: ":")
    return environment["CI"] == "true"
      || ["cargo", "mmdebstrap"].allSatisfy { tool in folders.contains { access("\($0)/\(tool)", X_OK) == 0 } }
  }

  static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

  /// - Parameter kind: A toolchain that `scripts/toolchain` makes or finds.
  static func with<Result>(kind: String = "rust", _ body: (CrateWorkbench) async throws -> Result) async throws
    -> Result
  {
    let out = try await Tool(name: "bash", timeoutSeconds: 900).run([root + "/scripts/toolchain", kind, "--path"])
    let archive = String(decoding: out, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
    let name = archive.split(separator: "/").last.map { String($0.dropLast(".tar".count)) } ?? ""
    guard let toolchain = Digest(hex: name) else {
      throw PluginError(.unavailable, "scripts/toolchain printed '\(archive)'")
    }
    // The unpacked toolchain is kept beside its archive for the next run of the tests.
    let folder = archive.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    let sandbox = try ChrootSandbox(stateDirectory: folder + "/chroot")
    try await sandbox.prepare(toolchain: toolchain, archive: archive)
    return try await withScratch { scratch in
      try await body(CrateWorkbench(sandbox: sandbox, toolchain: toolchain, scratch: scratch, cache: folder))
    }
  }

  func resolve(
    _ purl: String, features: [String] = [], selection: BuildSelection = BuildSelection(), from source: any Source
  ) async throws -> BuildSpec {
    let request = ResolveRequest(package: purl, features: features, selection: selection, toolchain: toolchain)
    return try await source.resolve(request, sandbox: sandbox, scratchDirectory: scratch)
  }

  /// What a builder does: fetches every source, runs the recipe.
  ///
  /// - Parameters:
  ///   - other: The sandbox to build in, if it is another one.
  ///   - look: Gets the output folder of a build that ended well.
  func build(
    _ spec: BuildSpec, from source: any Source, in other: (any Sandbox)? = nil,
    look: (String) throws -> Void = { _ in }
  ) async throws -> Built {
    try await withScratch { folder in
      try CrateFiles.makeFolder(folder + "/input")
      try CrateFiles.makeFolder(folder + "/output")
      try CrateFiles.makeFolder(folder + "/registry")
      try CrateFiles.makeFolder(folder + "/own")
      try CrateFiles.openToAll(folder + "/output")
      for item in spec.sources {
        let inside = spec.isRoot(item) ? "/input/package" : "/registry/\(item.directoryName.string)"
        try await source.fetch(item, into: folder + inside)
      }
      try CrateFiles.write(spec.recipe, to: folder + "/input/recipe.sh")
      let result = try await (other ?? sandbox).run(request(spec, folder: folder))
      guard result.termination == .exited(status: 0) else {
        return (result, [], try RecipeFailure.name(in: folder + "/output"))
      }
      var digests: [Digest] = []
      for artifact in spec.artifacts {
        digests.append(try FileDigest.sha256(path: "\(folder)/output/\(artifact.string)").digest)
      }
      try look(folder + "/output")
      return (result, digests, nil)
    }
  }

  private func request(_ spec: BuildSpec, folder: String) -> SandboxRequest {
    let limits = spec.limits
    return SandboxRequest(
      runID: "test-\(UInt64.random(in: .min ... .max))", toolchain: spec.toolchain,
      command: ["/bin/sh", "/input/recipe.sh"],
      environment: spec.environment.map { ($0.name.string, $0.value.string) }, workingDirectory: "/build",
      mounts: [
        SandboxMount(hostPath: folder + "/input", insidePath: "/input", isWritable: false),
        SandboxMount(hostPath: folder + "/output", insidePath: "/output", isWritable: true),
        SandboxMount(hostPath: folder + "/registry", insidePath: "/registry", isWritable: false),
      ],
      limits: SandboxLimits(
        wallSeconds: limits.wallSeconds, cpuSeconds: limits.cpuSeconds, memoryBytes: limits.memoryBytes,
        processes: limits.processes, diskBytes: limits.diskBytes, transcriptBytes: limits.transcriptBytes),
      scratchDirectory: folder + "/own")
  }
}
