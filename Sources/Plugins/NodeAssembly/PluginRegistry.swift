import ChrootSandbox
import CratesSource
import DockerSandbox
import ExecSandbox
import Logging
import NativePlugins
import PackageSources
import SQLiteStorage
import SodiumSigner
import SourceTools
import SyncProof
import SyncRuntime
import TCPTransport
import ToolchainShelf

/// What the names in a configuration stand for: the plugins that are shipped, and those that a program adds.
///
/// A maker reads what it needs from the configuration. It is called once for each node that is made, and again for
/// storage and transport at the beginning of each epoch. Thread: any.
public struct PluginRegistry: Sendable {
  public typealias MakeSandbox = @Sendable (ConfigurationFile) async throws(PluginError) -> any LeftoverSandbox
  public typealias MakeSigner = @Sendable (ConfigurationFile) async throws(PluginError) -> any Signer
  public typealias MakeStorage = @Sendable (ConfigurationFile) async throws(PluginError) -> any Storage
  public typealias MakeTransport =
    @Sendable (ConfigurationFile, Group, any Signer, Logger) async throws(PluginError) -> any Transport
  /// A source, with the types of packages that it serves.
  public typealias MakeSource = @Sendable (ConfigurationFile) async throws(PluginError) -> [SourceEntry]

  /// One source, and how the things that it serves are named.
  public struct SourceEntry: Sendable {
    public var source: any Source
    /// Of a package's purl, such as `cargo`.
    public var type: String
    /// Of the purl in a pinned source's `origin`, such as `deb`.
    public var originType: String

    public init(_ source: any Source, type: String, originType: String) {
      (self.source, self.type, self.originType) = (source, type, originType)
    }
  }

  public private(set) var sandboxes: [String: MakeSandbox] = [:]
  public private(set) var signers: [String: MakeSigner] = [:]
  public private(set) var storages: [String: MakeStorage] = [:]
  public private(set) var transports: [String: MakeTransport] = [:]
  public private(set) var sources: [String: MakeSource] = [:]

  /// Adds a sandbox under the name by which configurations choose it.
  ///
  /// - Throws: ``PluginError/Code/invalid`` when the name is taken, or is not 1 to 64 letters, digits and hyphens.
  public mutating func add(sandbox name: String, _ make: @escaping MakeSandbox) throws(PluginError) {
    try Self.add(name, "sandbox", make, to: &sandboxes)
  }

  public mutating func add(signer name: String, _ make: @escaping MakeSigner) throws(PluginError) {
    try Self.add(name, "signer", make, to: &signers)
  }

  public mutating func add(storage name: String, _ make: @escaping MakeStorage) throws(PluginError) {
    try Self.add(name, "storage", make, to: &storages)
  }

  public mutating func add(transport name: String, _ make: @escaping MakeTransport) throws(PluginError) {
    try Self.add(name, "transport", make, to: &transports)
  }

  public mutating func add(source name: String, _ make: @escaping MakeSource) throws(PluginError) {
    try Self.add(name, "source", make, to: &sources)
  }

  /// Adds a plugin whose methods are C functions, under its own name.
  public mutating func add(_ plugin: NativePlugin) throws(PluginError) {
    let name = plugin.name
    switch plugin.kind {
    case .sandbox:
      try add(sandbox: name) { (file) throws(PluginError) in
        try await ForeignSandbox(plugin, node: file.name, stateDirectory: file.state(of: name), settings: file.of(name))
      }
    case .signer:
      try add(signer: name) { (file) throws(PluginError) in
        try await ForeignSigner(plugin, node: file.name, stateDirectory: file.state(of: name), settings: file.of(name))
      }
    case .storage:
      try add(storage: name) { (file) throws(PluginError) in
        try await ForeignStorage(plugin, node: file.name, stateDirectory: file.state(of: name), settings: file.of(name))
      }
    case .source:
      try add(source: name) { (file) throws(PluginError) in
        let source = try await ForeignSource(
          plugin, node: file.name, stateDirectory: file.state(of: name), settings: file.of(name))
        return [SourceEntry(source, type: source.type, originType: source.originType)]
      }
    case .transport:
      try add(transport: name) { (file, group, signer, _) throws(PluginError) in
        let peers = group.members.filter { $0.name != Text(file.name) }.map { member in
          ForeignTransport.Peer(
            name: member.name.string, address: member.address.string, key: member.transportKey)
        }
        return try await ForeignTransport(
          plugin, node: file.name, stateDirectory: file.state(of: name), settings: file.of(name),
          listen: "\(file.transportListen.host):\(file.transportListen.port)", group: group.networkID, peers: peers,
          signer: signer)
      }
    }
  }

  /// Whether there is a plugin of that name, of the kind that the setting chooses.
  func has(_ name: String, as kind: String) -> Bool {
    switch kind {
    case "sandbox": sandboxes[name] != nil
    case "signer": signers[name] != nil
    case "storage": storages[name] != nil
    case "transport": transports[name] != nil
    default: sources[name] != nil
    }
  }

  /// Whether there is a plugin of that name, of any kind.
  func knows(_ name: String) -> Bool {
    ["sandbox", "signer", "storage", "transport", "source"].contains { has(name, as: $0) }
  }

  static func isName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count)
      && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
  }

  private static func add<Make>(
    _ name: String, _ kind: String, _ make: Make, to makers: inout [String: Make]
  ) throws(PluginError) {
    guard isName(name) else {
      throw PluginError(
        .invalid, "The name of a \(kind) is 1 to 64 lower-case letters, digits and hyphens; this one is '\(name)'")
    }
    guard makers[name] == nil else {
      throw PluginError(.invalid, "There is a \(kind) named \(name) already; give this one another name")
    }
    makers[name] = make
  }
}

