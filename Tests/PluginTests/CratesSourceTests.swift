import Glibc
import SourceTools
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import CratesSource

/// Stands for the sandbox with a toolchain in it: answers the recipe's two questions as cargo would for the fixtures,
/// whose dependencies are single lines. The real cargo is asked in CratesSourceBuildTests.
struct ScriptedCargo: Sandbox {
  let name = "scripted"
  let version = "0"
  /// A transcript to fail with, when locking, and the recipe's name for it.
  var failure: (transcript: String, name: String)?
  var target = "x86_64-unknown-linux-gnu"

  func probe() async -> SandboxProbe { SandboxProbe(findings: []) }
  func prepare(toolchain: Digest, archive: String) async throws(PluginError) {}
  func hasToolchain(_ toolchain: Digest) async -> Bool { true }

  func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    func host(_ inside: String) -> String { request.mounts.first { $0.insidePath == inside }?.hostPath ?? "/nowhere" }
    let environment = Dictionary(uniqueKeysWithValues: request.environment.map { ($0.name, $0.value) })
    let crate = try Self.manifest(host("/input") + "/package")
    if environment["SYNC_STEP"] == "describe" {
      let dependencies = crate.dependencies.map { "{\"name\": \"\($0)\", \"optional\": false}" }.joined(separator: ",")
      let json = """
        {"packages": [{"name": "\(crate.name)", "version": "\(crate.version)", "features": {"loud": []},
          "targets": [{"name": "\(crate.name)", "kind": ["lib"]}], "dependencies": [\(dependencies)]}]}
        """
      try CrateFiles.write([UInt8](json.utf8), to: host("/output") + "/manifest.json")
      try CrateFiles.write([UInt8]("rustc 1\nhost: \(target)\n".utf8), to: host("/output") + "/rustc.txt")
      try CrateFiles.write([UInt8]("\(target)\n".utf8), to: host("/output") + "/targets.txt")
      try CrateFiles.write([], to: host("/output") + "/profiles.txt")
      return Self.result(0, "")
    }
    if let failure {
      try CrateFiles.write([UInt8]((failure.name + "\n").utf8), to: host("/output") + "/failure")
      return Self.result(65, failure.transcript)
    }
    var lock = ""
    for dependency in crate.dependencies + [crate.name] {
      let folder = CrateFiles.names(in: host("/registry")).first { $0.hasPrefix(dependency + "-") }
      let version = folder.map { String($0.dropFirst(dependency.count + 1)) } ?? crate.version
      lock += "[[package]]\nname = \"\(dependency)\"\nversion = \"\(version)\"\n\n"
    }
    try CrateFiles.write([UInt8](lock.utf8), to: host("/output") + "/Cargo.lock")
    return Self.result(0, "")
  }

  private static func result(_ status: Int32, _ transcript: String) -> SandboxResult {
    SandboxResult(
      termination: .exited(status: status), transcript: [UInt8](transcript.utf8), wallNanoseconds: 1,
      cpuNanoseconds: nil, memoryPeakBytes: nil)
  }

  private static func manifest(_ folder: String) throws(PluginError)
    -> (name: String, version: String, dependencies: [String])
  {
    let text = String(decoding: try CrateFiles.read(folder + "/Cargo.toml", bytesMax: 1 << 20), as: UTF8.self)
    var (table, name, version, dependencies) = ("", "", "", [String]())
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
      if line.hasPrefix("[") { table = String(line) }
      guard parts.count == 3 else { continue }
      if table == "[package]", line.hasPrefix("name = ") { name = String(parts[1]) }
      if table == "[package]", line.hasPrefix("version = ") { version = String(parts[1]) }
      if table == "[dependencies]" { dependencies.append(String(line.prefix { $0 != " " })) }
    }
    return (name, version, dependencies)
  }
}

/// A folder of its own for a test.
func withScratch<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let folder = try CrateFiles.makeTemporary(in: "/tmp")
  defer { CrateFiles.remove(folder) }
  return try await body(folder)
}

/// Tests/Fixtures/crates, from this file's own path.
let fixtureCrates = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Fixtures/crates"

@Suite("Sources of crates")
struct CratesSourceTests {
  private let toolchain = SHA256.hash([1])
  private var directory: DirectorySource { DirectorySource(root: fixtureCrates) }

  private func resolve(_ purl: String, features: [String] = [], with cargo: ScriptedCargo = ScriptedCargo())
    async throws -> BuildSpec
  {
    try await withScratch { scratch in
      let request = ResolveRequest(package: purl, features: features, toolchain: toolchain)
      return try await directory.resolve(request, sandbox: cargo, scratchDirectory: scratch)
    }
  }

