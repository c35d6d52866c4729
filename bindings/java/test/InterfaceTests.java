import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import synchronicity.verify.Digest;
import synchronicity.verify.Embedded;
import synchronicity.verify.Hasher;
import synchronicity.verify.Policy;
import synchronicity.verify.Proof;
import synchronicity.verify.SyncException;
import synchronicity.verify.SyncException.Code;
import synchronicity.verify.Verdict;
import synchronicity.verify.Verification;

/** How the interface behaves whatever the proof. */
final class InterfaceTests {
  private static final Digest NOTHING = Digest.of(new byte[Digest.SIZE]);

  private final Vectors vectors;
  private final byte[] policyBytes;
  private final byte[] proofBytes;
  private final Digest digest;

  InterfaceTests(Vectors vectors) throws Exception {
    this.vectors = vectors;
    Map<String, String> row = vectors.accepted();
    policyBytes = vectors.read(row.get("policy"));
    proofBytes = vectors.read(row.get("proof"));
    digest = Vectors.digest(row);
  }

  void run(Runner runner) {
    runner.test("the numbers of the errors and the version are those of the C header", this::header);
    runner.test("a refusal has code, sentence and offset", this::refusals);
    runner.test("a wrong call has Java's own exception", this::wrongCalls);
    runner.test("a null is refused everywhere", this::nulls);
    runner.test("what is closed refuses, and stays readable", this::closed);
    runner.test("digests are values", this::digests);
    runner.test("times and numbers are unsigned", this::unsigned);
    runner.test("lists cannot be changed", this::lists);
  }

  private void header() throws Exception {
    String header = Files.readString(vectors.root.resolve("include/sync/version.h"));
    Matcher error = Pattern.compile("^#define SYNC_ERROR_(\\w+) (\\d+)$", Pattern.MULTILINE).matcher(header);
    int count = 0;
    while (error.find()) {
      int number = Integer.parseInt(error.group(2));
      if (number >= 100) continue;
      Runner.equal(Code.valueOf(error.group(1)).number(), number, error.group(1));
      count++;
    }
    Runner.equal(Code.values().length, count + 1, "codes, and the unknown one");
    StringBuilder version = new StringBuilder();
    Matcher part = Pattern.compile("^#define SYNC_VERSION_\\w+ (\\d+)$", Pattern.MULTILINE).matcher(header);
    while (part.find()) version.append(version.isEmpty() ? "" : ".").append(part.group(1));
    Runner.equal(Policy.libraryVersion(), version.toString(), "version");
  }

  private void refusals() throws Exception {
    try (Policy policy = Policy.parse(policyBytes)) {
      SyncException mismatch = Runner.thrown(SyncException.class, () -> policy.verify(proofBytes, NOTHING));
      Runner.equal(mismatch.code(), Code.ARTIFACT_MISMATCH, "code");
      Runner.equal(mismatch.offset(), OptionalLong.empty(), "offset");
      Runner.check(mismatch.getMessage().length() > 10, "a sentence");
      byte[] cut = java.util.Arrays.copyOf(proofBytes, 40);
      Runner.check(Runner.thrown(SyncException.class, () -> Proof.parse(cut)).offset().isPresent(), "an offset");
      for (int size : new int[] {1_048_577, 50_000_000}) {
        byte[] large = new byte[size];
        Runner.equal(
            Runner.thrown(SyncException.class, () -> policy.verify(large, digest)).code(), Code.TOO_LARGE, "proof");
        Runner.equal(Runner.thrown(SyncException.class, () -> Proof.parse(large)).code(), Code.TOO_LARGE, "proof");
        Runner.equal(Runner.thrown(SyncException.class, () -> Policy.parse(large)).code(), Code.TOO_LARGE, "policy");
      }
      Runner.thrown(SyncException.class, () -> Proof.parse(new byte[0]));
      Runner.thrown(SyncException.class, () -> Policy.parse(new byte[0]));
      Runner.thrown(SyncException.class, () -> policy.verify(new byte[0], digest));
    }
  }

