package synchronicity.node;

import java.util.Objects;

/** Fails the call of a method with a code and a sentence. */
public final class PluginException extends Exception {
  private static final long serialVersionUID = 1;

  /** Why. */
  public enum Code {
    /** The host lacks something: a program, a permission, a kernel feature, a device. */
    UNAVAILABLE,
    /** There is no such package, toolchain or record. */
    NOT_FOUND,
    /** Bytes do not have the digest that was asked for. */
    CHECKSUM_MISMATCH,
    /** The request is malformed or out of bounds. */
    INVALID,
    /** Reading or writing failed. */
    IO,
    /** The call was cancelled. */
    CANCELLED;

    /**
     * The number in every language.
     *
     * @return as in the C header
     */
    public int number() {
      return ordinal() + 1;
    }
  }

  /** Why. */
  private final Code code;

  /**
   * A failure.
   *
   * @param code why
   * @param message one sentence, of which 1,000 bytes are kept
   */
  public PluginException(Code code, String message) {
    super(message);
    this.code = Objects.requireNonNull(code);
  }

  /**
   * Why.
   *
   * @return the code
   */
  public Code code() {
    return code;
  }
}
