package synchronicity.verify;

import java.io.IOException;
import java.nio.file.Path;

/** What the tests want to see that is not public. */
public final class Inside {
  private Inside() {}

  /** The digest of a file's first bytes, read in pieces. */
  public static Digest hash(Path path, long size) throws IOException {
    try (BoundedFile file = new BoundedFile(path)) {
      return file.hash(size);
    }
  }
}
