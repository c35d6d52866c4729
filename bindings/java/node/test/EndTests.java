import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Programs of their own that end without closing their node. */
final class EndTests {
  private final Group.Place place;

  EndTests(Group.Place place) {
    this.place = place;
  }

  /** How it ends, what it exits with, and what it says on its error output. */
  private record Row(String how, int status, String error) {}

  private static final List<Row> ROWS = List.of(
      new Row("created", 0, ""), new Row("return", 0, ""), new Row("throw", 1, "main throws"), new Row("exit", 7, ""),
      new Row("inside", 7, ""), new Row("deaf", 7, ""), new Row("check", 7, ""),
      new Row("signal", 143, ""));

  void run(Runner runner) throws Exception {
    List<Started> all = new ArrayList<>();
    try {
      for (Row row : ROWS) all.add(new Started(row));
      for (Started one : all) runner.test("a program ends: " + one.row.how, one::check);
    } finally {
      for (Started one : all) one.close();
    }
  }

  private final class Started {
    final Row row;
    final Group group = new Group(place, List.of("alder"), Set.of(), 0);
    final Path out = group.folder.resolve("stdout");
    final Path err = group.folder.resolve("stderr");
    final long begun = System.nanoTime();
    final Process process;

    Started(Row row) throws Exception {
      this.row = row;
      ProcessBuilder builder = new ProcessBuilder(
          Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1",
          "--enable-native-access=ALL-UNNAMED",
          "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"), "-XX:ErrorFile=" + group.folder + "/crash",
          "-cp", System.getProperty("java.class.path"), "EndMain",
          group.folder.resolve("alder/config.toml").toString(), row.how)
              .directory(group.folder.toFile()).redirectOutput(out.toFile()).redirectError(err.toFile());
      builder.environment().put("TMPDIR", group.folder.toString());
      process = builder.start();
    }

    void check() throws Exception {
      if (row.how.equals("signal")) {
        for (int i = 0; i < 3000 && !Files.readString(out).contains("Rebuilding"); i++) Thread.sleep(10);
        process.destroy();
      }
      Runner.check(process.waitFor(60, TimeUnit.SECONDS), "it does not end");
      String said = Files.readString(err);
      Runner.equal(process.exitValue(), row.status, said + Files.readString(out));
      Runner.check(row.error.isEmpty() ? said.isEmpty() : said.contains(row.error), said);
      Runner.check(!new File(group.folder.toFile(), "crash").exists(), "it crashed");
      // It was ended, and did not merely vanish.
      if (row.how.equals("check")) {
        try (Stream<Path> all = Files.list(group.folder)) {
          Runner.check(all.noneMatch(path -> path.toString().contains("sync-plugin-check")), "a folder is left");
        }
      } else if (row.status != 0 || row.how.equals("return")) {
        Runner.check(Files.readString(out).contains("Stopping"), Files.readString(out));
      }
      System.out.printf("%s: %d ms%n", row.how, (System.nanoTime() - begun) / 1_000_000);
    }

    void close() throws Exception {
      process.destroyForcibly().waitFor();
      group.close();
    }
  }
}
