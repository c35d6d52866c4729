package synchronicity.node;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** What to rebuild. Not for several threads at once. */
public final class Submission {
  private final String packageUrl;
  private final List<String> features = new ArrayList<>();
  private String profile;
  private String target;
  private String toolchain;
  private long rebuild;
  private boolean withoutDefaultFeatures;
  private int priority;

  /**
   * Of a package, with the default of everything else.
   *
   * @param packageUrl such as {@code pkg:cargo/itoa@1.0.1}
   */
  public Submission(String packageUrl) {
    this.packageUrl = Text.whole(packageUrl, "the package");
  }

  /**
   * Adds a feature to those that are on.
   *
   * @param name the feature's
   * @return this
   */
  public Submission feature(String name) {
    features.add(Text.whole(name, "a feature"));
    return this;
  }

  /**
   * Leaves the default features off.
   *
   * @return this
   */
  public Submission withoutDefaultFeatures() {
    withoutDefaultFeatures = true;
    return this;
  }

  /**
   * Another profile than {@code release}.
   *
   * @param name the profile's
   * @return this
   */
  public Submission profile(String name) {
    profile = Text.whole(name, "the profile");
    return this;
  }

  /**
   * Another target than the toolchain's own host.
   *
   * @param triple the target's name
   * @return this
   */
  public Submission target(String triple) {
    target = Text.whole(triple, "the target");
    return this;
  }

  /**
   * Another toolchain than the configuration's.
   *
   * @param digits its 64 hexadecimal digits
   * @return this
   */
  public Submission toolchain(String digits) {
    toolchain = Text.whole(digits, "the toolchain");
    return this;
  }

  /**
   * Asks for a fresh rebuild.
   *
   * @param number one that was not used before
   * @return this
   */
  public Submission rebuild(long number) {
    rebuild = number;
    return this;
  }

  /**
   * Its place in this node's own queue.
   *
   * @param number -100 to 100
   * @return this
   */
  public Submission priority(int number) {
    priority = number;
    return this;
  }

  byte[] submit(long node, long timeout) throws NodeException {
    StringBuilder texts = new StringBuilder();
    for (String text : new String[] {packageUrl, profile, target, toolchain}) {
      texts.append(Objects.requireNonNullElse(text, "")).append('\0');
    }
    for (String feature : features) texts.append(feature).append('\0');
    int present = (profile != null ? Native.HAS_PROFILE : 0) | (target != null ? Native.HAS_TARGET : 0)
        | (toolchain != null ? Native.HAS_TOOLCHAIN : 0);
    return Native.submit(
        node, Text.utf8(texts.toString()), features.size(), present, rebuild, withoutDefaultFeatures, priority,
        timeout);
  }
}
