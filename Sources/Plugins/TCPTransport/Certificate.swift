import SyncProof
import SyncRuntime

/// The certificate that carries a transport key through a TLS handshake: self-signed, and the same for ever.
///
/// Peers look at its key alone, so everything else is fixed: serial number 1, one name, valid from 1970 to 9999.
/// Source: RFC 5280 §4.1 (form), RFC 8410 (Ed25519 in X.509).
enum Certificate {
  private enum Tag {
    static let integer: UInt8 = 0x02
    static let bitString: UInt8 = 0x03
    static let objectIdentifier: UInt8 = 0x06
    static let utf8String: UInt8 = 0x0C
    static let utcTime: UInt8 = 0x17
    static let generalizedTime: UInt8 = 0x18
    static let sequence: UInt8 = 0x30
    static let set: UInt8 = 0x31
    static let version: UInt8 = 0xA0
  }

  /// 1.3.101.112, which has no parameters.
  private static let ed25519 = element(Tag.sequence, element(Tag.objectIdentifier, [0x2B, 0x65, 0x70]))

  /// The whole certificate in DER, signed by `signer` with its transport key.
  static func encode(signer: any Signer) throws(PluginError) -> [UInt8] {
    let key = try signer.publicKey(for: .transport)
    let commonName = element(Tag.objectIdentifier, [0x55, 0x04, 0x03]) + text(Tag.utf8String, "synchronicity")
    let name = element(Tag.sequence, element(Tag.set, element(Tag.sequence, commonName)))
    let validity = element(
      Tag.sequence, text(Tag.utcTime, "700101000000Z") + text(Tag.generalizedTime, "99991231235959Z"))
    let toBeSigned = element(
      Tag.sequence,
      element(Tag.version, element(Tag.integer, [2])) + element(Tag.integer, [1]) + ed25519 + name + validity + name
        + subjectPublicKeyInfo(of: key))
    let signature = try signer.sign(toBeSigned, as: .transport)
    return element(Tag.sequence, toBeSigned + ed25519 + element(Tag.bitString, [0] + signature.bytes))
  }

  /// The one encoding that a pinned key has in a certificate.
  static func subjectPublicKeyInfo(of key: PublicKey) -> [UInt8] {
    element(Tag.sequence, ed25519 + element(Tag.bitString, [0] + key.bytes))
  }

  private static func text(_ tag: UInt8, _ text: StaticString) -> [UInt8] {
    element(tag, text.withUTF8Buffer { [UInt8]($0) })
  }

  private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    precondition(content.count < 65_536, "A certificate is shorter than 64 KiB")
    switch content.count {
    case ..<128: return [tag, UInt8(content.count)] + content
    case ..<256: return [tag, 0x81, UInt8(content.count)] + content
    default: return [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
    }
  }
}