extension PluginRegistry {
  /// Those that come with the runtime.
  public static let shipped: PluginRegistry = {
    var registry = PluginRegistry()
    registry.sandboxes = [
      "chroot": { (file) throws(PluginError) in try ChrootSandbox(stateDirectory: file.cache + "/chroot") },
      "docker": { (file) throws(PluginError) in
        try DockerSandbox(stateDirectory: file.cache + "/docker", socketPath: file.dockerSocket)
      },
      "exec": { (file) throws(PluginError) in
        try ExecSandbox(
          stateDirectory: file.cache + "/exec", command: file.execCommand, environment: file.execEnvironment,
          patience: .seconds(file.execPatienceSeconds))
      },
    ]
    registry.signers = ["seed": { (file) throws(PluginError) in try SodiumSigner(seedFile: file.seed) }]
    registry.storages = [
      "sqlite": { (file) throws(PluginError) in try SQLiteStorage(path: file.data + "/journal.sqlite") }
    ]
    registry.transports = [
      "tcp": { (file, group, signer, logger) throws(PluginError) in try tcp(file, group, signer, logger) }
    ]
    registry.sources = shippedSources
    return registry
  }()

  private static let shippedSources: [String: MakeSource] = [
    "sparse-registry": { (file) throws(PluginError) in
      let source = try SparseRegistrySource(
        url: file.registry ?? "", allowsPlainHTTP: file.registryAllowsHTTP,
        cacheDirectory: file.cache + "/sparse-registry")
      return [SourceEntry(source, type: "cargo", originType: "cargo")]
    },
    "directory": { file in
      [SourceEntry(DirectorySource(root: file.sourceDirectory ?? ""), type: "cargo", originType: "generic")]
    },
    "pypi": { (file) throws(PluginError) in
      let source = try PyPISource(
        url: file.pypiIndex ?? "", allowsPlainHTTP: file.registryAllowsHTTP, cacheDirectory: file.cache + "/pypi")
      return [SourceEntry(source, type: "pypi", originType: "pypi")]
    },
    "debian": { file in
      [SourceEntry(DebianSource(cacheDirectory: file.cache + "/debian"), type: "deb", originType: "deb")]
    },
    "toolchains": { file in
      let source = ToolchainSource(
        shelf: Shelf(directory: file.cache + "/toolchains"), cacheDirectory: file.cache + "/debian")
      let entry = SourceEntry(source, type: "generic", originType: "generic")
      // Its inputs are binary packages.
      if file.source.contains("debian") { return [entry] }
      return [entry, SourceEntry(DebianSource(cacheDirectory: file.cache + "/debian"), type: "deb", originType: "deb")]
    },
    "debian-crates": { file in
      let source = DebianCratesSource(cacheDirectory: file.cache + "/debian-crates")
      return [SourceEntry(source, type: "cargo", originType: "deb")]
    },
  ]

  private static func tcp(
    _ file: ConfigurationFile, _ group: Group, _ signer: any Signer, _ logger: Logger
  ) throws(PluginError) -> any Transport {
    var peers: [TCPTransport.Peer] = []
    for member in group.members where member.name != Text(file.name) {
      guard let endpoint = ConfigurationFile.Endpoint(member.address.string) else {
        throw PluginError(
          .invalid, "The group file gives \(member.name.string) the address \(member.address.string)")
      }
      peers.append(
        TCPTransport.Peer(name: member.name.string, host: endpoint.host, port: endpoint.port, key: member.transportKey))
    }
    var configuration = TCPTransport.Configuration(
      listenHost: file.transportListen.host, listenPort: file.transportListen.port, group: group.networkID,
      peers: peers)
    configuration.onNotice = { logger.debug("\($0)") }
    return try TCPTransport(configuration, signer: signer)
  }
}

extension ConfigurationFile {
  /// Where a plugin that is not shipped keeps what it wants to find again: of this node alone.
  fileprivate func state(of plugin: String) -> String { "\(data)/plugins/\(plugin)" }

  fileprivate func of(_ plugin: String) -> [String: String] { settings[plugin] ?? [:] }

  /// The sandbox that it names.
  public func makeSandbox() async throws(PluginError) -> any LeftoverSandbox {
    try await made(plugins.sandboxes, sandbox)(self)
  }

  public func makeSigner() async throws(PluginError) -> any Signer { try await made(plugins.signers, signer)(self) }

  public func makeStorage() async throws(PluginError) -> any Storage { try await made(plugins.storages, storage)(self) }

  public func makeTransport(_ group: Group, _ signer: any Signer, _ logger: Logger) async throws(PluginError)
    -> any Transport
  {
    try await made(plugins.transports, transport)(self, group, signer, logger)
  }

  /// All sources that it names, as one.
  public func makeSource() async throws(PluginError) -> any Source {
    var closing: [any ClosablePlugin] = []
    return try await makeSource(&closing)
  }

  /// - Parameter closing: Gets those that are to be closed.
  func makeSource(_ closing: inout [any ClosablePlugin]) async throws(PluginError) -> any Source {
    var entries: [SourceTable.Entry] = []
    for name in source {
      for entry in try await made(plugins.sources, name)(self) {
        if let source = entry.source as? any ClosablePlugin { closing.append(source) }
        entries.append(SourceTable.Entry(entry.source, type: entry.type, originType: entry.originType))
      }
    }
    return SourceTable(entries)
  }

  /// Names were checked when they were read; they may have been set by a program since.
  private func made<Make>(_ makers: [String: Make], _ name: String) throws(PluginError) -> Make {
    guard let make = makers[name] else {
      throw PluginError(
        .invalid, "There is no plugin named \(name) here; there are \(makers.keys.sorted().joined(separator: ", "))")
    }
    return make
  }
}
