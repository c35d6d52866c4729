package synchronicity.verify;

/**
 * What {@link Policy#verifyFile} showed of a file.
 *
 * @param verification what the proof showed
 * @param proof the proof, now believed; it is closed, which leaves it readable
 * @param digest the artifact's digest
 * @param contentSize bytes of the artifact: all of the file, but for a proof that is embedded in it
 * @param proofOrigin where the proof came from
 */
public record FileVerification(
    Verification verification, Proof proof, Digest digest, long contentSize, ProofOrigin proofOrigin) {

  /** Where a proof came from. */
  public enum ProofOrigin {
    /** The caller named it. */
    GIVEN,
    /** It was inside the file. */
    EMBEDDED,
    /** It was beside the file, under its name with {@code .tlog-proof} behind. */
    SIDECAR
  }
}
