import java.security.InvalidKeyException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import synchronicity.node.Call;
import synchronicity.node.CreateRequest;
import synchronicity.node.JobVerdict;
import synchronicity.node.KeyRole;
import synchronicity.node.LogLevel;
import synchronicity.node.Node;
import synchronicity.node.NodeException;
import synchronicity.node.NodeException.Code;
import synchronicity.node.NodeOptions;
import synchronicity.node.NodeState;
import synchronicity.node.NodeTimeoutException;
import synchronicity.node.Registry;
import synchronicity.node.RunRequest;
import synchronicity.node.RunResult;
import synchronicity.node.Sha256;
import synchronicity.node.Signer;
import synchronicity.node.Submission;

/** Plugins that behave ill: each way costs one job, and not the node. */
final class HostileTests {
  private static final Duration MINUTE = GroupTests.MINUTE;

  private final Group.Place place;

  HostileTests(Group.Place place) {
    this.place = place;
  }

  void run(Runner runner) {
    runner.test("a sandbox that does each thing ill", this::eachWay);
    runner.test("a run that is cancelled with its node", this::cancelled);
    runner.test("a node is not ended from within", this::within);
    runner.test("a log that does not return", this::deafLog);
    runner.test("a signer that throws", this::signer);
  }

  private record Row(String word, JobVerdict verdict, String sentence) {}

  private static final List<Row> ROWS = List.of(
      new Row("throws", JobVerdict.INCONCLUSIVE, "IllegalStateException: ? no text   at all"),
      new Row("mute", JobVerdict.INCONCLUSIVE, "(run) failed: Mute"),
      new Row("fails", JobVerdict.INCONCLUSIVE, "This sandbox will not"),
      new Row("wordless", JobVerdict.INCONCLUSIVE, ""),
      new Row("error", JobVerdict.INCONCLUSIVE, "AssertionError: of the gravest kind"),
      new Row("overflow", JobVerdict.INCONCLUSIVE, "StackOverflowError"),
      new Row("memory", JobVerdict.INCONCLUSIVE, "OutOfMemoryError: so it says"),
      new Row("nothing", JobVerdict.INCONCLUSIVE, "a RunResult is wanted, not null"),
      new Row("huge", JobVerdict.INCONCLUSIVE, "70000"),
      new Row("blocked", JobVerdict.INCONCLUSIVE, "gave no answer in 2 s"),
      new Row("deaf", JobVerdict.INCONCLUSIVE, "gave no answer in 2 s"),
      new Row("hangs", JobVerdict.INCONCLUSIVE, "gave no answer in 2 s"),
      new Row("printing", JobVerdict.FAILED, ""),
      new Row("prints", JobVerdict.FAILED, ""),
      new Row("dies", JobVerdict.FAILED, ""),
      new Row("behind", JobVerdict.REPRODUCED, ""),
      new Row("signals", JobVerdict.REPRODUCED, ""),
      new Row("fine", JobVerdict.REPRODUCED, ""));

  private static Registry plugins() throws NodeException {
    return new Registry().addSandbox("java-shell", "1.0", Hostile::new)
        .addSource("java-words", "1.0", "words", "words", request -> new Words());
  }

  private void eachWay() throws Exception {
    List<String> log = new CopyOnWriteArrayList<>();
    try (Group group = new Group(place, List.of("alder"), Set.of(), 0); Registry registry = plugins();
        Node node = group.parse(
            "alder", group.configuration("alder") + "[settings.java-shell]\npatience-seconds = 1\n", registry, log)) {
      node.start();
      List<Sha256> jobs = new ArrayList<>();
      for (Row row : ROWS) jobs.add(node.submit(new Submission("pkg:words/" + row.word + "@1"), MINUTE));
      for (int i = 0; i < jobs.size(); i++) {
        Row row = ROWS.get(i);
        JobVerdict verdict = node.waitFor(jobs.get(i), MINUTE).verdict();
        Runner.equal(verdict, row.verdict, row.word + ", of which it is said: " + String.join("\n", log));
        Runner.check(String.join("\n", log).contains(row.sentence), row.sentence + " is not in " + log);
      }
      node.drain(MINUTE);
      Runner.equal(node.status().state(), NodeState.RUNNING, "state");
    } finally {
      Hostile.HEARD.countDown();
    }
    GroupTests.settles();
    for (String word : List.of("cancelled", "another thread", "some fits", "it is over", "it takes nothing more")) {
      Runner.check(Hostile.TOLD.contains(word), word + " is not in " + Hostile.TOLD);
    }
    Runner.check(!Hostile.TOLD.contains("interrupted"), "nobody interrupts");
    for (Shell shell : Shell.MADE) noneIsLeft(shell);
  }

  private static void noneIsLeft(Shell shell) {
    for (Process process : shell.processes) Runner.check(!process.isAlive(), process + " is left");
  }

