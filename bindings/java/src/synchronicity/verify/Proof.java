package synchronicity.verify;

import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A proof that is taken apart. What it says is the file's own word, and none of it is believed, until
 * {@link Policy#verify(Proof, Digest)} has accepted it.
 *
 * <p>Immutable; any number of threads may use one at once. What it says stays readable after it is closed.
 */
public final class Proof implements AutoCloseable {
  private final Handle handle;
  private final Cleaner.Cleanable cleanable;
  private final String logOrigin;
  private final String packageUrl;
  private final String packageName;
  private final String packageVersion;
  private final String submitter;
  private final Digest jobId;
  private final Optional<Digest> source;
  private final Digest toolchain;
  private final long leafIndex;
  private final long treeSize;
  private final long epoch;
  private final long height;
  private final long timeMilliseconds;
  private final Verdict verdict;
  private final int agreeing;
  private final int reproducers;
  private final int outcomeCount;
  private final List<Builder> builders;
  private final List<Artifact> artifacts;
  private final List<Source> sources;
  private final List<Signature> signatures;

  private Proof(byte[] proof) throws SyncException {
    handle = new Handle(Native.createProof(proof), Native::destroyProof);
    cleanable = handle.closeWith(this);
    Answer from = describe();
    logOrigin = from.text();
    packageUrl = from.text();
    packageName = from.text();
    packageVersion = from.text();
    submitter = from.text();
    jobId = from.digest();
    source = Optional.of(from.digest()).filter(digest -> !digest.isZero());
    toolchain = from.digest();
    leafIndex = from.int64();
    treeSize = from.int64();
    epoch = from.int64();
    height = from.int64();
    timeMilliseconds = from.int64();
    verdict = Verdict.of(from.int32());
    agreeing = from.int32();
    reproducers = from.int32();
    outcomeCount = from.int32();
    builders = from.items(from.int32(), Builder::read);
    artifacts = from.items(from.int32(), Artifact::read);
    sources = from.items(from.int32(), Source::read);
    signatures = from.items(from.int32(), Signature::read);
  }

  private Answer describe() throws SyncException {
    long address = handle.acquire();
    try {
      return new Answer(Native.describe(address));
    } finally {
      handle.release();
    }
  }

  /**
   * Takes a proof apart.
   *
   * @param proof the file's bytes
   * @return the proof, which the caller closes
   * @throws SyncException if they are not in the format
   */
  public static Proof parse(byte[] proof) throws SyncException {
    return new Proof(proof);
  }

  /**
   * Reads a proof file, at most 1 MiB of it, and takes it apart.
   *
   * @param path the file
   * @return the proof, which the caller closes
   * @throws SyncException if it is not in the format
   * @throws IOException if it cannot be read
   */
  public static Proof read(Path path) throws SyncException, IOException {
    return new Proof(BoundedFile.readText(path));
  }

  Handle handle() {
    return handle;
  }

  /** Frees what it holds outside the heap. Does nothing the second time. */
  @Override
  public void close() {
    handle.run();
    cleanable.clean();
  }

  /**
   * The log's name, which is its group's.
   *
   * @return the origin
   */
  public String logOrigin() {
    return logOrigin;
  }

  /**
   * The package that was rebuilt.
   *
   * @return its package URL, such as {@code pkg:cargo/itoa@1.0.4}
   */
  public String packageUrl() {
    return packageUrl;
  }

  /**
   * What stands between the package URL's type and version.
   *
   * @return such as {@code itoa}, as it stands there
   */
  public String packageName() {
    return packageName;
  }

  /**
   * The package's version.
   *
   * @return such as {@code 1.0.4}; empty where the URL has none
   */
  public String packageVersion() {
    return packageVersion;
  }

  /**
   * The member that asked for the rebuild.
   *
   * @return its name
   */
  public String submitter() {
    return submitter;
  }

  /**
   * The job's identity.
   *
   * @return the digest of the build spec
   */
  public Digest jobId() {
    return jobId;
  }

  /**
   * The package's own source.
   *
   * @return its tree digest, where there is one
   */
  public Optional<Digest> source() {
    return source;
  }

  /**
   * The toolchain.
   *
   * @return its digest
   */
  public Digest toolchain() {
    return toolchain;
  }

  /**
   * Where in the log the evidence is.
   *
   * @return zero-based, unsigned
   */
  public long leafIndex() {
    return leafIndex;
  }

  /**
   * How large the log was at the checkpoint.
   *
   * @return leaves, unsigned
   */
  public long treeSize() {
    return treeSize;
  }

  /**
   * The group's membership in force.
   *
   * @return its number, unsigned
   */
  public long epoch() {
    return epoch;
  }

  /**
   * The height of the decided block that gave the verdict.
   *
   * @return unsigned
   */
  public long height() {
    return height;
  }

  /**
   * That block's decided time.
   *
   * @return milliseconds since 1970-01-01 UTC, unsigned
   */
  public long timeMilliseconds() {
    return timeMilliseconds;
  }

  /**
   * That block's decided time.
   *
   * @return {@link #timeMilliseconds()} as an instant
   */
  public Instant time() {
    return Times.ofMilliseconds(timeMilliseconds);
  }

  /**
   * What the log says of the group's work.
   *
   * @return the verdict
   */
  public Verdict verdict() {
    return verdict;
  }

  /**
   * How many builders are behind the first outcome.
   *
   * @return their number
   */
  public int agreeing() {
    return agreeing;
  }

  /**
   * How many builders the group asks for.
   *
   * @return their number
   */
  public int reproducers() {
    return reproducers;
  }

  /**
   * How many distinct outcomes were revealed.
   *
   * @return their number
   */
  public int outcomeCount() {
    return outcomeCount;
  }

  /**
   * The group's members.
   *
   * @return sorted by name
   */
  public List<Builder> builders() {
    return builders;
  }

  /**
   * What the builders agree on.
   *
   * @return sorted by path; empty unless the verdict is {@link Verdict#REPRODUCED}
   */
  public List<Artifact> artifacts() {
    return artifacts;
  }

  /**
   * What the build was given.
   *
   * @return in the spec's order
   */
  public List<Source> sources() {
    return sources;
  }

  /**
   * The checkpoint's signatures.
   *
   * @return in the order of its lines
   */
  public List<Signature> signatures() {
    return signatures;
  }
}
