package synchronicity.verify;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a proof says of one builder.
 *
 * @param name its name in the group
 * @param state what it did after it was given the job
 * @param outcome which outcome it revealed, 0 being the one with most builders; empty unless it revealed
 * @param outcomeDigest digest of that outcome; empty unless it revealed
 * @param sandbox what it says of its sandbox; {@code ""} unless it revealed, as for the next two
 * @param processor what it says of its processor
 * @param kernel what it says of its kernel
 */
public record Builder(
    String name,
    State state,
    OptionalInt outcome,
    Optional<Digest> outcomeDigest,
    String sandbox,
    String processor,
    String kernel) {

  /** What a builder did. */
  public enum State {
    /** It revealed an outcome. */
    REVEALED,
    /** It committed to nothing before the deadline. */
    NO_COMMITMENT,
    /** It committed and never opened its commitment. */
    NO_REVEAL,
    /** What it revealed was not what it had committed to. */
    WRONG_OPENING,
    /** Its sandbox failed, by its own word. */
    SANDBOX_FAULT
  }

  static Builder read(Answer from) {
    State state = Answer.constant(State.values(), from.int32() - 1);
    int outcome = from.int32();
    Digest digest = from.digest();
    boolean hasRevealed = state == State.REVEALED;
    return new Builder(
        from.text(), state, hasRevealed ? OptionalInt.of(outcome) : OptionalInt.empty(),
        hasRevealed ? Optional.of(digest) : Optional.empty(), from.text(), from.text(), from.text());
  }
}
