import CSodium
import SyncProof
import SyncRuntime

/// The five keys of one builder, derived from one 32-byte seed by libsodium.
///
/// The key for a role is the Ed25519 key pair whose RFC 8032 seed is HKDF-SHA256 of the builder's seed with the label
/// `synchronicity/v1/<role>` and no salt. Seed and private keys stay in guarded, locked memory that is read-only once
/// the signer exists and is wiped when it goes; no description shows them.
///
/// Thread: any; calls may overlap. Signing takes some 15 µs and never blocks.
///
/// ```swift
/// try SodiumSigner.createSeedFile(at: "seed.hex")
/// let signer = try SodiumSigner(seedFile: "seed.hex")
/// let signature = try signer.sign([1, 2, 3], as: .builder)
/// ```
public final class SodiumSigner: Signer {
  /// What a seed is long, in bytes.
  public static let seedByteCount = 32

  private let seed: LockedBytes
  private let keys: [KeyRole: KeyPair]

  private struct KeyPair {
    let publicKey: PublicKey
    /// Libsodium's form: the 32-byte seed, then the public key.
    let secretKey: LockedBytes
  }

  /// - Parameter seed: 32 random bytes; the caller wipes its own copy.
  /// - Throws: ``PluginError/Code/invalid`` for another length, ``PluginError/Code/unavailable`` when the host gives
  ///   no locked memory.
  public convenience init(seed: [UInt8]) throws(PluginError) {
    guard seed.count == SodiumSigner.seedByteCount else {
      throw PluginError(.invalid, "A seed is 32 bytes; \(seed.count) were given")
    }
    let locked = try LockedBytes(count: SodiumSigner.seedByteCount)
    locked.fill(with: seed)
    try self.init(lockedSeed: locked)
  }

  init(lockedSeed: LockedBytes) throws(PluginError) {
    var keys: [KeyRole: KeyPair] = [:]
    for role in KeyRole.allCases { keys[role] = try SodiumSigner.deriveKey(of: role, from: lockedSeed) }
    lockedSeed.makeReadOnly()
    (seed, self.keys) = (lockedSeed, keys)
  }

  private static func deriveKey(of role: KeyRole, from seed: LockedBytes) throws(PluginError) -> KeyPair {
    let roleSeed = try LockedBytes(count: Int(crypto_sign_SEEDBYTES))
    let secretKey = try LockedBytes(count: Int(crypto_sign_SECRETKEYBYTES))
    var publicBytes = [UInt8](repeating: 0, count: PublicKey.byteCount)
    let label = [UInt8]("synchronicity/v1/\(role.rawValue)".utf8)
    seed.withBytes { seed in
      roleSeed.withBytes { roleSeed in
        HKDF.derive(
          from: UnsafeBufferPointer(start: seed, count: seedByteCount), salt: [], info: label,
          into: roleSeed, outputByteCount: Int(crypto_sign_SEEDBYTES))
      }
    }
    let status = roleSeed.withBytes { roleSeed in
      secretKey.withBytes { crypto_sign_seed_keypair(&publicBytes, $0, roleSeed) }
    }
    guard status == 0, let publicKey = PublicKey(bytes: publicBytes) else {
      throw PluginError(.unavailable, "libsodium could not derive the \(role.rawValue) key")
    }
    secretKey.makeReadOnly()
    return KeyPair(publicKey: publicKey, secretKey: secretKey)
  }

  public func publicKey(for role: KeyRole) throws(PluginError) -> PublicKey { try key(for: role).publicKey }

  public func sign(_ message: [UInt8], as role: KeyRole) throws(PluginError) -> Signature {
    let key = try key(for: role)
    var bytes = [UInt8](repeating: 0, count: Signature.byteCount)
    let status = key.secretKey.withBytes {
      crypto_sign_detached(&bytes, nil, message, UInt64(message.count), $0)
    }
    guard status == 0, let signature = Signature(bytes: bytes) else {
      throw PluginError(.io, "libsodium could not sign \(message.count) bytes with the \(role.rawValue) key")
    }
    return signature
  }

  private func key(for role: KeyRole) throws(PluginError) -> KeyPair {
    guard let key = keys[role] else { throw PluginError(.notFound, "There is no key for the role \(role.rawValue)") }
    return key
  }

  /// The seed as 24 English words, to be written down: who has them has every key.
  ///
  /// The string lives in ordinary memory; show it once and let it go. Source: BIP-39.
  public var mnemonic: String {
    seed.withBytes { seed in
      Mnemonic.words(for: [UInt8](UnsafeBufferPointer(start: seed, count: SodiumSigner.seedByteCount)))
        .joined(separator: " ")
    }
  }

  /// The seed that 24 words stand for; letter case and the amount of white space do not matter.
  ///
  /// - Throws: ``PluginError/Code/invalid`` with a sentence that names the number of words, the place of an unknown
  ///   word, or a checksum that does not fit. No message repeats a word.
  ///
  /// Source: BIP-39.
  public static func seed(fromMnemonic mnemonic: String) throws(PluginError) -> [UInt8] {
    try Mnemonic.entropy(of: mnemonic)
  }
}

extension SodiumSigner: CustomStringConvertible, CustomReflectable {
  /// The name of the type, and nothing that it holds.
  public var description: String { "SodiumSigner" }
  /// Empty, so that `dump` and debuggers' summaries show no key.
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .class) }
}
