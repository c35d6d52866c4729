// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with. `unsafeFlags` stay off: they would keep the products from being used
/// by version. Warnings are errors through the tools-6.2 setting instead. scripts/release.bash alone sets
/// SYNC_TESTABLE: what is handed out is what the tests have run, object by object. See docs/decisions/0047.
var settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .treatWarning("DeprecatedDeclaration", as: .warning),
]
/// Tests themselves are never optimized: it takes minutes, and each runs once.
var unoptimized = ["-Onone"]
if let index = Context.environment["SYNC_TESTABLE"] {
  settings.append(.unsafeFlags(["-enable-testing"], .when(configuration: .release)))
  // SwiftPM looks there for tests of XCTest's, and does not link without.
  unoptimized += ["-index-store-path", index]
}
let testSettings = settings + [.unsafeFlags(unoptimized, .when(configuration: .release))]

let package = Package(
  name: "synchronicity",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "SyncProof", targets: ["SyncProof"]),
    .library(name: "SyncRuntime", targets: ["SyncRuntime"]),
    .library(name: "PluginSuites", targets: ["PluginSuites"]),
    .library(name: "SyncTesting", targets: ["SyncTesting"]),
    .library(name: "SyncNodeABI", type: .static, targets: ["CSyncNodeABI"]),
    .executable(name: "synchronicity", targets: ["synchronicity"]),
    .executable(name: "sync-plugin-check", targets: ["PluginCheck"]),
    .executable(name: "synchronicity-sandbox-init", targets: ["ChrootSandboxInit"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
  ],
  targets: [
    // C libraries.
    .systemLibrary(
      name: "CSodium", path: "Sources/CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(
      name: "CLibcrypto", path: "Sources/CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    // The three pure modules: input in, effects out.
    .target(name: "SyncProof", dependencies: ["CSodium", "CLibcrypto"], swiftSettings: settings),
    .target(
      name: "SyncConsensus",
      dependencies: ["SyncProof", .product(name: "DequeModule", package: "swift-collections")],
      swiftSettings: settings),
    .target(
      name: "SyncLedger",
      dependencies: ["SyncProof", .product(name: "HashTreeCollections", package: "swift-collections")],
      swiftSettings: settings),

    // The shell.
    .target(
      name: "SyncRuntime",
      dependencies: [
        "SyncProof", "SyncConsensus", "SyncLedger", "CLibcrypto",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      resources: [
        .embedInCode("Conditions/conditions.c"), .embedInCode("Conditions/normalise.sh"),
        .embedInCode("Conditions/settings.c"),
      ],
      swiftSettings: settings),
    .target(
      name: "SyncGateway",
      dependencies: [
        "SyncProof", "SyncRuntime",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),

    // Plugins.
    .executableTarget(
      name: "ChrootSandboxInit", path: "Sources/Plugins/ChrootSandboxInit",
      cSettings: [.define("_GNU_SOURCE")]),
    .target(
      name: "ChrootSandbox", dependencies: ["SyncProof", "SyncRuntime"], path: "Sources/Plugins/ChrootSandbox",
      swiftSettings: settings),
    // Process 1 of a container, in assembly.
    .target(name: "CDockerInit", path: "Sources/Plugins/CDockerInit"),
    .target(
      name: "DockerSandbox",
      dependencies: [
        "CDockerInit", "SyncProof", "SyncRuntime",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      path: "Sources/Plugins/DockerSandbox", swiftSettings: settings),
    .target(
      name: "ExecSandbox", dependencies: ["SyncProof", "SyncRuntime"], path: "Sources/Plugins/ExecSandbox",
      exclude: ["wrappers"], swiftSettings: settings),
    .target(
      name: "TCPTransport",
      dependencies: [
        "SyncProof", "SyncRuntime",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
      ],
      path: "Sources/Plugins/TCPTransport", swiftSettings: settings),
    .target(
      name: "SQLiteStorage",
      dependencies: ["SyncProof", "SyncRuntime", .product(name: "GRDB", package: "GRDB.swift")],
      path: "Sources/Plugins/SQLiteStorage", swiftSettings: settings),
    .target(
      name: "SodiumSigner", dependencies: ["SyncProof", "SyncRuntime", "CSodium"],
      path: "Sources/Plugins/SodiumSigner", resources: [.embedInCode("bip39-english.txt")],
      swiftSettings: settings),
    // What sources of packages have in common.
    .target(
      name: "SourceTools",
      dependencies: [
        "SyncProof", "SyncRuntime",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      path: "Sources/Plugins/SourceTools", swiftSettings: settings),
    .target(
      name: "CratesSource", dependencies: ["SyncProof", "SyncRuntime", "SourceTools", "CZlib"],
      path: "Sources/Plugins/CratesSource", resources: [.embedInCode("cargo-recipe.sh")],
      swiftSettings: settings),

    .target(
      name: "PackageSources", dependencies: ["SyncProof", "SyncRuntime", "SourceTools", "ToolchainShelf"],
      path: "Sources/Plugins/PackageSources",
      resources: [
        .embedInCode("debian-recipe.sh"), .embedInCode("python-recipe.sh"), .embedInCode("toolchain-recipe.sh"),
      ], swiftSettings: settings),
    .target(
      name: "ToolchainShelf", dependencies: ["SyncProof", "SyncRuntime"], path: "Sources/Plugins/ToolchainShelf",
      resources: [.embedInCode("toolchain.sh")], swiftSettings: settings),

    // Plugins whose methods are C functions, of the program or of a shared object.
    .target(
      name: "NativePlugins", dependencies: ["CSync", "SyncProof", "SyncRuntime"], path: "Sources/Plugins/NativePlugins",
      swiftSettings: settings),
    // The conformance suites for them: for the program and for the C interface alike.
    .target(
      name: "NativePluginCheck",
      dependencies: ["NativePlugins", "PluginSuites", "SodiumSigner", "SyncProof", "SyncRuntime"],
      path: "Sources/Plugins/NativePluginCheck", swiftSettings: settings),
    // What makes a node of a configuration: for the program and for the C interface alike.
    .target(
      name: "NodeAssembly",
      dependencies: [
        "SyncProof", "SyncRuntime", "ChrootSandbox", "DockerSandbox", "ExecSandbox", "TCPTransport", "SQLiteStorage",
        "SodiumSigner", "CratesSource", "PackageSources", "SourceTools", "ToolchainShelf", "NativePlugins",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "TOMLKit", package: "TOMLKit"),
      ],
      path: "Sources/Plugins/NodeAssembly", swiftSettings: settings),

    // The C ABI of the verifier. Released forms of it are Embedded Swift, made by scripts/build-verifier from the same
    // files; here it is held to the same compiler settings as the rest.
    .systemLibrary(name: "CSync", path: "include"),
    .target(name: "CSyncABI", dependencies: ["CSync", "SyncProof"], exclude: ["Embedded"], swiftSettings: settings),
    // What libsync has beside it: nodes in the caller's process. scripts/build-libsync makes the shared object.
    .target(
      name: "CSyncNodeABI",
      dependencies: [
        "CSync", "CSyncABI", "NativePluginCheck", "NativePlugins", "NodeAssembly", "PluginSuites", "SyncProof",
        "SyncRuntime", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),

    // Checking files, as `synchronicity verify` and the small program `synchronicity-verify` both do it; the latter is
    // Embedded Swift, made by scripts/build-verify-tool from the same files.
    .target(name: "CVerifyFiles", cSettings: [.define("_GNU_SOURCE")]),
    .target(
      name: "VerifyTool", dependencies: ["CVerifyFiles", "SyncProof"], path: "Sources/synchronicity-verify",
      exclude: ["Embedded"], swiftSettings: settings),

    // What is shipped to plugin authors, and the reference node.
    .target(
      name: "PluginSuites", dependencies: ["SyncProof", "SyncRuntime"],
      // What a sandbox must not let a program do, as its source: compiled where the checks run.
      resources: ["escape.h", "escape.c", "escape-calls.c", "escape-processes.c", "escape-reach.c"].map {
        .embedInCode("Escape/\($0)")
      },
      swiftSettings: settings),
    .target(
      name: "SyncTesting",
      dependencies: ["CSodium", "PluginSuites", "SyncProof", "SyncConsensus", "SyncLedger", "SyncRuntime"],
      swiftSettings: settings),
    .executableTarget(
      name: "synchronicity",
      dependencies: [
        "SyncProof", "SyncRuntime", "SyncGateway", "NodeAssembly", "ChrootSandbox", "DockerSandbox", "ExecSandbox",
        "TCPTransport", "SQLiteStorage", "SodiumSigner", "CratesSource", "PackageSources", "SourceTools",
        "ToolchainShelf", "SyncTesting", "VerifyTool",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: settings),

    // What plugins' authors run.
    .executableTarget(
      name: "PluginCheck",
      dependencies: [
        "NativePluginCheck", "NativePlugins", "PluginSuites", "SyncRuntime",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/sync-plugin-check", swiftSettings: settings),

    .executableTarget(
      name: "SyncBench",
      dependencies: [
        "CSync", "CSyncABI", "CSyncNodeABI", "SyncProof", "SyncRuntime", "SyncTesting", "SQLiteStorage", "SodiumSigner",
        "TCPTransport",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      path: "Benchmarks/SyncBench", swiftSettings: settings),
    .executableTarget(
      name: "SandboxBench", dependencies: ["SyncProof", "SyncRuntime", "ChrootSandbox", "DockerSandbox"],
      path: "Benchmarks/SandboxBench", swiftSettings: settings),
    .executableTarget(
      name: "ConsensusBench",
      dependencies: [
        "SQLiteStorage", "SodiumSigner", "SyncConsensus", "SyncProof", "SyncRuntime", "SyncTesting",
        .product(name: "Logging", package: "swift-log"), .product(name: "NIOPosix", package: "swift-nio"),
      ],
      path: "Benchmarks/ConsensusBench", swiftSettings: settings),

    // Tests, one target for each room of the house.
    .testTarget(
      name: "SyncProofTests", dependencies: ["SyncProof", "CSodium"], exclude: ["Goldens"],
      swiftSettings: testSettings),
    .testTarget(
      name: "SyncConsensusTests", dependencies: ["SyncConsensus", "SyncTesting"], swiftSettings: testSettings),
    .testTarget(
      name: "SyncLedgerTests", dependencies: ["SyncLedger", "SyncProof", "SyncTesting", "CSodium"],
      exclude: ["Goldens"], swiftSettings: testSettings),
    .testTarget(
      name: "SyncRuntimeTests",
      dependencies: [
        "SyncGateway", "SyncProof", "SyncRuntime", "SyncTesting", "SodiumSigner",
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: testSettings),
    .testTarget(
      name: "SyncGatewayTests",
      dependencies: [
        "SyncProof", "SyncRuntime", "SyncGateway",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: testSettings),
    .testTarget(
      name: "PluginTests",
      dependencies: [
        "PluginSuites", "SyncProof", "SyncRuntime", "SyncTesting", "TCPTransport", "SQLiteStorage", "SodiumSigner",
        "CratesSource", "ChrootSandbox", "DockerSandbox", "ExecSandbox", "PackageSources", "SourceTools",
        "ToolchainShelf", "CZlib",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: testSettings),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "CSync", "CSyncNodeABI", "NativePlugins", "NodeAssembly", "SyncProof", "SyncRuntime", "synchronicity",
      ],
      swiftSettings: testSettings),
    .testTarget(name: "TidyTests", swiftSettings: testSettings),
  ]
)

// For scripts/test alone, which would otherwise compile NIO, BoringSSL and what else both packages need once for each:
// remote-execution/Package.swift is what users build. See docs/decisions/0043-one-build-for-the-tests.md.
if Context.environment["SYNC_REMOTE_EXECUTION"] == "1" {
  package.dependencies += [
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.0"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.0"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.0"),
  ]
  let libraries: [Target.Dependency] = [
    .product(name: "GRPCCore", package: "grpc-swift-2"),
    .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
    .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
    .product(name: "SwiftProtobuf", package: "swift-protobuf"),
  ]
  let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
  package.targets += [
    .target(
      name: "RemoteExecution", dependencies: libraries + [.product(name: "Crypto", package: "swift-crypto")],
      path: "remote-execution/Sources/RemoteExecution", swiftSettings: settings),
    .executableTarget(
      name: "sync-exec-remote",
      dependencies: ["RemoteExecution", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "remote-execution/Sources/sync-exec-remote", swiftSettings: settings),
    .testTarget(
      name: "RemoteExecutionTests", dependencies: libraries + ["RemoteExecution"],
      path: "remote-execution/Tests/RemoteExecutionTests",
      swiftSettings: settings + [.unsafeFlags(unoptimized, .when(configuration: .release))]),
  ]
}
