package synchronicity.verify;

import java.util.OptionalLong;

/**
 * A policy, a proof or a file was refused, or does not prove what it should. The message is one sentence for people;
 * programs look at the code.
 *
 * <p>It is checked, since to be refused is what a verifier is there for: the compiler asks what to do then.
 */
public final class SyncException extends Exception {
  private static final long serialVersionUID = 1;

  /** Why. The numbers never change their meaning. */
  public enum Code {
    /** The bytes are not in the format: truncated, not canonical, trailing, out of bounds. */
    MALFORMED(1),
    /** A named limit was passed (size, count). */
    TOO_LARGE(2),
    /** The format's first line names a version that this library does not know. */
    UNSUPPORTED_VERSION(3),
    /** A Merkle path does not lead to the root. */
    INCLUSION_MISMATCH(4),
    /** A consistency path does not lead from the old root to the new one. */
    CONSISTENCY_MISMATCH(5),
    /** No log of the policy signed the checkpoint. */
    UNTRUSTED_LOG(6),
    /** A signature by a known key does not verify. */
    INVALID_SIGNATURE(7),
    /** Too few cosignatures for the policy's quorum. */
    QUORUM_MISSED(8),
    /** Too few builders of the policy revealed the artifact, or approved the hand-over. */
    REPRODUCERS_MISSED(9),
    /** The artifact's digest is not among the artifacts on which the builders agreed. */
    ARTIFACT_MISMATCH(10),
    /** The evidence's verdict is not the one that its own lines give. */
    VERDICT_MISMATCH(11),
    /** A verifier key is not in the vkey form, of a type that is not verified here, or its key ID is not its own. */
    INVALID_KEY(12),
    /** A trust policy is well-formed but does not hold together: a name twice, an unknown name, no quorum. */
    INVALID_POLICY(13),
    /** The evidence names another group than the log that holds it. */
    GROUP_MISMATCH(14),
    /** The proof carries no leaf, or one that is not evidence. */
    NOT_EVIDENCE(15),
    /** The evidence's verdict is sound but is not "reproduced". */
    NOT_REPRODUCED(16),
    /** A reveal by a builder that the policy knows is not signed by that builder. */
    INVALID_REVEAL(17),
    /** A build spec is well-formed but out of a bound or out of order. */
    INVALID_SPEC(18),
    /** The proof carries no leaf, or one that is no hand-over. */
    NOT_HANDOVER(19),
    /** A hand-over is another epoch's than the one that comes next. */
    WRONG_EPOCH(20),
    /** A number that this class does not know, which is a refusal too. */
    UNKNOWN(-1);

    private final int number;

    Code(int number) {
      this.number = number;
    }

    /**
     * The number in every language.
     *
     * @return as in the C header {@code sync/version.h}; -1 for {@link #UNKNOWN}
     */
    public int number() {
      return number;
    }

    private static Code of(int number) {
      for (Code code : values()) {
        if (code.number == number) return code;
      }
      return UNKNOWN;
    }
  }

  /** Why. */
  private final Code code;
  /** -1 if none. */
  private final long offset;

  SyncException(int status, String message, long offset) {
    super(message);
    this.code = Code.of(status);
    this.offset = offset;
  }

  /**
   * Why.
   *
   * @return the code
   */
  public Code code() {
    return code;
  }

  /**
   * Where in the input reading stopped.
   *
   * @return the offset in bytes, where one applies
   */
  public OptionalLong offset() {
    return offset < 0 ? OptionalLong.empty() : OptionalLong.of(offset);
  }
}
