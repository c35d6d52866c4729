package synchronicity.node;

/** How much a line of the log matters. */
public enum LogLevel {
  /** For whoever looks for a fault. */
  DEBUG,
  /** What happens. */
  INFO,
  /** What is worth knowing. */
  NOTICE,
  /** What may be wrong. */
  WARNING,
  /** What is wrong. */
  ERROR,
  /** What the node cannot live with. */
  CRITICAL,
  /** One that this package does not know. */
  UNKNOWN;

  static LogLevel of(int number) {
    return Reader.constant(values(), number - 1, UNKNOWN);
  }
}
