import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import synchronicity.verify.Artifact;
import synchronicity.verify.Builder;
import synchronicity.verify.Digest;
import synchronicity.verify.Embedded;
import synchronicity.verify.Hasher;
import synchronicity.verify.Policy;
import synchronicity.verify.Proof;
import synchronicity.verify.Signature;
import synchronicity.verify.Source;
import synchronicity.verify.SyncException;
import synchronicity.verify.Verdict;
import synchronicity.verify.Verification;

/** The vectors. */
final class VectorTests {
  private static final String ZERO = "0".repeat(64);

  private final Vectors vectors;

  VectorTests(Vectors vectors) {
    this.vectors = vectors;
  }

  void run(Runner runner) {
    runner.test("every case has its status, from bytes and from a parsed proof", this::cases);
    runner.test("every described proof says what it should", this::described);
    runner.test("what a verification shows is what the proof says", this::shown);
    runner.test("every embedded proof is found or refused", this::embedded);
    runner.test("the hasher gives the digests of the artifacts, in whatever pieces", this::hasher);
  }

  private static int status(Runner.Body body) throws Exception {
    try {
      body.run();
      return 0;
    } catch (SyncException error) {
      return error.code().number();
    }
  }

  private void cases() throws Exception {
    List<String> wrong = new ArrayList<>();
    for (Map<String, String> row : vectors.cases) {
      byte[] policyBytes = vectors.read(row.get("policy"));
      byte[] proofBytes = vectors.read(row.get("proof"));
      int wanted = Integer.parseInt(row.get("status"));
      int bytes = status(() -> {
        try (Policy policy = Policy.parse(policyBytes)) {
          policy.verify(proofBytes, Vectors.digest(row));
        }
      });
      int parsed = status(() -> {
        try (Policy policy = Policy.parse(policyBytes); Proof proof = Proof.parse(proofBytes)) {
          policy.verify(proof, Vectors.digest(row));
        }
      });
      if (bytes != wanted || parsed != wanted) {
        wrong.add(row.get("name") + ": " + bytes + " and " + parsed + " instead of " + wanted);
      }
    }
    Runner.equal(wrong, List.of(), "cases");
  }

  private static String text(Digest digest) {
    return digest == null ? ZERO : digest.toString();
  }

  private static String listing(Proof proof) {
    StringBuilder lines = new StringBuilder();
    add(lines, "log_origin", proof.logOrigin());
    add(lines, "package", proof.packageUrl());
    add(lines, "package_name", proof.packageName());
    add(lines, "package_version", proof.packageVersion());
    add(lines, "submitter", proof.submitter());
    add(lines, "job_id", proof.jobId());
    add(lines, "source_sha256", text(proof.source().orElse(null)));
    add(lines, "toolchain_sha256", proof.toolchain());
    add(lines, "leaf_index", Long.toUnsignedString(proof.leafIndex()));
    add(lines, "tree_size", Long.toUnsignedString(proof.treeSize()));
    add(lines, "epoch", Long.toUnsignedString(proof.epoch()));
    add(lines, "height", Long.toUnsignedString(proof.height()));
    add(lines, "time_milliseconds", Long.toUnsignedString(proof.timeMilliseconds()));
    add(lines, "verdict", proof.verdict().ordinal() + 1);
    add(lines, "agreeing", proof.agreeing());
    add(lines, "reproducers", proof.reproducers());
    add(lines, "builder_count", proof.builders().size());
    add(lines, "artifact_count", proof.artifacts().size());
    add(lines, "source_count", proof.sources().size());
    add(lines, "signature_count", proof.signatures().size());
    add(lines, "outcome_count", proof.outcomeCount());
    for (int i = 0; i < proof.builders().size(); i++) {
      Builder builder = proof.builders().get(i);
      add(lines, "builder." + i + ".state", builder.state().ordinal() + 1);
      add(lines, "builder." + i + ".outcome", builder.outcome().orElse(0));
      add(lines, "builder." + i + ".name", builder.name());
      add(lines, "builder." + i + ".sandbox", builder.sandbox());
      add(lines, "builder." + i + ".processor", builder.processor());
      add(lines, "builder." + i + ".kernel", builder.kernel());
      add(lines, "builder." + i + ".outcome_sha256", text(builder.outcomeDigest().orElse(null)));
    }
    for (int i = 0; i < proof.artifacts().size(); i++) {
      Artifact artifact = proof.artifacts().get(i);
      add(lines, "artifact." + i + ".path", artifact.path());
      add(lines, "artifact." + i + ".size", Long.toUnsignedString(artifact.size()));
      add(lines, "artifact." + i + ".mode", artifact.mode());
      add(lines, "artifact." + i + ".sha256", artifact.digest());
    }
    for (int i = 0; i < proof.sources().size(); i++) {
      Source source = proof.sources().get(i);
      add(lines, "source." + i + ".package", source.packageUrl());
      add(lines, "source." + i + ".origin", source.origin());
      add(lines, "source." + i + ".tree_sha256", source.tree());
      add(lines, "source." + i + ".claimed_sha256", text(source.claim().orElse(null)));
      add(lines, "source." + i + ".has_claim", source.claim().isPresent() ? 1 : 0);
    }
    for (int i = 0; i < proof.signatures().size(); i++) {
      Signature signature = proof.signatures().get(i);
      add(lines, "signature." + i + ".name", signature.name());
      add(lines, "signature." + i + ".key_id", HexFormat.of().toHexDigits(signature.keyId()));
      add(lines, "signature." + i + ".is_timed", signature.timeSeconds().isPresent() ? 1 : 0);
      add(lines, "signature." + i + ".time_seconds", Long.toUnsignedString(signature.timeSeconds().orElse(0)));
    }
    return lines.toString();
  }

