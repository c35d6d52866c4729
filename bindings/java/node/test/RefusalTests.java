import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import synchronicity.node.Ending;
import synchronicity.node.Event;
import synchronicity.node.EventKind;
import synchronicity.node.Events;
import synchronicity.node.Finding;
import synchronicity.node.Inside;
import synchronicity.node.JobVerdict;
import synchronicity.node.KeyRole;
import synchronicity.node.LogLevel;
import synchronicity.node.Node;
import synchronicity.node.NodeException;
import synchronicity.node.NodeException.Code;
import synchronicity.node.NodeOptions;
import synchronicity.node.NodeState;
import synchronicity.node.NodeStatus;
import synchronicity.node.NodeTimeoutException;
import synchronicity.node.Phase;
import synchronicity.node.PluginException;
import synchronicity.node.Registry;
import synchronicity.node.RunResult;
import synchronicity.node.Sha256;
import synchronicity.node.Submission;

/** What is refused before anything runs, and how. */
final class RefusalTests {
  private static final Sha256 NONE = Sha256.of(new byte[32]);

  private final Group.Place place;
  private Group group;
  private String text;

  RefusalTests(Group.Place place) {
    this.place = place;
  }

  void run(Runner runner) throws Exception {
    try (Group made = new Group(place, List.of("alder"), Set.of(), 0)) {
      group = made;
      text = made.configuration("alder");
      runner.test("the numbers are those of the C headers", this::header);
      runner.test("configurations", this::configurations);
      runner.test("plugins", this::plugins);
      runner.test("states", this::states);
      runner.test("wrong calls have Java's own exceptions", this::wrongCalls);
      runner.test("a start that fails", this::start);
      runner.test("a log that is slow loses lines and is told how many", this::slowLog);
      runner.test("whoever forgets a node that never ran", this::forgotten);
    }
  }

  private Node node(String configuration) throws NodeException {
    try (Registry registry = GroupTests.plugins()) {
      return group.parse("alder", configuration, registry, new ArrayList<>());
    }
  }

  private interface Number {
    int of(String name);
  }

  private static int checked(String header, String prefix, Number number) {
    int count = 0;
    Matcher found = Pattern.compile("^#define " + prefix + "(\\w+) (\\d+)$", Pattern.MULTILINE).matcher(header);
    while (found.find()) {
      if (Set.of("OK", "ENTRY").contains(found.group(1))) continue;
      Runner.equal(number.of(found.group(1)), Integer.parseInt(found.group(2)), found.group());
      count++;
    }
    return count;
  }

  private void header() throws IOException {
    StringBuilder all = new StringBuilder();
    for (String name : List.of("version.h", "verify.h", "node.h", "plugin.h")) {
      all.append(Files.readString(place.root().resolve("include/sync").resolve(name)));
    }
    String header = all.toString();
    int unknown = 1;
    Runner.equal(
        checked(header, "SYNC_ERROR_", name -> Code.valueOf(name).number()), Code.values().length - unknown, "codes");
    Runner.equal(checked(header, "SYNC_PLUGIN_", name -> PluginException.Code.valueOf(name).number()),
        PluginException.Code.values().length, "plugins' codes");
    Runner.equal(
        checked(header, "SYNC_PHASE_", name -> Phase.valueOf(name).ordinal()), Phase.values().length, "phases");
    Runner.equal(checked(header, "SYNC_NODE_", name -> NodeState.valueOf(name).ordinal()),
        NodeState.values().length - unknown, "states");
    Runner.equal(checked(header, "SYNC_EVENT_", name -> EventKind.valueOf(name).ordinal()),
        EventKind.values().length - unknown, "events");
    Runner.equal(
        checked(header, "SYNC_RUN_", name -> Ending.valueOf(name).ordinal()), Ending.values().length, "endings");
    Runner.equal(checked(header, "SYNC_KEY_", name -> KeyRole.valueOf(name).ordinal()),
        KeyRole.values().length - unknown, "keys");
    Runner.equal(checked(header, "SYNC_LOG_", name -> LogLevel.valueOf(name).ordinal() + 1),
        LogLevel.values().length - unknown, "levels");
    Runner.equal(checked(header, "SYNC_VERDICT_", name -> JobVerdict.valueOf(name).ordinal()),
        JobVerdict.values().length - unknown, "verdicts");
    Runner.check(header.contains("#define SYNC_VERSION_MINOR " + Node.libraryVersion().split("\\.")[1]), "version");
  }

