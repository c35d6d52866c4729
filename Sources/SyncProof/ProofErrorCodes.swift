extension ProofError.Code {
  /// A verifier key is not in the vkey form, of a type that is not verified here, or its key ID is not its own.
  public static let invalidKey = ProofError.Code(rawValue: 12)
  /// A trust policy is well-formed but does not hold together: a name twice, an unknown name, no quorum.
  public static let invalidPolicy = ProofError.Code(rawValue: 13)
  /// The evidence names another group than the log that holds it.
  public static let groupMismatch = ProofError.Code(rawValue: 14)
  /// The proof carries no leaf, or one that is not evidence.
  public static let notEvidence = ProofError.Code(rawValue: 15)
  /// The evidence's verdict is sound but is not `reproduced`.
  public static let notReproduced = ProofError.Code(rawValue: 16)
  /// A reveal by a builder that the policy knows is not signed by that builder.
  public static let invalidReveal = ProofError.Code(rawValue: 17)
  /// A build spec is well-formed but out of a bound or out of order.
  public static let invalidSpec = ProofError.Code(rawValue: 18)
  /// The proof carries no leaf, or one that is no hand-over.
  public static let notHandover = ProofError.Code(rawValue: 19)
  /// A hand-over is another epoch's than the one that comes next.
  public static let wrongEpoch = ProofError.Code(rawValue: 20)
}
