package synchronicity.verify;

import java.util.Arrays;
import java.util.HexFormat;

/** A SHA-256 digest. Immutable. */
public final class Digest {
  /** Bytes of a digest. */
  public static final int SIZE = 32;

  private final byte[] bytes;

  private Digest(byte[] bytes) {
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
  public static Digest of(byte[] bytes) {
    return new Digest(bytes.clone());
  }

  /**
   * The digest with these hexadecimal digits.
   *
   * @param digits 64 of them, in either case
   * @return the digest
   */
  public static Digest parse(String digits) {
    return new Digest(HexFormat.of().parseHex(digits));
  }

  /** Takes the array over, which nobody else may have. */
  static Digest ofOwned(byte[] bytes) {
    return new Digest(bytes);
  }

  /** For a call that only reads. */
  byte[] shared() {
    return bytes;
  }

  /**
   * Its bytes.
   *
   * @return a copy
   */
  public byte[] toByteArray() {
    return bytes.clone();
  }

  /** Whether every byte is zero, which the library writes where there is no digest. */
  boolean isZero() {
    return Arrays.equals(bytes, new byte[SIZE]);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Digest digest && Arrays.equals(bytes, digest.bytes);
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
