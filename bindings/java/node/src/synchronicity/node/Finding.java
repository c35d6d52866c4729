package synchronicity.node;

import java.util.Objects;
import java.util.Optional;

/**
 * One checked requirement of a sandbox.
 *
 * @param name what is checked, such as "user namespaces"
 * @param detail what was found; when not met, what is wanted
 * @param isMet whether it is met
 * @param isWeaker met, but by less than a better host gives; the detail says what
 * @param mend one line that would mend it
 */
public record Finding(String name, String detail, boolean isMet, boolean isWeaker, Optional<String> mend) {
  /**
   * Checks that all is there.
   *
   * @param name what is checked
   * @param detail what was found; when not met, what is wanted
   * @param isMet whether it is met
   * @param isWeaker met, but by less than a better host gives
   * @param mend one line that would mend it
   */
  public Finding {
    Objects.requireNonNull(name);
    Objects.requireNonNull(detail);
    Objects.requireNonNull(mend);
  }

  /**
   * A requirement that is met.
   *
   * @param name what is checked
   * @param detail what was found
   * @return the finding
   */
  public static Finding met(String name, String detail) {
    return new Finding(name, detail, true, false, Optional.empty());
  }

  /**
   * One that is met by less than a better host gives.
   *
   * @param name what is checked
   * @param detail by what
   * @return the finding
   */
  public static Finding weaker(String name, String detail) {
    return new Finding(name, detail, true, true, Optional.empty());
  }

  /**
   * One that is not met.
   *
   * @param name what is checked
   * @param detail what is wanted
   * @param mend one line that would mend it
   * @return the finding
   */
  public static Finding missing(String name, String detail, String mend) {
    return new Finding(name, detail, false, false, Optional.of(mend));
  }
}
