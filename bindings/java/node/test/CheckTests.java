import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import synchronicity.node.Call;
import synchronicity.node.CheckOptions;
import synchronicity.node.CheckReport;
import synchronicity.node.CreateRequest;
import synchronicity.node.KeyRole;
import synchronicity.node.NodeException;
import synchronicity.node.NodeException.Code;
import synchronicity.node.PluginFactory;
import synchronicity.node.Registry;
import synchronicity.node.Storage;

/** The conformance suites on plugins in Java. */
final class CheckTests {
  private static final CheckOptions NONE = new CheckOptions();

  void run(Runner runner) {
    runner.test("who keeps the promises passes, and who does not fails", this::reports);
    runner.test("what is asked wrongly is refused", this::refusals);
    runner.test("a registry that is closed while others check", this::closed);
    runner.test("a check from within a method", this::within);
  }

  /** One key for two roles. */
  private static final class Twins extends Keys {
    Twins(CreateRequest request) {
      super(request);
    }

    private static KeyRole one(KeyRole role) {
      return role == KeyRole.COSIGNER ? KeyRole.LOG : role;
    }

    @Override
    public byte[] publicKey(KeyRole role, Call call) {
      return super.publicKey(one(role), call);
    }

    @Override
    public byte[] sign(KeyRole role, byte[] message, Call call) throws GeneralSecurityException {
      return super.sign(one(role), message, call);
    }
  }

  /** Maps by their folders, so that opening again finds the same. */
  private static PluginFactory<Storage> shelf() {
    Map<Path, Tree> trees = new ConcurrentHashMap<>();
    return request -> trees.computeIfAbsent(request.stateDirectory(), folder -> new Tree());
  }

  /** The plugins of these tests, with some that are checked alone. */
  private static Registry plugins() throws NodeException {
    return GroupTests.plugins().addStorage("java-shelf", "1", shelf()).addSigner("java-twins", "2", Twins::new);
  }

  /** Without a failure it passes. */
  private static void reported(Registry registry, String name, CheckOptions options, String end, String failure)
      throws NodeException {
    CheckReport report = registry.check(name, options);
    List<String> lines = new ArrayList<>(report.text().lines().toList());
    String last = lines.remove(lines.size() - 1);
    List<String> fails = lines.stream().filter(line -> line.startsWith("FAIL: ")).toList();
    Runner.check(lines.stream().allMatch(line -> line.matches("(pass|FAIL): .*")), report.text());
    Runner.equal(
        last, end + ": " + (lines.size() - fails.size()) + " of " + lines.size() + " checks passed", report.text());
    Runner.equal(report.hasPassed(), fails.isEmpty(), report.text());
    Runner.equal(report.hasPassed(), failure.isEmpty(), report.text());
    Runner.check(
        failure.isEmpty() || fails.stream().anyMatch(line -> line.startsWith("FAIL: " + failure)), report.text());
  }

  private void reports() throws Exception {
    Map<String, String> settings = Map.of("b", "2", "a", "one", "c", "");
    Queue<Map<String, String>> got = new ConcurrentLinkedQueue<>();
    CheckOptions known = NONE.withPackage("pkg:words/fine@1");
    try (Registry registry = plugins()) {
      registry.addSigner("java-asked", "3", request -> {
        got.add(request.settings());
        return new Keys(request);
      });
      reported(registry, "java-keys", NONE, "java-keys 1.0, a signer", "");
      reported(registry, "java-asked", NONE.withSettings(settings), "java-asked 3, a signer", "");
      reported(registry, "java-shelf", NONE, "java-shelf 1, a storage", "");
      reported(registry, "java-words", known, "java-words 1.0, a source", "");
      reported(registry, "java-twins", NONE, "java-twins 2, a signer",
          "each role has a key of its own: the cosigner key is another role's too");
      reported(registry, "java-map", NONE, "java-map 1.0, a storage",
          "what was applied is there after opening again: ");
      reported(registry, "java-words", known.withPackage("pkg:words/missing@1"), "java-words 1.0, a source",
          "the package is resolved: ");
    }
    Runner.equal(got.peek(), settings, "settings");
    GroupTests.settles();
  }

