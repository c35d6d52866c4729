import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import synchronicity.verify.Digest;
import synchronicity.verify.Hasher;
import synchronicity.verify.Policy;
import synchronicity.verify.Proof;
import synchronicity.verify.SyncException;

/** Memory outside the heap stays within bounds, closed or forgotten. */
final class MemoryTests {
  private final byte[] policyBytes;
  private final byte[] proofBytes;
  private final byte[] handoverBytes;
  private final Digest digest;
  private final Digest nothing = Digest.of(new byte[Digest.SIZE]);

  MemoryTests(Vectors vectors) throws Exception {
    Map<String, String> row = vectors.accepted();
    policyBytes = vectors.read(row.get("policy"));
    proofBytes = vectors.read(row.get("proof"));
    digest = Vectors.digest(row);
    handoverBytes = vectors.read("handovers/zero-to-one.tlog-proof");
  }

  void run(Runner runner) {
    // An error is 64 bytes: only many show, and only before others leave room behind in which they would go unseen.
    runner.test("what is refused leaves nothing", () -> bounded(200_000, 8, this::refused));
    runner.test("what is closed is freed", () -> bounded(2000, 12, this::closed));
    runner.test("what is forgotten is freed", () -> bounded(10_000, 16, this::forgotten));
  }

  private static long residentBytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("\\D", "")) << 10;
    }
    throw new IOException("no VmRSS");
  }

  private static void settle() throws InterruptedException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(50);
    }
  }

  /** The heap is all touched before the first look, since it counts as resident from then on. */
  private static void bounded(int rounds, int mebibytes, Runner.Body body) throws Exception {
    byte[][] heap = new byte[24][];
    for (int i = 0; i < heap.length; i++) Arrays.fill(heap[i] = new byte[1 << 20], (byte) 1);
    heap = null;
    for (int i = 0; i < 500; i++) body.run();
    settle();
    long before = residentBytes();
    for (int i = 0; i < rounds; i++) {
      body.run();
      if (i % (rounds / 5) == 0) settle();
    }
    settle();
    long grown = residentBytes() - before;
    Runner.check(grown < (long) mebibytes << 20, grown + " bytes more after " + rounds + " rounds");
    System.out.printf("%d KiB more after %d rounds%n", grown >> 10, rounds);
  }

  private void closed() throws Exception {
    byte[] cut = Arrays.copyOf(proofBytes, 200);
    try (Policy policy = Policy.parse(policyBytes);
        Proof proof = Proof.parse(proofBytes);
        Hasher hasher = new Hasher()) {
      policy.verify(proof, digest);
      policy.verify(proofBytes, digest);
      hasher.update(proofBytes).digest();
      policy.follow(0, handoverBytes).close();
      Runner.thrown(SyncException.class, () -> policy.follow(1, handoverBytes));
      Runner.thrown(SyncException.class, () -> policy.verify(proof, nothing));
      Runner.thrown(SyncException.class, () -> Proof.parse(cut));
      Runner.thrown(SyncException.class, () -> Policy.parse(cut));
    }
  }

  private void refused() {
    Runner.thrown(SyncException.class, () -> Proof.parse(nothing.toByteArray()));
  }

  @SuppressWarnings("resource")
  private void forgotten() throws Exception {
    Policy.parse(policyBytes);
    Proof.parse(proofBytes);
    new Hasher().update(proofBytes);
  }
}
