package synchronicity.node;

import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.util.Map;

/** What the checks of a plugin want to be told. It never changes: what changes it gives another one. */
public final class CheckOptions {
  private final Map<String, String> settings;
  private final byte[] toolchain;
  private final String packageUrl;
  /** {@code null} where nothing tries to leave a sandbox. */
  private final Map<String, String> allowed;

  /** With nothing, which is enough for a signer or a storage without settings. */
  public CheckOptions() {
    this(Map.of(), null, null, null);
  }

  private CheckOptions(
      Map<String, String> settings, byte[] toolchain, String packageUrl, Map<String, String> allowed) {
    this.settings = settings;
    this.toolchain = toolchain;
    this.packageUrl = packageUrl;
    this.allowed = allowed;
  }

  private static Map<String, String> whole(Map<String, String> pairs, String name) {
    Map<String, String> copy = Map.copyOf(pairs);
    copy.forEach((key, value) -> {
      Text.whole(key, name);
      Text.whole(value, name);
    });
    return copy;
  }

  /**
   * As a configuration has them in {@code [settings.PLUGIN]}.
   *
   * @param pairs names and values
   * @return these options with them
   */
  public CheckOptions withSettings(Map<String, String> pairs) {
    return new CheckOptions(whole(pairs, "a setting"), toolchain, packageUrl, allowed);
  }

  /**
   * What a sandbox is checked with.
   *
   * @param archive a tar with /bin/sh, bash, coreutils and busybox
   * @return these options with it
   */
  public CheckOptions withToolchain(Path archive) {
    return new CheckOptions(settings, Text.path(archive), packageUrl, allowed);
  }

  /**
   * What a source is checked with.
   *
   * @param name of a package that it has, such as {@code pkg:cargo/itoa@1.0.1}
   * @return these options with it
   */
  public CheckOptions withPackage(String name) {
    return new CheckOptions(settings, toolchain, Text.whole(name, "the package"), allowed);
  }

  /**
   * Makes for a sandbox also every attempt to leave it. They are compiled here, by cc, and made as whom this process
   * runs as; root sees the most, below a TMPDIR that others may enter.
   *
   * @param those attempts that may succeed, by the word with which a report's WHAT WAS SEEN begins, and why that does
   *     no harm
   * @return these options with that
   */
  public CheckOptions withEscapes(Map<String, String> those) {
    return new CheckOptions(settings, toolchain, packageUrl, whole(those, "an attempt that may succeed"));
  }

  CheckReport check(long registry, String name) throws NodeException {
    Map<String, String> succeeding = allowed == null ? Map.of() : allowed;
    ByteArrayOutputStream texts = new ByteArrayOutputStream();
    put(texts, Text.utf8(Text.whole(name, "the plugin's name")));
    put(texts, toolchain == null ? new byte[0] : toolchain);
    put(texts, Text.utf8(packageUrl == null ? "" : packageUrl));
    put(texts, settings);
    put(texts, succeeding);
    int present = (toolchain != null ? Native.HAS_TOOLCHAIN : 0) | (packageUrl != null ? Native.HAS_PACKAGE : 0);
    return CheckReport.of(Native.check(
        registry, texts.toByteArray(), settings.size(), succeeding.size(), present, allowed != null));
  }

  private static void put(ByteArrayOutputStream to, Map<String, String> pairs) {
    pairs.forEach((name, value) -> {
      put(to, Text.utf8(name));
      put(to, Text.utf8(value));
    });
  }

  private static void put(ByteArrayOutputStream to, byte[] text) {
    to.writeBytes(text);
    to.write(0);
  }
}
