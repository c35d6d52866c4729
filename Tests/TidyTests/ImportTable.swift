/// Who may import what: the table of ARCHITECTURE.md, as code.
struct Room {
  /// The target's name and, below Sources/, its folder.
  let target: String
  let folder: String
  /// Modules of this package, C libraries included.
  let own: Set<String>
  /// Modules of other packages.
  let foreign: Set<String>
  /// Whether it is a shell that may use the platform's modules; the pure rooms may not.
  let platform: Bool

  init(
    _ target: String, at folder: String? = nil, own: Set<String> = [], foreign: Set<String> = [], platform: Bool
  ) {
    self.target = target
    self.folder = folder ?? target
    self.own = own
    self.foreign = foreign
    self.platform = platform
  }

  /// A plugin sees the runtime, SyncProof's types and its own library.
  static func plugin(_ name: String, own: Set<String> = [], foreign: Set<String> = []) -> Room {
    Room(
      name, at: "Plugins/\(name)", own: own.union(["SyncProof", "SyncRuntime"]), foreign: foreign, platform: true)
  }
}

enum ImportTable {
  /// What comes with the toolchain on Linux. Concurrency and the standard library need no import.
  static let platformModules: Set<String> = [
    "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Synchronization",
  ]

  /// The targets of modules that have another name.
  static let targets = ["CSyncNode": "CSync"]

  static let plugins: Set<String> = [
    "ChrootSandbox", "CratesSource", "DockerSandbox", "ExecSandbox", "PackageSources", "SQLiteStorage", "SodiumSigner",
    "SourceTools", "TCPTransport", "ToolchainShelf",
  ]

  static let rooms: [Room] = [
    Room("SyncProof", own: ["CSodium", "CLibcrypto"], platform: false),
    Room("SyncConsensus", own: ["SyncProof"], foreign: ["DequeModule"], platform: false),
    Room("SyncLedger", own: ["SyncProof"], foreign: ["HashTreeCollections"], platform: false),
    Room(
      "SyncRuntime", own: ["SyncProof", "SyncConsensus", "SyncLedger", "CLibcrypto"],
      foreign: ["Logging", "Metrics", "NIOCore", "ServiceLifecycle"], platform: true),
    // NIO, Logging and ServiceLifecycle are what Hummingbird's own interface is made of.
    Room(
      "SyncGateway", own: ["SyncProof", "SyncRuntime"],
      foreign: ["Hummingbird", "HummingbirdCore", "HTTPTypes", "Logging", "NIOCore", "NIOPosix", "ServiceLifecycle"],
      platform: true),
    .plugin("ChrootSandbox", foreign: ["Subprocess"]),
    // What sources have in common is no plugin by itself.
    .plugin("SourceTools", foreign: ["AsyncHTTPClient", "NIOCore", "NIOHTTP1", "Subprocess"]),
    .plugin("CratesSource", own: ["CZlib", "SourceTools"]),
    .plugin("PackageSources", own: ["SourceTools", "ToolchainShelf"]),
    .plugin("ToolchainShelf"),
    .plugin("DockerSandbox", own: ["CDockerInit"], foreign: ["AsyncHTTPClient", "NIOCore"]),
    .plugin("ExecSandbox"),
    .plugin("SQLiteStorage", foreign: ["GRDB"]),
    .plugin("SodiumSigner", own: ["CSodium"]),
    .plugin("TCPTransport", foreign: ["NIOCore", "NIOPosix", "NIOSSL", "NIOTLS"]),
    // Plugins whose methods are C functions; CSyncNode is a second module of the headers' target.
    .plugin("NativePlugins", own: ["CSync", "CSyncNode"]),
    .plugin("NativePluginCheck", own: ["NativePlugins", "PluginSuites", "SodiumSigner"]),
    // Makes a node of a configuration, from all plugins that are shipped.
    Room(
      "NodeAssembly", at: "Plugins/NodeAssembly", own: plugins.union(["NativePlugins", "SyncProof", "SyncRuntime"]),
      foreign: ["Logging", "NIOCore", "NIOPosix", "ServiceLifecycle", "TOMLKit"], platform: true),
    // The programs that sandboxes start are C and assembly.
    Room("ChrootSandboxInit", at: "Plugins/ChrootSandboxInit", platform: false),
    Room("CDockerInit", at: "Plugins/CDockerInit", platform: false),
    Room("CSyncABI", own: plugins.union(["CSync", "SyncProof", "SyncRuntime"]), platform: false),
    Room(
      "CSyncNodeABI",
      own: [
        "CSync", "CSyncABI", "CSyncNode", "NativePluginCheck", "NativePlugins", "NodeAssembly", "PluginSuites",
        "SyncProof", "SyncRuntime",
      ],
      foreign: ["Logging"], platform: true),
    Room(
      "PluginCheck", at: "sync-plugin-check",
      own: ["NativePluginCheck", "NativePlugins", "PluginSuites", "SyncRuntime"],
      foreign: ["ArgumentParser"], platform: true),
    // Embedded Swift too, in the small program: files through C, and nothing else of the platform.
    Room("VerifyTool", at: "synchronicity-verify", own: ["CVerifyFiles", "SyncProof"], platform: false),
    Room("PluginSuites", own: ["SyncProof", "SyncRuntime"], platform: true),
    // Fixtures sign with keys made from labels.
    Room(
      "SyncTesting", own: ["CSodium", "PluginSuites", "SyncProof", "SyncConsensus", "SyncLedger", "SyncRuntime"],
      platform: true),
    Room(
      "synchronicity",
      own: plugins.union([
        "NodeAssembly", "SyncGateway", "SyncProof", "SyncRuntime", "SyncTesting", "VerifyTool",
      ]),
      foreign: [
        "ArgumentParser", "AsyncHTTPClient", "Logging", "Metrics", "NIOCore", "NIOPosix", "ServiceLifecycle",
        "Subprocess",
      ],
      platform: true),
    // The benchmark puts a group together from the shipped plugins.
    Room(
      "SyncBench", at: "../Benchmarks/SyncBench",
      own: [
        "CSync", "CSyncABI", "CSyncNode", "CSyncNodeABI", "SQLiteStorage", "SodiumSigner", "SyncProof", "SyncRuntime",
        "SyncTesting", "TCPTransport",
      ],
      foreign: ["Logging", "NIOPosix"], platform: true),
    Room(
      "SandboxBench", at: "../Benchmarks/SandboxBench",
      own: ["ChrootSandbox", "DockerSandbox", "SyncProof", "SyncRuntime"], platform: true),
    Room(
      "ConsensusBench", at: "../Benchmarks/ConsensusBench",
      own: ["SQLiteStorage", "SodiumSigner", "SyncConsensus", "SyncProof", "SyncRuntime", "SyncTesting"],
      foreign: ["Logging", "NIOPosix"], platform: true),
    // C libraries.
    Room("CSodium", platform: false),
    Room("CLibcrypto", platform: false),
    Room("CZlib", platform: false),
    Room("CVerifyFiles", platform: false),
    Room("CSync", at: "../include", platform: false),
  ]

  static func room(ofPath path: String) -> Room? {
    rooms.first { path.hasPrefix("Sources/\($0.folder)/") }
  }
}
