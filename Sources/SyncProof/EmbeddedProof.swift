/// Where in an artifact's file its own proof is: content ‖ region.
///
/// The artifact that the proof is about is the content, so that taking the region away gives the file back as the
/// builders made it. The region is
///
/// - behind an ELF file: proof ‖ L ‖ M, where L is the proof's size as 8 bytes, big-endian, and M ``mark``;
/// - behind an ar archive, which begins with `!<arch>\n`: the 60-byte header of a last member, then a newline if the
///   proof's size is odd, then the same. The archive stays one that every linker reads.
///
/// Other files carry none. A shell, say, runs a script's bytes to the end, so that a region behind one would be a
/// program that no builder made: the region is outside the digest, and a proof has room for text that nobody signed.
///
/// Each file has one reading: whatever ``region(for:contentHead:contentEnd:contentSize:)`` would not have written is
/// refused. What the proof's bytes say is not looked at here.
///
/// Source: docs/FORMATS.md, "A proof inside the artifact".
public struct EmbeddedProof: Hashable, Sendable {
  /// How the proof is put in; the numbers are those of the C interface.
  public enum Form: Int32, Hashable, Sendable {
    /// There is none.
    case none = 0
    /// Behind the end of the content.
    case trailer = 1
    /// In the last member of an ar archive.
    case archiveMember = 2
  }

  public let form: Form
  /// Bytes of the artifact; the file's size where nothing is embedded.
  public let contentSize: UInt64
  /// From the file's start; 0 where nothing is embedded.
  public let proofOffset: UInt64
  /// 1...``ProofLimits/proofBytesMax``; 0 where nothing is embedded.
  public let proofSize: Int

  /// How much of a file's start is looked at.
  public static let headBytes = 8
  /// How much of a file's end is looked at: the largest region, and what stands before it.
  public static let tailBytes = ProofLimits.proofBytesMax + 128
  /// The largest file.
  public static let fileBytesMax = UInt64(Int64.max)

  /// The last 16 bytes of a file that carries its proof: M.
  public static let mark: [UInt8] = [
    0x00, 0x73, 0x79, 0x6e, 0x63, 0x2d, 0x70, 0x72, 0x6f, 0x6f, 0x66, 0x2f, 0x76, 0x31, 0x0a, 0x00,
  ]
  /// L and M.
  public static let trailerBytes = 24

  static let elfHead: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
  static let archiveHead: [UInt8] = [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e, 0x0a]
  static let thinHead: [UInt8] = [0x21, 0x3c, 0x74, 0x68, 0x69, 0x6e, 0x3e, 0x0a]
  private static let headerBytes = 60
  private static let newline: UInt8 = 0x0a

  /// Whether a file with these last bytes, 16 or more, has to be given to ``find(head:tail:fileSize:)``: any other
  /// carries no proof.
  public static func isMarked(_ end: some BidirectionalCollection<UInt8>) -> Bool {
    end.suffix(mark.count).elementsEqual(mark)
  }

  /// Looks for a proof from a file's ends alone.
  ///
  /// - Parameters:
  ///   - head: The file's first ``headBytes`` bytes, or all of it.
  ///   - tail: The file's last ``tailBytes`` bytes, or all of it.
  ///   - fileSize: At most 2^63 - 1.
  /// - Returns: What there is; a file that does not end with ``mark`` has none.
  /// - Throws: ``ProofError/Code/malformed`` if the file ends with ``mark`` and is not in the form above,
  ///   ``ProofError/Code/tooLarge`` for the file itself.
  public static func find(
    head: some RandomAccessCollection<UInt8>, tail: some RandomAccessCollection<UInt8>, fileSize: UInt64
  ) throws(ProofError) -> EmbeddedProof {
    guard fileSize <= fileBytesMax else {
      throw ProofError(.tooLarge, "A file of \(fileSize) bytes; at most \(fileBytesMax) are possible")
    }
    guard UInt64(head.count) == min(UInt64(headBytes), fileSize),
      UInt64(tail.count) == min(UInt64(tailBytes), fileSize)
    else {
      throw ProofError(
        .malformed,
        "The first \(head.count) and last \(tail.count) bytes of a file of \(fileSize) do not show whether it carries "
          + "a proof; \(headBytes) and \(tailBytes) are wanted, or all")
    }
    guard isMarked(tail) else {
      return EmbeddedProof(form: .none, contentSize: fileSize, proofOffset: 0, proofSize: 0)
    }
    guard !head.starts(with: thinHead) else {
      throw ProofError(.malformed, "The file is a thin archive, which cannot carry a proof; cut the end of it off")
    }
    if head.starts(with: archiveHead) { return try member(endingIn: tail, fileSize: fileSize) }
    let found = try trailer(endingIn: tail, fileSize: fileSize)
    guard head.starts(with: elfHead), found.contentSize >= elfHead.count else {
      throw ProofError(
        .malformed,
        "The file ends like one with a proof inside, but only ELF files and ar archives can carry one; cut the end off")
    }
    return found
  }

