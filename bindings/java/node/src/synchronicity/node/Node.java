package synchronicity.node;

import java.io.IOException;
import java.io.InputStream;
import java.lang.ref.Cleaner;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * A whole builder in this process. Read a configuration, start it, submit packages, follow what happens, take proofs,
 * close it.
 *
 * <p>All of it may be called from any thread, several at once; one may close what others are using: those that wait get
 * a {@link NodeException} with {@link NodeException.Code#STATE}. What is called behind that is an
 * {@link IllegalStateException}. Nodes that were not closed are ended when the JVM is; one that runs is never
 * collected.
 */
public final class Node implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final Set<Node> RUNNING = ConcurrentHashMap.newKeySet();
  private static final Duration FOREVER = Duration.ofSeconds(Long.MAX_VALUE);

  private final NodeHandle handle;

  private Node(byte[] configuration, Path folder, NodeOptions options) throws NodeException {
    byte[] directory = Text.path(folder.toAbsolutePath());
    long log = options.log == null ? 0 : Host.keepLog(new LogThread(options.log));
    long address = 0;
    try {
      address = options.registry == null
          ? Native.createNode(configuration, directory, 0, log, options.isRestored)
          : options.registry.use(
              registry -> Native.createNode(configuration, directory, registry, log, options.isRestored));
    } finally {
      if (address == 0 && log != 0) Host.dropLog(log).close();
    }
    handle = new NodeHandle(address, log);
    CLEANER.register(this, handle);
  }

  /**
   * Reads a configuration file, as {@code synchronicity node run} takes it, and the group file that it names. Nothing
   * else is touched. Its gateway is not served: that is the program's.
   *
   * @param configuration the file, in whose folder relative paths begin
   * @param options what it is made with
   * @return a node that does not run yet
   * @throws IOException if the file cannot be read
   * @throws NodeException for what is wrong in one of them
   */
  public static Node read(Path configuration, NodeOptions options) throws IOException, NodeException {
    byte[] text;
    try (InputStream file = Files.newInputStream(configuration)) {
      text = file.readNBytes(Native.CONFIGURATION_BYTES_MAX + 1);
    }
    return new Node(text, configuration.toAbsolutePath().getParent(), options);
  }

  /**
   * The same from text.
   *
   * @param configuration the file's text
   * @param folder where relative paths begin
   * @param options what it is made with
   * @return a node that does not run yet
   * @throws NodeException for what is wrong in it, or in the group file
   */
  public static Node parse(String configuration, Path folder, NodeOptions options) throws NodeException {
    return new Node(Text.utf8(configuration), folder, options);
  }

  /**
   * The version of libsync that is loaded.
   *
   * @return such as {@code 0.1.0}
   */
  public static String libraryVersion() {
    return new String(Native.version(), StandardCharsets.US_ASCII);
  }

  /** A call with the node's address. */
  private interface Use<T, E extends Exception> {
    T with(long address) throws NodeException, E;
  }

  private <T, E extends Exception> T use(Use<T, E> body) throws NodeException, E {
    long address = handle.acquire();
    try {
      return body.with(address);
    } finally {
      handle.release();
    }
  }

  /**
   * Opens keys, journal and plugins, listens, and begins to take part; returns when it does. A node is started once.
   *
   * @throws NodeException why it does not start, or {@link NodeException.Code#STATE} when it was started before
   */
  public void start() throws NodeException {
    use(address -> {
      RUNNING.add(this);
      try {
        Native.start(address);
      } catch (NodeException error) {
        if (NodeStatus.of(Native.nodeStatus(address)).state() == NodeState.STOPPED) RUNNING.remove(this);
        throw error;
      }
      return null;
    });
  }

  /**
   * Ends the node: builds are killed and begin anew at the next start; nothing is lost. Returns when all is closed.
   *
   * @throws NodeException the error with which the node ended by itself, if it did; {@link NodeException.Code#STATE} in
   *     a method of a plugin
   * @throws InterruptedException if this thread is interrupted; then it goes on ending
   */
  public void stop() throws NodeException, InterruptedException {
    stop(FOREVER);
  }

  /**
   * The same, waiting no longer than this.
   *
   * @param timeout how long
   * @throws NodeException as {@link #stop()}; {@link NodeTimeoutException} when it goes on ending
   * @throws InterruptedException if this thread is interrupted; then it goes on ending
   */
  public void stop(Duration timeout) throws NodeException, InterruptedException {
    Host.refuseInside("stop the node");
    use(address -> Text.sliced(timeout, nanoseconds -> {
      Native.stop(address, nanoseconds);
      return null;
    }));
  }

  /**
   * Ends the node and frees it. Does nothing the second time. It waits for the node's end, which has bounds: a plugin's
   * method that does not return within twenty seconds of being cancelled outlives it.
   *
   * @throws IllegalStateException in a method of a plugin or a log, for which it would wait
   */
  @Override
  public void close() {
    handle.close();
    RUNNING.remove(this);
  }

  /**
   * Pins a package's inputs, signs the job and hands it to the group. The same spec is the same job. An interrupt is
   * not heeded; closing the node ends it.
   *
   * @param submission what to rebuild
   * @param timeout how long this may take
   * @return the job
   * @throws NodeException why not; with {@link NodeTimeoutException} it may be submitted all the same
   */
  public Sha256 submit(Submission submission, Duration timeout) throws NodeException {
    long nanoseconds = Text.nanoseconds(timeout);
    return Sha256.of(use(address -> submission.submit(address, nanoseconds)));
  }

  /**
   * Waits until a job has come as far as this.
   *
   * @param job the job
   * @param phase how far
   * @param timeout how long this may take
   * @return how far it has come
   * @throws NodeException {@link NodeTimeoutException} when time is up, {@link NodeException.Code#STATE} when the node
   *     ends
   * @throws InterruptedException if this thread is interrupted
   */
  public JobStatus waitFor(Sha256 job, Phase phase, Duration timeout) throws NodeException, InterruptedException {
    Objects.requireNonNull(phase);
    return use(address -> JobStatus.of(Text.sliced(
        timeout, nanoseconds -> Native.waitFor(address, job.shared(), phase.ordinal(), nanoseconds))));
  }

  /**
   * Waits until a job's proof can be had.
   *
   * @param job the job
   * @param timeout how long this may take
   * @return how far it has come
   * @throws NodeException {@link NodeTimeoutException} when time is up, {@link NodeException.Code#STATE} when the node
   *     ends
   * @throws InterruptedException if this thread is interrupted
   */
  public JobStatus waitFor(Sha256 job, Duration timeout) throws NodeException, InterruptedException {
    return waitFor(job, Phase.COSIGNED, timeout);
  }

  /**
   * How far a job has come.
   *
   * @param job the job
   * @return the same for one that nobody knows
   * @throws NodeException if the node does not run
   */
  public JobStatus job(Sha256 job) throws NodeException {
    return JobStatus.of(use(address -> Native.jobStatus(address, job.shared())));
  }

  /**
   * The static proof file of a job that is {@link Phase#COSIGNED}.
   *
   * @param job the job
   * @return the file's bytes
   * @throws NodeException {@link NodeException.Code#NOT_FOUND} where there is none
   */
  public byte[] proof(Sha256 job) throws NodeException {
    return use(address -> Native.proof(address, job.shared()));
  }

  /**
   * A local file that holds an artifact.
   *
   * @param artifact its digest
   * @return the file's path
   * @throws NodeException {@link NodeException.Code#NOT_FOUND} where there is none
   */
  public Path artifact(Sha256 artifact) throws NodeException {
    return Reader.path(use(address -> Native.artifactPath(address, artifact.shared())));
  }

  /**
   * The node at a glance, in any state.
   *
   * @return how it is
   * @throws NodeException if libsync refuses that
   */
  public NodeStatus status() throws NodeException {
    return NodeStatus.of(use(Native::nodeStatus));
  }

  /**
   * The same and more, as the gateway's {@code /v1/status} gives it.
   *
   * @return one JSON object
   * @throws NodeException if the node does not run
   */
  public String statusJson() throws NodeException {
    return new String(use(Native::statusJson), StandardCharsets.UTF_8);
  }

  /**
   * Waits until the node has no open job. Whoever wants it to stay so submits no more: other members may.
   *
   * @param timeout how long this may take
   * @throws NodeException {@link NodeTimeoutException} when time is up, {@link NodeException.Code#STATE} when the node
   *     ends
   * @throws InterruptedException if this thread is interrupted
   */
  public void drain(Duration timeout) throws NodeException, InterruptedException {
    use(address -> Text.sliced(timeout, nanoseconds -> {
      Native.drain(address, nanoseconds);
      return null;
    }));
  }

  /**
   * Subscribes to what happens from now on, in any state of the node.
   *
   * @param capacity events that wait at most, 1 to 65,536; of more, the newest are dropped and counted
   * @return the subscription
   * @throws NodeException if the capacity is out of its bounds
   */
  public Events events(int capacity) throws NodeException {
    return new Events(use(address -> Native.subscribe(address, capacity)));
  }

  /**
   * Subscribes, and hands each event to a function, on a thread of its own, until the node has ended or the
   * subscription is closed. What the function throws ends it, and goes to that thread's handler of uncaught exceptions.
   *
   * @param capacity as for {@link #events}
   * @param taker takes the events
   * @return the subscription, to close
   * @throws NodeException if the capacity is out of its bounds
   */
  public Events onEvents(int capacity, Consumer<? super Event> taker) throws NodeException {
    Objects.requireNonNull(taker);
    Events events = events(capacity);
    Thread thread = new Thread(() -> {
      try (events) {
        for (Event event : events) taker.accept(event);
      }
    }, "synchronicity-events");
    thread.setDaemon(true);
    thread.start();
    return events;
  }
}
