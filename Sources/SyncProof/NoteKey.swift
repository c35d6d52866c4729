/// A verifier key of signed notes (C2SP signed-note): a name, a signature type and an Ed25519 key.
public struct NoteKey: Hashable, Sendable {
  /// Signature types that this library verifies. Other numbers are skipped on notes and refused in policies;
  /// 0x06 (ML-DSA-44) is reserved room.
  public enum Kind: UInt8, Hashable, Sendable {
    /// Ed25519 over the note's text.
    case ed25519 = 0x01
    /// C2SP tlog-cosignature v1: Ed25519 over a time and the note's text.
    case cosignatureV1 = 0x04
  }

  /// 1...512 bytes of UTF-8.
  public let name: Text
  /// What its signatures are over.
  public let kind: Kind
  /// The Ed25519 key itself.
  public let key: PublicKey
  /// The first four bytes, big-endian, of SHA-256(name ‖ 0x0A ‖ type ‖ key).
  public let keyID: UInt32

  /// - Throws: ``ProofError/Code/invalidKey`` if the name is empty, longer than 512 bytes, not UTF-8, or has spaces,
  ///   control characters or `+`.
  public init(name: Text, kind: Kind, publicKey: PublicKey) throws(ProofError) {
    guard Naming.isKeyName(name) else {
      throw ProofError(
        .invalidKey,
        "`\(Naming.printable(name.utf8))` is no key name: wanted 1...512 bytes of UTF-8 without spaces and `+`")
    }
    self.name = name
    self.kind = kind
    self.key = publicKey
    keyID = NoteKey.keyID(name: name, kind: kind, publicKey: publicKey)
  }

  /// Parses `<name>+<key ID, 8 hexadecimal digits>+<base64 of type and key>`.
  ///
  /// - Throws: ``ProofError/Code/invalidKey`` if the form, the type, the length or the key ID is wrong.
  public init(vkey: [UInt8]) throws(ProofError) { try self.init(vkey: vkey[...]) }

  init(vkey: Bytes) throws(ProofError) {
    var parts = FieldReader(vkey, separator: UInt8(ascii: "+"))
    // The base64 may hold a plus itself, so it is all that is left.
    guard let name = parts.next(), let idText = parts.next(), let base64 = parts.last(),
      let id = Hex.word(idText), let material = Base64.decode(base64), let type = material.first
    else {
      throw ProofError(
        .invalidKey, "`\(Naming.printable(vkey))` is no verifier key: wanted <name>+<8 hex digits>+<base64>")
    }
    guard let kind = Kind(rawValue: type) else {
      throw ProofError(
        .invalidKey,
        "`\(Naming.printable(vkey))` has the signature type \(type); wanted 1 (Ed25519) or 4 (cosignature/v1)")
    }
    guard let key = PublicKey(bytes: material.dropFirst()) else {
      throw ProofError(
        .invalidKey, "`\(Naming.printable(vkey))` has a key of \(material.count - 1) bytes; wanted 32")
    }
    try self.init(name: Text(utf8: name), kind: kind, publicKey: key)
    guard id == keyID else {
      throw ProofError(
        .invalidKey,
        "`\(Naming.printable(vkey))` names a key ID that is not its key's; copy the whole key again")
    }
  }

  /// Whether the name is `<member>.<origin>`.
  func isNamed(_ member: Text, at origin: Text) -> Bool {
    let dot = member.utf8.count
    return name.utf8.count == dot + 1 + origin.utf8.count && name.utf8[dot] == UInt8(ascii: ".")
      && name.utf8[..<dot] == member.utf8[...] && name.utf8[(dot + 1)...] == origin.utf8[...]
  }

  /// Whether the name is `<member>.<origin>` for some member.
  func isOfMember(at origin: Text) -> Bool {
    let dot = name.utf8.count - origin.utf8.count - 1
    guard dot > 0 else { return false }
    let member = Text(utf8: name.utf8[..<dot])
    return Naming.isMember(member) && isNamed(member, at: origin)
  }

  /// The key in the text form that ``init(vkey:)`` parses.
  public var vkey: [UInt8] {
    let plus = [UInt8(ascii: "+")]
    return name.utf8 + plus + Hex.encode(NoteKey.idBytes(keyID)) + plus + Base64.encode([kind.rawValue] + key.bytes)
  }

  private static func keyID(name: Text, kind: Kind, publicKey: PublicKey) -> UInt32 {
    var stream = SHA256.Stream()
    stream.update(name.utf8)
    stream.update(byte: UInt8(ascii: "\n"))
    stream.update(byte: kind.rawValue)
    stream.update(publicKey.value)
    return stream.finish().firstWord
  }

  /// Four bytes, big-endian.
  static func idBytes(_ id: UInt32) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(id)
    return writer.bytes
  }
}
