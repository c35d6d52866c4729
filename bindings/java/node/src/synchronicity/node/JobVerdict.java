package synchronicity.node;

/** What the group says of a job. */
public enum JobVerdict {
  /** There is none yet. */
  NONE,
  /** As many builders as the group asks for revealed the same artifacts. */
  REPRODUCED,
  /** Builders revealed different outcomes, and none has enough builders behind it. */
  DIVERGED,
  /** As many builders as the group asks for revealed the same failure. */
  FAILED,
  /** Too few builders revealed anything. */
  INCONCLUSIVE,
  /** One that this package does not know. */
  UNKNOWN;

  static JobVerdict of(int number) {
    return Reader.constant(values(), number, UNKNOWN);
  }
}
