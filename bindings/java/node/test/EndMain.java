import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import synchronicity.node.Call;
import synchronicity.node.CheckOptions;
import synchronicity.node.CreateRequest;
import synchronicity.node.EventKind;
import synchronicity.node.KeyRole;
import synchronicity.node.Node;
import synchronicity.node.NodeException;
import synchronicity.node.NodeOptions;
import synchronicity.node.Registry;
import synchronicity.node.RunRequest;
import synchronicity.node.RunResult;
import synchronicity.node.Submission;

/** A program that ends in one way or another while its node is there: {@code CONFIG HOW}. */
public final class EndMain {
  private static final CountDownLatch RUNS = new CountDownLatch(1);
  private static String how;

  private EndMain() {}

  private static final class Ending extends Shell {
    Ending(CreateRequest request) {
      super(request);
    }

    @Override
    public RunResult run(RunRequest request, Call call) throws Exception {
      RUNS.countDown();
      if (how.equals("inside")) System.exit(7);
      // Heeds nothing, and goes on asking the call while and behind what ends the JVM.
      while (how.equals("deaf")) {
        if (call.isCancelled()) call.awaitCancelled(Duration.ofMillis(1));
        try {
          call.addTranscript(new byte[1]);
        } catch (IllegalStateException cancelled) {
          Thread.onSpinWait();
        }
      }
      return super.run(request, call);
    }
  }

  /** Leaves while a plugin is checked on another thread. */
  private static void leaveCheck() throws Exception {
    Registry registry = new Registry().addSigner("java-keys", "1", request -> new Keys(request) {
      @Override
      public byte[] publicKey(KeyRole role, Call call) {
        RUNS.countDown();
        return super.publicKey(role, call);
      }
    });
    Thread thread = new Thread(() -> {
      try {
        registry.check("java-keys", new CheckOptions());
      } catch (NodeException error) {
        System.err.println(error);
      }
    });
    thread.start();
    RUNS.await();
    System.exit(7);
  }

  public static void main(String[] arguments) throws Exception {
    how = arguments[1];
    if (how.equals("check")) leaveCheck();
    Registry registry = new Registry().addSandbox("java-shell", "1", Ending::new)
        .addSource("java-words", "1", "words", "words", request -> new Words());
    NodeOptions options = new NodeOptions().registry(registry).log((level, line) -> System.out.println(line));
    Node node = Node.read(Path.of(arguments[0]), options);
    if (how.equals("created")) return;
    node.start();
    node.onEvents(1024, event -> {
      if (event.kind() == EventKind.FAULT) System.out.println("a fault: " + event.text());
    });
    node.submit(new Submission("pkg:words/hangs@1"), GroupTests.MINUTE);
    RUNS.await();
    switch (how) {
      case "return" -> System.out.println("main returns");
      case "throw" -> throw new IllegalStateException("main throws");
      case "exit", "deaf" -> System.exit(7);
      default -> Thread.sleep(60_000);
    }
  }
}
