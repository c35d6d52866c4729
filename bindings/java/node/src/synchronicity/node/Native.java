package synchronicity.node;

import java.nio.charset.StandardCharsets;

/**
 * The functions of the native library. Handles are addresses: {@link Handle} and {@link NodeHandle} say when they may
 * be used. Text comes as bytes of UTF-8, several with a NUL behind each; structs come as bytes, which {@link Reader}
 * reads. A timeout is in nanoseconds, and {@link #FOREVER} waits for ever.
 */
final class Native {
  static final long FOREVER = -1;
  /** Of a configuration, as the C header has it. One byte more is enough to be refused. */
  static final int CONFIGURATION_BYTES_MAX = 1_048_576;

  /** What a submission names, or options of checks. */
  static final int HAS_PROFILE = 1;
  static final int HAS_TARGET = 2;
  static final int HAS_TOOLCHAIN = 4;
  static final int HAS_PACKAGE = 8;

  /** Kinds of plugins. */
  static final int SANDBOX = 1;
  static final int SIGNER = 2;
  static final int SOURCE = 3;
  static final int STORAGE = 4;

  /** Methods of plugins, as {@link Host#serve} is told them. */
  static final int CREATE = 0;
  static final int PROBE = 1;
  static final int PREPARE = 2;
  static final int HAS_PREPARED = 3;
  static final int RUN = 4;
  static final int REMOVE_LEFTOVERS = 5;
  static final int PUBLIC_KEY = 6;
  static final int SIGN = 7;
  static final int RESOLVE = 8;
  static final int FETCH = 9;
  static final int GET = 10;
  static final int SCAN = 11;
  static final int APPLY = 12;

  static {
    NativeLibrary.load();
    Runtime.getRuntime().addShutdownHook(new Thread(NodeHandle::closeAll, "synchronicity-end"));
  }

  private Native() {}

  static native byte[] version();

  /** From here on no method of a plugin and no log is called any more. */
  static native void end();

  static native long createRegistry() throws NodeException;

  /** Behind this, whatever comes, the number is given to {@link Host#forget}. */
  static native void addPlugin(long registry, int kind, byte[] texts, long number) throws NodeException;

  static native void loadPlugin(long registry, byte[] path) throws NodeException;

  static native byte[] check(
      long registry, byte[] texts, int settings, int allowed, int present, boolean withEscapes) throws NodeException;

  static native void destroyRegistry(long registry);

  /** A log of 0 is none. */
  static native long createNode(byte[] configuration, byte[] folder, long registry, long log, boolean isRestored)
      throws NodeException;

  static native void start(long node) throws NodeException;

  static native void stop(long node, long timeout) throws NodeException;

  static native void destroyNode(long node);

  static native void drain(long node, long timeout) throws NodeException;

  static native byte[] nodeStatus(long node) throws NodeException;

  static native byte[] statusJson(long node) throws NodeException;

  static native byte[] submit(
      long node, byte[] texts, int features, int present, long rebuild, boolean withoutDefaultFeatures, int priority,
      long timeout) throws NodeException;

  static native byte[] jobStatus(long node, byte[] job) throws NodeException;

  static native byte[] waitFor(long node, byte[] job, int phase, long timeout) throws NodeException;

  static native byte[] proof(long node, byte[] job) throws NodeException;

  static native byte[] artifactPath(long node, byte[] artifact) throws NodeException;

  static native long subscribe(long node, int capacity) throws NodeException;

  static native byte[] nextEvent(long events, long timeout) throws NodeException;

  static native void closeEvents(long events);

  static native void destroyEvents(long events);

  // Calls of methods. Those that answer or add give a status.

  static native boolean isCancelled(long call);

  /** One of the caller's own, or -1 where the call is over. */
  static native int copyCancelDescriptor(long call);

  static native void awaitReadable(int descriptor, int milliseconds);

  static native void closeDescriptor(int descriptor);

  static native int finish(long call);

  static native int fail(long call, int code, byte[] message);

  static native int finishInstance(long call, long instance);

  static native int finishBytes(long call, byte[] bytes);

  static native int finishRun(long call, int ending, int status, long wall, long cpu, long memory);

  static native int addTranscript(long call, byte[] bytes, int offset, int size);

  static native int addFinding(long call, boolean isMet, boolean isWeaker, byte[] texts, boolean hasMend);

  static native int addText(long call, byte[] text);

  static native int addRecord(long call, byte[] key, byte[] value);

  /** Called from native code: throws what a status and its error object say. */
  private static void refuse(int status, byte[] message, long offset) throws NodeException {
    String sentence = new String(message, StandardCharsets.UTF_8);
    if (status == NodeException.Code.TIMED_OUT.number()) throw new NodeTimeoutException(sentence);
    throw new NodeException(status, sentence, offset);
  }
}
