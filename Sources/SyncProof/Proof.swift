/// An offline proof that a leaf is in a log: C2SP tlog-proof@v1, with the leaf itself as the extra data.
public struct Proof: Hashable, Sendable {
  /// The extra data; empty where the file has none.
  public let leaf: [UInt8]
  /// The leaf's zero-based place in the log.
  public let index: UInt64
  /// Sibling hashes, leaf to root, at most 63.
  public let path: [Digest]
  /// The checkpoint with its signatures.
  public let note: SignedNote
  /// What ``note`` says; not to be believed before its signatures are verified.
  public let checkpoint: Checkpoint

  /// - Throws: ``ProofError/Code/malformed`` if the note is no checkpoint, ``ProofError/Code/tooLarge``.
  public init(leaf: [UInt8], index: UInt64, path: [Digest], note: SignedNote) throws(ProofError) {
    guard path.count <= ProofLimits.pathHashesMax else {
      throw ProofError(.tooLarge, "A path of \(path.count) hashes; at most \(ProofLimits.pathHashesMax) are possible")
    }
    guard leaf.count <= ProofLimits.leafBytesMax else {
      throw ProofError(.tooLarge, "A leaf of \(leaf.count) bytes; at most \(ProofLimits.leafBytesMax) are possible")
    }
    self.leaf = leaf
    self.index = index
    self.path = path
    self.note = note
    checkpoint = try Checkpoint(parsingBody: note.text)
  }

  /// - Throws: ``ProofError/Code/malformed``, ``ProofError/Code/unsupportedVersion`` or ``ProofError/Code/tooLarge``.
  public init(parsing bytes: [UInt8]) throws(ProofError) {
    guard bytes.count <= ProofLimits.proofBytesMax else {
      throw ProofError(.tooLarge, "A proof of \(bytes.count) bytes; at most \(ProofLimits.proofBytesMax) are taken")
    }
    var reader = LineReader(bytes)
    try reader.expect("c2sp.org/tlog-proof@v1", .unsupportedVersion)
    var leaf: [UInt8] = []
    if reader.isNext("extra") {
      let start = reader.offset
      leaf = try reader.base64("extra")
      guard !leaf.isEmpty else {
        throw ProofError(.malformed, "Without extra data there is no `extra` line", at: start)
      }
    }
    let index = try reader.decimal("index")
    var path: [Digest] = []
    while true {
      let start = reader.offset
      let line = try reader.line()
      if line.isEmpty { break }
      guard path.count < ProofLimits.pathHashesMax else {
        throw ProofError(.tooLarge, "The path has more than \(ProofLimits.pathHashesMax) hashes", at: start)
      }
      guard let hash = Base64.decode(line), let digest = Digest(bytes: hash) else {
        throw ProofError(.malformed, "The base64 of a 32-byte hash, or an empty line, is wanted here", at: start)
      }
      path.append(digest)
    }
    // The checkpoint is the beginning of the note.
    let noteStart = reader.offset
    self = try ProofError.within(
      noteStart, Proof(leaf: leaf, index: index, path: path, note: SignedNote(parsing: reader.rest())))
  }

  /// The byte of the file in whose base64 group the leaf's byte at `offset` is; without a leaf, where its line is
  /// missing. What stands before the leaf is the same in every proof.
  func fileOffset(ofLeafByte offset: Int) -> Int {
    let (firstLine, label): (StaticString, StaticString) = ("c2sp.org/tlog-proof@v1\n", "extra ")
    let start = firstLine.utf8CodeUnitCount
    return leaf.isEmpty ? start : start + label.utf8CodeUnitCount + offset / 3 * 4
  }

  /// The file's bytes.
  public func encode() -> [UInt8] {
    var writer = LineWriter()
    writer.line("c2sp.org/tlog-proof@v1")
    if !leaf.isEmpty { writer.line("extra", base64: leaf) }
    writer.line("index", index)
    let newline = [UInt8(ascii: "\n")]
    for hash in path { writer.raw(Base64.encode(hash.bytes) + newline) }
    writer.raw(newline)
    writer.raw(note.encode())
    return writer.bytes
  }
}
