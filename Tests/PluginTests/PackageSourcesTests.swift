import SourceTools
import SyncProof
import SyncRuntime
import SyncTesting
import Testing
import ToolchainShelf

@testable import CratesSource
@testable import PackageSources

/// Python and Debian source packages and a toolchain, rebuilt from their specs in the real sandbox. Needs what
/// `scripts/setup` installs, the network once, and the toolchain that `scripts/toolchain c-python` makes or finds.
@Suite("Packages of other kinds", .serialized, .timeLimit(.minutes(20)))
struct PackageSourcesTests {
  /// Builds twice, each time from sources that were fetched anew.
  private func expectReproduced(
    _ spec: BuildSpec, artifacts: [String], from source: some Source, on bench: CrateWorkbench
  ) async throws -> [Digest] {
    #expect(spec.artifacts.map(\.string) == artifacts)
    let (first, second) = (try await bench.build(spec, from: source), try await bench.build(spec, from: source))
    #expect(first.result.termination == .exited(status: 0), "\(Text(utf8: first.result.transcript).string)")
    #expect(first.digests.count == artifacts.count && first.digests == second.digests)
    return first.digests
  }

  /// What a builder says when the pinned tree is another than the one that it can get.
  private func expectRefused(_ item: SourceItem, from source: some Source, scratch: String) async throws {
    let other = SourceItem(purl: item.purl, tree: Digest.zero, claim: item.claim, origin: item.origin)
    await #expect(throws: PluginError(.checksumMismatch, "")) {
      try await source.fetch(other, into: scratch + "/refused")
    }
    #expect(!SourceFiles.exists(scratch + "/refused"))
  }

  @Test("Source distributions give the same wheel twice, and a flipped byte is refused")
  func buildsWheels() async throws {
    let (six, markup) = (try await RealDistribution.six(), try await RealDistribution.markupSafe())
    try await CrateWorkbench.with(kind: "c-python") { bench in
      try await TestIndex.with { index in
        index.publish("six", [six])
        index.publish("markupsafe", [markup])
        for (purl, wheel, file) in [
          ("pkg:pypi/six@1.16.0", "six-1.16.0-py2.py3-none-any.whl", six),
          ("pkg:pypi/markupsafe", "MarkupSafe-2.1.5-cp311-cp311-linux_x86_64.whl", markup),
        ] {
          try await withScratch { cache in
            let source = try index.source(cache: cache)
            let spec = try await bench.resolve(purl, from: source)
            #expect(spec.sources.map(\.claim) == [SHA256.hash(file.bytes)])
            _ = try await expectReproduced(spec, artifacts: [wheel], from: source, on: bench)
            try await expectRefused(spec.sources[0], from: source, scratch: bench.scratch)
          }
          // The same file, one bit another.
          var flipped = file
          flipped.bytes[file.bytes.count / 2] ^= 1
          flipped.checksum = SHA256.hash(file.bytes).hex
          index.publish(String(purl.dropFirst(9).prefix { $0 != "@" }), [flipped])
          try await withScratch { cache in
            let error = await #expect(throws: PluginError.self) {
              _ = try await bench.resolve(purl, from: index.source(cache: cache))
            }
            #expect(error?.code == .checksumMismatch)
          }
        }
      }
    }
  }

  @Test("What cannot become a wheel is refused by name")
  func refusesDistributions() async throws {
    typealias Member = CratesSourceArchiveTests.Member
    func archive(_ name: String, _ files: [(String, String)]) -> TestIndex.File {
      let members = files.map { Member(path: "\(name)-1.0/\($0.0)", content: [UInt8]($0.1.utf8)) }
      return .init(name: "\(name)-1.0.tar.gz", bytes: TestArchive.pack(members))
    }
    let flit = "[build-system]\nrequires = [\"flit_core>=3\"]\nbuild-backend = \"flit_core.buildapi\"\n"
    try await CrateWorkbench.with(kind: "c-python") { bench in
      try await TestIndex.with { index in
        index.publish("bare", [archive("bare", [("README", "")])])
        index.publish("wanting", [archive("wanting", [("pyproject.toml", flit)])])
        index.publish("torn", [TestIndex.File(name: "torn-1.0.tar.gz", bytes: [1, 2, 3])])
        let calling = "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/')\n"
        index.publish("calling", [archive("calling", [("setup.py", calling)])])
        index.publish("broken", [archive("broken", [("setup.py", "raise SystemExit('no, error: broken')")])])
        let gone = TestIndex.File(name: "gone-1.0.tar.gz", bytes: [1], yanked: "\"a reason\"")
        index.publish("gone", [gone])
        index.publish("binary", [TestIndex.File(name: "binary-1.0-py3-none-any.whl", bytes: [1])])
        index.put("/simple/pages/", "<!DOCTYPE html><html></html>")
        let rows: [(purl: String, code: PluginError.Code, words: String)] = [
          ("pkg:pypi/bare@1.0", .manifestMissing, "neither pyproject.toml nor setup.py"),
          ("pkg:pypi/bare@1.0", .manifestMissing, "(no-manifest)"),
          ("pkg:pypi/torn@1.0", .manifestMissing, "(archive-refused)"),
          ("pkg:pypi/wanting@1.0", .dependencyMissing, "flit_core"),
          ("pkg:pypi/wanting@1.0", .dependencyMissing, "(missing-dependency)"),
          ("pkg:pypi/calling@1.0", .invalid, "(needs-network)"),
          ("pkg:pypi/broken@1.0", .invalid, "broken"), ("pkg:pypi/gone@1.0", .yanked, "withdrawn"),
          ("pkg:pypi/gone@1.0", .yanked, "(yanked)"),
          ("pkg:pypi/gone", .notFound, "gone"), ("pkg:pypi/binary@1.0", .notFound, "no source distribution"),
          ("pkg:pypi/bare@2.0", .notFound, "only of 1.0"), ("pkg:pypi/nowhere@1.0", .notFound, "no package nowhere"),
          ("pkg:pypi/pages@1.0", .invalid, "JSON"), ("pkg:pypi/Bare@1.0", .invalid, "pkg:pypi/bare"),
          ("pkg:pypi/a_b@1.0", .invalid, "pkg:pypi/a-b"), ("pkg:cargo/bare@1.0.0", .invalid, "pkg:pypi"),
        ]
        try await withScratch { cache in
          let source = try index.source(cache: cache)
          for row in rows {
            let error = await #expect(throws: PluginError.self) { _ = try await bench.resolve(row.purl, from: source) }
            #expect(error?.code == row.code, "\(row.purl)")
            #expect(error?.message.contains(row.words) == true, "\(row.purl): \(error?.message ?? "")")
          }
          await #expect(throws: PluginError(.featureMissing, "")) {
            _ = try await bench.resolve("pkg:pypi/bare@1.0", features: ["security"], from: source)
          }
          await #expect(throws: PluginError(.invalid, "")) {
            _ = try await bench.resolve("pkg:pypi/bare@1.0", selection: BuildSelection(profile: "dev"), from: source)
          }
        }
      }
    }
  }

  @Test("A Debian source package gives the same package twice, and other bytes are refused")
  func buildsDebianPackage() async throws {
    try await CrateWorkbench.with(kind: "c-python") { bench in
      try await withScratch { cache in
        let source = DebianSource(cacheDirectory: cache)
        let spec = try await bench.resolve("pkg:deb/debian/hostname", from: source)
        let version = spec.sources[0].version.string
        #expect(spec.target.string.hasSuffix("-linux-gnu") && spec.package.string.hasSuffix("hostname@" + version))
        let digests = try await expectReproduced(
          spec, artifacts: ["hostname_\(version)_amd64.deb"], from: source, on: bench)
        #expect(digests.count == 1)
        try await expectRefused(spec.sources[0], from: source, scratch: bench.scratch)
        let item = spec.sources[0]
        let other = SourceItem(purl: item.purl, tree: item.tree, claim: Digest.zero, origin: item.origin)
        await #expect(throws: PluginError(.checksumMismatch, "")) {
          try await source.fetch(other, into: bench.scratch + "/claimed")
        }
        for (purl, code, words) in [
          ("pkg:deb/debian/hello@2.10-3", .dependencyMissing, "help2man"),
          ("pkg:deb/debian/hello@2.10-3", .dependencyMissing, "(missing-dependency)"),
          ("pkg:deb/debian/hostname@0.1", .notFound, version), ("pkg:deb/debian/no-such-source", .notFound, "no-such"),
          ("pkg:deb/debian/--help", .invalid, "pkg:deb"), ("pkg:deb/ubuntu/hostname", .invalid, "pkg:deb"),
        ] as [(String, PluginError.Code, String)] {
          let error = await #expect(throws: PluginError.self) { _ = try await bench.resolve(purl, from: source) }
          #expect(error?.code == code && error?.message.contains(words) == true, "\(error?.message ?? purl)")
        }
      }
    }
  }

  @Test("Both keep what every source promises")
  func conforms() async throws {
    let six = try await RealDistribution.six()
    try await CrateWorkbench.with(kind: "c-python") { bench in
      try await TestIndex.with { index in
        index.publish("six", [six])
        try await withScratch { cache in
          let debian = DebianSource(cacheDirectory: cache + "/debian")
          let hostname = try await bench.resolve("pkg:deb/debian/hostname", from: debian).package.string
          for (source, purl, unknown, version) in [
            (try index.source(cache: cache), "pkg:pypi/six@1.16.0", "pkg:pypi/none@1.0", "pkg:pypi/six@0.0"),
            (debian, hostname, "pkg:deb/debian/no-such@1", "pkg:deb/debian/hostname@0.1"),
          ] as [(any Source, String, String, String)] {
            try await withScratch { scratch in
              let package = SourceCompatTest.Package(
                purl: purl, unknownPurl: unknown, unknownVersionPurl: version, toolchain: bench.toolchain)
              let suite = SourceCompatTest(
                source: source, sandbox: bench.sandbox, package: package, scratchDirectory: scratch)
              for finding in await suite.run() { #expect(finding.hasPassed, "\(finding)") }
            }
          }
        }
      }
    }
  }

  @Test("A toolchain is rebuilt from its packages as a job, to the byte")
  func buildsToolchain() async throws {
    let out = try await Tool(name: "bash", timeoutSeconds: 900).run(
      [CrateWorkbench.root + "/scripts/toolchain", "tiny", "--lock"])
    let lock = String(decoding: out, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
    let folder = lock.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    let shelf = Shelf(directory: folder)
    let tiny = try #require(try shelf.digest(kind: "tiny"))
    try await CrateWorkbench.with(kind: "c-python") { bench in
      try await withScratch { cache in
        let toolchains = ToolchainSource(shelf: shelf, cacheDirectory: cache)
        let source = SourceTable([
          .init(toolchains, type: "generic", originType: "generic"),
          .init(DebianSource(cacheDirectory: cache), type: "deb", originType: "deb"),
        ])
        let spec = try await bench.resolve("pkg:generic/synchronicity-toolchain-tiny", from: source)
        #expect(spec.package.string == "pkg:generic/synchronicity-toolchain-tiny@\(tiny.hex)")
        #expect(spec.sources.count == 24)
        let digests = try await expectReproduced(
          spec, artifacts: ["synchronicity-toolchain-tiny.tar"], from: source, on: bench)
        #expect(digests == [tiny])
        // One package less than the lock file names is no toolchain.
        var fewer = spec
        fewer.sources.removeAll { $0.name.string == "dash" }
        #expect(try await bench.build(fewer, from: source).name == "other-lock")

        let deb = try #require(spec.sources.first { $0.name.string == "dash" })
        let other = SourceItem(purl: deb.purl, tree: deb.tree, claim: Digest.zero, origin: deb.origin)
        await #expect(throws: PluginError(.checksumMismatch, "")) {
          try await source.fetch(other, into: bench.scratch + "/claimed")
        }
        for (purl, code) in [
          ("pkg:generic/synchronicity-toolchain-tiny@\(Digest.zero.hex)", .notFound),
          ("pkg:generic/synchronicity-toolchain-none", .notFound),
          ("pkg:generic/synchronicity-toolchain-c-python", .invalid), ("pkg:generic/other@1", .invalid),
        ] as [(String, PluginError.Code)] {
          await #expect(throws: PluginError(code, "")) { _ = try await bench.resolve(purl, from: source) }
        }
      }
    }
  }

  @Test("One table of sources serves every kind, and says what it does not serve")
  func routes() async throws {
    try await CrateWorkbench.with(kind: "c-python") { bench in
      let table = SourceTable([.init(DirectorySource(root: fixtureCrates), type: "cargo", originType: "generic")])
      #expect(table.name == "directory")
      let error = await #expect(throws: PluginError(.invalid, "")) {
        _ = try await bench.resolve("pkg:pypi/six@1.16.0", from: table)
      }
      #expect(error?.message.contains("pkg:cargo") == true)
      let tree = fixtureCrates + "/sync-plain-0.1.0"
      let digest = try TreeDigest.sha256(directory: tree)
      for (origin, code) in [
        ("pkg:generic/sync-plain@0.1.0", nil), ("pkg:cargo/sync-plain@0.1.0", .notFound),
        ("pkg:deb/debian/librust-sync-plain-dev@0.1.0-1?arch=amd64", .notFound), ("nonsense", .notFound),
      ] as [(String, PluginError.Code?)] {
        let item = SourceItem(
          purl: "pkg:cargo/sync-plain@0.1.0", tree: digest, claim: nil, origin: Text(origin))
        let target = bench.scratch + "/\(origin.utf8.count)"
        if let code {
          await #expect(throws: PluginError(code, "")) { try await table.fetch(item, into: target) }
        } else {
          try await table.fetch(item, into: target)
        }
      }
    }
  }
}
