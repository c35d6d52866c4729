import SyncProof

/// The roles that keys have. Each key has one; all of a builder's keys may derive from one seed.
public enum KeyRole: String, CaseIterable, Sendable {
  /// Signs checkpoints as the log (C2SP signed-note type 0x01, under the origin's name).
  case log
  /// Cosigns checkpoints (C2SP tlog-cosignature v1, type 0x04).
  case cosigner
  /// Signs submissions, commitments, reveals and abstentions.
  case builder
  /// Signs votes and timeouts; only SafetyRules decides what.
  case consensus
  /// Authenticates the TLS connections between replicas.
  case transport
}

/// Holds private keys and signs with them; the keys may live in another process or in a device.
///
/// Thread: any; calls may overlap. Signatures are Ed25519 (RFC 8032), hence deterministic: the same message gives
/// the same signature after a restart.
public protocol Signer: Sendable {
  /// The public half of the key for `role`.
  func publicKey(for role: KeyRole) throws(PluginError) -> PublicKey
  /// Signs exactly these bytes: no prehash, no added domain.
  func sign(_ message: [UInt8], as role: KeyRole) throws(PluginError) -> Signature
}
