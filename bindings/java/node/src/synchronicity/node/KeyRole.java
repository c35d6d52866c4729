package synchronicity.node;

/** What a key signs. */
public enum KeyRole {
  /** The log's checkpoints. */
  LOG,
  /** Cosignatures on checkpoints. */
  COSIGNER,
  /** Submissions, commitments, reveals, abstentions, hand-overs. */
  BUILDER,
  /** Votes and timeouts. */
  CONSENSUS,
  /** The connections between nodes. */
  TRANSPORT,
  /** One that this package does not know. */
  UNKNOWN;

  static KeyRole of(int number) {
    return Reader.constant(values(), number, UNKNOWN);
  }
}
