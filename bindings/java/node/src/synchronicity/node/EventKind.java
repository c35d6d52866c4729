package synchronicity.node;

/** What happened. */
public enum EventKind {
  /** Something that this package does not know. */
  UNKNOWN,
  /** A job was ordered; the text is its package. */
  ORDERED,
  /** A builder, which the text names, has committed to an outcome. */
  COMMITTED,
  /** A builder, which the text names, abstains. */
  ABSTAINED,
  /** Builders open their commitments. */
  REVEALING,
  /** A builder, which the text names, has revealed its outcome. */
  REVEALED,
  /** The number is the verdict, whose name is the text. */
  VERDICT,
  /** The number is the leaf's index. */
  LOGGED,
  /** The number is the tree's size: what has an index below can be proven. */
  COSIGNED,
  /** The text is the member, in whose name statements contradict each other. */
  MISBEHAVIOUR,
  /** The number is the epoch that is over. */
  EPOCH_ENDED,
  /** The node ends by itself; the text says why. */
  FAULT;

  static EventKind of(int number) {
    return Reader.constant(values(), number, UNKNOWN);
  }
}
