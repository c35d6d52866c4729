package synchronicity.node;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What native code calls, on threads of libsync's. It knows plugins, instances and logs by the numbers that are given
 * out here, and holds each of them until libsync gives its number back.
 */
final class Host {
  /** What a registry, or a node that was made with it, can make instances with. */
  record Factory(Class<? extends Plugin> type, PluginFactory<?> maker) {}

  private static final AtomicLong NUMBERS = new AtomicLong();
  private static final Map<Long, Factory> FACTORIES = new ConcurrentHashMap<>();
  private static final Map<Long, Plugin> INSTANCES = new ConcurrentHashMap<>();
  private static final Map<Long, LogThread> LOGS = new ConcurrentHashMap<>();
  private static final ThreadLocal<Integer> DEPTH = ThreadLocal.withInitial(() -> 0);

  private Host() {}

  private static <T> long keep(Map<Long, T> table, T value) {
    long number = NUMBERS.incrementAndGet();
    table.put(number, value);
    return number;
  }

  static long keepFactory(Factory factory) {
    return keep(FACTORIES, factory);
  }

  static long keepLog(LogThread log) {
    return keep(LOGS, log);
  }

  static LogThread dropLog(long number) {
    return LOGS.remove(number);
  }

  /** Factories, instances and logs that are held. */
  static List<Integer> held() {
    return List.of(FACTORIES.size(), INSTANCES.size(), LOGS.size());
  }

  // ---- Whether a thread runs what a node calls ----

  static boolean isInside() {
    return DEPTH.get() > 0;
  }

  static String fromWithin(String what) {
    return "a method or a log that the node calls cannot " + what + ": it would wait for itself";
  }

  static void refuseInside(String what) throws NodeException {
    if (!isInside()) return;
    throw new NodeException(NodeException.Code.STATE, fromWithin(what));
  }

  static void inside(Runnable body) {
    int depth = DEPTH.get();
    DEPTH.set(depth + 1);
    try {
      body.run();
    } finally {
      if (depth == 0) DEPTH.remove();
      else DEPTH.set(depth);
    }
  }

  // ---- Called from native code ----

  /** Answers the call, whatever happens, and throws nothing but for want of memory. */
  private static void serve(int method, long owner, long number, byte[] request) {
    inside(() -> {
      Call call = new Call(number);
      try {
        answer(method, owner, call, new Reader(request));
      } catch (PluginException failure) {
        fail(call, failure.code(), said(failure));
      } catch (Throwable error) {
        String sentence = said(error);
        String name = error.getClass().getSimpleName();
        fail(call, PluginException.Code.IO, sentence.isEmpty() ? name : name + ": " + sentence);
      }
    });
  }

  /** Ends an instance. */
  private static void destroy(long number) {
    inside(() -> close(INSTANCES.remove(number)));
  }

  /** Drops a factory. */
  private static void forget(long number) {
    FACTORIES.remove(number);
  }

  private static void log(long number, int level, byte[] line) {
    LogThread log = LOGS.get(number);
    if (log != null) log.put(LogLevel.of(level), new String(line, StandardCharsets.UTF_8));
  }

  private static void close(Plugin plugin) {
    try {
      if (plugin != null) plugin.close();
    } catch (Throwable error) {
      Thread thread = Thread.currentThread();
      thread.getUncaughtExceptionHandler().uncaughtException(thread, error);
    }
  }

  // ---- Answers ----

  /** Nothing where its own class cannot give a text. */
  private static String said(Throwable error) {
    try {
      String message = error.getMessage();
      return message == null ? "" : message;
    } catch (Throwable mute) {
      return "";
    }
  }

  /** An answer that was given already stays: this is the second, and does nothing. */
  private static void fail(Call call, PluginException.Code code, String message) {
    try {
      Native.fail(call.answer(), code.number(), Text.sentence(message));
    } catch (IllegalStateException answered) {
      // The library has refused it.
    }
  }

