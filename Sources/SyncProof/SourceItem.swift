/// One source tree of a build: the package itself or a dependency.
public struct SourceItem: Hashable, Comparable, Sendable {
  /// Identity: `pkg:<type>/[<namespace>/]<name>@<version>` without qualifiers, such as `pkg:cargo/itoa@1.0.1`.
  public let purl: Text
  /// Digest of the source tree that is built.
  public let tree: Digest
  /// The checksum that the packager claims the registry's archive has.
  public let claim: Digest?
  /// Package URL of what it was fetched from, such as `pkg:deb/debian/librust-itoa-dev@1.0.1-1?arch=amd64`.
  public let origin: Text

  public init(purl: Text, tree: Digest, claim: Digest?, origin: Text) {
    (self.purl, self.tree, self.claim, self.origin) = (purl, tree, claim, origin)
  }

  /// The name in the purl; empty if the purl is not one.
  public var name: Text { SourceItem.parts(of: purl)?.name ?? "" }
  /// The version in the purl; empty if the purl is not one.
  public var version: Text { SourceItem.parts(of: purl)?.version ?? "" }
  /// `<name>-<version>`: the folder's name below the sandbox's registry.
  public var directoryName: Text { Text(utf8: name.utf8 + [UInt8(ascii: "-")] + version.utf8) }

  public static func < (a: SourceItem, b: SourceItem) -> Bool { a.purl < b.purl }

  /// Name and version of a purl, which become names of folders and are therefore held to what is harmless there.
  package static func parts(of purl: Text) -> (name: Text, version: Text)? {
    guard purl.utf8.count <= ProofLimits.purlBytesMax, purl.utf8.starts(with: Text("pkg:").utf8),
      let at = purl.utf8.lastIndex(of: UInt8(ascii: "@"))
    else { return nil }
    let path = purl.utf8[4..<at].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let version = Text(utf8: [UInt8](purl.utf8[(at + 1)...]))
    guard path.count >= 2 else { return nil }
    for part in path where !isPart(Text(utf8: [UInt8](part))) { return nil }
    guard isPart(version) else { return nil }
    return (Text(utf8: [UInt8](path[path.count - 1])), version)
  }

  private static func isPart(_ text: Text) -> Bool {
    Naming.isWord(text, others: "._-+~", max: ProofLimits.purlBytesMax) && text.utf8.first != UInt8(ascii: ".")
      && text.utf8.first != UInt8(ascii: "-")
  }
}
