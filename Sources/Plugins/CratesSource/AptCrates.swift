import SourceTools
import SyncRuntime

/// Packages of Rust libraries.
extension AptPackage {
  /// - Throws: ``PluginError/Code/invalid`` for anything that is not the purl of a Rust library's package, so that
  ///   nothing else ever becomes an argument of apt.
  init(origin text: String) throws(PluginError) {
    let purl = try PackageURL(parsing: text)
    guard purl.type == "deb", purl.namespace == "debian", let version = purl.version, let arch = purl.architecture,
      AptPackage.isCrate(purl.name), version.utf8.first != UInt8(ascii: "-")
    else {
      throw PluginError(
        .invalid, "'\(text)' is no crate's origin, which looks like pkg:deb/debian/librust-itoa-dev@1.0.1-2?arch=amd64")
    }
    self.init(name: purl.name, version: version, architecture: arch)
  }

  /// The crate's version that a package version stands for: without Debian's revision and repacking mark, and with
  /// `~`, which sorts before everything, back to the `-` of a pre-release.
  var crateVersion: CrateVersion? {
    let upstream = version.lastIndex(of: "-").map { version[..<$0] } ?? version[...]
    let plain = upstream.split(separator: "+", omittingEmptySubsequences: false)[0]
    return CrateVersion(plain.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "-"))
  }

  static func isCrate(_ name: String) -> Bool { name.hasPrefix("librust-") && name.hasSuffix("-dev") }
}

extension AptClient {
  /// Names that begin with `prefix`.
  func names(prefix: String) async throws(PluginError) -> [String] {
    let out = try await apt("apt-cache", ["pkgnames", "--", prefix])
    return String(decoding: out, as: UTF8.self).split(separator: "\n").map(String.init).filter(AptPackage.isCrate)
      .sorted()
  }

  /// Every version of the packages; a name that apt does not know gives none.
  func versions(of names: [String]) async throws(PluginError) -> [AptPackage] {
    guard !names.isEmpty else { return [] }
    let out = try await apt("apt-cache", ["show", "--all-versions", "--"] + names)
    var found: [AptPackage] = []
    var fields: [Substring: Substring] = [:]
    for line in String(decoding: out, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if let name = fields["Package"], let version = fields["Version"], let arch = fields["Architecture"] {
          found.append(AptPackage(name: String(name), version: String(version), architecture: String(arch)))
        }
        fields = [:]
      } else if let colon = line.firstIndex(of: ":"), line.first != " " {
        fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
      }
    }
    return found
  }

  /// The packages and everything that they depend on, as far as it is crates.
  ///
  /// - Parameter packages: Names, or `NAME=VERSION`.
  func closure(of packages: [String]) async throws(PluginError) -> [AptPackage] {
    let out = try await apt("apt-get", ["--simulate", "--yes", "install", "--"] + packages)
    var found: [AptPackage] = []
    for line in String(decoding: out, as: UTF8.self).split(separator: "\n") where line.hasPrefix("Inst ") {
      // Inst librust-itoa-dev (1.0.1-2 Debian:12.15/oldstable [amd64])
      let words = line.split(separator: " ").map(String.init)
      guard words.count >= 4, AptPackage.isCrate(words[1]), words[2].hasPrefix("("), let last = words.last,
        last.hasPrefix("["), last.hasSuffix("])")
      else { continue }
      let version = String(words[2].dropFirst())
      found.append(
        AptPackage(name: words[1], version: version, architecture: String(last.dropFirst().dropLast(2))))
    }
    return found
  }
}