  private void refusals() throws Exception {
    Map<String, String> many = new HashMap<>();
    for (int i = 0; i <= 1000; i++) many.put(Integer.toString(i), "");
    Registry registry = plugins();
    refused(Code.NOT_FOUND, "nobody", registry, "nobody", NONE);
    refused(Code.NOT_FOUND, "sqlite", registry, "sqlite", NONE);
    refused(Code.INVALID, "toolchain", registry, "java-shell", NONE);
    refused(Code.NOT_FOUND, "/no/such.tar", registry, "java-shell", NONE.withToolchain(Path.of("/no/such.tar")));
    refused(Code.INVALID, "package", registry, "java-words", NONE);
    refused(Code.INVALID, "purl", registry, "java-words", NONE.withPackage("words"));
    refused(Code.TOO_LARGE, "1001", registry, "java-keys", NONE.withSettings(many));
    refused(Code.TOO_LARGE, "1001", registry, "java-keys", NONE.withEscapes(many));
    registry.addStorage("java-twins", "1", shelf());
    refused(Code.INVALID, "java-twins", registry, "java-twins", NONE);
    // What is no sandbox does not mind.
    Runner.check(registry.check("java-keys", NONE.withEscapes(Map.of("bpf", "of no harm"))).hasPassed(), "escapes");
    Runner.thrown(IllegalArgumentException.class, () -> registry.check("a\0b", NONE));
    Runner.thrown(NullPointerException.class, () -> registry.check("java-keys", null));
    Runner.thrown(NullPointerException.class, () -> registry.check(null, NONE));
    Runner.thrown(IllegalArgumentException.class, () -> NONE.withPackage("a\0b"));
    Runner.thrown(IllegalArgumentException.class, () -> NONE.withSettings(Map.of("a", "\0")));
    Runner.thrown(NullPointerException.class, () -> NONE.withEscapes(null));
    registry.close();
    Runner.thrown(IllegalStateException.class, () -> registry.check("java-keys", NONE));
    GroupTests.settles();
  }

  private static void refused(Code code, String part, Registry registry, String name, CheckOptions options) {
    GroupTests.refused(code, part, () -> registry.check(name, options));
  }

  private void closed() throws Exception {
    CountDownLatch begun = new CountDownLatch(3);
    CountDownLatch isClosed = new CountDownLatch(1);
    Registry registry = new Registry().addSigner("java-keys", "1", request -> {
      begun.countDown();
      isClosed.await();
      return new Keys(request);
    });
    Queue<Object> told = new ConcurrentLinkedQueue<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Thread thread = new Thread(() -> {
        try {
          told.add(registry.check("java-keys", NONE).hasPassed());
        } catch (NodeException | RuntimeException error) {
          told.add(error);
        }
      });
      thread.start();
      threads.add(thread);
    }
    begun.await();
    registry.close();
    isClosed.countDown();
    for (Thread thread : threads) thread.join(60_000);
    Runner.equal(List.copyOf(told), List.of(true, true, true), "checks");
    Runner.thrown(IllegalStateException.class, () -> registry.check("java-keys", NONE));
    GroupTests.settles();
  }

  /** It would wait for itself; the rest of the registry may be used. */
  private void within() throws Exception {
    Queue<Object> told = new ConcurrentLinkedQueue<>();
    Registry registry = new Registry();
    registry.addSigner("java-asking", "1", request -> {
      if (told.isEmpty()) {
        try {
          told.add(registry.check("java-asking", NONE));
        } catch (NodeException error) {
          told.add(error.code());
        }
        registry.addStorage("java-late", "1", shelf());
        registry.close();
      }
      return new Keys(request);
    });
    reported(registry, "java-asking", NONE, "java-asking 1, a signer", "");
    Runner.equal(List.copyOf(told), List.of(Code.STATE), "told");
    GroupTests.settles();
  }
}