  private void configuration(Code code, String part, String configuration) {
    GroupTests.refused(code, part, () -> node(configuration));
  }

  private void configurations() throws Exception {
    configuration(Code.INVALID, "name", "name = 1");
    configuration(Code.INVALID, "", "no toml at all");
    configuration(Code.INVALID, "name", "");
    configuration(Code.INVALID, "nothing", text + "[nothing]\n");
    configuration(Code.IO, "none.txt", text.replace("../group.txt", "none.txt"));
    configuration(Code.INVALID, "no-such", text.replace("\"java-shell\"", "\"no-such\""));
    configuration(Code.INVALID, "settings.java-shell", text + "[settings]\njava-shell = 1\n");
    configuration(Code.TOO_LARGE, "1048576", " ".repeat(1 << 20 | 1));
    GroupTests.refused(Code.INVALID, "java-shell",
        () -> Node.parse(text, group.folder.resolve("alder"), new NodeOptions()));
    Runner.thrown(NoSuchFileException.class, () -> Node.read(group.folder.resolve("none"), new NodeOptions()));
    GroupTests.settles();
  }

  private void plugins() throws Exception {
    Registry registry = GroupTests.plugins();
    GroupTests.refused(Code.INVALID, "lower-case", () -> registry.addSandbox("Bad Name", "1", Shell::new));
    GroupTests.refused(Code.INVALID, "version", () -> registry.addSandbox("shell", "", Shell::new));
    GroupTests.refused(Code.INVALID, "purl type",
        () -> registry.addSource("words", "1", "Words 1", "words", request -> new Words()));
    GroupTests.refused(Code.INVALID, "already", () -> registry.addSandbox("java-shell", "1", Shell::new));
    GroupTests.refused(Code.INVALID, "/no/such.so", () -> registry.load(Path.of("/no/such.so")));
    Runner.thrown(IllegalArgumentException.class, () -> registry.addSandbox("a\0b", "1", Shell::new));
    Runner.thrown(NullPointerException.class, () -> registry.addSandbox("shell", "1", null));
    for (int i = 0; i < 500 && Inside.held().get(0) != 4; i++) Thread.sleep(10);
    Runner.equal(Inside.held(), List.of(4, 0, 0), "what was refused is let go of");
    registry.close();
    registry.close();
    Runner.thrown(IllegalStateException.class, () -> registry.addSandbox("shell", "1", Shell::new));
    Runner.thrown(IllegalStateException.class,
        () -> Node.parse(text, group.folder.resolve("alder"), new NodeOptions().registry(registry)));
    GroupTests.settles();
  }

