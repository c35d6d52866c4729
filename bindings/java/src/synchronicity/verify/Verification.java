package synchronicity.verify;

import java.time.Instant;
import java.util.List;

/**
 * What a proof showed that holds.
 *
 * @param verdict {@link Verdict#REPRODUCED}
 * @param cosigners witnesses of the policy whose cosignatures on the checkpoint count
 * @param reproducers builders of the policy that signed for this very artifact
 * @param builders members that the evidence accounts for, present or absent
 * @param leafIndex zero-based number of the evidence in the log, unsigned
 * @param treeSize leaves in the log at the checkpoint, unsigned
 * @param height height of the decided block that gave the verdict, unsigned
 * @param timeMilliseconds that block's decided time, since 1970-01-01 UTC, unsigned
 * @param reproducerIndexes which of {@link Proof#builders()} the reproducers are
 * @param cosignerIndexes which of {@link Proof#signatures()} count as cosignatures
 */
public record Verification(
    Verdict verdict,
    int cosigners,
    int reproducers,
    int builders,
    long leafIndex,
    long treeSize,
    long height,
    long timeMilliseconds,
    List<Integer> reproducerIndexes,
    List<Integer> cosignerIndexes) {

  static Verification read(byte[] bytes) {
    Answer from = new Answer(bytes);
    return new Verification(
        Verdict.of(from.int32()), from.int32(), from.int32(), from.int32(), from.int64(), from.int64(), from.int64(),
        from.int64(), from.bits(), from.bits());
  }

  /**
   * The decided time.
   *
   * @return {@link #timeMilliseconds()} as an instant
   */
  public Instant time() {
    return Times.ofMilliseconds(timeMilliseconds);
  }
}
