package synchronicity.node;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * One program to run alone, without network or sight of the host, bounded in everything.
 *
 * @param runId 1 to 100 letters, digits, {@code -}, {@code _}, {@code .}; unique on this host
 * @param toolchain one that was prepared, in hexadecimal digits; its tree is the root
 * @param command an absolute path inside, then the arguments
 * @param environment the whole of it
 * @param workingDirectory inside
 * @param mounts what it sees of the host
 * @param hostName fixed inside
 * @param scratchDirectory a folder of the host for this run's private files
 * @param wallSeconds how long it may take
 * @param cpuSeconds how long it may work
 * @param memoryBytes how much memory it may have
 * @param processes how many processes it may have
 * @param diskBytes how much it may write
 * @param transcriptBytes how much it may print
 */
public record RunRequest(
    String runId, String toolchain, List<String> command, Map<String, String> environment, String workingDirectory,
    List<Mount> mounts, String hostName, Path scratchDirectory, long wallSeconds, long cpuSeconds, long memoryBytes,
    long processes, long diskBytes, long transcriptBytes) {
  static RunRequest of(Reader from) {
    return new RunRequest(
        from.text(), from.text(), from.texts(), pairs(from.texts()), from.text(),
        from.items(item -> new Mount(item.path(), item.text(), item.bool())), from.text(), from.path(), from.int64(),
        from.int64(), from.int64(), from.int64(), from.int64(), from.int64());
  }

  private static Map<String, String> pairs(List<String> texts) {
    Map<String, String> pairs = new LinkedHashMap<>();
    for (String text : texts) {
      int end = text.indexOf('=');
      pairs.put(end < 0 ? text : text.substring(0, end), end < 0 ? "" : text.substring(end + 1));
    }
    return Collections.unmodifiableMap(pairs);
  }

  /**
   * Where on the host a mount is.
   *
   * @param insidePath where it is seen, such as {@code /output}
   * @return its path on the host
   * @throws NoSuchElementException where there is none of that path
   */
  public Path hostPath(String insidePath) {
    for (Mount mount : mounts) {
      if (mount.insidePath().equals(insidePath)) return mount.hostPath();
    }
    throw new NoSuchElementException("no mount is at " + insidePath);
  }
}
