package synchronicity.node;

import java.nio.file.Path;

/**
 * A source whose tree is wanted.
 *
 * @param purl the package
 * @param origin where it comes from
 * @param treeSha256 the tree's digest, 64 hexadecimal digits
 * @param directory absolute path; does not exist yet
 */
public record FetchRequest(String purl, String origin, String treeSha256, Path directory) {
  static FetchRequest of(Reader from) {
    return new FetchRequest(from.text(), from.text(), from.text(), from.path());
  }
}
