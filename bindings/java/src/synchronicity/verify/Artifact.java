package synchronicity.verify;

/**
 * One artifact on which the builders agree.
 *
 * @param path its path below the build's output folder
 * @param size its bytes, unsigned
 * @param mode its permission bits, such as 0644
 * @param digest its SHA-256
 */
public record Artifact(String path, long size, int mode, Digest digest) {
  static Artifact read(Answer from) {
    return new Artifact(from.text(), from.int64(), from.int32(), from.digest());
  }
}