  private static void add(StringBuilder lines, String key, Object value) {
    lines.append(key).append('\t').append(value).append('\n');
  }

  private void described() throws Exception {
    int count = 0;
    try (Stream<Path> files = Files.list(vectors.path("described"))) {
      for (Path file : (Iterable<Path>) files.filter(path -> path.toString().endsWith(".txt"))::iterator) {
        String name = file.getFileName().toString().replaceFirst("\\.txt$", "");
        try (Proof proof = Proof.parse(vectors.read("proofs/" + name + ".tlog-proof"))) {
          Runner.equal(listing(proof), Files.readString(file), name);
        }
        count++;
      }
    }
    Runner.check(count > 0, "nothing is described");
  }

  private void shown() throws Exception {
    for (Map<String, String> row : vectors.cases) {
      if (!row.get("status").equals("0")) continue;
      String name = row.get("name");
      try (Policy policy = Policy.parse(vectors.read(row.get("policy")));
          Proof proof = Proof.parse(vectors.read(row.get("proof")))) {
        Verification shown = policy.verify(proof, Vectors.digest(row));
        Runner.equal(shown.verdict(), Verdict.REPRODUCED, name);
        Runner.equal(shown.leafIndex(), proof.leafIndex(), name);
        Runner.equal(shown.treeSize(), proof.treeSize(), name);
        Runner.equal(shown.height(), proof.height(), name);
        Runner.equal(shown.time(), proof.time(), name);
        Runner.equal(shown.builders(), proof.builders().size(), name);
        Runner.equal(shown.reproducerIndexes().size(), shown.reproducers(), name);
        Runner.equal(shown.cosignerIndexes().size(), shown.cosigners(), name);
        for (int i : shown.reproducerIndexes()) {
          Runner.equal(proof.builders().get(i).state(), Builder.State.REVEALED, name);
        }
        for (int i : shown.cosignerIndexes()) {
          Runner.check(proof.signatures().get(i).timeSeconds().isPresent(), name);
        }
        Runner.equal(shown, policy.verify(vectors.read(row.get("proof")), Vectors.digest(row)), name);
      }
    }
  }

  private void embedded() throws Exception {
    for (Map<String, String> row : vectors.table("embedded.tsv")) {
      byte[] bytes = vectors.read(row.get("file"));
      byte[] head = Arrays.copyOf(bytes, Math.min(bytes.length, Embedded.HEAD_SIZE));
      byte[] tail = Arrays.copyOfRange(bytes, Math.max(0, bytes.length - Embedded.TAIL_SIZE), bytes.length);
      Embedded[] found = new Embedded[1];
      int status = status(() -> found[0] = Embedded.find(head, tail, bytes.length));
      Runner.equal(status, Integer.parseInt(row.get("status")), row.get("name"));
      if (status != 0) continue;
      Embedded wanted = new Embedded(
          Embedded.Form.values()[Integer.parseInt(row.get("form"))], Long.parseLong(row.get("content_size")),
          Long.parseLong(row.get("proof_offset")), Long.parseLong(row.get("proof_size")));
      Runner.equal(found[0], wanted, row.get("name"));
    }
  }

  private void hasher() throws IOException {
    int count = 0;
    try (Stream<Path> files = Files.list(vectors.path("artifacts")); Hasher hasher = new Hasher()) {
      for (Path file : (Iterable<Path>) files::iterator) {
        byte[] bytes = Files.readAllBytes(file);
        Digest wanted = Digest.parse(file.getFileName().toString());
        for (int size : new int[] {1, 7, bytes.length + 1}) {
          for (int i = 0; i < bytes.length; i += size) hasher.update(bytes, i, Math.min(size, bytes.length - i));
          Runner.equal(hasher.digest(), wanted, "array");
        }
        ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length + 3).put(new byte[3]).put(bytes);
        Runner.equal(hasher.update(direct.position(3)).digest(), wanted, "direct");
        Runner.equal(direct.remaining(), 0, "what remains");
        ByteBuffer inside = ByteBuffer.allocate(bytes.length + 3).put(new byte[3]).put(bytes).position(1).slice();
        Runner.equal(hasher.update(inside.position(2)).digest(), wanted, "slice");
        Runner.equal(hasher.update(ByteBuffer.wrap(bytes).asReadOnlyBuffer()).digest(), wanted, "read-only");
        count++;
      }
    }
    Runner.check(count > 0, "no artifact");
  }
}
