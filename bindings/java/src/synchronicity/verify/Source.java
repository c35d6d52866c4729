package synchronicity.verify;

import java.util.Optional;

/**
 * One source that the build was given.
 *
 * @param packageUrl its package URL
 * @param origin where it came from, by the submitter's word
 * @param tree digest of the tree that was built
 * @param claim the packager's checksum of its archive, where there is one
 */
public record Source(String packageUrl, String origin, Digest tree, Optional<Digest> claim) {
  static Source read(Answer from) {
    String packageUrl = from.text();
    String origin = from.text();
    Digest tree = from.digest();
    Digest claim = from.digest();
    return new Source(packageUrl, origin, tree, from.int32() != 0 ? Optional.of(claim) : Optional.empty());
  }
}
