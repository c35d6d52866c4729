package synchronicity.node;

import java.util.OptionalLong;

/**
 * What a node, or a registry of plugins, could not do or would not take. The message is one sentence for people;
 * programs look at the code.
 */
public class NodeException extends Exception {
  private static final long serialVersionUID = 1;

  /** Why. The numbers never change their meaning; a newer libsync may have more. */
  public enum Code {
    /** The bytes are not in the format: truncated, not canonical, trailing, out of bounds. */
    MALFORMED(1),
    /** A named limit was passed (size, count). */
    TOO_LARGE(2),
    /** The format's first line names a version that the library does not know. */
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
    /** Too few builders of the policy revealed the artifact. */
    REPRODUCERS_MISSED(9),
    /** The artifact's digest is not among the artifacts on which the builders agreed. */
    ARTIFACT_MISMATCH(10),
    /** The evidence's verdict is not the one that its own lines give. */
    VERDICT_MISMATCH(11),
    /** A verifier key is not in the vkey form, of an unknown type, or its key ID is not its own. */
    INVALID_KEY(12),
    /** A trust policy is well-formed but does not hold together. */
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
    /** Nothing where something is wanted; this package passes none. */
    NULL_ARGUMENT(100),
    /** A flag that libsync does not know. */
    UNKNOWN_FLAG(101),
    /** A struct that is smaller than its first form. */
    STRUCT_SIZE(102),
    /** Another ABI than this package is for. */
    ABI_VERSION(103),
    /** A number is out of its bounds. */
    OUT_OF_RANGE(104),
    /** An argument that nothing can be made of. */
    INVALID_ARGUMENT(105),
    /** Not in this state, or not on this thread. */
    STATE(106),
    /** Time is up; what was asked for may happen all the same. */
    TIMED_OUT(107),
    /** The host lacks something: a program, a permission, a kernel feature, a device. */
    UNAVAILABLE(201),
    /** There is no such package, toolchain, proof or artifact. */
    NOT_FOUND(202),
    /** Bytes do not have the digest that was asked for. */
    CHECKSUM_MISMATCH(203),
    /** What was asked for, or a configuration, is malformed or out of bounds. */
    INVALID(204),
    /** Reading or writing failed, or a plugin did. */
    IO(205),
    /** It was cancelled. */
    CANCELLED(206),
    /** A number that this package does not know, which is a refusal too: {@link NodeException#number} has it. */
    UNKNOWN(-1);

    private final int number;

    Code(int number) {
      this.number = number;
    }

    /**
     * The number in every language.
     *
     * @return as in the C headers; -1 for {@link #UNKNOWN}
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

  /** The library's. */
  private final int number;
  /** -1 if none. */
  private final long offset;

  NodeException(int number, String message, long offset) {
    super(message);
    this.number = number;
    this.offset = offset;
  }

  NodeException(Code code, String message) {
    this(code.number, message, -1);
  }

  /**
   * Why.
   *
   * @return the code
   */
  public Code code() {
    return Code.of(number);
  }

  /**
   * The library's number, also where {@link #code} does not know it.
   *
   * @return the status
   */
  public int number() {
    return number;
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
