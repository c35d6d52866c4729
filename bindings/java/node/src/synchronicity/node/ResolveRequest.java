package synchronicity.node;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A package whose every input is to be pinned.
 *
 * @param packageUrl such as {@code pkg:cargo/itoa@1.0.1}
 * @param features beside the default ones
 * @param programs these alone
 * @param library the library, with the named programs
 * @param withoutDefaultFeatures whether the default features are off
 * @param profile empty: the package's choice
 * @param target empty: the toolchain's own host
 * @param toolchain the spec's, in hexadecimal digits
 * @param rebuild the spec's
 * @param normalise names, sorted, of what the recipe shall hold still
 * @param scratchDirectory a folder for this call
 */
public record ResolveRequest(
    String packageUrl, List<String> features, List<String> programs, boolean library, boolean withoutDefaultFeatures,
    Optional<String> profile, Optional<String> target, String toolchain, long rebuild, List<String> normalise,
    Path scratchDirectory) {
  static ResolveRequest of(Reader from) {
    return new ResolveRequest(
        from.text(), from.texts(), from.texts(), from.bool(), from.bool(), from.optionalText(), from.optionalText(),
        from.text(), from.int64(), from.texts(), from.path());
  }
}
