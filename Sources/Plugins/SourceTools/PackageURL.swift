import SyncProof
import SyncRuntime

/// A package URL of the few forms that crates and their packages have.
///
/// Source: the purl specification, with its choices closed: `pkg:TYPE/[NAMESPACE/]NAME[@VERSION][?arch=ARCH]`,
/// lower-case
/// type, no subpath. Of what may stand here only `+` is percent-encoded, and in a crate's version not even that, since
/// a spec's sources are named so (``SourceItem``); both forms are read.
package struct PackageURL: Hashable, Sendable {
  package var type: String
  package var namespace: String?
  package var name: String
  package var version: String?
  package var architecture: String?

  package init(
    type: String, namespace: String? = nil, name: String, version: String? = nil, architecture: String? = nil
  ) {
    (self.type, self.namespace, self.name) = (type, namespace, name)
    (self.version, self.architecture) = (version, architecture)
  }

  /// - Throws: ``PluginError/Code/invalid`` for anything else than the form above, byte for byte.
  package init(parsing text: String) throws(PluginError) {
    let malformed = PluginError(
      .invalid, "'\(text.prefix(200))' is not a package URL; write it like pkg:cargo/itoa@1.0.1")
    guard text.utf8.count <= 255, text.hasPrefix("pkg:") else { throw malformed }
    let halves = text.dropFirst(4).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = halves[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = path[0].split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3 else { throw malformed }
    type = String(parts[0])
    guard let name = Self.decode(parts[parts.count - 1]) else { throw malformed }
    self.name = name
    if parts.count == 3 { namespace = String(parts[1]) }
    if path.count == 2 { version = Self.decode(path[1]) ?? "" }
    if halves.count == 2 {
      guard halves[1].hasPrefix("arch=") else { throw malformed }
      architecture = String(halves[1].dropFirst(5))
    }
    let fields = [type, namespace, name, version, architecture].compactMap(\.self)
    guard fields.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isAllowed) }),
      joined({ $0 }) == text || encoded == text
    else { throw malformed }
  }

  package var text: String { type == "cargo" ? joined { $0 } : encoded }

  private var encoded: String {
    joined { $0.split(separator: "+", omittingEmptySubsequences: false).joined(separator: "%2B") }
  }

  private func joined(_ encode: (String) -> String) -> String {
    var out = "pkg:\(type)/"
    if let namespace { out += "\(namespace)/" }
    out += encode(name)
    if let version { out += "@\(encode(version))" }
    if let architecture { out += "?arch=\(architecture)" }
    return out
  }

  private static func isAllowed(_ c: UInt8) -> Bool {
    switch c {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: "-._~+:".utf8.contains(c)
    }
  }

  private static func decode(_ text: Substring) -> String? {
    let pieces = text.split(separator: "%", omittingEmptySubsequences: false)
    var out = String(pieces[0])
    for piece in pieces.dropFirst() {
      guard piece.hasPrefix("2B") else { return nil }
      out += "+" + piece.dropFirst(2)
    }
    return out
  }
}
