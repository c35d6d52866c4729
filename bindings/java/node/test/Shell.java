import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import synchronicity.node.Call;
import synchronicity.node.CreateRequest;
import synchronicity.node.Ending;
import synchronicity.node.Finding;
import synchronicity.node.Mount;
import synchronicity.node.PluginException;
import synchronicity.node.RunRequest;
import synchronicity.node.RunResult;
import synchronicity.node.Sandbox;

/** Runs recipes as plain processes of this host: it isolates nothing. */
class Shell implements Sandbox {
  static final Queue<Shell> MADE = new ConcurrentLinkedQueue<>();
  static final Queue<Shell> ENDED = new ConcurrentLinkedQueue<>();

  final CreateRequest created;
  final Queue<RunRequest> requests = new ConcurrentLinkedQueue<>();
  final Queue<Process> processes = new ConcurrentLinkedQueue<>();
  final Queue<String> cancelled = new ConcurrentLinkedQueue<>();

  Shell(CreateRequest request) {
    created = request;
    MADE.add(this);
  }

  @Override
  public void close() throws IOException {
    ENDED.add(this);
  }

  @Override
  public List<Finding> probe(Call call) throws Exception {
    return List.of(Finding.weaker("isolation", "there is none"));
  }

  @Override
  public void prepare(String toolchain, Path archive, Call call) throws PluginException {
    throw new PluginException(PluginException.Code.UNAVAILABLE, "This sandbox unpacks nothing");
  }

  @Override
  public boolean hasToolchain(String toolchain, Call call) {
    return true; // It is the host.
  }

  /** Recipes know /input/… and /output; without a file system of its own the run gets the host's paths. */
  static String script(RunRequest request) throws IOException {
    String script = Files.readString(request.hostPath("/input/recipe.sh"));
    List<Mount> longestFirst = request.mounts().stream()
        .sorted(Comparator.comparing((Mount mount) -> -mount.insidePath().length())).toList();
    for (Mount mount : longestFirst) script = script.replace(mount.insidePath(), mount.hostPath().toString());
    return script;
  }

  /** Whether a run that takes too long is ended here, and not only when it is cancelled. */
  boolean hasClock() {
    return true;
  }

  @Override
  public RunResult run(RunRequest request, Call call) throws Exception {
    requests.add(request);
    File transcript = request.scratchDirectory().resolve("transcript").toFile();
    ProcessBuilder builder = new ProcessBuilder("/bin/sh", "-c", script(request))
        .directory(request.scratchDirectory().toFile()).redirectErrorStream(true).redirectOutput(transcript);
    builder.environment().clear();
    builder.environment().putAll(request.environment());
    long begun = System.nanoTime();
    Process process = builder.start();
    processes.add(process);
    process.getOutputStream().close();
    Ending ending = Ending.EXITED;
    while (!process.waitFor(10, TimeUnit.MILLISECONDS)) {
      boolean isLate = System.nanoTime() - begun > TimeUnit.SECONDS.toNanos(request.wallSeconds());
      if (isLate && hasClock()) ending = Ending.WALL_TIME_EXCEEDED;
      if (call.awaitCancelled(Duration.ofMillis(10)) || ending != Ending.EXITED) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
      }
    }
    if (call.isCancelled()) {
      cancelled.add(request.runId());
      throw new PluginException(PluginException.Code.CANCELLED, "The run was cancelled");
    }
    if (!call.addTranscript(Files.readAllBytes(transcript.toPath()))) ending = Ending.TRANSCRIPT_EXCEEDED;
    long took = System.nanoTime() - begun;
    if (ending != Ending.EXITED) return RunResult.ended(ending, 0, took);
    // Java tells a signal as the shell does.
    int status = process.exitValue();
    return status > 128 ? RunResult.ended(Ending.SIGNALLED, status - 128, took) : RunResult.exited(status, took);
  }
}