  @Test("A folder of crates conforms", arguments: ["pkg:cargo/sync-plain@0.1.0", "pkg:cargo/sync-program@1.0.0"])
  func directoryConforms(purl: String) async throws {
    try await withScratch { scratch in
      let package = SourceCompatTest.Package(
        purl: purl, unknownPurl: "pkg:cargo/sync-absent@1.0.0", unknownVersionPurl: "pkg:cargo/sync-plain@9.0.0",
        toolchain: toolchain)
      let suite = SourceCompatTest(
        source: directory, sandbox: ScriptedCargo(), package: package, scratchDirectory: scratch)
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count == 14)
    }
  }

  @Test("Debian's crates conform", .timeLimit(.minutes(10)))
  func debianConforms() async throws {
    try await withScratch { folder in
      let scratch = folder + "/scratch"
      try CrateFiles.makeFolder(scratch)
      let package = SourceCompatTest.Package(
        purl: try await newestItoa(cache: folder + "/cache"), unknownPurl: "pkg:cargo/sync-absent@1.0.0",
        unknownVersionPurl: "pkg:cargo/itoa@999.0.0", toolchain: toolchain)
      let suite = SourceCompatTest(
        source: DebianCratesSource(cacheDirectory: folder + "/cache"), sandbox: ScriptedCargo(), package: package,
        scratchDirectory: scratch)
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count == 14)
    }
  }

  private func newestItoa(cache: String) async throws -> String {
    let entry = try await DebianRegistry(apt: AptClient(cacheDirectory: cache)).locate(name: "itoa", version: nil)
    return "pkg:cargo/itoa@\(entry.version)"
  }

  @Test("A damaged download is fetched anew", .timeLimit(.minutes(10)))
  func repairsDownload() async throws {
    try await withScratch { folder in
      let cache = folder + "/cache"
      let registry = DebianRegistry(apt: AptClient(cacheDirectory: cache))
      let entry = try await registry.locate(name: "itoa", version: nil)
      let tree = folder + "/tree"
      try CrateFiles.makeFolder(tree)
      _ = try await registry.unpack(entry.origin, checksum: nil, into: tree)
      let item = SourceItem(
        purl: Text("pkg:cargo/itoa@\(entry.version)"), tree: try TreeDigest.sha256(directory: tree), claim: nil,
        origin: Text(entry.origin))

      // Another crate's package under the name: what a cache that was tampered with would give.
      let other = try await registry.locate(name: "cfg-if", version: nil)
      let files = try await AptClient(cacheDirectory: cache).download([
        AptPackage(origin: entry.origin), AptPackage(origin: other.origin),
      ])
      try CrateFiles.write(CrateFiles.read(files[1], bytesMax: 1 << 20), to: files[0])
      let source = DebianCratesSource(cacheDirectory: cache)
      try await source.fetch(item, into: folder + "/again")
      #expect(try TreeDigest.sha256(directory: folder + "/again") == item.tree)
      try CrateFiles.write([1, 2, 3], to: files[0])
      try await source.fetch(item, into: folder + "/third")
      #expect(try TreeDigest.sha256(directory: folder + "/third") == item.tree)
    }
  }

  @Test("The spec says what was chosen and how to build it")
  func writesSpec() async throws {
    let spec = try await resolve("pkg:cargo/sync-program", features: ["loud", "loud"])
    #expect(spec.package == "pkg:cargo/sync-program@1.0.0")
    #expect(
      spec.sources.map(\.purl.string) == [
        "pkg:cargo/sync-macro@0.1.0", "pkg:cargo/sync-plain@0.1.0", "pkg:cargo/sync-program@1.0.0",
      ])
    #expect(spec.features == ["loud"])
    #expect(spec.target == "x86_64-unknown-linux-gnu")
    #expect(spec.artifacts == ["libsync_program.rlib"])
    #expect(spec.toolchain == toolchain)
    let environment = Dictionary(uniqueKeysWithValues: spec.environment.map { ($0.name.string, $0.value.string) })
    #expect(environment["SYNC_LOCK_SHA256"] == spec.lock?.hex)
    #expect(environment["SYNC_ENABLE"] == "loud")
    #expect(environment["SYNC_FEATURES"] == "loud=")
    #expect(environment["SYNC_STEP"] == nil)
    #expect(spec.recipe.count <= 16_384)
  }

  @Test("Without a version the newest release is taken, a pre-release only by name")
  func choosesVersion() async throws {
    #expect(try await resolve("pkg:cargo/sync-plain").package == "pkg:cargo/sync-plain@0.1.0")
    #expect(try await resolve("pkg:cargo/sync-plain@0.2.0-rc.1").package == "pkg:cargo/sync-plain@0.2.0-rc.1")
  }

  @Test("cargo's refusal arrives as one sentence")
  func tellsRefusal() async throws {
    let transcript = "warning: x\nerror: no matching package named `a` found\nCaused by:\n  why\nhelp: y\nrecipe: z\n"
    for (name, code, end) in [
      ("missing-dependency", .dependencyMissing, " (missing-dependency)"), ("no-luck", .invalid, " (no-luck)"),
      ("No luck", .invalid, ""),
    ] as [(String, PluginError.Code, String)] {
      let error = await #expect(throws: PluginError.self) {
        _ = try await resolve("pkg:cargo/sync-plain", with: ScriptedCargo(failure: (transcript, name)))
      }
      #expect(error?.code == code)
      #expect(error?.message.hasSuffix("error: no matching package named `a` found; why\(end)") == true)
    }
  }

  @Test("A feature that cannot be one is refused", arguments: ["", "-x", "a,b", "a b", "a=b", "nope"])
  func refusesFeature(_ feature: String) async {
    await #expect(throws: PluginError(feature == "nope" ? .featureMissing : .invalid, "")) {
      _ = try await resolve("pkg:cargo/sync-plain", features: [feature])
    }
  }

  @Test("A program that hangs, fails, is missing or says too much is an error with its name")
  func boundsTools() async throws {
    let rows: [(tool: Tool, arguments: [String], code: PluginError.Code)] = [
      (Tool(name: "sleep", timeoutSeconds: 1), ["60"], .io), (Tool(name: "false"), [], .io),
      (Tool(name: "no-such-program-here"), [], .unavailable),
      (Tool(name: "head", outputBytesMax: 1_000), ["-c", "5000", "/dev/zero"], .io),
    ]
    for row in rows {
      let error = await #expect(throws: PluginError.self) { try await row.tool.run(row.arguments) }
      #expect(error?.code == row.code)
      #expect(error?.message.contains(row.tool.name) == true)
    }
  }
}
