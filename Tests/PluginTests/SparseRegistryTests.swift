import SourceTools
import SyncProof
import SyncRuntime
import SyncTesting
import Testing

@testable import CratesSource

@Suite("A sparse registry")
struct SparseRegistryTests {
  private let toolchain = SHA256.hash([1])

  private func index(_ registry: TestRegistry, cache: String, limits: RegistryLimits = .quick) throws -> SparseIndex {
    let base = try RegistryURL(registry.origin + "/index/", allowsPlainHTTP: false)
    return SparseIndex(base: base, client: RegistryClient(limits: limits), cacheDirectory: cache)
  }

  private func entries(_ name: String, _ registry: TestRegistry, _ cache: String) async throws -> [IndexEntry] {
    try await index(registry, cache: cache).entries(of: name)
  }

  private func expect(
    _ count: Int, _ name: String, _ registry: TestRegistry, _ cache: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let found = try await entries(name, registry, cache)
    #expect(found.count == count, sourceLocation: sourceLocation)
  }

  private func newest(_ name: String, _ version: String?, in sparse: SparseRegistry) async throws -> String {
    try await sparse.locate(name: name, version: version).version
  }

  private func unpack(_ crate: CrateEntry, from sparse: SparseRegistry, into folder: String) async throws -> String? {
    try await sparse.unpack(crate.origin, checksum: crate.checksum, into: folder)
  }

  private func sparse(_ registry: TestRegistry, cache: String, limits: RegistryLimits = .quick) throws -> SparseRegistry
  {
    let index = try index(registry, cache: cache, limits: limits)
    return SparseRegistry(
      index: index,
      archives: ArchiveCache(directory: cache + "/archives", suffix: ".crate", client: index.client))
  }

  private func withRegistry(_ body: (TestRegistry, String) async throws -> Void) async throws {
    try await TestRegistry.with { registry in try await withScratch { try await body(registry, $0) } }
  }

  private func refuses(
    _ code: PluginError.Code, _ words: String, _ what: Comment? = nil, _ body: () async throws -> Void
  ) async {
    let error = await #expect(throws: PluginError.self, what) { try await body() }
    #expect(error?.code == code, "\(what ?? ""): \(error?.message ?? "")")
    #expect(error?.message.contains(words) == true, "\(what ?? ""): \(error?.message ?? "")")
  }

  @Test("It conforms")
  func conforms() async throws {
    try await withRegistry { registry, folder in
      registry.publish(TestCrate("plain"))
      let scratch = folder + "/scratch"
      try CrateFiles.makeFolder(scratch)
      let package = SourceCompatTest.Package(
        purl: "pkg:cargo/plain@1.0.0", unknownPurl: "pkg:cargo/absent@1.0.0",
        unknownVersionPurl: "pkg:cargo/plain@9.0.0", toolchain: toolchain)
      let source = try SparseRegistrySource(url: registry.url, cacheDirectory: folder + "/cache")
      let suite = SourceCompatTest(
        source: source, sandbox: ScriptedCargo(), package: package, scratchDirectory: scratch)
      let findings = await suite.run()
      for finding in findings { #expect(finding.hasPassed, "\(finding)") }
      #expect(findings.count == 14)
    }
  }

  @Test(
    "Index files lie where the protocol says",
    arguments: [
      ("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Abcd", "ab/cd/abcd"), ("cargo-x_Y", "ca/rg/cargo-x_y"),
    ])
  func laysOut(_ row: (name: String, path: String)) { #expect(RegistryLayout.indexPath(row.name) == row.path) }

  @Test("The markers of dl are filled in, and without any the path is appended")
  func fillsTemplate() {
    func url(_ template: String) -> String {
      RegistryLayout.download(template, name: "Serde", version: "1.0.0+x", checksum: "ff")
    }
    #expect(url("https://a.example/api") == "https://a.example/api/Serde/1.0.0+x/download")
    #expect(
      url("https://a.example/{crate}/{version}/{prefix}/{lowerprefix}/{sha256-checksum}")
        == "https://a.example/Serde/1.0.0+x/Se/rd/se/rd/ff")
  }

  @Test(
    "An address is refused",
    arguments: [
      "", "x", "ftp://a.example/", "https://", "https://u@a.example/", "https://u:p@a.example/", "https://a.example/#x",
      "http://a.example/", "http://127.evil.example/", "http://127.0.0.256/", "https://a example/",
    ])
  func refusesAddress(_ text: String) {
    #expect(throws: PluginError(.invalid, "")) { try RegistryURL(text, allowsPlainHTTP: false) }
  }

  @Test("Plain http is for this host, or when asked for")
  func allowsAddress() throws {
    for text in ["https://a.example/", "http://127.0.0.1:80/", "http://localhost/", "http://[::1]:8080/x"] {
      _ = try RegistryURL(text, allowsPlainHTTP: false)
    }
    _ = try RegistryURL("http://a.example/", allowsPlainHTTP: true)
    let secure = try RegistryURL("https://a.example/b/c", allowsPlainHTTP: true)
    let moved = try secure.redirected(to: "../d", allowsPlainHTTP: true)
    #expect(moved.text == "https://a.example/d")
    #expect(throws: PluginError(.invalid, "")) {
      try secure.redirected(to: "http://127.0.0.1/", allowsPlainHTTP: true)
    }
  }

