package synchronicity.node;

/**
 * A key with its value.
 *
 * @param key 1 to 1,024 bytes
 * @param value its bytes
 */
public record StoredRecord(byte[] key, byte[] value) {}
