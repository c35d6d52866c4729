package synchronicity.node;

/**
 * How far a job has come.
 *
 * @param phase how far
 * @param verdict {@link JobVerdict#NONE} while there is none
 * @param agreeing builders that agree on the outcome that gave the verdict
 * @param committed builders that have committed to an outcome
 * @param leafIndex the evidence's, from {@link Phase#LOGGED} on
 */
public record JobStatus(Phase phase, JobVerdict verdict, int agreeing, int committed, long leafIndex) {
  static JobStatus of(byte[] packed) {
    Reader from = new Reader(packed);
    return new JobStatus(
        Phase.of(from.int32()), JobVerdict.of(from.int32()), from.int32(), from.int32(), from.int64());
  }
}
