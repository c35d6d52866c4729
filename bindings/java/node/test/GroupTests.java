import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.stream.Collectors;
import synchronicity.node.Event;
import synchronicity.node.EventKind;
import synchronicity.node.Events;
import synchronicity.node.Inside;
import synchronicity.node.JobStatus;
import synchronicity.node.JobVerdict;
import synchronicity.node.Node;
import synchronicity.node.NodeException;
import synchronicity.node.NodeException.Code;
import synchronicity.node.NodeState;
import synchronicity.node.NodeStatus;
import synchronicity.node.NodeTimeoutException;
import synchronicity.node.Phase;
import synchronicity.node.Registry;
import synchronicity.node.RunRequest;
import synchronicity.node.Sha256;
import synchronicity.node.Submission;

/** Four builders in this process: their sandbox and source are Java, two keep their keys and their journal in it. */
final class GroupTests {
  static final List<String> NAMES = List.of("alder", "birch", "cedar", "elm");
  static final Duration MINUTE = Duration.ofMinutes(1);

  private final Group.Place place;

  GroupTests(Group.Place place) {
    this.place = place;
  }

  void run(Runner runner) {
    runner.test("four builders rebuild packages", this::group);
    runner.test("a submission that waits while its node closes", this::submission);
  }

  static Registry plugins() throws NodeException {
    return new Registry().addSandbox("java-shell", "1.0", Shell::new)
        .addSource("java-words", "1.0", "words", "words", request -> new Words())
        .addSigner("java-keys", "1.0", Keys::new).addStorage("java-map", "1.0", request -> new Tree());
  }

  /** libsync gives back what it holds from a thread of its own. */
  static void settles() throws InterruptedException {
    List<Integer> none = List.of(0, 0, 0);
    for (int i = 0; i < 2500 && !Inside.held().equals(none); i++) Thread.sleep(10);
    Runner.equal(Inside.held(), none, "held");
  }

  static void start(List<Node> nodes) throws Exception {
    for (Node node : nodes) node.start();
    long end = System.nanoTime() + MINUTE.toNanos();
    for (Node node : nodes) {
      while (node.status().connectedPeers() < nodes.size() - 1) {
        Runner.check(System.nanoTime() < end, "the builders do not find each other");
        Thread.sleep(20);
      }
    }
  }

  static void refused(Code code, String part, Runner.Body body) {
    NodeException error = Runner.thrown(NodeException.class, body);
    Runner.equal(error.code(), code, error.getMessage());
    Runner.check(error.getMessage().contains(part), error.getMessage() + " has no " + part);
  }

  private void group() throws Exception {
    int made = Shell.MADE.size();
    Map<String, List<String>> logs = NAMES.stream()
        .collect(Collectors.toMap(name -> name, name -> Collections.synchronizedList(new ArrayList<>())));
    try (Group group = new Group(place, NAMES, Set.of("cedar", "elm"), 3)) {
      List<Node> nodes = new ArrayList<>();
      try (Registry registry = plugins()) {
        for (String name : NAMES) nodes.add(group.load(name, registry, logs.get(name)));
      }
      try {
        check(group, nodes);
      } finally {
        for (Node node : nodes) node.close();
      }
    }
    for (var log : logs.entrySet()) {
      String lines = String.join("\n", log.getValue());
      Runner.check(lines.contains("Started"), log.getKey() + ": " + lines);
      Runner.check(!lines.contains("ERROR ") && !lines.contains("CRITICAL "), log.getKey() + ": " + lines);
    }
    // A request came whole, and all that was made is ended.
    List<Shell> mine = Shell.MADE.stream().skip(made).toList();
    Runner.equal(
        mine.stream().map(shell -> shell.created.node()).collect(Collectors.toSet()), Set.copyOf(NAMES), "instances");
    RunRequest request = mine.get(0).requests.peek();
    Runner.equal(request.command(), List.of("/bin/sh", "/input/recipe.sh"), "command");
    Runner.equal(request.environment(), Map.of("WORD", "two words"), "environment");
    Runner.equal(request.wallSeconds(), 10L, "seconds");
    Runner.equal(request.transcriptBytes(), 1024L, "transcript");
    Runner.check(request.scratchDirectory().isAbsolute(), "scratch");
    settles();
    Runner.check(Shell.ENDED.containsAll(mine), "an instance is not closed");
  }

