import SyncProof
import SyncRuntime

/// A recipe's runs before there is a spec: what it says of a package, in the sandbox that will build it.
package struct RecipeRun: Sendable {
  private let sandbox: any Sandbox
  private let toolchain: Digest
  private let scratch: String
  private let limits: SandboxLimits
  private let refusal: Refusal

  /// What a run that failed says to whoever asked for the package; the name is what the recipe calls its failure.
  package typealias Refusal = @Sendable (_ result: SandboxResult, _ name: Text?) -> PluginError

  /// - Parameter scratch: Holds `input`, which the sandbox sees as `/input`: the recipe and the package.
  package init(
    sandbox: any Sandbox, toolchain: Digest, scratch: String, limits: SandboxLimits,
    refusal: @escaping Refusal
  ) {
    self.sandbox = sandbox
    self.toolchain = toolchain
    self.scratch = scratch
    self.limits = limits
    self.refusal = refusal
  }

  private var output: String { "\(scratch)/output" }

  /// - Parameters:
  ///   - step: For `SYNC_STEP`.
  ///   - registry: A folder that the sandbox sees as `/registry`.
  /// - Returns: The folder with what the run left in `/output`; the next run empties it.
  @discardableResult
  package func run(step: String, registry: String? = nil, environment: [String: String]) async throws(PluginError)
    -> String
  {
    SourceFiles.remove(output)
    try SourceFiles.makeFolder(output)
    // Inside, another user may write here.
    try SourceFiles.openToAll(output)
    let own = "\(scratch)/sandbox"
    try SourceFiles.makeFolder(own)
    var environment = environment
    environment["SYNC_STEP"] = step
    var mounts = [
      SandboxMount(hostPath: scratch + "/input", insidePath: "/input", isWritable: false),
      SandboxMount(hostPath: output, insidePath: "/output", isWritable: true),
    ]
    if let registry { mounts.append(SandboxMount(hostPath: registry, insidePath: "/registry", isWritable: false)) }
    let result = try await sandbox.run(
      SandboxRequest(
        runID: "resolve-\(UInt64.random(in: .min ... .max))", toolchain: toolchain,
        command: ["/bin/sh", "/input/recipe.sh"],
        environment: environment.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
          ($0.key, $0.value)
        },
        workingDirectory: "/build", mounts: mounts, limits: limits, scratchDirectory: own))
    switch result.termination {
    case .exited(status: 0): return output
    case .exited: throw refusal(result, try RecipeFailure.name(in: output))
    default: throw refusal(result, nil)
    }
  }

  /// The lines of a small text file that the last run left.
  package func lines(_ file: String) throws(PluginError) -> [String] {
    let bytes = try SourceFiles.read("\(output)/\(file)", bytesMax: 1 << 16)
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
