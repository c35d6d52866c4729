import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import synchronicity.verify.Digest;

/** Tests/Vectors, which every binding runs. */
final class Vectors {
  final Path root;
  final Path folder;
  final List<Map<String, String>> cases;

  Vectors(Path root) throws IOException {
    this.root = root;
    folder = root.resolve("Tests/Vectors");
    cases = table("cases.tsv");
  }

  Path path(String name) {
    return folder.resolve(name);
  }

  byte[] read(String name) throws IOException {
    return Files.readAllBytes(path(name));
  }

  /** A table's rows by the columns that its first line names. */
  List<Map<String, String>> table(String name) throws IOException {
    List<String> lines = Files.readAllLines(path(name));
    String[] columns = lines.get(0).replaceFirst("^# ?", "").split("\t");
    List<Map<String, String>> rows = new ArrayList<>();
    for (String line : lines.subList(1, lines.size())) {
      String[] fields = line.split("\t", -1);
      Map<String, String> row = new HashMap<>();
      for (int i = 0; i < columns.length; i++) row.put(columns[i], fields[i]);
      rows.add(row);
    }
    Runner.check(!rows.isEmpty(), name + " is empty");
    return rows;
  }

  /** An accepted case whose artifact's file is there. */
  Map<String, String> accepted() {
    return cases.stream()
        .filter(row -> row.get("status").equals("0") && Files.exists(artifact(row)))
        .findFirst().orElseThrow();
  }

  Path artifact(Map<String, String> row) {
    return path("artifacts/" + row.get("sha256hex"));
  }

  static Digest digest(Map<String, String> row) {
    return Digest.parse(row.get("sha256hex"));
  }
}