  @Test("A file that has not changed is not sent again")
  func asksForChanges() async throws {
    try await withRegistry { registry, cache in
      registry.publish(TestCrate("plain"))
      for _ in 0..<2 { try await expect(1, "plain", registry, cache) }
      registry.publish(TestCrate("plain", "1.1.0"))
      try await expect(2, "plain", registry, cache)
      let path = "/index/pl/ai/plain"
      #expect(registry.requests == [path, "304 " + path, path])
      // What damages the cache only costs a download.
      let kept = "\(cache)/index/\(SHA256.hash([UInt8]("\(registry.origin)/index/".utf8)).hex.prefix(16))/pl/ai/plain"
      #expect(CrateFiles.exists(kept))
      try CrateFiles.write([1, 2], to: kept)
      try await expect(2, "plain", registry, cache)
    }
  }

  @Test("Archives are kept by checksum, and checked each time")
  func keepsArchives() async throws {
    try await withRegistry { registry, cache in
      registry.publish(TestCrate("plain"))
      let sparse = try sparse(registry, cache: cache)
      let crate = try await sparse.locate(name: "plain", version: nil)
      for number in 0..<3 {
        let folder = "\(cache)/tree\(number)"
        try CrateFiles.makeFolder(folder)
        #expect(try await unpack(crate, from: sparse, into: folder) == "plain-1.0.0")
        #expect(CrateFiles.names(in: folder) == [".cargo-checksum.json", "Cargo.toml", "src"])
        if number == 1 { try CrateFiles.write([1], to: "\(cache)/archives/\(crate.checksum?.hex ?? "").crate") }
      }
      #expect(registry.requests.filter { $0 == "/dl/plain/1.0.0" }.count == 2)
    }
  }

  @Test("A builder fetches a pinned archive without a manifest: what it lacks is the recipe's to say")
  func fetchesWithoutManifest() async throws {
    try await withRegistry { registry, cache in
      let members = [CratesSourceArchiveTests.Member(path: "bare-1.0.0/README", content: [1])]
      registry.publish(TestCrate("bare"), members: members)
      let sparse = try sparse(registry, cache: cache)
      let crate = try await sparse.locate(name: "bare", version: nil)
      let folder = cache + "/tree"
      try CrateFiles.makeFolder(folder)
      #expect(try await unpack(crate, from: sparse, into: folder) == "bare-1.0.0")
      let item = SourceItem(
        purl: "pkg:cargo/bare@1.0.0", tree: try TreeDigest.sha256(directory: folder), claim: crate.checksum,
        origin: Text(crate.origin))
      try await CrateFetch.fetch(item, from: sparse, into: cache + "/fetched")
      #expect(CrateFiles.names(in: cache + "/fetched") == [".cargo-checksum.json", "README"])
    }
  }

  @Test("Lines that cannot be read are skipped; an older format is read")
  func skipsLines() async throws {
    try await withRegistry { registry, cache in
      let good = TestCrate("plain").line(cksum: Digest.zero.hex)
      func changed(_ from: String, _ to: String) -> String { good.replacing(from, with: to) }
      let needy = TestCrate("plain", "1.7.0", needs: [TestCrate.Need(name: "x", req: "1")]).line(cksum: Digest.zero.hex)
      let lines = [
        good, "garbage", "{}", "[]", changed("\"v\":2", "\"v\":3").replacing("1.0.0", with: "1.1.0"),
        changed("1.0.0", "one"), changed("1.0.0", "1.2.0").replacing(Digest.zero.hex, with: "00"),
        needy.replacing("\"req\":\"1\"", with: "\"req\":\"a b\""),
        needy.replacing("\"registry\":null", with: "\"registry\":\"https://other.example\""),
        needy.replacing("\"name\":\"x\"", with: "\"name\":\"../x\""),
        #"{"name":"plain","vers":"0.1.0","deps":[],"cksum":"\#(Digest.zero.hex)","features":{},"yanked":false}"#,
      ]
      registry.put("/index/pl/ai/plain", lines.joined(separator: "\n"))
      let found = try await entries("plain", registry, cache)
      #expect(found.map(\.vers) == ["1.0.0", "0.1.0"])
    }
  }

