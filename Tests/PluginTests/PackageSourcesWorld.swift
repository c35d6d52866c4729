import Foundation
import SourceTools
import SyncProof
import SyncRuntime

@testable import CratesSource
@testable import PackageSources

/// A Python package index on loopback: what is published is served as the simple API's JSON form would.
struct TestIndex {
  private let registry: TestRegistry
  var url: String { registry.origin + "/simple/" }

  static func with<Result>(_ body: (TestIndex) async throws -> Result) async throws -> Result {
    try await TestRegistry.with { try await body(TestIndex(registry: $0)) }
  }

  struct File {
    var name: String
    var bytes: [UInt8]
    /// What the index says of it; the truth unless given.
    var checksum: String?
    var yanked = "false"
  }

  func publish(_ project: String, _ files: [File]) {
    let list = files.map { file in
      """
      {"filename":"\(file.name)","url":"../../files/\(file.name)","hashes":{"sha256":\
      "\(file.checksum ?? SHA256.hash(file.bytes).hex)"},"yanked":\(file.yanked)}
      """
    }
    registry.put(
      "/simple/\(project)/",
      "{\"meta\":{\"api-version\":\"1.1\"},\"name\":\"\(project)\",\"files\":[\(list.joined(separator: ","))]}")
    for file in files { registry.put("/files/\(file.name)", file.bytes) }
  }

  func put(_ path: String, _ text: String) { registry.put(path, text) }

  func source(cache: String) throws -> PyPISource {
    try PyPISource(url: url, client: RegistryClient(limits: .quick), cacheDirectory: cache)
  }
}

/// Real source distributions, got once by pip from the index that the host has configured.
enum RealDistribution {
  static func bytes(_ name: String, _ version: String, sha256: String) async throws -> [UInt8] {
    let environment = ProcessInfo.processInfo.environment
    let cache =
      environment["SYNC_CACHE"]
      ?? (environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.cache") + "/synchronicity"
    let folder = cache + "/distributions"
    let path = "\(folder)/\(name)-\(version).tar.gz"
    if let kept = try? SourceFiles.read(path, bytesMax: 16 << 20), SHA256.hash(kept).hex == sha256 { return kept }
    try SourceFiles.makeFolder(folder)
    try await Tool(name: "python3").run([
      "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name, "--dest", folder, "\(name)==\(version)",
    ])
    let bytes = try SourceFiles.read(path, bytesMax: 16 << 20)
    guard SHA256.hash(bytes).hex == sha256 else {
      throw PluginError(.checksumMismatch, "pip got another \(name) \(version) than these tests know")
    }
    return bytes
  }

  static func six() async throws -> TestIndex.File {
    let sum = "1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926"
    return .init(name: "six-1.16.0.tar.gz", bytes: try await bytes("six", "1.16.0", sha256: sum))
  }

  static func markupSafe() async throws -> TestIndex.File {
    let sum = "d283d37a890ba4c1ae73ffadf8046435c76e7bc2247bbb63c00bd1a709c6544b"
    return .init(name: "MarkupSafe-2.1.5.tar.gz", bytes: try await bytes("MarkupSafe", "2.1.5", sha256: sum))
  }
}
