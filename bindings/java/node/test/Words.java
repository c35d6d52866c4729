import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import synchronicity.node.Call;
import synchronicity.node.FetchRequest;
import synchronicity.node.PluginException;
import synchronicity.node.ResolveRequest;
import synchronicity.node.Source;

/** Packages pkg:words/WORD@1, whose recipe is a script that writes the word, or does something else. */
final class Words implements Source {
  private static final Map<String, String> RECIPES = Map.of(
      "hangs", "echo hangs; exec sleep 100",
      "dies", "kill -TERM $$",
      // Neither a blocked signal nor an ignored SIGPIPE is inherited.
      "signals", "grep '^SigBlk:.0*$' /proc/self/status && ignored=$(sed -n 's/^SigIgn:.//p' /proc/self/status) &&"
          + " [ $((0x$ignored & 0x1000)) -eq 0 ] && printf 'made by the recipe signals\\n' >/output/out",
      "prints", "head -c 5000 /dev/zero");

  static byte[] artifact(String word) {
    return ("made by the recipe " + word + "\n").getBytes(StandardCharsets.UTF_8);
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (java.security.GeneralSecurityException error) {
      throw new AssertionError(error);
    }
  }

  private static final String EMPTY_TREE =
      HexFormat.of().formatHex(sha256("synchronicity-tree/v1\n".getBytes(StandardCharsets.UTF_8)));

  @Override
  public String resolve(ResolveRequest request, Call call) throws Exception {
    String word = request.packageUrl().substring("pkg:words/".length()).split("@")[0];
    if (!request.packageUrl().equals("pkg:words/" + word + "@1")) word = "missing";
    switch (word) {
      case "missing" -> throw new PluginException(PluginException.Code.NOT_FOUND, "There is no such word");
      case "unpinned" -> throw new IllegalStateException("a sentence with ümlauts and a \0 inside");
      case "slow" -> call.awaitCancelled(Duration.ofSeconds(30));
      case "null" -> {
        return null;
      }
      case "nospec" -> {
        return "not a spec";
      }
      default -> { }
    }
    String recipe =
        RECIPES.getOrDefault(word, "printf 'made by the recipe %s\\n' " + word + " >/output/out; echo \"$WORD\"");
    String seconds = List.of("hangs", "blocked", "deaf").contains(word) ? "1" : "10";
    return String.join("\n",
        "synchronicity-spec/v1", "package pkg:words/" + word + "@1",
        "rebuild " + Long.toUnsignedString(request.rebuild()), "toolchain " + request.toolchain(), "target none",
        "profile release", "source pkg:words/" + word + "@1 " + EMPTY_TREE + " - pkg:words/" + word + "@1", "lock -",
        "environment WORD=two words", "wall-seconds " + seconds, "cpu-seconds 10", "memory-bytes 1048576",
        "processes 8", "disk-bytes 1048576", "transcript-bytes 1024",
        "recipe " + Base64.getEncoder().encodeToString(recipe.getBytes(StandardCharsets.UTF_8)), "artifact out", "");
  }

  @Override
  public void fetch(FetchRequest request, Call call) throws Exception {
    if (!request.treeSha256().equals(EMPTY_TREE)) {
      throw new PluginException(PluginException.Code.CHECKSUM_MISMATCH, "There is one tree");
    }
    Files.createDirectory(request.directory());
  }
}
