package synchronicity.node;

import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Plugins that nodes can choose by name, beside those that are built in. Each node makes instances for itself with the
 * plugin's factory, and keeps what it needs when the registry is closed.
 */
public final class Registry implements AutoCloseable {
  /** One for each check that runs, and all for who waits until none does. */
  private static final Semaphore CHECKS = new Semaphore(Integer.MAX_VALUE);

  private final Handle handle;

  /**
   * Without a plugin.
   *
   * @throws NodeException if libsync refuses that
   */
  public Registry() throws NodeException {
    handle = new Handle(Native.createRegistry(), Native::destroyRegistry);
    handle.closeWith(this);
  }

  /**
   * Adds a sandbox.
   *
   * @param name by which configurations choose it: 1 to 64 lower-case letters, digits, hyphens
   * @param version for people and for statements: 1 to 64 printable characters
   * @param factory makes an instance for each node
   * @return this
   * @throws NodeException if the plugin is refused
   */
  public Registry addSandbox(String name, String version, PluginFactory<? extends Sandbox> factory)
      throws NodeException {
    return add(Native.SANDBOX, Sandbox.class, factory, name, version);
  }

  /**
   * Adds a signer.
   *
   * @param name by which configurations choose it: 1 to 64 lower-case letters, digits, hyphens
   * @param version for people and for statements: 1 to 64 printable characters
   * @param factory makes an instance for each node
   * @return this
   * @throws NodeException if the plugin is refused
   */
  public Registry addSigner(String name, String version, PluginFactory<? extends Signer> factory)
      throws NodeException {
    return add(Native.SIGNER, Signer.class, factory, name, version);
  }

  /**
   * Adds a source.
   *
   * @param name by which configurations choose it: 1 to 64 lower-case letters, digits, hyphens
   * @param version for people and for statements: 1 to 64 printable characters
   * @param type of the packages that it serves, such as {@code cargo}
   * @param originType of the purl in its sources' origins, such as {@code generic}
   * @param factory makes an instance for each node
   * @return this
   * @throws NodeException if the plugin is refused
   */
  public Registry addSource(
      String name, String version, String type, String originType, PluginFactory<? extends Source> factory)
      throws NodeException {
    return add(Native.SOURCE, Source.class, factory, name, version, type, originType);
  }

  /**
   * Adds a storage.
   *
   * @param name by which configurations choose it: 1 to 64 lower-case letters, digits, hyphens
   * @param version for people and for statements: 1 to 64 printable characters
   * @param factory makes an instance for each node
   * @return this
   * @throws NodeException if the plugin is refused
   */
  public Registry addStorage(String name, String version, PluginFactory<? extends Storage> factory)
      throws NodeException {
    return add(Native.STORAGE, Storage.class, factory, name, version);
  }

  /**
   * Adds the plugin that a shared object holds; it stays loaded. Its code runs in this process with all its rights:
   * load what you trust.
   *
   * @param library the shared object
   * @return this
   * @throws NodeException if there is no plugin, or it is refused
   */
  public Registry load(Path library) throws NodeException {
    byte[] path = Text.path(library);
    return use(address -> {
      Native.loadPlugin(address, path);
      return this;
    });
  }

  /**
   * Runs the conformance suite of a plugin that was added, by calling it as a node does: for its author, from a test.
   * It takes seconds, for a sandbox minutes, and works in a folder of its own below TMPDIR, which is gone behind it.
   * Meanwhile the registry may be used, and closed too. An interrupt is not heeded.
   *
   * @param name the plugin's
   * @param options what the checks want to be told
   * @return what they found, also what the plugin does wrong
   * @throws NodeException why there were no checks: {@link NodeException.Code#NOT_FOUND} when no plugin of that name
   *     was added, {@link NodeException.Code#INVALID} when plugins of two kinds were, or an option is missing that the
   *     kind wants, {@link NodeException.Code#STATE} in a method of a plugin
   */
  public CheckReport check(String name, CheckOptions options) throws NodeException {
    // Beside other calls: what the plugin does meanwhile may use the registry.
    long address = handle.acquire();
    CHECKS.acquireUninterruptibly();
    try {
      return options.check(address, name);
    } finally {
      CHECKS.release();
      handle.release();
    }
  }

  /** Waits until no check runs, no longer than this. */
  static void awaitChecks(long nanoseconds) throws InterruptedException {
    if (CHECKS.tryAcquire(Integer.MAX_VALUE, nanoseconds, TimeUnit.NANOSECONDS)) CHECKS.release(Integer.MAX_VALUE);
  }

  private <T extends Plugin> Registry add(
      int kind, Class<T> type, PluginFactory<? extends T> factory, String... texts) throws NodeException {
    StringBuilder packed = new StringBuilder();
    for (String text : texts) packed.append(Text.whole(text, "a text of the plugin's")).append('\0');
    byte[] bytes = Text.utf8(packed.toString());
    Host.Factory kept = new Host.Factory(type, Objects.requireNonNull(factory));
    return use(address -> {
      Native.addPlugin(address, kind, bytes, Host.keepFactory(kept));
      return this;
    });
  }

  /** A call with the registry's address. */
  interface Use<T> {
    T with(long address) throws NodeException;
  }

  /** One at a time, as libsync wants it of all but checks. */
  synchronized <T> T use(Use<T> body) throws NodeException {
    long address = handle.acquire();
    try {
      return body.with(address);
    } finally {
      handle.release();
    }
  }

  /** Frees the registry when no thread is in it any more. Does nothing the second time. */
  @Override
  public void close() {
    handle.run();
  }
}
