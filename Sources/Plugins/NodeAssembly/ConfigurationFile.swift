import DockerSandbox
import Foundation
import SyncProof
import SyncRuntime

/// The node's configuration: TOML, every key known, every path relative to the file's folder.
public struct ConfigurationFile: Sendable {
  public var name: String
  public var group: String
  public var seed: String
  public var data: String
  public var transportListen: Endpoint
  public var gatewayListen: Endpoint
  /// What the names of plugins stand for.
  public var plugins: PluginRegistry
  /// For plugins that are not shipped, by their names: texts alone.
  public var settings: [String: [String: String]]
  public var sandbox: String
  public var signer: String
  public var storage: String
  public var transport: String
  /// The Docker Engine's, for `sandbox = "docker"`.
  public var dockerSocket: String
  /// For `sandbox = "exec"`: the command with its arguments, and the names of variables that it gets.
  public var execCommand: [String]
  public var execEnvironment: [String]
  public var execPatienceSeconds: Int
  /// One for each type of package, or several in the order of preference.
  public var source: [String]
  public var sourceDirectory: String?
  public var registry: String?
  public var registryAllowsHTTP: Bool
  public var pypiIndex: String?
  public var cache: String
  public var toolchain: Digest?
  /// By a purl's type.
  public var toolchains: [String: Digest]
  public var toolchainDirectories: [String]
  public var capacity: BuildCapacity
  public var dataPolicy: DataPolicy
  public var timeoutBaseMilliseconds: UInt64
  public var divergence: DivergencePolicy
  public var retention: RetentionPolicy
  public var logLevel: String
  public var logFormat: String

  public struct Endpoint: Equatable, Sendable {
    public var host: String
    public var port: Int
    public var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  }

  public static let bytesMax = 1 << 20
  /// Those that may have a toolchain of their own.
  private static let packageTypes = ["cargo", "deb", "generic", "pypi"]
  private static let known: [String: Set<String>] = [
    "": [
      "name", "group", "seed", "data", "cache", "listen", "plugins", "toolchain", "build", "consensus", "log",
      "divergence", "retention", "settings",
    ],
    "listen": ["transport", "gateway"],
    "plugins": [
      "sandbox", "docker-socket", "exec-command", "exec-arguments", "exec-environment", "exec-patience-seconds",
      "source", "source-directory", "registry", "registry-allow-http", "pypi-index", "signer", "storage", "transport",
      "libraries", "folders",
    ],
    "toolchain": Set(["digest", "directories"] + packageTypes),
    "build": ["concurrent", "cores", "memory"],
    "consensus": ["timeout-base-milliseconds"],
    "log": ["level", "format"],
    "divergence": ["compare", "toolchain", "seconds", "memory-megabytes"],
    "retention": [
      "artifacts", "sources", "proven", "diverged-days", "diverged-megabytes", "report-days", "report-megabytes",
      "transcript-days", "transcript-megabytes",
    ],
  ]

  /// Reads what a configuration says.
  ///
  /// - Parameters:
  ///   - bytes: TOML, at most ``bytesMax`` bytes of UTF-8.
  ///   - path: What errors call it.
  ///   - folder: What relative paths are relative to.
  ///   - plugins: What can be chosen by name; the libraries that the configuration names are loaded beside it.
  /// - Throws: ``PluginError/Code/invalid`` with the name of the setting.
  public init(_ bytes: [UInt8], path: String, folder: String, plugins: PluginRegistry = .shipped)
    throws(PluginError)
  {
    guard bytes.count <= ConfigurationFile.bytesMax else {
      throw PluginError(
        .invalid, "\(path) has \(bytes.count) bytes; a configuration has at most \(ConfigurationFile.bytesMax)")
    }
    try self.init(ConfigurationText.entries(of: bytes, path: path), path: path, folder: folder, plugins: plugins)
  }

