package synchronicity.verify;

import java.util.OptionalLong;

/**
 * One signature line of the checkpoint, whoever made it.
 *
 * @param name the key's name
 * @param keyId the key's ID, its four bytes read big-endian, unsigned
 * @param timeSeconds when it says that it was made, since 1970-01-01 UTC, unsigned; empty unless it has the size of a
 *     timestamped cosignature
 */
public record Signature(String name, int keyId, OptionalLong timeSeconds) {
  static Signature read(Answer from) {
    String name = from.text();
    int keyId = from.int32();
    boolean isTimed = from.int32() != 0;
    long seconds = from.int64();
    return new Signature(name, keyId, isTimed ? OptionalLong.of(seconds) : OptionalLong.empty());
  }
}
