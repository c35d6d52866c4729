import SourceTools
import SyncRuntime

/// One package of apt's lists, field by field; a source's or a binary one's.
struct DebianParagraph: Sendable {
  /// Names as Debian writes them, such as `Checksums-Sha256`; the lines of a value that goes on are kept.
  let fields: [String: [Substring]]

  subscript(_ name: String) -> String? { fields[name]?.first.map { String($0) } }

  /// The paragraphs of a listing, as apt-cache prints it.
  static func parse(_ text: [UInt8]) -> [DebianParagraph] {
    var found: [DebianParagraph] = []
    var fields: [String: [Substring]] = [:]
    var last = ""
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if !fields.isEmpty { found.append(DebianParagraph(fields: fields)) }
        fields = [:]
      } else if line.first == " " || line.first == "\t" {
        fields[last, default: []].append(line.drop { $0 == " " || $0 == "\t" })
      } else if let colon = line.firstIndex(of: ":") {
        last = String(line[..<colon])
        fields[last] = [line[line.index(after: colon)...].drop { $0 == " " }]
      }
    }
    return fields.isEmpty ? found : found + [DebianParagraph(fields: fields)]
  }
}

/// Names that may become arguments of apt, and parts of a spec.
enum DebianName {
  /// Lower-case letters, digits, `+`, `-` and `.`, beginning with a letter or digit: Debian policy §5.6.1.
  static func isValid(_ name: String) -> Bool {
    guard let first = name.utf8.first, isAlphanumeric(first), name.utf8.count <= 128 else { return false }
    return name.utf8.allSatisfy { isAlphanumeric($0) || "+-.".utf8.contains($0) }
  }

  /// Debian policy §5.6.12, beginning with a digit.
  static func isVersion(_ version: String) -> Bool {
    guard let first = version.utf8.first, (0x30...0x39).contains(first), version.utf8.count <= 128 else { return false }
    return version.utf8.allSatisfy { isAlphanumeric($0 | 0x20) || "+-.~:".utf8.contains($0) }
  }

  /// As it stands in file names and, since no colon may stand there, in a spec's sources.
  static func withoutEpoch(_ version: String) -> String {
    version.firstIndex(of: ":").map { String(version[version.index(after: $0)...]) } ?? version
  }

  private static func isAlphanumeric(_ c: UInt8) -> Bool { (0x30...0x39).contains(c) || (0x61...0x7a).contains(c) }
}

/// The address of a thing in Debian's archive: `pkg:deb/debian/NAME@VERSION?arch=ARCH`, `arch=source` for a source.
struct DebianOrigin {
  let name: String
  let version: String
  let architecture: String

  var isSource: Bool { architecture == "source" }

  var text: String {
    PackageURL(type: "deb", namespace: "debian", name: name, version: version, architecture: architecture).text
  }

  /// The purl of a spec's source: no qualifier, no epoch, nothing encoded.
  var purl: String { "pkg:deb/debian/\(name)@\(DebianName.withoutEpoch(version))" }

  init(name: String, version: String, architecture: String) {
    (self.name, self.version, self.architecture) = (name, version, architecture)
  }

  /// - Throws: ``PluginError/Code/invalid``, so that nothing else ever becomes an argument of apt.
  init(parsing text: String) throws(PluginError) {
    let purl = try PackageURL(parsing: text)
    guard purl.type == "deb", purl.namespace == "debian", DebianName.isValid(purl.name), let version = purl.version,
      DebianName.isVersion(version), let architecture = purl.architecture, DebianName.isValid(architecture)
    else {
      throw PluginError(
        .invalid, "'\(text)' names nothing in Debian's archive; that looks like pkg:deb/debian/hello@2.10-3?arch=source"
      )
    }
    self.init(name: purl.name, version: version, architecture: architecture)
  }
}