  @Test("A file about another crate and a version told twice are refused")
  func refusesContradictions() async throws {
    try await withRegistry { registry, cache in
      let line = TestCrate("plain").line(cksum: Digest.zero.hex)
      registry.put("/index/ot/he/other", line)
      await refuses(.invalid, "tells of plain") { _ = try await index(registry, cache: cache).entries(of: "other") }
      registry.put("/index/pl/ai/plain", line + "\n" + line)
      await refuses(.invalid, "twice") { _ = try await entries("plain", registry, cache) }
    }
  }

  @Test("A registry in trouble is asked again, for a while")
  func retries() async throws {
    typealias Reply = TestRegistry.Reply
    try await withRegistry { registry, cache in
      registry.publish(TestCrate("plain"))
      let path = "/index/pl/ai/plain"
      let good = Reply(body: [UInt8](TestCrate("plain").line(cksum: Digest.zero.hex).utf8))
      for status in [500, 502, 503, 504, 429] {
        registry.script(path, Reply(status: status), Reply(status: status, headers: ["retry-after": "0"]), good)
        try await expect(1, "plain", registry, cache)
      }
      registry.script(path, Reply(body: [1], style: .truncated), good)
      try await expect(1, "plain", registry, cache)

      let before = registry.requests.count
      registry.script(path, Reply(status: 500))
      await refuses(.unreachable, "answers 500") { _ = try await entries("plain", registry, cache) }
      #expect(registry.requests.count == before + 3)
      registry.script(path, Reply(status: 503, headers: ["retry-after": "3600"]))
      await refuses(.unreachable, "3600 s") { _ = try await entries("plain", registry, cache) }
      #expect(registry.requests.count == before + 4)
    }
  }

  @Test("A pause that the registry asks for is kept")
  func waitsAsAsked() async throws {
    try await withRegistry { registry, cache in
      let good = TestRegistry.Reply(body: [UInt8](TestCrate("plain").line(cksum: Digest.zero.hex).utf8))
      registry.script("/index/pl/ai/plain", TestRegistry.Reply(status: 429, headers: ["retry-after": "1"]), good)
      let start = ContinuousClock.now
      _ = try await entries("plain", registry, cache)
      #expect(ContinuousClock.now - start >= .seconds(1))
    }
  }

  @Test("Bodies are bounded in bytes and time")
  func boundsBodies() async throws {
    try await withRegistry { registry, cache in
      let path = "/index/pl/ai/plain"
      var limits = RegistryLimits.quick
      limits.indexBytesMax = 1 << 20
      registry.script(path, TestRegistry.Reply(style: .endless))
      await refuses(.invalid, "more than 1048576 bytes") {
        _ = try await index(registry, cache: cache, limits: limits).entries(of: "plain")
      }
      registry.script(path, TestRegistry.Reply(body: [UInt8](repeating: 0x20, count: (1 << 20) + 1)))
      await refuses(.invalid, "more than 1048576 bytes") {
        _ = try await index(registry, cache: cache, limits: limits).entries(of: "plain")
      }
      (limits.requestMilliseconds, limits.attemptsMax) = (300, 2)
      registry.script(path, TestRegistry.Reply(style: .slow))
      await refuses(.unreachable, "within 300 ms, 2 times") {
        _ = try await index(registry, cache: cache, limits: limits).entries(of: "plain")
      }
      registry.script("/index/config.json", TestRegistry.Reply(body: [UInt8](repeating: 0x20, count: 1 << 17)))
      await refuses(.invalid, "more than 65536 bytes") {
        _ = try await index(registry, cache: cache).downloadTemplate()
      }
    }
  }