  @SuppressWarnings("try") // What is pushed comes by itself.
  private void check(Group group, List<Node> nodes) throws Exception {
    Node alder = nodes.get(0);
    Node birch = nodes.get(1);
    BlockingQueue<Event> told = new LinkedBlockingQueue<>();
    try (Events events = birch.events(1024); Events small = birch.events(2);
        Events pushed = birch.onEvents(1024, told::add)) {
      start(nodes);
      NodeStatus status = alder.status();
      Runner.equal(List.of(status.state(), status.replicas(), status.quorum()), List.of(NodeState.RUNNING, 4, 3), "at");
      Runner.check(alder.statusJson().contains("\"name\":\"alder\"") || alder.statusJson().contains("\"alder\""),
          alder.statusJson());
      Sha256 job = alder.submit(new Submission("pkg:words/fine@1"), MINUTE);
      Runner.equal(nodes.get(2).submit(new Submission("pkg:words/fine@1"), MINUTE), job, "the same spec");
      Sha256 again = nodes.get(3).submit(new Submission("pkg:words/fine@1").rebuild(1).priority(7), MINUTE);
      Runner.check(!again.equals(job), "a rebuild is a job of its own");
      Sha256 artifact = Sha256.of(Words.sha256(Words.artifact("fine")));
      for (Node node : nodes) {
        JobStatus done = node.waitFor(job, MINUTE);
        Runner.equal(List.of(done.phase(), done.verdict()), List.of(Phase.COSIGNED, JobVerdict.REPRODUCED), "done");
        Runner.equal(node.job(job).agreeing(), 4, "agreeing");
        group.verify(node.proof(job), Words.artifact("fine"));
        Runner.check(
            Arrays.equals(Files.readAllBytes(node.artifact(artifact)), Words.artifact("fine")), "artifact");
      }
      refusals(nodes.get(0), job);
      for (Node node : nodes) node.drain(MINUTE);
      ends(nodes);
      List<Event> all = new ArrayList<>();
      for (Event event : events) all.add(event);
      order(all, job);
      int few = 0;
      for (Event event : small) few += event.kind() == EventKind.UNKNOWN ? 0 : 1;
      Runner.equal(few, 2, "events that waited");
      Runner.equal(List.copyOf(told), all, "what was pushed");
      refused(Code.STATE, "ended", () -> events.next(Duration.ZERO));
    }
  }

  private void refusals(Node alder, Sha256 job) throws Exception {
    Sha256 none = Sha256.of(new byte[32]);
    Runner.thrown(NodeTimeoutException.class, () -> alder.waitFor(none, Phase.COMMIT, Duration.ofMillis(150)));
    Runner.equal(alder.job(none), new JobStatus(Phase.UNKNOWN, JobVerdict.NONE, 0, 0, 0), "a job that is none");
    refused(Code.NOT_FOUND, "", () -> alder.proof(none));
    refused(Code.NOT_FOUND, "", () -> alder.artifact(none));
    submitted(Code.NOT_FOUND, "There is no such word", alder, "pkg:words/missing@1");
    submitted(Code.IO, "IllegalStateException: a sentence with ümlauts and a   inside", alder, "pkg:words/unpinned@1");
    submitted(Code.IO, "a spec is wanted, not null", alder, "pkg:words/null@1");
    submitted(Code.IO, "refused", alder, "pkg:words/nospec@1");
    submitted(Code.INVALID, "pkg:words", alder, "pkg:cargo/x@1");
    Runner.thrown(NodeTimeoutException.class,
        () -> alder.submit(new Submission("pkg:words/slow@1"), Duration.ofMillis(200)));
    Thread.currentThread().interrupt();
    Runner.thrown(InterruptedException.class, () -> alder.waitFor(none, MINUTE));
    Runner.check(!Thread.interrupted(), "the interrupt is taken");
    Runner.thrown(NullPointerException.class, () -> alder.waitFor(job, null, MINUTE));
  }

