import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import synchronicity.node.Event;
import synchronicity.node.EventKind;
import synchronicity.node.Events;
import synchronicity.node.Node;
import synchronicity.node.NodeException;
import synchronicity.node.NodeException.Code;
import synchronicity.node.Registry;
import synchronicity.node.Sha256;
import synchronicity.node.Submission;

/** Many lives of nodes leave nothing behind. SYNC_CYCLES says how many: 50 unless given. */
final class LivesTests {
  private static final List<String> NAMES = List.of("alder", "birch");
  private static final Sha256 NONE = Sha256.of(new byte[32]);

  private final Group.Place place;

  LivesTests(Group.Place place) {
    this.place = place;
  }

  void run(Runner runner) {
    runner.test("who asks a node that ends gets an answer or an error", this::asking);
    runner.test("many calls leave nothing on their threads", this::calls);
    runner.test("many lives leave nothing behind", this::lives);
  }

  private void asking() throws Exception {
    try (Group group = new Group(place, NAMES, Set.of(), 0)) {
      for (int round = 0; round < 6; round++) {
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        Node node;
        try (Registry registry = GroupTests.plugins()) {
          node = group.load("alder", registry, new ArrayList<>());
        }
        node.start();
        AtomicBoolean hasEnded = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          Thread thread = new Thread(() -> ask(node, hasEnded, failures));
          thread.setDaemon(true);
          thread.start();
          threads.add(thread);
        }
        Thread.sleep(50);
        // In every second round those that ask meet one that is closed and freed.
        if (round % 2 == 0) node.stop(Duration.ofSeconds(20));
        else closeTwice(node);
        hasEnded.set(true);
        for (Thread thread : threads) {
          thread.join(10_000);
          Runner.check(!thread.isAlive(), "one waits for ever");
        }
        node.close();
        Runner.equal(List.copyOf(failures), List.of(), "failures");
      }
    }
    GroupTests.settles();
  }

  /** Both return when it is closed. */
  private static void closeTwice(Node node) throws InterruptedException {
    Thread other = new Thread(node::close);
    other.start();
    node.close();
    other.join(20_000);
    Runner.check(!other.isAlive(), "the second close waits for ever");
  }

  private static void ask(Node node, AtomicBoolean hasEnded, Queue<Throwable> failures) {
    while (!hasEnded.get()) {
      try {
        node.status();
        node.job(NONE);
        node.drain(Duration.ofMillis(10));
        try (Events events = node.events(1)) {
          if (events.next(Duration.ZERO).kind() == EventKind.FAULT) failures.add(new AssertionError("a fault"));
        }
      } catch (NodeException error) {
        if (error.code() != Code.STATE && error.code() != Code.TIMED_OUT) failures.add(error);
      } catch (IllegalStateException closed) {
        return;
      } catch (InterruptedException | Error error) {
        failures.add(error);
      }
    }
  }

  /** Their requests are a mebibyte each, of which the heap has room for few. */
  private void calls() throws Exception {
    Runner.check(Runtime.getRuntime().maxMemory() <= 128 << 20, "-Xmx128m is wanted");
    try (Group group = new Group(place, NAMES.subList(0, 1), Set.of(), 0); Registry registry = GroupTests.plugins();
        Node node = group.load("alder", registry, new ArrayList<>())) {
      node.start();
      Submission large = new Submission("pkg:words/missing@1");
      for (int i = 0; i < 1000; i++) large.feature("f".repeat(1000) + i);
      for (int i = 0; i < 200; i++) {
        GroupTests.refused(Code.NOT_FOUND, "no such word", () -> node.submit(large, Duration.ofMinutes(1)));
      }
    }
    GroupTests.settles();
  }

  private void lives() throws Exception {
    String given = System.getenv("SYNC_CYCLES");
    int cycles = given == null ? 50 : Integer.parseInt(given);
    try (Group group = new Group(place, NAMES, Set.of("birch"), 0)) {
      Map<String, Integer> before = Map.of();
      long memory = 0;
      for (int cycle = 0; cycle < cycles; cycle++) {
        if (cycle == cycles / 5) {
          before = settled(Map.of());
          memory = resident();
        }
        live(group, NAMES.get(cycle % 2), cycle);
      }
      Map<String, Integer> after = settled(before);
      long grown = resident();
      System.out.printf(
          "%d lives: after a fifth %d threads, %d descriptors, %d KiB; at the end %d, %d, %d KiB%n", cycles,
          before.get("threads"), before.get("descriptors"), memory >> 10, after.get("threads"),
          after.get("descriptors"), grown >> 10);
      for (String name : List.of("threads", "descriptors")) {
        Runner.check(after.get(name) <= before.get(name), name + ": " + after + ", not " + before + "; " + ours());
      }
      Runner.equal(ours(), List.of(), "attached threads");
      Runner.check(grown < memory + memory / 4 + (4 << 20), "the memory grows from " + memory + " to " + grown);
    }
    GroupTests.settles();
  }

  /** Threads of Java's that are there for nodes: what is attached and what this package has started. */
  private static List<String> ours() {
    return Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
        .filter(name -> name.startsWith("synchronicity")).sorted().toList();
  }

  /** Idle threads of libsync's end after ten seconds and are detached then. */
  private static Map<String, Integer> settled(Map<String, Integer> limits) throws InterruptedException {
    Map<String, Integer> counts = Group.counts();
    for (int i = 0; i < 400; i++) {
      boolean isLess = true;
      for (var entry : counts.entrySet()) {
        isLess &= entry.getValue() <= limits.getOrDefault(entry.getKey(), Integer.MAX_VALUE);
      }
      if (isLess && ours().isEmpty()) break;
      Thread.sleep(50);
      counts = Group.counts();
    }
    System.gc();
    return counts;
  }

  private static long resident() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("\\D", "")) << 10;
    }
    throw new IOException("no VmRSS");
  }

  @SuppressWarnings("try") // It is closed before its subscription, or behind it, and twice.
  private static void live(Group group, String name, int cycle) throws Exception {
    Node node;
    try (Registry registry = GroupTests.plugins()) {
      node = group.load(name, registry, new ArrayList<>());
    }
    try (Events events = node.events(4)) {
      if (cycle % 10 != 9) node.start();
      if (cycle % 10 == 2) node.submit(new Submission("pkg:words/missed@1").rebuild(cycle), Duration.ofMinutes(1));
      if (cycle % 3 == 0) node.stop(Duration.ofMinutes(1));
      if (cycle % 5 == 0) {
        node.close();
        for (Event event : events) Runner.check(event.kind() != EventKind.FAULT, event.text());
      }
    }
    node.close();
    Shell.MADE.clear();
    Shell.ENDED.clear();
  }
}