  /// The bytes to append to a file for it to carry its proof.
  ///
  /// - Parameters:
  ///   - proof: 1...``ProofLimits/proofBytesMax`` bytes.
  ///   - contentHead: The file's first ``headBytes`` bytes, or all of it.
  ///   - contentEnd: The file's last 16 bytes or more, or all of it.
  /// - Throws: ``ProofError/Code/malformed`` if the file cannot carry one: it does already, is a thin archive or one
  ///   of odd size; ``ProofError/Code/tooLarge`` for the proof or the file.
  public static func region(
    for proof: [UInt8], contentHead: [UInt8], contentEnd: [UInt8], contentSize: UInt64
  ) throws(ProofError) -> [UInt8] {
    guard !proof.isEmpty else { throw ProofError(.malformed, "A proof of no bytes cannot be embedded") }
    guard proof.count <= ProofLimits.proofBytesMax else {
      throw ProofError(.tooLarge, "A proof of \(proof.count) bytes; at most \(ProofLimits.proofBytesMax) are taken")
    }
    guard !isMarked(contentEnd) else {
      throw ProofError(.malformed, "The file carries a proof already; extract that one first")
    }
    guard !contentHead.starts(with: thinHead) else {
      throw ProofError(.malformed, "A thin archive holds no members of its own; make a full one, or a sidecar file")
    }
    let isArchive = contentHead.starts(with: archiveHead)
    guard isArchive || contentHead.starts(with: elfHead) else {
      throw ProofError(.malformed, "Only ELF files and ar archives can carry a proof; hand out a sidecar file")
    }
    guard !isArchive || contentSize % 2 == 0 else {
      throw ProofError(.malformed, "An ar archive of odd size: its last member is cut off or not padded")
    }
    var region = isArchive ? header(forProofOf: proof.count) : []
    if isArchive, proof.count % 2 == 1 { region.append(newline) }
    region += proof
    var shift = 64
    while shift > 0 {
      shift -= 8
      region.append(UInt8(truncatingIfNeeded: UInt64(proof.count) >> UInt64(shift)))
    }
    region += mark
    let (size, overflow) = contentSize.addingReportingOverflow(UInt64(region.count))
    guard !overflow, size <= fileBytesMax else {
      throw ProofError(.tooLarge, "A file of \(contentSize) bytes has no room for a proof behind it")
    }
    return region
  }

  /// What stands at the end of every file that carries a proof: the proof, L and M.
  private static func trailer(
    endingIn tail: some RandomAccessCollection<UInt8>, fileSize: UInt64
  ) throws(ProofError) -> EmbeddedProof {
    guard tail.count >= trailerBytes else {
      throw ProofError(.malformed, "The file ends with the mark of an embedded proof and is too short for one", at: 0)
    }
    var size: UInt64 = 0
    for byte in tail.suffix(trailerBytes).prefix(trailerBytes - mark.count) { size = size << 8 | UInt64(byte) }
    let room = fileSize - UInt64(trailerBytes)
    let sizeMax = min(room, UInt64(ProofLimits.proofBytesMax))
    guard size > 0, size <= sizeMax else {
      throw ProofError(
        .malformed,
        "The file says that it ends with a proof of \(size) bytes; 1 to \(sizeMax) "
          + "are possible here",
        at: Int(exactly: room))
    }
    let found = EmbeddedProof(
      form: .trailer, contentSize: room - size, proofOffset: room - size, proofSize: Int(size))
    try checkContent(of: found, endingIn: tail, fileSize: fileSize)
    return found
  }

  /// The same in the last member of an archive.
  private static func member(
    endingIn tail: some RandomAccessCollection<UInt8>, fileSize: UInt64
  ) throws(ProofError) -> EmbeddedProof {
    let inner = try trailer(endingIn: tail, fileSize: fileSize)
    var expected = header(forProofOf: inner.proofSize)
    if inner.proofSize % 2 == 1 { expected.append(newline) }
    guard inner.proofOffset >= UInt64(headBytes + expected.count) else {
      throw ProofError(
        .malformed, "The archive has no room for the header of the member that holds its proof",
        at: Int(exactly: inner.proofOffset))
    }
    let contentSize = inner.proofOffset - UInt64(expected.count)
    let regionBytes = expected.count + inner.proofSize + trailerBytes
    guard tail.suffix(regionBytes).starts(with: expected) else {
      throw ProofError(
        .malformed, "The header of the member that holds the archive's proof is not the one that belongs there",
        at: Int(exactly: contentSize))
    }
    guard contentSize % 2 == 0 else {
      throw ProofError(
        .malformed, "The member that holds the archive's proof begins at an odd offset", at: Int(exactly: contentSize))
    }
    let found = EmbeddedProof(
      form: .archiveMember, contentSize: contentSize, proofOffset: inner.proofOffset, proofSize: inner.proofSize)
    try checkContent(of: found, endingIn: tail, fileSize: fileSize)
    return found
  }

  /// Two proofs, one behind the other, would leave open what the first is about.
  private static func checkContent(
    of found: EmbeddedProof, endingIn tail: some RandomAccessCollection<UInt8>, fileSize: UInt64
  ) throws(ProofError) {
    // At most the largest region, which the tail holds with room before it.
    let region = Int(fileSize - found.contentSize)
    guard !isMarked(tail.dropLast(region)) else {
      throw ProofError(
        .malformed, "The file carries a proof behind another one; take the last one away",
        at: Int(exactly: found.contentSize))
    }
  }

  /// The header of the member that holds a proof of so many bytes, as `ar` with its option `D` writes it.
  private static func header(forProofOf proofSize: Int) -> [UInt8] {
    let dataBytes = proofSize % 2 + proofSize + trailerBytes
    var header: [UInt8] = []
    header.reserveCapacity(headerBytes)
    // Name, time, user, group, mode, size.
    let fields: [(text: [UInt8], width: Int)] = [
      (Text("sync.tlog-proof/").utf8, 16), ([0x30], 12), ([0x30], 6), ([0x30], 6), ([0x36, 0x34, 0x34], 8),
      (Decimal.encode(UInt64(dataBytes)), 10),
    ]
    for field in fields {
      header += field.text
      for _ in field.text.count..<field.width { header.append(UInt8(ascii: " ")) }
    }
    return header + [0x60, newline]
  }
}
