import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import synchronicity.node.Call;
import synchronicity.node.CreateRequest;
import synchronicity.node.Ending;
import synchronicity.node.Finding;
import synchronicity.node.PluginException;
import synchronicity.node.RunRequest;
import synchronicity.node.RunResult;

/** A sandbox that does what the package's name says ill. */
final class Hostile extends Shell {
  /** For what "deaf" waits, whoever cancels it. */
  static final CountDownLatch HEARD = new CountDownLatch(1);
  /** What methods found out. */
  static final Queue<String> TOLD = new ConcurrentLinkedQueue<>();

  Hostile(CreateRequest request) {
    super(request);
  }

  @Override
  public List<Finding> probe(Call call) {
    return List.of(Finding.met("nothing", "a \0 inside"), Finding.missing("an honest host", "one", "another host"));
  }

  /** Leaves time to the call's own end. */
  @Override
  boolean hasClock() {
    return false;
  }

  private static final class Mute extends RuntimeException {
    private static final long serialVersionUID = 1;

    @Override
    public String getMessage() {
      throw new IllegalStateException("no text");
    }
  }

  private static int deep(int level) {
    return deep(level + 1) + 1;
  }

  @Override
  public RunResult run(RunRequest request, Call call) throws Exception {
    String word = script(request);
    if (word.contains("recipe signals")) word = "signals";
    else word = word.contains("made by the recipe ") ? word.replaceAll("(?s).*n' (\\w+) >.*", "$1") : "";
    switch (word) {
      case "throws" -> throw new IllegalStateException("\ud800 no text \0 at all");
      case "mute" -> throw new Mute();
      case "fails" -> throw new PluginException(PluginException.Code.UNAVAILABLE, "This sandbox\nwill not");
      case "wordless" -> throw new PluginException(PluginException.Code.IO, null);
      case "error" -> throw new AssertionError("of the gravest kind");
      case "overflow" -> deep(0);
      case "memory" -> throw new OutOfMemoryError("so it says");
      case "nothing" -> {
        return null;
      }
      case "huge" -> {
        return RunResult.exited(70_000, 1);
      }
      case "printing" -> {
        byte[] bytes = "x".repeat(100).getBytes(StandardCharsets.UTF_8);
        int refused = 0;
        for (int i = 0; i < 20; i++) refused += call.addTranscript(bytes) ? 0 : 1;
        TOLD.add(refused == 10 ? "some fits" : refused + " were refused");
        Runner.thrown(IndexOutOfBoundsException.class, () -> call.addTranscript(bytes, 1, 100));
        return RunResult.ended(Ending.TRANSCRIPT_EXCEEDED, 0, 1);
      }
      case "blocked" -> {
        // Whoever waits on another thread gets to know it too.
        Thread other = new Thread(() -> {
          try {
            if (call.awaitCancelled(Duration.ofSeconds(60))) TOLD.add("another thread");
          } catch (InterruptedException interrupted) {
            TOLD.add("interrupted");
          }
        });
        other.start();
        if (call.awaitCancelled(Duration.ofSeconds(60))) TOLD.add("cancelled");
        other.join();
        throw new PluginException(PluginException.Code.CANCELLED, "");
      }
      case "deaf" -> {
        // An answer that comes far too late.
        HEARD.await();
        return RunResult.exited(0, 1);
      }
      case "behind" -> {
        Thread behind = new Thread(() -> {
          try {
            if (call.awaitCancelled(Duration.ofSeconds(60))) TOLD.add("it is over");
            call.addTranscript(new byte[1]);
          } catch (IllegalStateException answered) {
            TOLD.add("it takes nothing more");
          } catch (InterruptedException interrupted) {
            TOLD.add("interrupted");
          }
        });
        behind.start();
        return super.run(request, call);
      }
      case "signals" -> {
        // Not every JDK lets them through in the processes that it starts.
        String status = Files.readString(Path.of("/proc/thread-self/status"));
        if (!status.contains("SigBlk:\t0000000000000000\n")) throw new AssertionError(status);
        return super.run(request, call);
      }
      default -> {
        return super.run(request, call);
      }
    }
    throw new AssertionError(word);
  }
}
