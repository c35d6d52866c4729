package synchronicity.node;

import java.util.Arrays;
import java.util.HexFormat;

/** 32 bytes: the name of a job, which is its spec's digest, or the digest of an artifact. Immutable. */
public final class Sha256 {
  /** Bytes of a digest. */
  public static final int SIZE = 32;

  private final byte[] bytes;

  private Sha256(byte[] bytes) {
    if (bytes.length != SIZE) {
      throw new IllegalArgumentException("a digest has " + SIZE + " bytes, not " + bytes.length);
    }
    this.bytes = bytes;
  }

  /**
   * The digest with these bytes.
   *
   * @param bytes {@link #SIZE} of them; they are copied
   * @return the digest
   */
  public static Sha256 of(byte[] bytes) {
    return new Sha256(bytes.clone());
  }

  /**
   * The digest with these hexadecimal digits.
   *
   * @param digits 64 of them, in either case
   * @return the digest
   */
  public static Sha256 parse(String digits) {
    return new Sha256(HexFormat.of().parseHex(digits));
  }

  /** For a call that only reads. */
  byte[] shared() {
    return bytes;
  }

  boolean isZero() {
    return Arrays.equals(bytes, new byte[SIZE]);
  }

  /**
   * Its bytes.
   *
   * @return a copy
   */
  public byte[] toByteArray() {
    return bytes.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Sha256 digest && Arrays.equals(bytes, digest.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  /** {@return its 64 hexadecimal digits, lower case} */
  @Override
  public String toString() {
    return HexFormat.of().formatHex(bytes);
  }
}