  @Test("Redirects are followed, but not for ever and not to plain http elsewhere")
  func boundsRedirects() async throws {
    try await withRegistry { registry, cache in
      func redirect(_ path: String, to location: String, status: Int = 302) {
        registry.script(path, TestRegistry.Reply(status: status, headers: ["location": location]))
      }
      registry.publish(TestCrate("plain"))
      registry.put("/elsewhere", TestCrate("moved").line(cksum: Digest.zero.hex))
      redirect("/index/mo/ve/moved", to: "../../../elsewhere", status: 308)
      try await expect(1, "moved", registry, cache)
      redirect("/index/lo/op/loop", to: "loop")
      await refuses(.invalid, "more than 5 times") { _ = try await index(registry, cache: cache).entries(of: "loop") }
      redirect("/index/aw/ay/away", to: "http://registry.example/x")
      await refuses(.invalid, "plain http") { _ = try await index(registry, cache: cache).entries(of: "away") }
      redirect("/index/to/fi/tofile", to: "file:///etc/passwd")
      await refuses(.invalid, "not the address") { _ = try await index(registry, cache: cache).entries(of: "tofile") }
      registry.script("/index/no/wh/nowhere", TestRegistry.Reply(status: 302))
      await refuses(.invalid, "nowhere") { _ = try await index(registry, cache: cache).entries(of: "nowhere") }
    }
  }

  @Test("Each answer that is no registry's has its name")
  func namesTroubles() async throws {
    try await withRegistry { registry, cache in
      func template() async throws { _ = try await index(registry, cache: cache).downloadTemplate() }
      registry.put("/index/config.json", #"{"dl":"https://a.example/","auth-required":true}"#)
      await refuses(.authenticationRequired, "token", "auth-required") { try await template() }
      for status in [401, 403] {
        registry.script("/index/config.json", TestRegistry.Reply(status: status))
        await refuses(.authenticationRequired, "\(status)", "\(status)") { try await template() }
      }
      for body in ["", "{}", "garbage", #"{"dl":""}"#] {
        registry.script("/index/config.json", TestRegistry.Reply(body: [UInt8](body.utf8)))
        await refuses(.invalid, "config.json", "\(body)") { try await template() }
      }
      registry.script("/index/config.json", TestRegistry.Reply(status: 404))
      await refuses(.invalid, "config.json", "404") { try await template() }
      registry.script("/index/config.json", TestRegistry.Reply(status: 418))
      await refuses(.invalid, "418") { try await template() }
    }
    try await withScratch { cache in
      // A port that was free a moment ago.
      let gone = try await TestRegistry.with { $0 }
      await refuses(.unreachable, "cannot be reached") {
        _ = try await index(gone, cache: cache).downloadTemplate()
      }
    }
  }

  @Test("A crate that is not there, and one that was withdrawn, each have their name")
  func namesMissing() async throws {
    try await withRegistry { registry, cache in
      registry.publish(TestCrate("plain", "1.0.0"))
      registry.publish(TestCrate("plain", "1.1.0", isYanked: true))
      registry.publish(TestCrate("plain", "1.1.0-rc.1"))
      registry.publish(TestCrate("gone", "1.0.0", isYanked: true))
      let sparse = try sparse(registry, cache: cache)
      #expect(try await newest("plain", nil, in: sparse) == "1.0.0")
      #expect(try await newest("plain", "1.1.0-rc.1", in: sparse) == "1.1.0-rc.1")
      await refuses(.yanked, "1.1.0") { _ = try await sparse.locate(name: "plain", version: "1.1.0") }
      await refuses(.yanked, "All versions") { _ = try await sparse.locate(name: "gone", version: nil) }
      await refuses(.notFound, "no crate absent") { _ = try await sparse.locate(name: "absent", version: nil) }
      await refuses(.notFound, "no crate Plain") { _ = try await sparse.locate(name: "Plain", version: nil) }
      await refuses(.notFound, "1.0.0, 1.1.0-rc.1") { _ = try await sparse.locate(name: "plain", version: "2.0.0") }
    }
  }

  @Test("An archive with another checksum is never unpacked")
  func refusesChecksum() async throws {
    try await withRegistry { registry, cache in
      registry.publish(TestCrate("plain"))
      let sparse = try sparse(registry, cache: cache)
      let crate = try await sparse.locate(name: "plain", version: nil)
      registry.put("/dl/plain/1.0.0", TestCrate("plain", needs: [TestCrate.Need(name: "x", req: "1")]).archive())
      let tree = cache + "/tree"
      try CrateFiles.makeFolder(tree)
      await refuses(.checksumMismatch, "SHA-256") {
        _ = try await sparse.unpack(crate.origin, checksum: crate.checksum, into: tree)
      }
      registry.script("/dl/plain/1.0.0", TestRegistry.Reply(status: 404))
      await refuses(.notFound, "404") {
        _ = try await sparse.unpack(crate.origin, checksum: crate.checksum, into: tree)
      }
      await refuses(.invalid, "needs both") { _ = try await sparse.unpack(crate.origin, checksum: nil, into: tree) }
      #expect(CrateFiles.names(in: tree).isEmpty)
    }
  }
}
