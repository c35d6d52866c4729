import Foundation
import SourceTools
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import CratesSource

/// Resolving and building from a sparse registry, with the real cargo in the real sandbox, and the host's own cargo as
/// the registry's second client.
@Suite(
  "Crates of a sparse registry", .serialized,
  .enabled(if: CrateWorkbench.isPossible, "needs cargo, and mmdebstrap for the toolchain; see scripts/setup"))
struct SparseRegistryBuildTests {
  private typealias Need = TestCrate.Need

  private func withBench(
    _ crates: [TestCrate], _ body: (TestRegistry, SparseRegistrySource, CrateWorkbench) async throws -> Void
  ) async throws {
    try await CrateWorkbench.with { bench in
      try await TestRegistry.with { registry in
        for crate in crates { registry.publish(crate) }
        try await withScratch { cache in
          let source = try SparseRegistrySource(
            url: registry.url, client: RegistryClient(limits: .quick), cacheDirectory: cache)
          try await body(registry, source, bench)
        }
      }
    }
  }

  /// What the host's cargo locks and downloads for a program that depends on one crate of the registry.
  private func hostCargo(_ registry: TestRegistry, _ name: String, _ version: String, features: [String]) async throws
    -> [String]
  {
    try await withScratch { folder in
      try CrateFiles.makeFolder(folder + "/src")
      try CrateFiles.makeFolder(folder + "/.cargo")
      try CrateFiles.write([], to: folder + "/src/lib.rs")
      let config = """
        [source.crates-io]
        replace-with = "test"
        [source.test]
        registry = "\(registry.url)"
        """
      try CrateFiles.write([UInt8](config.utf8), to: folder + "/.cargo/config.toml")
      let list = features.map { "\"\($0)\"" }.joined(separator: ", ")
      let manifest = """
        [package]
        name = "driver"
        version = "0.0.0"
        edition = "2021"
        [dependencies]
        \(name) = { version = "=\(version)", features = [\(list)] }
        """
      try CrateFiles.write([UInt8](manifest.utf8), to: folder + "/Cargo.toml")
      try await Tool(name: "env").run(["CARGO_HOME=\(folder)/home", "cargo", "fetch", "--quiet"], in: folder)
      return try CargoLock.packages(CrateFiles.read(folder + "/Cargo.lock", bytesMax: 1 << 20))
        .filter { $0.name != "driver" }.map { "\($0.name)@\($0.version) \($0.checksum ?? "")" }.sorted()
    }
  }

  private static let world: [TestCrate] =
    [
      TestCrate("util", "1.0.0", features: ["default": ["std"], "std": [], "extra": []]),
      TestCrate("util", "1.2.0", features: ["default": ["std"], "std": [], "extra": []]),
      TestCrate("util", "1.3.0", features: ["default": ["std"], "std": []], isYanked: true),
      TestCrate("util", "2.0.0"), TestCrate("util", "3.0.0-beta.1"), TestCrate("util", "3.0.0-beta.2"),
      TestCrate(
        "mid", "0.3.1", needs: [Need(name: "util", req: "1", isOptional: true), Need(name: "leaf", req: "~1.2")],
        features: ["std": ["util?/std"], "full": ["dep:util", "std", "leaf/more"]]),
      TestCrate("mid", "0.3.2", needs: [Need(name: "util", req: "=1.0.0")]),
      TestCrate("mid", "0.4.0", needs: [Need(name: "nowhere", req: "1")]),
      TestCrate("leaf", "1.2.9", needs: [Need(name: "deep", req: "*", isOptional: true)], features: ["more": ["deep"]]),
      TestCrate("leaf", "1.3.0"), TestCrate("deep", "0.0.3"), TestCrate("deep", "0.0.4"),
      TestCrate("old-mid", "1.0.0", needs: [Need(name: "mid", req: ">=0.3.1, <0.3.2", features: ["full"])]),
      TestCrate("a"), TestCrate("bc", "1.0.0+meta.1"), TestCrate("cde"),
    ]