  private void wrongCalls() {
    byte[] two = new byte[2];
    byte[] many = new byte[Embedded.TAIL_SIZE + 9];
    Class<IllegalArgumentException> wrong = IllegalArgumentException.class;
    Runner.thrown(wrong, () -> Embedded.find(new byte[3], two, 2));
    Runner.thrown(wrong, () -> Embedded.find(many, many, many.length));
    Runner.thrown(wrong, () -> Embedded.find(two, two, -1));
    Runner.thrown(wrong, () -> Digest.of(new byte[31]));
    Runner.thrown(wrong, () -> Digest.parse("00"));
    Runner.thrown(wrong, () -> Digest.parse("g".repeat(64)));
    try (Hasher hasher = new Hasher()) {
      Class<IndexOutOfBoundsException> bounds = IndexOutOfBoundsException.class;
      Runner.thrown(bounds, () -> hasher.update(two, 1, 2));
      Runner.thrown(bounds, () -> hasher.update(two, -1, 1));
      Runner.thrown(bounds, () -> hasher.update(two, 0, -1));
      Runner.thrown(bounds, () -> hasher.update(two, Integer.MAX_VALUE, Integer.MAX_VALUE));
    }
  }

  private void nulls() throws Exception {
    Class<NullPointerException> wrong = NullPointerException.class;
    Runner.thrown(wrong, () -> Policy.parse(null));
    Runner.thrown(wrong, () -> Policy.read(null));
    Runner.thrown(wrong, () -> Proof.parse(null));
    Runner.thrown(wrong, () -> Proof.read(null));
    Runner.thrown(wrong, () -> Digest.of(null));
    Runner.thrown(wrong, () -> Digest.parse(null));
    Runner.thrown(wrong, () -> Embedded.find(null, new byte[0], 0));
    Runner.thrown(wrong, () -> Embedded.find(new byte[0], null, 0));
    try (Policy policy = Policy.parse(policyBytes); Hasher hasher = new Hasher()) {
      Runner.thrown(wrong, () -> policy.verify((byte[]) null, digest));
      Runner.thrown(wrong, () -> policy.verify((Proof) null, digest));
      Runner.thrown(wrong, () -> policy.verify(proofBytes, null));
      Runner.thrown(wrong, () -> policy.verifyFile(null));
      Runner.thrown(wrong, () -> hasher.update((byte[]) null));
      Runner.thrown(wrong, () -> hasher.update((ByteBuffer) null));
      policy.verify(proofBytes, digest);
    }
  }

  private void closed() throws Exception {
    Policy policy = Policy.parse(policyBytes);
    Proof proof = Proof.parse(proofBytes);
    Hasher hasher = new Hasher();
    policy.verify(proof, digest);
    proof.close();
    proof.close();
    Class<IllegalStateException> wrong = IllegalStateException.class;
    Runner.thrown(wrong, () -> policy.verify(proof, digest));
    Runner.equal(proof.verdict(), Verdict.REPRODUCED, "verdict");
    policy.verify(proofBytes, digest);
    policy.close();
    policy.close();
    Runner.thrown(wrong, () -> policy.verify(proofBytes, digest));
    hasher.close();
    hasher.close();
    Runner.thrown(wrong, () -> hasher.update(new byte[1]));
    Runner.thrown(wrong, hasher::digest);
  }

  private void digests() {
    byte[] bytes = digest.toByteArray();
    Digest same = Digest.of(bytes);
    bytes[0] ^= 1;
    same.toByteArray()[1] ^= 1;
    Runner.equal(same, digest, "digest");
    Runner.equal(same.hashCode(), digest.hashCode(), "hash code");
    Runner.equal(Digest.parse(digest.toString().toUpperCase(java.util.Locale.ROOT)), digest, "upper case");
    Runner.check(!Digest.of(bytes).equals(digest), "a changed digest");
    Runner.check(!digest.equals((Object) digest.toString()), "a string");
  }

  private void unsigned() {
    Verification latest =
        new Verification(Verdict.REPRODUCED, 0, 0, 0, 0, 0, 0, -1, List.of(), List.of());
    Runner.equal(latest.time(), Instant.ofEpochSecond(18446744073709551L, 615_000_000), "time");
  }

  private void lists() throws Exception {
    try (Policy policy = Policy.parse(policyBytes); Proof proof = Proof.parse(proofBytes)) {
      Verification shown = policy.verify(proof, digest);
      for (List<?> list : List.of(
          proof.builders(), proof.artifacts(), proof.sources(), proof.signatures(), shown.reproducerIndexes(),
          shown.cosignerIndexes())) {
        Runner.thrown(UnsupportedOperationException.class, list::clear);
      }
      Runner.equal(
          new String(proof.packageUrl().getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8), proof.packageUrl(),
          "text");
    }
  }
}