  @SuppressWarnings("try") // It is used when it is closed.
  private void states() throws Exception {
    Node node = node(text);
    Runner.equal(node.status(), new NodeStatus(NodeState.CREATED, false, 0, 0, 0, 0, 0, 0, 0, 0, 0), "status");
    Runner.Body[] wantRunning = {
      () -> node.submit(new Submission("pkg:words/fine@1"), Duration.ZERO), () -> node.waitFor(NONE, Duration.ZERO),
      () -> node.job(NONE), () -> node.proof(NONE), () -> node.artifact(NONE), () -> node.drain(Duration.ZERO),
      node::statusJson,
    };
    for (Runner.Body body : wantRunning) GroupTests.refused(Code.STATE, "start", body);
    for (int capacity : new int[] {0, 65_537, -1}) {
      GroupTests.refused(Code.OUT_OF_RANGE, "capacity", () -> node.events(capacity));
    }
    Events events = node.events(1);
    long begun = System.nanoTime();
    Runner.thrown(NodeTimeoutException.class, () -> events.next(Duration.ofMillis(250)));
    Runner.check(System.nanoTime() - begun >= 250_000_000, "it does not wait");
    Runner.thrown(NodeTimeoutException.class, () -> events.next(Duration.ofMillis(-1)));
    // One that is closed by another thread while this one waits.
    Events closed = node.events(1);
    Thread closer = new Thread(closed::close);
    closer.start();
    for (Event event : closed) throw new AssertionError(event);
    closer.join();
    Runner.thrown(IllegalStateException.class, () -> closed.next(Duration.ZERO));
    node.stop();
    Runner.check(!events.iterator().hasNext(), "an event");
    GroupTests.refused(Code.STATE, "ended", () -> events.next(Duration.ZERO));
    GroupTests.refused(Code.STATE, "once", node::start);
    node.close();
    node.close();
    events.close();
    events.close();
    Runner.Body[] uses = {node::start, node::stop, node::status, () -> node.events(1), () -> node.drain(Duration.ZERO)};
    for (Runner.Body use : uses) Runner.thrown(IllegalStateException.class, use);
    GroupTests.settles();
  }

  private void wrongCalls() throws Exception {
    Runner.thrown(IllegalArgumentException.class, () -> Sha256.of(new byte[31]));
    Runner.thrown(IllegalArgumentException.class, () -> Sha256.parse("xy".repeat(32)));
    Runner.equal(Sha256.parse("AB".repeat(32)).toString(), "ab".repeat(32), "digits");
    Runner.thrown(IllegalArgumentException.class, () -> new Submission("a\0b"));
    Runner.thrown(IllegalArgumentException.class, () -> new Submission("a").feature("a\0b"));
    Runner.thrown(NullPointerException.class, () -> new Submission(null));
    Runner.thrown(IllegalArgumentException.class, () -> RunResult.exited(0, -1));
    Runner.thrown(NullPointerException.class, () -> Finding.met(null, ""));
    try (Node node = node(text)) {
      Runner.thrown(NullPointerException.class, () -> node.proof(null));
      Runner.thrown(NullPointerException.class, () -> node.onEvents(1, null));
    }
  }

  private void start() throws Exception {
    try (Node node = node(text + "[settings.java-shell]\npatience-seconds = 0\n")) {
      GroupTests.refused(Code.INVALID, "patience-seconds", node::start);
      Runner.equal(node.status().state(), NodeState.STOPPED, "state");
      // Why it ended is told once more.
      GroupTests.refused(Code.INVALID, "patience-seconds", node::stop);
    }
    AtomicInteger asked = new AtomicInteger();
    try (Registry registry = new Registry()) {
      registry.addSource("java-words", "1", "words", "words", request -> new Words());
      registry.addSandbox("java-shell", "1", request -> {
        if (asked.incrementAndGet() == 1) throw new UnsupportedOperationException("no instance");
        return null;
      });
      for (String sentence : List.of("UnsupportedOperationException: no instance", "an instance is wanted, not null")) {
        try (Node node = group.parse("alder", text, registry, new ArrayList<>())) {
          GroupTests.refused(Code.IO, sentence, node::start);
        }
      }
    }
    Runner.equal(asked.get(), 2, "instances");
    GroupTests.settles();
  }

  private void slowLog() throws Exception {
    List<String> taken = Inside.flooded(5000);
    // One was taken, and 4096 waited.
    Runner.equal(taken.size(), 4097 + 2, "lines");
    Runner.equal(taken.subList(4096, 4099), List.of("4096", "903 lines of the log were dropped", "end"), "the last");
  }

  private void forgotten() throws Exception {
    forget();
    List<Integer> none = List.of(0, 0, 0);
    for (int i = 0; i < 100 && !Inside.held().equals(none); i++) {
      System.gc();
      Thread.sleep(50);
    }
    Runner.equal(Inside.held(), none, "held");
  }

  private void forget() throws Exception {
    node(text).events(4);
  }
}