  init(_ table: [String: ConfigurationValue], path: String, folder: String, plugins: PluginRegistry)
    throws(PluginError)
  {
    try ConfigurationFile.refuseUnknown(table, path)
    let reader = ConfigurationReader(table: table, path: path, folder: folder)
    name = try reader.required("name")
    group = reader.resolved(try reader.text("group") ?? "group.txt")
    seed = reader.resolved(try reader.text("seed") ?? "seed")
    data = reader.resolved(try reader.text("data") ?? "data")
    cache = reader.resolved(try reader.text("cache") ?? ConfigurationFile.defaultCache)
    transportListen = try reader.endpoint("listen.transport")
    gatewayListen = try reader.endpoint("listen.gateway")
    settings = try reader.settings()
    let plugins = try reader.withLibraries(plugins)
    self.plugins = plugins
    for name in settings.keys.sorted() where !plugins.knows(name) {
      throw PluginError(.invalid, "\(path): settings.\(name) is for no plugin that is here; check its name")
    }
    sandbox = try reader.choice("plugins.sandbox", of: plugins.sandboxes.keys.sorted(), default: "chroot")
    signer = try reader.choice("plugins.signer", of: plugins.signers.keys.sorted(), default: "seed")
    storage = try reader.choice("plugins.storage", of: plugins.storages.keys.sorted(), default: "sqlite")
    transport = try reader.choice("plugins.transport", of: plugins.transports.keys.sorted(), default: "tcp")
    dockerSocket = reader.resolved(try reader.text("plugins.docker-socket") ?? DockerSandbox.defaultSocketPath)
    let command = try reader.text("plugins.exec-command").map(reader.resolved)
    execCommand = (command.map { [$0] } ?? []) + (try reader.list("plugins.exec-arguments"))
    execEnvironment = try reader.list("plugins.exec-environment")
    execPatienceSeconds = try reader.number("plugins.exec-patience-seconds", in: 1...1_000_000) ?? 300
    if sandbox == "exec", command == nil {
      throw PluginError(
        .invalid, "\(path): sandbox = \"exec\" needs plugins.exec-command, the program that takes builds to your farm")
    }
    source = try reader.choices("plugins.source", of: plugins.sources.keys.sorted(), default: "debian-crates")
    sourceDirectory = try reader.text("plugins.source-directory").map(reader.resolved)
    registry = try reader.text("plugins.registry")
    registryAllowsHTTP = try reader.flag("plugins.registry-allow-http") ?? false
    pypiIndex = try reader.text("plugins.pypi-index")
    if source.contains("pypi"), pypiIndex == nil {
      throw PluginError(
        .invalid, "\(path): source = \"pypi\" needs plugins.pypi-index, such as \"https://HOST/simple/\"")
    }
    if source.contains("sparse-registry"), registry == nil {
      throw PluginError(
        .invalid, "\(path): source = \"sparse-registry\" needs plugins.registry, such as \"sparse+https://HOST/\"")
    }
    if source.contains("directory"), sourceDirectory == nil {
      throw PluginError(
        .invalid, "\(path): source = \"directory\" needs plugins.source-directory, the folder of crates")
    }
    toolchain = try reader.digest("toolchain.digest")
    var toolchains: [String: Digest] = [:]
    for type in ConfigurationFile.packageTypes { toolchains[type] = try reader.digest("toolchain.\(type)") }
    self.toolchains = toolchains
    // Where `toolchain build` puts them comes last.
    toolchainDirectories = try reader.list("toolchain.directories").map(reader.resolved) + [cache + "/toolchains"]
    let host = BuildCapacity.ofThisHost()
    capacity = BuildCapacity(
      cores: try reader.number("build.cores", in: 1...4_096) ?? host.cores,
      memoryBytes: try reader.bytes("build.memory", min: 1 << 20) ?? host.memoryBytes,
      concurrentMax: try reader.number("build.concurrent", in: 1...64) ?? host.concurrentMax)
    let usual = DataPolicy()
    dataPolicy = DataPolicy(
      artifactBytesMax: try reader.bytes("retention.artifacts") ?? usual.artifactBytesMax,
      sourceBytesMax: try reader.bytes("retention.sources") ?? usual.sourceBytesMax,
      keepsProven: try reader.choice("retention.proven", of: ["keep", "sweep"], default: "keep") == "keep")
    timeoutBaseMilliseconds = UInt64(try reader.number("consensus.timeout-base-milliseconds", in: 50...60_000) ?? 250)
    divergence = try reader.divergence()
    retention = try reader.retention()
    logLevel = try reader.choice(
      "log.level", of: ["trace", "debug", "info", "notice", "warning", "error", "critical"], default: "info")
    logFormat = try reader.choice("log.format", of: ["text", "json"], default: "text")
  }

  /// Reads the file at `path`, relative to whose folder its paths are.
  public init(path: String, plugins: PluginRegistry = .shipped) throws(PluginError) {
    let bytes = try SmallFile.read(path, what: "configuration", bytesMax: ConfigurationFile.bytesMax)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    try self.init(bytes, path: path, folder: folder, plugins: plugins)
  }

  /// All that it names, sorted.
  public var toolchainDigests: [Digest] {
    Set(toolchains.values + [toolchain, divergence.toolchain].compactMap(\.self)).sorted()
  }

  /// Where downloads and unpacked toolchains are shared between nodes of one host.
  public static var defaultCache: String {
    let environment = ProcessInfo.processInfo.environment
    if let cache = environment["SYNC_CACHE"], !cache.isEmpty { return cache }
    if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty { return cache + "/synchronicity" }
    return NSHomeDirectory() + "/.cache/synchronicity"
  }

  private static func refuseUnknown(_ table: [String: ConfigurationValue], _ path: String) throws(PluginError) {
    for key in table.keys.sorted() {
      guard known[""]?.contains(key) == true else {
        throw PluginError(.invalid, "\(path): there is no setting named \(key)")
      }
      // Whose names are the plugins'.
      if key == "settings" { continue }
      guard let room = known[key] else { continue }
      guard let inner = table[key]?.table else {
        throw PluginError(.invalid, "\(path): \(key) is a table: write [\(key)]")
      }
      for name in inner.keys.sorted() where !room.contains(name) {
        throw PluginError(.invalid, "\(path): there is no setting named \(key).\(name)")
      }
    }
  }
}

extension ConfigurationFile.Endpoint {
  /// `HOST:PORT`, an IPv6 address in brackets.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else { return nil }
    self.init(host: host, port: port)
  }
}
