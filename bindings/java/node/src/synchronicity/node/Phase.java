package synchronicity.node;

/** How far a job has come, in this order. */
public enum Phase {
  /** Nothing is known of it. */
  UNKNOWN,
  /** Ordered: builders rebuild and commit. */
  COMMIT,
  /** Builders open their commitments. */
  REVEAL,
  /** The verdict stands, and its evidence is in the log. */
  LOGGED,
  /** A quorum has cosigned the log with it: the proof can be had. */
  COSIGNED;

  static Phase of(int number) {
    return Reader.constant(values(), number, UNKNOWN);
  }
}