  private void cancelled() throws Exception {
    try (Group group = new Group(place, List.of("alder"), Set.of(), 0); Registry registry = plugins();
        Node node = group.load("alder", registry, new ArrayList<>())) {
      node.start();
      Shell shell = (Shell) Shell.MADE.toArray()[Shell.MADE.size() - 1];
      node.submit(new Submission("pkg:words/hangs@1"), MINUTE);
      for (int i = 0; i < 3000 && shell.processes.isEmpty(); i++) Thread.sleep(10);
      Process process = shell.processes.peek();
      Runner.check(process != null && process.isAlive(), "it does not run");
      long begun = System.nanoTime();
      node.stop(MINUTE);
      Runner.check(System.nanoTime() - begun < 8_000_000_000L, "the run is not ended by its cancellation");
      Runner.equal(shell.cancelled.size(), 1, "cancelled runs");
      noneIsLeft(shell);
    }
    GroupTests.settles();
  }

  private static final class Within extends Shell {
    static final AtomicReference<Node> NODE = new AtomicReference<>();
    static final List<Object> TOLD = Collections.synchronizedList(new ArrayList<>());

    Within(CreateRequest request) {
      super(request);
    }

    static void ask() {
      try {
        Node node = NODE.get();
        TOLD.add(node.status().state());
        GroupTests.refused(Code.STATE, "stop", node::stop);
        Runner.check(Runner.thrown(IllegalStateException.class, node::close).getMessage().contains("itself"), "why");
        Runner.thrown(NodeTimeoutException.class, () -> node.drain(Duration.ZERO));
        TOLD.add("refused");
      } catch (NodeException | Error error) {
        TOLD.add(error);
      }
    }

    @Override
    public RunResult run(RunRequest request, Call call) throws Exception {
      ask();
      return super.run(request, call);
    }
  }

  private void within() throws Exception {
    try (Group group = new Group(place, List.of("alder"), Set.of(), 0); Registry registry = new Registry()) {
      registry.addSandbox("java-shell", "1", Within::new);
      registry.addSource("java-words", "1", "words", "words", request -> new Words());
      NodeOptions options = new NodeOptions().registry(registry).log((level, line) -> {
        if (line.contains("Ordered")) Within.ask();
        throw new UnsupportedOperationException("a log's own fault");
      });
      Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
      List<String> uncaught = Collections.synchronizedList(new ArrayList<>());
      Thread.setDefaultUncaughtExceptionHandler((thread, error) -> uncaught.add(error.getMessage()));
      try (Node node = Node.read(group.folder.resolve("alder/config.toml"), options)) {
        Within.NODE.set(node);
        node.start();
        Sha256 job = node.submit(new Submission("pkg:words/fine@1"), MINUTE);
        Runner.equal(node.waitFor(job, MINUTE).verdict(), JobVerdict.REPRODUCED, "verdict");
      } finally {
        Thread.setDefaultUncaughtExceptionHandler(before);
      }
      Runner.check(uncaught.size() > 1 && Set.copyOf(uncaught).equals(Set.of("a log's own fault")), uncaught + "");
    }
    Runner.check(Within.TOLD.containsAll(Arrays.asList(NodeState.RUNNING, "refused")), Within.TOLD + "");
    Runner.check(Within.TOLD.stream().noneMatch(told -> told instanceof Throwable), Within.TOLD + "");
    GroupTests.settles();
  }

  private void deafLog() throws Exception {
    Object never = new Object();
    List<Thread> waiting = Collections.synchronizedList(new ArrayList<>());
    try (Group group = new Group(place, List.of("alder"), Set.of(), 0); Registry registry = plugins()) {
      NodeOptions options = new NodeOptions().registry(registry).log((LogLevel level, String line) -> {
        waiting.add(Thread.currentThread());
        try {
          synchronized (never) {
            while (true) never.wait();
          }
        } catch (InterruptedException interrupted) {
          // By close.
        }
      });
      Node node = Node.read(group.folder.resolve("alder/config.toml"), options);
      node.start();
      long begun = System.nanoTime();
      node.close();
      Runner.check(System.nanoTime() - begun < 12_000_000_000L, "it waits for the log");
      Runner.check(!waiting.isEmpty(), "no line came");
    }
    GroupTests.settles();
  }

  private static final class Thrower implements Signer {
    @Override
    public byte[] publicKey(KeyRole role, Call call) throws Exception {
      throw new InvalidKeyException("there is no key for " + role);
    }

    @Override
    public byte[] sign(KeyRole role, byte[] message, Call call) {
      return new byte[64];
    }
  }

  private void signer() throws Exception {
    try (Group group = new Group(place, List.of("cedar"), Set.of("cedar"), 0)) {
      for (boolean isForged : new boolean[] {false, true}) {
        Registry registry = plugins().addStorage("java-map", "1", request -> new Tree());
        if (isForged) {
          registry.addSigner("java-keys", "1", request -> new Keys(request) {
            @Override
            public byte[] sign(KeyRole role, byte[] message, Call call) {
              return new byte[64];
            }
          });
        } else {
          registry.addSigner("java-keys", "1", request -> new Thrower());
        }
        try (registry; Node node = group.load("cedar", registry, new ArrayList<>())) {
          if (!isForged) {
            GroupTests.refused(Code.IO, "InvalidKeyException: there is no key for", node::start);
          } else {
            // A signature that is none is refused where it is given.
            Runner.thrown(NodeException.class, () -> {
              node.start();
              node.submit(new Submission("pkg:words/fine@1"), MINUTE);
            });
          }
        }
      }
    }
    GroupTests.settles();
  }
}
