/// The bounds that every parser of this module holds its input to.
public enum ProofLimits {
  /// A leaf of the transparency log: C2SP tlog-tiles prefixes entries with a 16-bit length.
  public static let leafBytesMax = 65_535
  /// Hashes in one Merkle path; a tree holds fewer than 2^63 leaves.
  public static let pathHashesMax = 63
  /// Leaves in a tree: cosigners and tiles count with 63 bits.
  public static let treeSizeMax: UInt64 = 1 << 63 - 1
  /// Signature lines on one note. C2SP signed-note asks for at least 16; post-quantum lines of others must fit too.
  public static let signaturesMax = 100
  /// A whole note with its signatures.
  public static let noteBytesMax = 1 << 20
  /// A proof file.
  public static let proofBytesMax = 1 << 20
  /// A policy file.
  public static let policyBytesMax = 1 << 20
  /// Logs, witnesses, builders and groups in one policy, each.
  public static let policyNamesMax = 1_024
  /// Hand-overs that one policy may be followed through.
  public static let handoversMax = 1_024
  /// The name of a note key, and a name in a policy.
  public static let keyNameBytesMax = 512

  /// A group's origin: the longest host name.
  public static let originBytesMax = 253
  /// A member's name inside its group.
  public static let memberNameBytesMax = 64
  /// Builders in one piece of evidence, members of one group.
  public static let buildersMax = 100

  /// A recipe before base64.
  public static let recipeBytesMax = 16 * 1_024
  /// Artifacts that a spec may declare; the leaf's size is the tighter bound.
  public static let artifactsMax = 1_000
  /// An artifact's path below the output folder.
  public static let artifactPathBytesMax = 255
  /// A recipe's name for its failure.
  public static let failureNameBytesMax = 63
  /// A package URL.
  public static let purlBytesMax = 255
  /// Sources of a spec; the leaf's size is the tighter bound.
  public static let sourcesMax = 1_000
  /// Features of a spec.
  public static let featuresMax = 256
  /// A feature's name.
  public static let featureBytesMax = 128
  /// A spec's target.
  public static let targetBytesMax = 128
  /// A spec's profile.
  public static let profileBytesMax = 64
  /// Environment variables of a spec.
  public static let environmentMax = 64
  /// An environment variable's name.
  public static let environmentNameBytesMax = 64
  /// An environment variable's value.
  public static let environmentValueBytesMax = 1_024

  /// What a builder says of its sandbox, such as `chroot/0.1`.
  public static let sandboxBytesMax = 32
  /// What a builder says of its processor.
  public static let processorBytesMax = 64
  /// What a builder says of its kernel.
  public static let kernelBytesMax = 48
  /// Random bytes in a commitment.
  public static let nonceBytes = 32
}
