import SyncProof
import SyncRuntime
import SourceTools

/// A recipe, and what every run of it is told through the environment; the sandbox adds nothing.
struct PackageRecipe: Sendable {
  let script: [UInt8]
  let environment: [String: String]

  private static let limits = Limits(
    wallSeconds: 1_800, cpuSeconds: 3_600, memoryBytes: 4 << 30, processes: 512, diskBytes: 4 << 30,
    transcriptBytes: 4 << 20)

  /// A wheel of a Python source distribution. The time is the earliest that a zip archive can hold; sets are walked in
  /// the same order by every interpreter.
  static let python = PackageRecipe(
    script: PackageResources.python_recipe_sh,
    environment: base.merging([
      "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "315532800",
    ]) { _, own in own })

  /// The binary packages of a Debian source package.
  static let debian = PackageRecipe(
    script: PackageResources.debian_recipe_sh,
    environment: base.merging(["DEB_BUILD_OPTIONS": "nocheck noautodbgsym parallel=1"]) { _, own in own })

  /// The root file system of a toolchain.
  static let toolchain = PackageRecipe(script: PackageResources.toolchain_recipe_sh, environment: base)

  private static let base = [
    "HOME": "/build/home", "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC",
  ]

  /// Asks the recipe what comes out, in the sandbox that will build it.
  ///
  /// - Parameter scratch: Has the package in `input/package`.
  func describe(_ request: ResolveRequest, sandbox: any Sandbox, scratch: String) async throws(PluginError)
    -> (artifacts: [String], target: String)
  {
    try SourceFiles.write(script, to: scratch + "/input/recipe.sh")
    let run = RecipeRun(
      sandbox: sandbox, toolchain: request.toolchain, scratch: scratch, limits: Self.limits
    ) { Self.refusal(of: request.package, $0, $1) }
    try await run.run(step: "describe", environment: environment)
    guard let target = try run.lines("target.txt").first else {
      throw PluginError(.invalid, "The recipe for \(request.package) tells no target; is the toolchain the right one?")
    }
    let artifacts = Set(try run.lines("artifacts.txt")).sorted()
    guard !artifacts.isEmpty else {
      throw PluginError(.invalid, "\(request.package) gives nothing on \(target); there is nothing to compare")
    }
    return (artifacts, target)
  }

  /// - Parameter sources: The package itself first.
  func spec(_ request: ResolveRequest, sources: [SourceItem], artifacts: [String], target: String)
    throws(PluginError) -> BuildSpec
  {
    var environment = environment
    environment["SYNC_ARTIFACTS"] = artifacts.joined(separator: " ")
    return try SpecWriter(
      request: request, recipe: script, limits: Self.limits, target: target, environment: environment,
      artifacts: artifacts
    ).write(sources)
  }

  /// These packages are built whole, as their authors mean it.
  static func refuseChoices(_ request: ResolveRequest) throws(PluginError) {
    guard request.features.isEmpty else {
      throw PluginError(
        named: .featureAbsent,
        "\(request.package) has no features to choose, but '\(request.features[0])' is asked for")
    }
    guard request.selection.isDefault else {
      throw PluginError(
        .invalid,
        "\(request.package) has no profiles, targets or programs to choose: those are a crate's; leave them out"
      )
    }
  }

  /// The recipe's own sentence where there is one, else the tool's last word.
  private static func refusal(of package: String, _ result: SandboxResult, _ name: Text?) -> PluginError {
    let lines = String(decoding: result.transcript.suffix(1 << 16), as: UTF8.self).split(separator: "\n")
    let said = lines.last { $0.hasPrefix("recipe: ") }?.dropFirst("recipe: ".count)
    let word = said ?? lines.last { $0.tellsOfError } ?? lines.last ?? "it printed nothing"
    let shown = word.replacing("/build/src/", with: "").replacing("/build/package/", with: "").prefix(400)
    return PluginError(named: name, "\(package) cannot be built: \(shown), \(result.termination)")
  }
}

extension Substring {
  /// Whether a tool tells of a failure here.
  fileprivate var tellsOfError: Bool { contains("ERROR") || contains("error:") }
}
