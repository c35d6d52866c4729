package synchronicity.node;

/**
 * A record to put, or to delete.
 *
 * @param key 1 to 1,024 bytes
 * @param value {@code null} deletes the key; a value of no bytes is not {@code null}
 */
public record Change(byte[] key, byte[] value) {
  static Change of(Reader from) {
    return new Change(from.bytes(), from.bool() ? from.bytes() : null);
  }
}
