import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import synchronicity.node.KeyRole;
import synchronicity.node.LogLevel;
import synchronicity.node.Node;
import synchronicity.node.NodeException;
import synchronicity.node.NodeOptions;
import synchronicity.node.Registry;

/** Folders of builders, made with the program; deleted when this is closed. */
final class Group implements AutoCloseable {
  /** Where the repository and the program are. */
  record Place(Path root, Path program) {}

  final Path folder = Files.createTempDirectory("java-group");
  private final Place place;

  /** A folder for each builder, and the files group.txt and policy. */
  Group(Place place, List<String> names, Set<String> withJavaKeys, int reproducers) throws Exception {
    this.place = place;
    int port = Integer.parseInt(
        said(List.of(place.root.resolve("scripts/free-ports").toString(), Integer.toString(2 * names.size()))).strip());
    List<String> words = new ArrayList<>(List.of(
        "group", "create", "--origin", "java.example", "--commit-seconds", "12", "--reveal-seconds", "12", "--output",
        path("group.txt"), "--policy", path("policy")));
    if (reproducers > 0) words.addAll(List.of("--reproducers", Integer.toString(reproducers)));
    for (String name : names) {
      String address = "127.0.0.1:" + port++;
      program("init", "--quiet", "--name", name, "--address", address, "--listen", address, "--gateway",
          "127.0.0.1:" + port++, "--directory", path(name));
      configure(name, withJavaKeys.contains(name));
      words.add(folder.resolve(name).resolve(name + ".member").toString());
    }
    program(words.toArray(String[]::new));
  }

  private String path(String name) {
    return folder.resolve(name).toString();
  }

  private void configure(String name, boolean hasJavaKeys) throws IOException {
    Path file = folder.resolve(name).resolve("config.toml");
    String source = "source = \"java-words\"";
    if (hasJavaKeys) {
      source += "\nsigner = \"java-keys\"\nstorage = \"java-map\"";
      Path card = folder.resolve(name).resolve(name + ".member");
      String text = Files.readString(card);
      for (KeyRole role : KeyRole.values()) {
        if (role == KeyRole.UNKNOWN) continue;
        String key = role.name().toLowerCase(Locale.ROOT) + "-key";
        text = replaced(text, key + " .*", key + " " + HexFormat.of().formatHex(Keys.publicKey(name, role)));
      }
      Files.writeString(card, text);
    }
    String text = Files.readString(file);
    text = replaced(text, "sandbox = .*", "sandbox = \"java-shell\"");
    text = replaced(text, "source = .*", source);
    text = replaced(text, "group = .*", "group = \"../group.txt\"");
    text = replaced(text, "data = \"data\"", "data = \"data\"\ncache = \"cache\"");
    Files.writeString(file, text + "\n[toolchain]\ndigest = \"" + "0".repeat(63) + "7\"\n");
  }

  /** The one line of this form becomes another. */
  static String replaced(String text, String line, String other) {
    Matcher matcher = Pattern.compile("^" + line + "$", Pattern.MULTILINE).matcher(text);
    Runner.check(matcher.find(), "no line is " + line);
    return matcher.replaceFirst(Matcher.quoteReplacement(other));
  }

  String configuration(String name) throws IOException {
    return Files.readString(folder.resolve(name).resolve("config.toml"));
  }

  /** A node that does not run yet. */
  Node load(String name, Registry registry, List<String> log) throws Exception {
    return parse(name, configuration(name), registry, log);
  }

  Node parse(String name, String text, Registry registry, List<String> log) throws NodeException {
    NodeOptions options = new NodeOptions().registry(registry).log((LogLevel level, String line) ->
        log.add(level + " " + line));
    return Node.parse(text, folder.resolve(name), options);
  }

  void program(String... arguments) throws Exception {
    List<String> words = new ArrayList<>(List.of(place.program.toString()));
    words.addAll(List.of(arguments));
    said(words);
  }

  /** What a command prints; it succeeds. */
  static String said(List<String> words) throws Exception {
    Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String text = new String(process.getInputStream().readAllBytes());
    int status = process.waitFor();
    Runner.check(status == 0, words + " exits with " + status + ": " + text);
    return text;
  }

  /** Whether a proof proves these bytes, by the program's word. */
  void verify(byte[] proof, byte[] artifact) throws Exception {
    Path first = Files.write(folder.resolve("proof"), proof);
    Path second = Files.write(folder.resolve("out"), artifact);
    program("verify", "--policy", path("policy"), "--proof", first.toString(), second.toString());
    Files.write(second, new byte[] {1});
    Runner.thrown(AssertionError.class,
        () -> program("verify", "--policy", path("policy"), "--proof", first.toString(), second.toString()));
  }

  @Override
  public void close() throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
    }
  }

  /** How many threads and descriptors this process has. */
  static Map<String, Integer> counts() {
    return Map.of("threads", count("task"), "descriptors", count("fd"));
  }

  private static int count(String name) {
    String[] found = new File("/proc/self/" + name).list();
    return found == null ? 0 : found.length;
  }
}