  private static void submitted(Code code, String part, Node node, String name) {
    refused(code, part, () -> node.submit(new Submission(name), MINUTE));
  }

  /** One is waited for, for ever, while its node ends. */
  private static void ends(List<Node> nodes) throws Exception {
    ConcurrentLinkedQueue<Code> told = new ConcurrentLinkedQueue<>();
    Thread thread = new Thread(() -> {
      try {
        nodes.get(1).waitFor(Sha256.of(new byte[32]), Duration.ofDays(400_000));
      } catch (NodeException error) {
        told.add(error.code());
      } catch (InterruptedException interrupted) {
        told.add(Code.UNKNOWN);
      }
    });
    thread.start();
    Thread.sleep(100);
    for (Node node : nodes) {
      node.stop(MINUTE);
      Runner.equal(node.status().state(), NodeState.STOPPED, "state");
    }
    thread.join(10_000);
    Runner.equal(List.copyOf(told), List.of(Code.STATE), "who waits");
  }

  private static void order(List<Event> events, Sha256 job) {
    List<Event> mine = events.stream().filter(event -> event.job().filter(job::equals).isPresent()).toList();
    List<EventKind> kinds = mine.stream().map(Event::kind).toList();
    Runner.equal(kinds.get(0), EventKind.ORDERED, "first");
    Runner.equal(mine.get(0).text(), "pkg:words/fine@1", "package");
    Runner.equal(mine.stream().filter(event -> event.kind() == EventKind.COMMITTED).map(Event::text)
        .collect(Collectors.toSet()), Set.copyOf(NAMES), "committed");
    List<Integer> places = new ArrayList<>();
    for (EventKind kind : List.of(EventKind.ORDERED, EventKind.COMMITTED, EventKind.REVEALING, EventKind.REVEALED,
        EventKind.VERDICT, EventKind.LOGGED)) {
      Runner.check(kinds.contains(kind), kind + " is not told");
      places.add(kinds.indexOf(kind));
    }
    Runner.equal(places, places.stream().sorted().toList(), "order");
    Event verdict = mine.get(kinds.indexOf(EventKind.VERDICT));
    Runner.equal(List.of(verdict.number(), verdict.text()),
        List.of((long) JobVerdict.REPRODUCED.ordinal(), "reproduced"), "verdict");
    Event logged = mine.get(kinds.indexOf(EventKind.LOGGED));
    Runner.check(events.stream().skip(events.indexOf(logged)).anyMatch(
        event -> event.kind() == EventKind.COSIGNED && event.number() > logged.number()), "nothing is cosigned");
    Runner.check(events.stream().allMatch(event -> event.dropped() == 0), "events were dropped");
  }

  @SuppressWarnings("try") // It is closed while others use it, and again.
  private void submission() throws Exception {
    try (Group group = new Group(place, NAMES.subList(0, 1), Set.of(), 0); Registry registry = plugins();
        Node node = group.load("alder", registry, new ArrayList<>())) {
      node.start();
      ConcurrentLinkedQueue<Throwable> told = new ConcurrentLinkedQueue<>();
      Thread thread = new Thread(() -> {
        try {
          node.submit(new Submission("pkg:words/slow@1"), MINUTE);
        } catch (NodeException error) {
          told.add(error);
        }
      });
      thread.start();
      Thread.sleep(300);
      long begun = System.nanoTime();
      node.close();
      thread.join(20_000);
      Runner.check(!thread.isAlive(), "it waits for ever");
      Runner.check(System.nanoTime() - begun < 15_000_000_000L, "it waits too long");
      Runner.equal(told.size(), 1, "errors");
      Runner.thrown(IllegalStateException.class, node::status);
      node.close();
    }
    settles();
  }
}
