import CSyncNode
import Glibc
import SyncProof
import SyncRuntime

/// A source whose methods are C functions. Thread: any; calls may overlap.
public struct ForeignSource: Source, ClosablePlugin {
  public let name: String
  /// Of the purls of its packages, and of its sources' origins.
  public let type: String
  public let originType: String
  private let instance: ForeignInstance

  public init(_ plugin: NativePlugin, node: String, stateDirectory: String, settings: [String: String])
    async throws(PluginError)
  {
    (name, type, originType) = (plugin.name, plugin.table.type, plugin.table.originType)
    instance = try await ForeignInstance(plugin, node: node, stateDirectory: stateDirectory, settings: settings)
  }

  public func close() async { await instance.close() }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    try check(request.package, type, "The package")
    let method = instance.plugin.table.source.resolve
    let answer = try await instance.call("resolve", expected: .bytes, deadline: ForeignInstance.long) {
      arena, instance, call in
      let normalise = request.normalise.map(\.rawValue)
      let (size, version) = head(of: sync_resolve_request.self)
      var form = sync_resolve_request(
        struct_size: size, abi_version: version, package: arena.text(request.package),
        features: arena.texts(request.features), features_count: request.features.count,
        programs: arena.texts(request.selection.programs), programs_count: request.selection.programs.count,
        library: request.selection.library ? 1 : 0,
        without_default_features: request.selection.withDefaultFeatures ? 0 : 1,
        profile: arena.text(orNull: request.selection.profile), target: arena.text(orNull: request.selection.target),
        toolchain: arena.text(request.toolchain.hex), rebuild: request.rebuild, normalise: arena.texts(normalise),
        normalise_count: normalise.count, scratch_directory: arena.text(scratchDirectory))
      return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
    }
    let spec: BuildSpec
    do throws(ProofError) { spec = try BuildSpec(parsing: answer.bytes) } catch {
      throw PluginError(.io, "The source \(name) gave a build spec that is refused: \(error.message)")
    }
    guard spec.toolchain == request.toolchain, spec.rebuild == request.rebuild else {
      throw PluginError(.io, "The source \(name) gave a spec of another toolchain or rebuild than was asked for")
    }
    guard request.package == spec.package.string || spec.package.string.hasPrefix(request.package + "@") else {
      throw PluginError(
        .io, "The source \(name) gave a spec of \(spec.package.string) where \(request.package) was asked for")
    }
    return spec
  }

  /// Names become folders: a plugin is asked for none that could lead out of one.
  private func check(_ purl: String, _ type: String, _ what: String) throws(PluginError) {
    let isPlain = purl.hasPrefix("pkg:\(type)/") && purl.utf8.count <= ProofLimits.purlBytesMax
    // Qualifiers of an origin are its own.
    let path = purl.dropFirst("pkg:\(type)/".count).prefix { $0 != "?" }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let isSafe = parts.allSatisfy { part in
      !part.isEmpty && !part.hasPrefix(".") && !part.hasPrefix("-")
        && part.utf8.allSatisfy { byte in
          switch byte {
          case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x40, 0x5F, 0x7E: true
          default: false
          }
        }
    }
    guard isPlain, isSafe else {
      throw PluginError(.invalid, "\(what) '\(purl.prefix(100))' is not a purl such as pkg:\(type)/NAME@VERSION")
    }
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    try check(item.origin.string, originType, "The origin")
    guard item.origin.string.contains("@") else {
      throw PluginError(.invalid, "The origin '\(item.origin.string)' has no version")
    }
    guard access(directory, F_OK) != 0 else {
      throw PluginError(.invalid, "\(directory) is there already; a source is put into a new folder")
    }
    let method = instance.plugin.table.source.fetch
    _ = try await instance.call("fetch", expected: .done, deadline: ForeignInstance.long) { arena, instance, call in
      let (size, version) = head(of: sync_fetch_request.self)
      var form = sync_fetch_request(
        struct_size: size, abi_version: version, purl: arena.text(item.purl.string),
        origin: arena.text(item.origin.string), tree_sha256: arena.text(item.tree.hex), directory: arena.text(directory)
      )
      return method?(instance, &form, call) ?? SYNC_PLUGIN_INVALID
    }
    let got = await BlockingThread.run { () throws(PluginError) in try TreeDigest.sha256(directory: directory) }
    guard try got.get() == item.tree else {
      Folder.remove(directory)
      throw PluginError(
        .checksumMismatch, "The source \(name) gave another tree of \(item.purl.string) than the one that is pinned")
    }
  }
}
