package synchronicity.verify;

import java.time.Instant;

/** Unsigned times. */
final class Times {
  private Times() {}

  static Instant ofMilliseconds(long unsigned) {
    long seconds = Long.divideUnsigned(unsigned, 1000);
    return Instant.ofEpochSecond(seconds, Long.remainderUnsigned(unsigned, 1000) * 1_000_000);
  }
}
