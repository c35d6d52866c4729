package synchronicity.verify;

/** What a log says of the group's work on one job. Only {@link #REPRODUCED} can be verified. */
public enum Verdict {
  /** As many builders as the group asks for revealed the same artifacts. */
  REPRODUCED,
  /** Builders revealed different outcomes, and none has enough builders behind it. */
  DIVERGED,
  /** As many builders as the group asks for revealed the same failure. */
  FAILED,
  /** Too few builders revealed anything. */
  INCONCLUSIVE;

  /** Of the library's number, which begins at 1. */
  static Verdict of(int number) {
    return Answer.constant(values(), number - 1);
  }
}
