import SyncProof
import SyncRuntime

/// Puts the pinned inputs into the canonical spec.
package struct SpecWriter {
  package var request: ResolveRequest
  package var recipe: [UInt8]
  package var limits: Limits
  package var target: String
  package var profile: String
  package var features: [String] = []
  package var lock: Digest?
  package var environment: [String: String]
  package var artifacts: [String]

  package init(
    request: ResolveRequest, recipe: [UInt8], limits: Limits, target: String, profile: String = "release",
    features: [String] = [], lock: Digest? = nil, environment: [String: String], artifacts: [String]
  ) {
    self.request = request
    self.recipe = recipe
    self.limits = limits
    self.target = target
    self.profile = profile
    self.features = features
    self.lock = lock
    self.environment = environment
    self.artifacts = artifacts
  }

  /// - Parameter sources: The package itself first.
  package func write(_ sources: [SourceItem]) throws(PluginError) -> BuildSpec {
    var environment = environment
    if !request.normalise.isEmpty {
      environment[Normalisation.variable] = request.normalise.map(\.rawValue).joined(separator: " ")
    }
    let spec = BuildSpec(
      package: sources[0].purl, rebuild: request.rebuild, toolchain: request.toolchain, target: Text(target),
      profile: Text(profile), features: features.map { Text($0) }, sources: sources.sorted(), lock: lock,
      environment: environment.map { EnvironmentVariable(name: Text($0.key), value: Text($0.value)) }.sorted {
        $0.name < $1.name
      },
      limits: limits, recipe: Normalisation.recipe(recipe, holding: request.normalise), artifacts: artifacts.map { Text($0) }.sorted())
    do { try spec.validate() } catch {
      throw PluginError(.invalid, "\(spec.package.string) cannot be put into a spec: \(error.message)")
    }
    return spec
  }
}
