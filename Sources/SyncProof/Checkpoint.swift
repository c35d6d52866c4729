/// A log's tree head: C2SP tlog-checkpoint.
public struct Checkpoint: Hashable, Sendable {
  /// Which log this is; for a group of ours a bare host name.
  public let origin: Text
  /// Number of leaves, at most 2^63 - 1.
  public let treeSize: UInt64
  /// Hash of the tree.
  public let root: Digest
  /// Lines behind the root, signed but without meaning here; our own logs write none.
  public let extensionLines: [Text]

  public init(origin: Text, treeSize: UInt64, root: Digest, extensionLines: [Text] = []) {
    (self.origin, self.treeSize, self.root, self.extensionLines) = (origin, treeSize, root, extensionLines)
  }

  /// Parses a note's text.
  ///
  /// - Throws: ``ProofError/Code/malformed``.
  public init(parsingBody body: [UInt8]) throws(ProofError) {
    var reader = LineReader(body)
    origin = Text(utf8: try reader.line())
    guard !origin.utf8.isEmpty else { throw ProofError(.malformed, "The checkpoint's origin is empty", at: 0) }
    let sizeOffset = reader.offset
    guard let size = Decimal.decode(try reader.line()), size <= ProofLimits.treeSizeMax else {
      throw ProofError(.malformed, "The checkpoint's size is no decimal number below 2^63", at: sizeOffset)
    }
    treeSize = size
    let rootOffset = reader.offset
    guard let bytes = Base64.decode(try reader.line()), let digest = Digest(bytes: bytes) else {
      throw ProofError(.malformed, "The checkpoint's root is not the base64 of 32 bytes", at: rootOffset)
    }
    root = digest
    var lines: [Text] = []
    while !reader.isAtEnd {
      let start = reader.offset
      let line = try reader.line()
      guard !line.isEmpty else { throw ProofError(.malformed, "An extension line is empty", at: start) }
      lines.append(Text(utf8: line))
    }
    extensionLines = lines
  }

  /// The note text: origin, size and root, each on its line.
  public func body() -> [UInt8] {
    var out = origin.utf8
    let newline = UInt8(ascii: "\n")
    out.append(newline)
    out.append(contentsOf: Decimal.encode(treeSize))
    out.append(newline)
    out.append(contentsOf: Base64.encode(root.bytes))
    out.append(newline)
    for line in extensionLines {
      out.append(contentsOf: line.utf8)
      out.append(newline)
    }
    return out
  }
}
