import SourceTools
import SyncRuntime

extension PackageURL {
  /// A crate, as in `pkg:cargo/itoa@1.0.1`.
  ///
  /// - Throws: ``PluginError/Code/invalid`` for another type and for names and versions that crates cannot have.
  static func crate(_ text: String) throws(PluginError) -> PackageURL {
    let purl = try PackageURL(parsing: text)
    guard purl.type == "cargo", purl.namespace == nil, purl.architecture == nil, CrateName.isValid(purl.name) else {
      throw PluginError(.invalid, "'\(text)' does not name a crate; write it like pkg:cargo/itoa@1.0.1")
    }
    if let version = purl.version, CrateVersion(version) == nil {
      throw PluginError(.invalid, "'\(version)' is not a full version of a crate; write it like 1.0.1")
    }
    return purl
  }
}

enum CrateName {
  static let bytesMax = 64

  /// ASCII letters, digits, `-` and `_`, beginning with a letter: what crates.io takes.
  static func isValid(_ name: String) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= bytesMax, isLetter(first) else { return false }
    return name.utf8.allSatisfy {
      isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
        || $0 == UInt8(ascii: "_")
    }
  }

  private static func isLetter(_ c: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(c | 0x20)
  }

  /// Splits a registry folder's name, `NAME-VERSION`, at the first hyphen behind which a full version stands.
  static func split(folder: String) -> (name: String, version: CrateVersion)? {
    var rest = folder[...]
    while let hyphen = rest.firstIndex(of: "-") {
      rest = rest[rest.index(after: hyphen)...]
      let name = String(folder[..<hyphen])
      if let version = CrateVersion(String(rest)), isValid(name) { return (name, version) }
    }
    return nil
  }

  /// Whether a folder is that of the crate; the version's build metadata, which has no precedence, may be left out.
  static func isFolder(_ folder: String, of name: String, version: String) -> Bool {
    guard let found = split(folder: folder) else { return false }
    return found.name == name && found.version == CrateVersion(version)
  }

  static func withoutMetadata(_ folder: String) -> String {
    String(folder.split(separator: "+", omittingEmptySubsequences: false)[0])
  }
}

/// A version by the rules of Semantic Versioning 2.0.0; ordered and equal by precedence (§11), without build metadata.
struct CrateVersion: Comparable {
  let text: String
  /// Major, minor and patch.
  let numbers: [UInt64]
  private let prerelease: [Substring]

  init?(_ text: String) {
    guard text.utf8.count <= 64, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
    let halves = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    let core = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    let numbers = core[0].split(separator: ".", omittingEmptySubsequences: false).map(Self.number)
    guard numbers.count == 3, numbers.allSatisfy({ $0 != nil }) else { return nil }
    self.text = text
    self.numbers = numbers.compactMap(\.self)
    prerelease = core.count == 2 ? core[1].split(separator: ".", omittingEmptySubsequences: false) : []
    let build = halves.count == 2 ? halves[1].split(separator: ".", omittingEmptySubsequences: false) : []
    guard (prerelease + build).allSatisfy(Self.isIdentifier) else { return nil }
    guard prerelease.allSatisfy({ $0.utf8.first != 0x30 || $0.utf8.count == 1 || !Self.isNumeric($0) }) else {
      return nil
    }
  }

  /// What is taken when nobody asks for a version: the last release, or the last pre-release where there is no release.
  static func newest<Entry>(_ sorted: [Entry], version: (Entry) -> CrateVersion) -> Entry? {
    sorted.last { version($0).prerelease.isEmpty } ?? sorted.last
  }

  var isRelease: Bool { prerelease.isEmpty }

  static func number(_ text: Substring) -> UInt64? {
    guard isNumeric(text), text == "0" || text.utf8.first != UInt8(ascii: "0") else { return nil }
    return UInt64(text)
  }

  private static func isNumeric(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func isIdentifier(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { c in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c) || c == UInt8(ascii: "-")
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(c | 0x20)
      }
  }

  static func == (a: CrateVersion, b: CrateVersion) -> Bool { !(a < b) && !(b < a) }

  static func < (a: CrateVersion, b: CrateVersion) -> Bool {
    if a.numbers != b.numbers { return a.numbers.lexicographicallyPrecedes(b.numbers) }
    if a.prerelease.isEmpty || b.prerelease.isEmpty { return !a.prerelease.isEmpty && b.prerelease.isEmpty }
    for (x, y) in zip(a.prerelease, b.prerelease) where x != y {
      switch (UInt64(x), UInt64(y)) {
      case (let x?, let y?): return x < y
      case (_?, nil): return true
      case (nil, _?): return false
      case (nil, nil): return x.utf8.lexicographicallyPrecedes(y.utf8)
      }
    }
    return a.prerelease.count < b.prerelease.count
  }
}
