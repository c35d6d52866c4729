import SourceTools
import SyncRuntime
import Testing

@testable import CratesSource

@Suite("Package URLs and versions of crates")
struct CratesSourcePurlTests {
  @Test(
    "A crate's URL is read and written alike",
    arguments: [
      ("pkg:cargo/itoa", "itoa", nil),
      ("pkg:cargo/itoa@1.0.1", "itoa", "1.0.1"),
      ("pkg:cargo/onig_sys@69.8.0", "onig_sys", "69.8.0"),
      ("pkg:cargo/Inflector@0.11.4-rc.1", "Inflector", "0.11.4-rc.1"),
      ("pkg:cargo/libgit2-sys@0.14.1+1.5.0", "libgit2-sys", "0.14.1+1.5.0"),
    ] as [(String, String, String?)])
  func accepts(_ row: (text: String, name: String, version: String?)) throws {
    let purl = try PackageURL.crate(row.text)
    #expect(purl.name == row.name)
    #expect(purl.version == row.version)
    #expect(purl.text == row.text)
  }

  @Test("A plus sign may be percent-encoded, and is where it is not a crate's")
  func encodesPlus() throws {
    #expect(try PackageURL.crate("pkg:cargo/libgit2-sys@0.14.1%2B1.5.0").version == "0.14.1+1.5.0")
    let origin = "pkg:deb/debian/librust-quote%2Bproc-macro-dev@1.0.21-1%2Bb1?arch=amd64"
    let package = try AptPackage(origin: origin)
    #expect(package == AptPackage(name: "librust-quote+proc-macro-dev", version: "1.0.21-1+b1", architecture: "amd64"))
    #expect(package.purl.text == origin)
  }

  @Test(
    "What is not exactly a crate's URL is refused",
    arguments: [
      "", "itoa", "cargo/itoa", "pkg:", "pkg:cargo", "pkg:cargo/", "pkg:cargo/itoa@", "pkg:cargo/itoa@1",
      "PKG:cargo/itoa",
      "pkg:cargo/itoa@1.0", "pkg:cargo/itoa@01.0.1", "pkg:cargo/itoa@1.0.1 ", "pkg:cargo//itoa", "pkg:cargo/a/itoa",
      "pkg:cargo/..", "pkg:cargo/itoa/..", "pkg:cargo/it%6fa", "pkg:cargo/itoa?arch=amd64", "pkg:cargo/itoa#src",
      "pkg:cargo/1itoa", "pkg:cargo/-itoa", "pkg:npm/itoa", "pkg:cargo/itoa@1.0.1%2b1", "pkg:cargo/itoa@1.0.1?x=1",
      "pkg:cargo/" + String(repeating: "a", count: 65),
    ])
  func refuses(_ text: String) {
    #expect(throws: PluginError(.invalid, "")) { try PackageURL.crate(text) }
  }

  @Test(
    "Nothing but a crate's package becomes an argument of apt",
    arguments: [
      "pkg:deb/debian/bash@5.2-1?arch=amd64", "pkg:deb/debian/librust-itoa-dev", "pkg:generic/itoa@1.0.1",
      "pkg:deb/debian/librust-itoa-dev@1.0.1-1", "pkg:deb/debian/librust-itoa-dev@-o?arch=amd64",
      "pkg:deb/ubuntu/librust-itoa-dev@1.0.1-1?arch=amd64", "pkg:deb/debian/librust-a/../b-dev@1-1?arch=amd64",
    ])
  func refusesOrigin(_ text: String) {
    #expect(throws: PluginError(.invalid, "")) { try AptPackage(origin: text) }
  }

  @Test("Versions are ordered by precedence")
  func ordersVersions() throws {
    let sorted = [
      "0.1.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
      "1.0.0-rc.1", "1.0.0", "1.0.10", "1.2.0", "10.0.0",
    ]
    let versions = try sorted.map { try #require(CrateVersion($0)) }
    #expect(versions.reversed().sorted().map(\.text) == sorted)
    #expect(CrateVersion("1.0.0+a") == CrateVersion("1.0.0+b"))
    let newest = CrateVersion.newest(Array(versions[1...7]) + [], version: { $0 })
    #expect(newest?.text == "1.0.0-rc.1")
    #expect(CrateVersion.newest(Array(versions[...7]), version: { $0 })?.text == "0.1.0")
  }

  @Test(
    "A folder's name is split before its version",
    arguments: [
      ("itoa-1.0.1", "itoa", "1.0.1"), ("sha-1-0.10.0", "sha-1", "0.10.0"),
      ("sval-1.0.0-alpha.5", "sval", "1.0.0-alpha.5"), ("a-1.0.0-2.0.0", "a", "1.0.0-2.0.0"),
    ])
  func splitsFolder(_ row: (folder: String, name: String, version: String)) throws {
    let split = try #require(CrateName.split(folder: row.folder))
    #expect(split.name == row.name)
    #expect(split.version.text == row.version)
  }

  @Test(
    "A name that is no crate's folder is not split", arguments: ["itoa", "itoa-", "itoa-1.0", "-1.0.0", "a b-1.0.0"])
  func doesNotSplit(_ folder: String) { #expect(CrateName.split(folder: folder) == nil) }

  @Test(
    "A Debian version stands for a crate's",
    arguments: [
      ("1.0.1-2", "1.0.1"), ("1.0.0~alpha.5-3", "1.0.0-alpha.5"), ("0.2.4-1+b1", "0.2.4"), ("0.7.6+dfsg-11", "0.7.6"),
      ("1.2-1", nil),
    ] as [(String, String?)])
  func readsDebianVersion(_ row: (debian: String, crate: String?)) {
    let package = AptPackage(name: "librust-a-dev", version: row.debian, architecture: "all")
    #expect(package.crateVersion?.text == row.crate)
  }
}
