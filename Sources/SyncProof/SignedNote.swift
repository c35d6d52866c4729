/// One signature line of a note, verified by nobody yet.
public struct NoteSignature: Hashable, Sendable {
  public let name: Text
  /// Which key of that name it is.
  public let keyID: UInt32
  /// What the signature type makes of it: 64 bytes for Ed25519, 72 for cosignature/v1.
  public let blob: [UInt8]

  public init(name: Text, keyID: UInt32, blob: [UInt8]) {
    (self.name, self.keyID, self.blob) = (name, keyID, blob)
  }

  /// The line of a key of type 0x01.
  public init(key: NoteKey, signature: Signature) {
    self.init(name: key.name, keyID: key.keyID, blob: signature.bytes)
  }

  /// The line of a key of type 0x04.
  ///
  /// - Parameter timestamp: Unix seconds, as signed.
  public init(key: NoteKey, timestamp: UInt64, signature: Signature) {
    self.init(
      name: key.name, keyID: key.keyID, blob: Cosignature.blob(timestamp: timestamp, signature: signature))
  }
}

/// Text and the signatures on it.
///
/// Source: C2SP signed-note. The text is not to be used before a trusted key's signature has been verified.
public struct SignedNote: Hashable, Sendable {
  /// What is signed, with its last newline.
  public let text: [UInt8]
  public private(set) var signatures: [NoteSignature]

  /// - Throws: ``ProofError/Code/malformed`` where ``init(parsing:)`` would refuse the result.
  public init(text: [UInt8], signatures: [NoteSignature]) throws(ProofError) {
    try SignedNote.checkCharacters(text[...])
    guard text.last == UInt8(ascii: "\n") else {
      throw ProofError(.malformed, "A note's text ends in a newline", at: text.count)
    }
    guard !signatures.isEmpty, signatures.count <= ProofLimits.signaturesMax else {
      throw ProofError(
        signatures.isEmpty ? .malformed : .tooLarge,
        "A note with \(signatures.count) signatures; wanted 1...\(ProofLimits.signaturesMax)")
    }
    for signature in signatures where !Naming.isKeyName(signature.name) || signature.blob.isEmpty {
      throw ProofError(.malformed, "A signature by `\(Naming.printable(signature.name.utf8))` has no name or no bytes")
    }
    (self.text, self.signatures) = (text, signatures)
  }

  /// - Throws: ``ProofError/Code/malformed`` or ``ProofError/Code/tooLarge``.
  public init(parsing bytes: [UInt8]) throws(ProofError) { try self.init(parsing: bytes[...]) }

  init(parsing bytes: Bytes) throws(ProofError) {
    guard bytes.count <= ProofLimits.noteBytesMax else {
      throw ProofError(
        .tooLarge, "A note of \(bytes.count) bytes; at most \(ProofLimits.noteBytesMax) are taken")
    }
    try SignedNote.checkCharacters(bytes)
    // The last empty line divides text and signatures.
    let newline = UInt8(ascii: "\n")
    var end = bytes.endIndex - 1
    while end > bytes.startIndex, !(bytes[end] == newline && bytes[end - 1] == newline) { end -= 1 }
    guard end > bytes.startIndex else {
      throw ProofError(.malformed, "The note has no empty line between its text and its signatures", at: bytes.count)
    }
    text = [UInt8](bytes[..<end])
    signatures = []
    var reader = LineReader(bytes[(end + 1)...])
    let lines = end + 1 - bytes.startIndex
    while !reader.isAtEnd {
      guard signatures.count < ProofLimits.signaturesMax else {
        throw ProofError(
          .tooLarge, "The note has more than \(ProofLimits.signaturesMax) signatures", at: lines + reader.offset)
      }
      let start = lines + reader.offset
      guard let signature = SignedNote.signature(try reader.line()) else {
        throw ProofError(
          .malformed, "A signature line is wanted here: em dash, space, key name, space, base64", at: start)
      }
      signatures.append(signature)
    }
    guard !signatures.isEmpty else {
      throw ProofError(.malformed, "The note has no signatures", at: bytes.count)
    }
  }

