import SourceTools
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

/// Profiles, features and programs with the real cargo, and locks that crates bring.
@Suite("Choosing what of a crate is built", .serialized)
struct CargoChoiceTests {
  private let source = DirectorySource(root: fixtureCrates)

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let selection: BuildSelection
    let artifacts: [String]
    /// What the built program holds in its bytes.
    let words: String
  }

  static let rows = [
    Row(
      testDescription: "everything", selection: BuildSelection(),
      artifacts: ["goodbye", "hello", "libsync_choice.rlib"],
      words: "!"),
    Row(
      testDescription: "one program, dev", selection: BuildSelection(profile: "dev", programs: ["hello"]),
      artifacts: ["hello"], words: "! (checked)"),
    Row(
      testDescription: "one program without default features, dev",
      selection: BuildSelection(profile: "dev", withDefaultFeatures: false, programs: ["hello"]), artifacts: ["hello"],
      words: ". (checked)"),
    Row(
      testDescription: "the library, by the crate's own profile",
      selection: BuildSelection(profile: "small", library: true), artifacts: ["libsync_choice.rlib"], words: ""),
  ]

  @Test("Each choice gives its artifacts, twice the same", .timeLimit(.minutes(20)), arguments: rows)
  func builds(_ row: Row) async throws {
    try await CrateWorkbench.with { bench in
      let spec = try await bench.resolve("pkg:cargo/sync-choice@0.1.0", selection: row.selection, from: source)
      #expect(spec.artifacts.map(\.string) == row.artifacts)
      #expect(spec.profile.string == row.selection.profile ?? "release")
      #expect(spec.target.string.hasSuffix("-linux-gnu"))
      let first = try await bench.build(spec, from: source) { output in
        guard let program = row.artifacts.first(where: { !$0.hasPrefix("lib") }) else { return }
        let bytes = try SourceFiles.read("\(output)/\(program)", bytesMax: 64 << 20)
        #expect(bytes.contains([UInt8](row.words.utf8)))
      }
      #expect(first.result.termination == .exited(status: 0), "\(Text(utf8: first.result.transcript).string)")
      let second = try await bench.build(spec, from: source)
      #expect(first.digests.count == row.artifacts.count && first.digests == second.digests)
    }
  }

  @Test("What the crate or the toolchain lacks has its name", .timeLimit(.minutes(20)))
  func refuses() async throws {
    let rows: [(BuildSelection, PluginError.Code)] = [
      (BuildSelection(profile: "large"), .profileMissing), (BuildSelection(target: "z80-none-elf"), .targetMissing),
      (BuildSelection(programs: ["welcome"]), .programMissing),
    ]
    try await CrateWorkbench.with { bench in
      for (selection, code) in rows {
        await #expect(throws: PluginError(code, "")) {
          _ = try await bench.resolve("pkg:cargo/sync-choice@0.1.0", selection: selection, from: source)
        }
      }
    }
  }

  /// A registry of three crates: `user` wants any `part` 0.1, of which there are two.
  private func writeRegistry(_ root: String, lock: String?) throws {
    func crate(_ name: String, _ version: String, _ rest: String = "") throws {
      let folder = "\(root)/\(name)-\(version)"
      try SourceFiles.makeFolder(folder + "/src")
      let manifest = "[package]\nname = \"\(name)\"\nversion = \"\(version)\"\nedition = \"2021\"\n\(rest)"
      try SourceFiles.write([UInt8](manifest.utf8), to: folder + "/Cargo.toml")
      try SourceFiles.write([], to: folder + "/src/lib.rs")
      let note = "{\"files\":{},\"package\":\"\(SHA256.hash([UInt8]((name + version).utf8)).hex)\"}"
      try SourceFiles.write([UInt8](note.utf8), to: folder + "/.cargo-checksum.json")
    }
    try crate("part", "0.1.0")
    try crate("part", "0.1.1")
    try crate("user", "1.0.0", "[dependencies]\npart = \"0.1\"\n")
    if let lock { try SourceFiles.write([UInt8](lock.utf8), to: root + "/user-1.0.0/Cargo.lock") }
  }

  private func lock(_ version: String, _ checksum: String) -> String {
    """
    version = 3

    [[package]]
    name = "part"
    version = "\(version)"
    source = "registry+https://github.com/rust-lang/crates.io-index"
    checksum = "\(checksum)"

    [[package]]
    name = "user"
    version = "1.0.0"
    dependencies = ["part"]

    """
  }

  @Test("A folder's crate is built with the lock that it ships, else with the newest", .timeLimit(.minutes(20)))
  func followsShippedLock() async throws {
    let good = SHA256.hash([UInt8]("part0.1.0".utf8)).hex
    try await CrateWorkbench.with { bench in
      for (shipped, wanted) in [(nil, "0.1.1"), (lock("0.1.0", good), "0.1.0")] as [(String?, String)] {
        try await withScratch { root in
          try writeRegistry(root, lock: shipped)
          let source = DirectorySource(root: root)
          let spec = try await bench.resolve("pkg:cargo/user@1.0.0", from: source)
          #expect(spec.sources.map(\.purl.string) == ["pkg:cargo/part@\(wanted)", "pkg:cargo/user@1.0.0"])
          #expect(try await bench.build(spec, from: source).result.termination == .exited(status: 0))
        }
      }
      for (shipped, code) in [
        (lock("0.1.0", Digest.zero.hex), PluginError.Code.checksumMismatch), (lock("0.1.7", good), .dependencyMissing),
      ] {
        try await withScratch { root in
          try writeRegistry(root, lock: shipped)
          await #expect(throws: PluginError(code, "")) {
            _ = try await bench.resolve("pkg:cargo/user@1.0.0", from: DirectorySource(root: root))
          }
        }
      }
    }
  }
}