  private static let roots: [(crate: TestCrate, features: [String], words: [String])] = [
    (TestCrate("r-range", needs: [Need(name: "util", req: ">=1.0, <1.2")]), [], ["util@1.0.0"]),
    (TestCrate("r-yanked", needs: [Need(name: "util", req: "1.1")]), [], ["util@1.2.0"]),
    (TestCrate("r-pre", needs: [Need(name: "util", req: "3.0.0-beta.1")]), [], ["util@3.0.0-beta.2"]),
    (TestCrate("r-nopre", needs: [Need(name: "util", req: ">=1")]), [], ["util@2.0.0"]),
    (
      TestCrate(
        "r-renamed",
        needs: [Need(name: "one", req: "1", package: "util"), Need(name: "two", req: "2", package: "util")]),
      [], ["util@1.2.0", "util@2.0.0"]
    ),
    (
      TestCrate(
        "r-target",
        needs: [
          Need(name: "util", req: "1", target: "cfg(windows)"), Need(name: "a", req: "1", kind: "build"),
          Need(name: "cde", req: "1", target: "wasm32-unknown-unknown"),
        ]), [], ["a@1.0.0", "cde@1.0.0", "util@1.2.0"]
    ),
    (
      TestCrate(
        "r-features",
        needs: [Need(name: "mid", req: "=0.3.1", isOptional: true), Need(name: "bc", req: "1", isOptional: true)],
        features: ["default": [], "more": ["dep:mid", "mid?/full"], "b": ["bc"]]), ["more"],
      ["deep@0.0.4", "leaf@1.2.9", "mid@0.3.1", "util@1.2.0"]
    ),
    (
      TestCrate(
        "r-weak", needs: [Need(name: "mid", req: "=0.3.1", features: ["std"])]), [],
      ["leaf@1.2.9", "mid@0.3.1", "util@1.2.0"]
    ),
    // The newest mid wants util 1.0.0 alone, so cargo goes back to the one before.
    (
      TestCrate("r-back", needs: [Need(name: "mid", req: "0.3"), Need(name: "util", req: "1.2")]), [],
      ["leaf@1.2.9", "mid@0.3.1", "util@1.2.0"]
    ),
    // This one's newest version depends on what nobody has.
    (TestCrate("r-hole", needs: [Need(name: "mid", req: ">=0.3, <0.5")]), [], ["mid@0.3.2", "util@1.0.0"]),
    (TestCrate("r-deep", needs: [Need(name: "old-mid", req: "1")]), [], ["deep@0.0.4", "old-mid@1.0.0", "util@1.2.0"]),
    (TestCrate("r-meta", needs: [Need(name: "bc", req: "1")]), [], ["bc@1.0.0+meta.1"]),
    (TestCrate("r-plain", features: ["default": []]), [], []),
  ]