  private static void answer(int method, long owner, Call call, Reader from) throws Exception {
    switch (method) {
      case Native.CREATE -> create(FACTORIES.get(owner), CreateRequest.of(from), call);
      case Native.PROBE -> found(sandbox(owner).probe(call), call);
      case Native.PREPARE -> {
        sandbox(owner).prepare(from.text(), from.path(), call);
        Native.finish(call.answer());
      }
      case Native.HAS_PREPARED -> prepared(sandbox(owner).hasToolchain(from.text(), call), call);
      case Native.RUN -> ran(wanted(sandbox(owner).run(RunRequest.of(from), call), "a RunResult"), call);
      case Native.REMOVE_LEFTOVERS -> removed(sandbox(owner).removeLeftovers(call), call);
      case Native.PUBLIC_KEY ->
        bytes(instance(Signer.class, owner).publicKey(KeyRole.of(from.int32()), call), call);
      case Native.SIGN ->
        bytes(instance(Signer.class, owner).sign(KeyRole.of(from.int32()), from.bytes(), call), call);
      case Native.RESOLVE -> {
        String spec = instance(Source.class, owner).resolve(ResolveRequest.of(from), call);
        bytes(Text.utf8(wanted(spec, "a spec")), call);
      }
      case Native.FETCH -> {
        instance(Source.class, owner).fetch(FetchRequest.of(from), call);
        Native.finish(call.answer());
      }
      case Native.GET -> got(wanted(storage(owner).get(from.bytes(), call), "an Optional"), call);
      case Native.SCAN -> scanned(storage(owner).scan(from.bytes(), from.bytes(), from.int64(), call), call);
      case Native.APPLY -> {
        storage(owner).apply(from.items(Change::of), from.bool(), call);
        Native.finish(call.answer());
      }
      default -> throw new IllegalStateException("the native library is not this jar's own: it calls " + method);
    }
  }

  private static <T extends Plugin> T instance(Class<T> type, long number) {
    return type.cast(wanted(INSTANCES.get(number), "an instance that is not ended"));
  }

  private static Sandbox sandbox(long number) {
    return instance(Sandbox.class, number);
  }

  private static Storage storage(long number) {
    return instance(Storage.class, number);
  }

  private static <T> T wanted(T answer, String what) {
    if (answer == null) throw new IllegalArgumentException(what + " is wanted, not null");
    return answer;
  }

  /** Checks what something that belongs to an answer was taken with. */
  private static void taken(int status) {
    if (status != 0) throw new IllegalStateException("the answer was refused with status " + status);
  }

  private static void create(Factory factory, CreateRequest request, Call call) throws Exception {
    Plugin made = wanted(wanted(factory, "a factory").maker().create(request), "an instance");
    if (!factory.type().isInstance(made)) {
      close(made);
      throw new ClassCastException(made.getClass().getName() + " is no " + factory.type().getSimpleName());
    }
    long number = keep(INSTANCES, made);
    // Where nobody waits for it any more, nobody else ends it.
    if (Native.finishInstance(call.answer(), number) != 0) close(INSTANCES.remove(number));
  }

  private static void bytes(byte[] bytes, Call call) {
    wanted(bytes, "an array of bytes");
    Native.finishBytes(call.answer(), bytes);
  }

  private static void got(Optional<byte[]> value, Call call) {
    if (value.isPresent()) bytes(value.get(), call);
    else fail(call, PluginException.Code.NOT_FOUND, "");
  }

  private static void prepared(boolean isPrepared, Call call) {
    if (isPrepared) Native.finish(call.answer());
    else fail(call, PluginException.Code.NOT_FOUND, "");
  }

  private static void ran(RunResult result, Call call) {
    taken(Native.finishRun(
        call.answer(), result.ending().ordinal(), result.status(), result.wallNanoseconds(), result.cpuNanoseconds(),
        result.memoryPeakBytes()));
  }

  private static void found(List<Finding> findings, Call call) {
    for (Finding finding : wanted(findings, "a list of findings")) {
      String texts = String.join(
          "\0", one(finding.name()), one(finding.detail()), one(finding.mend().orElse("")), "");
      taken(Native.addFinding(
          call.number(), finding.isMet(), finding.isWeaker(), Text.utf8(texts), finding.mend().isPresent()));
    }
    Native.finish(call.answer());
  }

  private static String one(String text) {
    return text.replace('\0', ' ');
  }

  private static void removed(List<String> lines, Call call) {
    for (String line : wanted(lines, "a list of lines")) {
      taken(Native.addText(call.number(), Text.sentence(wanted(line, "a line"))));
    }
    Native.finish(call.answer());
  }

  private static void scanned(Iterable<StoredRecord> records, Call call) {
    for (StoredRecord found : wanted(records, "records")) {
      int status =
          Native.addRecord(call.number(), wanted(found.key(), "a key"), wanted(found.value(), "a value"));
      // It is full, and the rest is asked for.
      if (status == NodeException.Code.TOO_LARGE.number()) break;
      taken(status);
    }
    Native.finish(call.answer());
  }
}
