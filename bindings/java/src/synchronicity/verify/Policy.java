package synchronicity.verify;

import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A parsed trust policy: whom its owner believes. Parsed once, it checks as many proofs as you like.
 *
 * <p>Immutable; any number of threads may use one at once, and one may close it meanwhile.
 */
public final class Policy implements AutoCloseable {
  private static final String SUFFIX = ".tlog-proof";

  private final Handle handle;
  private final Cleaner.Cleanable cleanable;

  private Policy(long address) {
    handle = new Handle(address, Native::destroyPolicy);
    cleanable = handle.closeWith(this);
  }

  /**
   * Parses a policy.
   *
   * @param policy the file's bytes
   * @return the policy, which the caller closes
   * @throws SyncException if it is refused
   */
  public static Policy parse(byte[] policy) throws SyncException {
    return new Policy(Native.createPolicy(policy));
  }

  /**
   * Reads and parses a policy file, at most 1 MiB of it.
   *
   * @param path the file
   * @return the policy, which the caller closes
   * @throws SyncException if it is refused
   * @throws IOException if it cannot be read
   */
  public static Policy read(Path path) throws SyncException, IOException {
    return parse(BoundedFile.readText(path));
  }

  /**
   * Goes on by a hand-over: a proof file, by which the builders of this policy hand over to those of the next epoch.
   * Gives another policy, by which proofs of either epoch hold. This one stays as it is, and neither needs the other.
   *
   * @param epoch unsigned; the one that this policy is of, which the hand-over must end, else {@link
   *     SyncException.Code#WRONG_EPOCH}: 0 for a group's first policy, and one more behind each hand-over. Take it from
   *     where the policy came from and never from the hand-over: most builders stay from epoch to epoch, so that an
   *     earlier epoch's hand-over, which leads back to members who have left, may hold as well
   * @param handover the hand-over's bytes
   * @return the policy, which the caller closes
   * @throws SyncException if it is refused
   */
  public Policy follow(long epoch, byte[] handover) throws SyncException {
    long policy = handle.acquire();
    try {
      return new Policy(Native.followPolicy(policy, epoch, handover));
    } finally {
      handle.release();
    }
  }

  /**
   * Checks that a proof holds for the artifact with this digest.
   *
   * @param proof the proof file's bytes
   * @param digest the artifact's SHA-256
   * @return what was shown
   * @throws SyncException if it does not hold
   */
  public Verification verify(byte[] proof, Digest digest) throws SyncException {
    long policy = handle.acquire();
    try {
      return Verification.read(Native.verify(policy, proof, digest.shared()));
    } finally {
      handle.release();
    }
  }

  /**
   * Checks that a proof holds for the artifact with this digest.
   *
   * @param proof the proof, taken apart already
   * @param digest the artifact's SHA-256
   * @return what was shown
   * @throws SyncException if it does not hold
   */
  public Verification verify(Proof proof, Digest digest) throws SyncException {
    Handle other = proof.handle();
    long policy = handle.acquire();
    try {
      long parsed = other.acquire();
      try {
        return Verification.read(Native.verifyParsed(policy, parsed, digest.shared()));
      } finally {
        other.release();
      }
    } finally {
      handle.release();
    }
  }

  /**
   * Checks a file with the proof that is embedded in it or, where none is, with the proof file beside it, under its
   * name with {@code .tlog-proof} behind. The file is read in pieces.
   *
   * @param artifact the file
   * @return what was shown
   * @throws SyncException if the proof does not hold, or if the file ends like a proof but holds none
   * @throws NoSuchFileException if a file is not there; the proof file's name if there is no proof
   * @throws IOException if a file cannot be read
   */
  public FileVerification verifyFile(Path artifact) throws SyncException, IOException {
    try (BoundedFile file = new BoundedFile(artifact)) {
      BoundedFile.Located located = file.locate();
      boolean isEmbedded = located.proof().isPresent();
      byte[] proof = isEmbedded
          ? located.proof().get()
          : BoundedFile.readText(artifact.resolveSibling(artifact.getFileName() + SUFFIX));
      return verify(file, located.embedded().contentSize(), proof,
          isEmbedded ? FileVerification.ProofOrigin.EMBEDDED : FileVerification.ProofOrigin.SIDECAR);
    }
  }

  /**
   * Checks a file, all of it, with a proof file. Both are read in pieces, of the proof at most 1 MiB.
   *
   * @param artifact the file
   * @param proof the proof file
   * @return what was shown
   * @throws SyncException if the proof does not hold
   * @throws IOException if a file cannot be read
   */
  public FileVerification verifyFile(Path artifact, Path proof) throws SyncException, IOException {
    byte[] bytes = BoundedFile.readText(proof);
    try (BoundedFile file = new BoundedFile(artifact)) {
      return verify(file, file.size(), bytes, FileVerification.ProofOrigin.GIVEN);
    }
  }

  /** The proof is taken apart first: one that is malformed is refused before a large artifact is read. */
  private FileVerification verify(BoundedFile file, long contentSize, byte[] bytes, FileVerification.ProofOrigin origin)
      throws SyncException, IOException {
    try (Proof proof = Proof.parse(bytes)) {
      Digest digest = file.hash(contentSize);
      return new FileVerification(verify(proof, digest), proof, digest, contentSize, origin);
    }
  }

  /** Frees what it holds outside the heap. Does nothing the second time. */
  @Override
  public void close() {
    handle.run();
    cleanable.clean();
  }

  /**
   * The version of the library inside.
   *
   * @return {@code major.minor.patch}
   */
  public static String libraryVersion() {
    return new String(Native.version(), StandardCharsets.UTF_8);
  }
}