  /// The text, an empty line, the signature lines.
  public func encode() -> [UInt8] {
    var out = text
    out.append(UInt8(ascii: "\n"))
    for signature in signatures {
      out.append(contentsOf: Text("— ").utf8)
      out.append(contentsOf: signature.name.utf8)
      out.append(UInt8(ascii: " "))
      out.append(contentsOf: Base64.encode(NoteKey.idBytes(signature.keyID) + signature.blob))
      out.append(UInt8(ascii: "\n"))
    }
    return out
  }

  /// Which of `keys` signed the text.
  ///
  /// Lines of unknown keys are skipped; a key that signed twice stands once, as its first line has it.
  /// - Parameter keys: Distinct in the pair of name and key ID.
  /// - Returns: In the order of the lines.
  /// - Throws: ``ProofError/Code/invalidSignature`` if any line of a known key does not verify.
  public func verifiedSignatures(by keys: [NoteKey]) throws(ProofError) -> [VerifiedNoteSignature] {
    var verified: [VerifiedNoteSignature] = []
    for (i, line) in signatures.enumerated() {
      for j in keys.indices where keys[j].keyID == line.keyID && keys[j].name == line.name {
        let key = keys[j]
        guard let signature = verify(line, at: i, by: key) else {
          throw ProofError(
            .invalidSignature,
            "The signature by the known key `\(Naming.printable(key.name.utf8))` does not verify; the note was changed")
        }
        if !verified.contains(where: { $0.key == key }) { verified.append(signature) }
      }
    }
    return verified
  }

  private func verify(_ line: NoteSignature, at index: Int, by key: NoteKey) -> VerifiedNoteSignature? {
    switch key.kind {
    case .ed25519:
      guard let signature = Signature(bytes: line.blob), key.key.accepts(signature, on: text) else { return nil }
      return VerifiedNoteSignature(key: key, timestamp: nil, index: index)
    case .cosignatureV1:
      guard let cosignature = Cosignature(parsing: line.blob), cosignature.isValid(by: key.key, body: text) else {
        return nil
      }
      return VerifiedNoteSignature(key: key, timestamp: cosignature.timestamp, index: index)
    }
  }

  private static func signature(_ line: Bytes) -> NoteSignature? {
    var fields = FieldReader(line)
    guard let dash = fields.next(), dash.equals("—"), let nameText = fields.next(), let base64 = fields.last(),
      let bytes = Base64.decode(base64), bytes.count > 4
    else { return nil }
    let name = Text(utf8: nameText)
    guard Naming.isKeyName(name) else { return nil }
    var keyID: UInt32 = 0
    for byte in bytes.prefix(4) { keyID = keyID << 8 | UInt32(byte) }
    return NoteSignature(name: name, keyID: keyID, blob: [UInt8](bytes.dropFirst(4)))
  }

  /// UTF-8 without control characters other than newline.
  private static func checkCharacters(_ bytes: Bytes) throws(ProofError) {
    var scanner = UTF8Scanner(bytes)
    while true {
      scanner.skipPrintable()
      guard !scanner.isAtEnd else { return }
      let start = scanner.offset
      guard let scalar = scanner.next(), scalar >= 0x20 || scalar == 0x0a else {
        throw ProofError(.malformed, "The note has a control character or a byte that is not UTF-8", at: start)
      }
    }
  }
}

/// A key of the asker's that signed a note.
public struct VerifiedNoteSignature: Hashable, Sendable {
  /// One of the keys that were asked about.
  public let key: NoteKey
  /// Unix seconds at which a cosigner signed; `nil` for type 0x01.
  public let timestamp: UInt64?
  /// Which of the note's ``SignedNote/signatures``: the key's first.
  public let index: Int
}
