package synchronicity.node;

/**
 * What the checks of a plugin found.
 *
 * @param hasPassed whether each check was passed
 * @param text a line for each check, {@code pass: NAME} or {@code FAIL: NAME: WHAT WAS SEEN}, and a last one with their
 *     number
 */
public record CheckReport(boolean hasPassed, String text) {
  static CheckReport of(byte[] packed) {
    Reader from = new Reader(packed);
    return new CheckReport(from.bool(), from.text());
  }
}
