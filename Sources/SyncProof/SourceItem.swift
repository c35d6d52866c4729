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
  public var name: Text { Text(utf8: SourceItem.parts(of: purl)?.name ?? []) }
  /// The version in the purl; empty if the purl is not one.
  public var version: Text { Text(utf8: SourceItem.parts(of: purl)?.version ?? []) }
  /// `<name>-<version>`: the folder's name below the sandbox's registry.
  public var directoryName: Text { SourceItem.directoryName(SourceItem.parts(of: purl) ?? ([], [])) }

  static func directoryName(_ parts: (name: Bytes, version: Bytes)) -> Text {
    Text(utf8: parts.name + [UInt8(ascii: "-")] + parts.version)
  }

  public static func < (a: SourceItem, b: SourceItem) -> Bool { a.purl < b.purl }

  /// Name and version of a purl, which become names of folders and are therefore held to what is harmless there.
  package static func parts(of purl: Text) -> (name: Bytes, version: Bytes)? {
    let bytes = purl.utf8[...]
    guard bytes.count <= ProofLimits.purlBytesMax, bytes.prefix(4).equals("pkg:"),
      let at = bytes.lastIndex(of: UInt8(ascii: "@"))
    else { return nil }
    let version = bytes[(at + 1)...]
    var path = FieldReader(bytes[4..<at], separator: UInt8(ascii: "/"))
    guard let type = path.next(), isPart(type), var name = path.next(), isPart(name) else { return nil }
    while let next = path.next() {
      guard isPart(next) else { return nil }
      name = next
    }
    return isPart(version) ? (name, version) : nil
  }

  private static func isPart(_ text: Bytes) -> Bool {
    guard let first = text.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else { return false }
    return Naming.isWord(text, others: "._-+~")
  }
}