  @Test("The same versions are chosen as the host's cargo chooses online", .timeLimit(.minutes(20)))
  func resolvesLikeCargo() async throws {
    try await withBench(Self.world + Self.roots.map(\.crate)) { registry, source, bench in
      for root in Self.roots {
        let name = root.crate.name
        let spec = try await bench.resolve("pkg:cargo/\(name)@1.0.0", features: root.features, from: source)
        let own = spec.sources.map { "\($0.purl.string.dropFirst(10)) \($0.claim?.hex ?? "")" }.sorted()
        let theirs = try await hostCargo(registry, name, "1.0.0", features: root.features)
        #expect(own == theirs, "\(name)")
        for word in root.words { #expect(own.contains { $0.hasPrefix(word + " ") }, "\(name): \(word)") }
      }
    }
  }

  @Test("A shipped lock decides, also for versions that were withdrawn later", .timeLimit(.minutes(20)))
  func followsShippedLock() async throws {
    func lock(_ version: String, _ checksum: String) -> String {
      """
      version = 4

      [[package]]
      name = "locked"
      version = "1.0.0"
      dependencies = [
       "util",
      ]

      [[package]]
      name = "util"
      version = "\(version)"
      source = "registry+https://github.com/rust-lang/crates.io-index"
      checksum = "\(checksum)"

      """
    }
    var locked = TestCrate("locked", needs: [Need(name: "util", req: "1")])
    let sum = SHA256.hash(Self.world[2].archive()).hex
    locked.lock = lock("1.3.0", sum)
    var wrong = TestCrate("locked", "2.0.0", needs: locked.needs)
    wrong.lock = lock("1.3.0", Digest.zero.hex)
    var stale = TestCrate("locked", "3.0.0", needs: [Need(name: "util", req: "2")])
    stale.lock = locked.lock
    try await withBench(Self.world + [locked, wrong, stale]) { _, source, bench in
      let spec = try await bench.resolve("pkg:cargo/locked@1.0.0", from: source)
      #expect(spec.sources.map(\.purl.string) == ["pkg:cargo/locked@1.0.0", "pkg:cargo/util@1.3.0"])
      #expect(spec.sources.last?.claim?.hex == sum)
      await #expect(throws: PluginError(.checksumMismatch, "")) {
        _ = try await bench.resolve("pkg:cargo/locked@2.0.0", from: source)
      }
      await #expect(throws: PluginError(.dependencyMissing, "")) {
        _ = try await bench.resolve("pkg:cargo/locked@3.0.0", from: source)
      }
    }
  }

  /// Without a name of its own where it is no defect of the package.
  private typealias Refused = (crate: TestCrate, features: [String], name: FailureName?, words: String)

  private static let refused: [Refused] = [
    (TestCrate("x-missing", needs: [Need(name: "nowhere", req: "1")]), [], .missingDependency, "nowhere"),
    (TestCrate("x-range", needs: [Need(name: "util", req: "9")]), [], .missingDependency, "util"),
    (TestCrate("x-yanked", needs: [Need(name: "util", req: "=1.3.0")]), [], .yanked, "1.3.0"),
    (TestCrate("x-withdrawn", isYanked: true), [], .yanked, "x-withdrawn 1.0.0 was withdrawn"),
    (TestCrate("x-cycle", needs: [Need(name: "x-back", req: "1")]), [], .dependencyCycle, "x-back"),
    (
      TestCrate(
        "x-round", needs: [Need(name: "x-back", req: "1", isOptional: true)], features: ["on": ["dep:x-back"]]), ["on"],
      .dependencyCycle, "x-back"
    ),
    (
      TestCrate("x-feature", needs: [Need(name: "util", req: "=1.2.0", features: ["silver"])]), [], .featureAbsent,
      "silver"
    ),
    (TestCrate("x-own"), ["gold"], .featureAbsent, "gold"),
    (
      TestCrate("x-conflict", needs: [Need(name: "mid", req: "=0.3.2"), Need(name: "util", req: "=1.2.0")]), [],
      .dependenciesDoNotFit, "util"
    ),
    (TestCrate("x-compiler", compiler: "1.999"), [], .needsNewerCompiler, "rustc 1.999"),
    (TestCrate("x-deep", needs: [Need(name: "x-compiler", req: "1")]), [], .needsNewerCompiler, "x-compiler 1.0.0"),
    (TestCrate("x-twice", needs: [Need(name: "x-bare", req: "1")]), [], .noManifest, "x-bare 1.0.0"),
    (TestCrate("x-sum", needs: [Need(name: "x-other", req: "1")]), [], nil, "SHA-256"),
  ]

  @Test("Each way in which a package cannot be prepared has its name", .timeLimit(.minutes(20)))
  func namesRefusals() async throws {
    let back = TestCrate("x-back", needs: [Need(name: "x-cycle", req: "1")])
    var late = TestCrate("x-edition")
    late.edition = "2099"
    try await withBench(Self.world + [back, late] + Self.refused.map(\.crate)) { registry, source, bench in
      registry.publish(
        TestCrate("x-bare"), members: [CratesSourceArchiveTests.Member(path: "x-bare-1.0.0/README", content: [1])])
      registry.publish(TestCrate("x-other"))
      registry.put("/dl/x-other/1.0.0", TestCrate("x-other", "1.0.1").archive())
      let more: [Refused] = [
        (TestCrate("x-bare"), [], .noManifest, "Cargo.toml"), (late, [], .needsNewerCompiler, "2099"),
      ]
      for row in Self.refused + more {
        let error = await #expect(throws: PluginError.self, "\(row.crate.name)") {
          _ = try await bench.resolve("pkg:cargo/\(row.crate.name)@1.0.0", features: row.features, from: source)
        }
        let message = error?.message ?? ""
        #expect(error?.code == row.name?.code ?? .checksumMismatch, "\(row.crate.name): \(message)")
        #expect(message.contains(row.words), "\(row.crate.name): \(message)")
        #expect(row.name.map { message.hasSuffix(" (\($0.rawValue))") } ?? true, "\(row.crate.name): \(message)")
        // Users of a gateway see a message only if it tells no path of the builder's host.
        #expect(!message.contains("/"), "\(row.crate.name): \(message)")
      }
      #expect(CrateFiles.names(in: bench.scratch).isEmpty)
    }
  }

  @Test(
    "Debian's crates, published here, are resolved, accepted by cargo and built twice alike", .timeLimit(.minutes(20)))
  func buildsRealCrates() async throws {
    var root = TestCrate(
      "program", needs: [Need(name: "itoa", req: "1"), Need(name: "cfg-if", req: "1"), Need(name: "util", req: "1")])
    root.library =
      "pub fn f() -> usize { itoa::Buffer::new().format(7).len() }\ncfg_if::cfg_if! { if #[cfg(unix)] {} }\n"
    root.buildScript = "fn main() { println!(\"cargo:rerun-if-changed=build.rs\"); }\n"
    try await withBench(Self.world + [root]) { registry, source, bench in
      let debian = DebianRegistry(apt: AptClient(cacheDirectory: bench.scratch + "/apt"))
      for name in ["itoa", "cfg-if"] { try await republish(name, of: debian, at: registry, scratch: bench.scratch) }
      let spec = try await bench.resolve("pkg:cargo/program", from: source)
      let own = spec.sources.map { "\($0.purl.string.dropFirst(10)) \($0.claim?.hex ?? "")" }.sorted()
      let theirs = try await hostCargo(registry, "program", "1.0.0", features: [])
      #expect(own == theirs)
      #expect(spec.sources.count == 4 && spec.artifacts == ["libprogram.rlib"])
      let (first, second) = (try await bench.build(spec, from: source), try await bench.build(spec, from: source))
      #expect(first.result.termination == .exited(status: 0), "\(Text(utf8: first.result.transcript).string)")
      #expect(!first.digests.isEmpty && first.digests == second.digests)

      let package = SourceCompatTest.Package(
        purl: "pkg:cargo/program@1.0.0", unknownPurl: "pkg:cargo/absent@1.0.0",
        unknownVersionPurl: "pkg:cargo/program@9.0.0", toolchain: bench.toolchain)
      let scratch = bench.scratch + "/compat"
      try CrateFiles.makeFolder(scratch)
      let suite = SourceCompatTest(source: source, sandbox: bench.sandbox, package: package, scratchDirectory: scratch)
      for finding in await suite.run() { #expect(finding.hasPassed, "\(finding)") }
    }
  }

  /// Packs a crate of Debian's; its line is made of what cargo says of its manifest.
  private func republish(_ name: String, of debian: DebianRegistry, at registry: TestRegistry, scratch: String)
    async throws
  {
    let crate = try await debian.locate(name: name, version: nil)
    let tree = "\(scratch)/\(name)"
    try CrateFiles.makeFolder(tree)
    let folder = try #require(try await debian.unpack(crate.origin, checksum: nil, into: tree))
    let json = try await Tool(name: "cargo").run(
      ["metadata", "--no-deps", "--offline", "--format-version", "1"], in: tree)
    let document = try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any]
    let package = try #require((document?["packages"] as? [[String: Any]])?.first)
    let deps = (package["dependencies"] as? [[String: Any]] ?? []).map { dependency in
      [
        "name": dependency["rename"] as? String ?? dependency["name"] ?? "", "req": dependency["req"] ?? "",
        "features": dependency["features"] ?? [], "optional": dependency["optional"] ?? false,
        "default_features": dependency["uses_default_features"] ?? true, "target": dependency["target"] ?? NSNull(),
        "kind": dependency["kind"] as? String ?? "normal",
        "package": dependency["rename"] is String ? dependency["name"] ?? "" : NSNull(),
      ] as [String: Any]
    }
    let archive = TestArchive.pack(try TestArchive.members(of: tree, below: folder))
    registry.publish(name: name, version: crate.version, archive: archive) { cksum in
      let line: [String: Any] = [
        "name": name, "vers": crate.version, "deps": deps, "cksum": cksum, "features": [String: [String]](),
        "features2": package["features"] ?? [:], "yanked": false, "v": 2,
      ]
      let bytes = try? JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
      return String(decoding: bytes ?? Data(), as: UTF8.self)
    }
  }

  @Test("A build script that wants the network is named", .timeLimit(.minutes(20)))
  func namesNetwork() async throws {
    var rows: [(TestCrate, Int32, Text?)] = []
    for (name, script, status, failure) in [
      ("n-name", "std::net::TcpStream::connect(\"registry.example:80\").unwrap();", 65, "needs-network"),
      ("n-route", "std::net::TcpStream::connect(\"192.0.2.1:80\").unwrap();", 65, "needs-network"),
      ("n-other", "panic!(\"no\");", 101, nil),
    ] as [(String, String, Int32, Text?)] {
      var crate = TestCrate(name)
      crate.buildScript = "fn main() { \(script) }\n"
      rows.append((crate, status, failure))
    }
    try await withBench(rows.map(\.0)) { _, source, bench in
      for (crate, status, failure) in rows {
        let spec = try await bench.resolve("pkg:cargo/\(crate.name)", from: source)
        let built = try await bench.build(spec, from: source)
        let said = Text(utf8: built.result.transcript).string
        #expect(built.result.termination == .exited(status: status) && built.name == failure, "\(crate.name): \(said)")
      }
    }
  }
}
