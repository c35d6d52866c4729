import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import synchronicity.verify.Digest;
import synchronicity.verify.Hasher;
import synchronicity.verify.Policy;
import synchronicity.verify.Proof;
import synchronicity.verify.SyncException;
import synchronicity.verify.SyncException.Code;
import synchronicity.verify.Verdict;

/** Several threads at once. */
final class ThreadTests {
  private static final int THREADS = 8;

  private final byte[] policyBytes;
  private final byte[] proofBytes;
  private final Digest digest;

  ThreadTests(Vectors vectors) throws Exception {
    Map<String, String> row = vectors.accepted();
    policyBytes = vectors.read(row.get("policy"));
    proofBytes = vectors.read(row.get("proof"));
    digest = Vectors.digest(row);
  }

  void run(Runner runner) {
    runner.test("threads share a policy and a proof", this::share);
    runner.test("one thread closes what others are using", this::close);
    runner.test("a hasher survives threads that do not take turns", this::hasher);
  }

  private interface Job {
    void run() throws Exception;
  }

  /** Runs the job on all threads, which begin together. */
  private static void together(Job job) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(THREADS);
    CountDownLatch start = new CountDownLatch(THREADS);
    List<Future<?>> all = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      all.add(pool.submit(() -> {
        start.countDown();
        start.await();
        job.run();
        return null;
      }));
    }
    for (Future<?> one : all) one.get();
    pool.shutdown();
    Runner.check(pool.awaitTermination(1, TimeUnit.MINUTES), "the threads end");
  }

  private void share() throws Exception {
    Digest nothing = Digest.of(new byte[Digest.SIZE]);
    try (Policy policy = Policy.parse(policyBytes); Proof proof = Proof.parse(proofBytes)) {
      together(() -> {
        for (int i = 0; i < 100; i++) {
          Runner.equal(policy.verify(proof, digest).verdict(), Verdict.REPRODUCED, "parsed");
          Runner.equal(policy.verify(proofBytes, digest).verdict(), Verdict.REPRODUCED, "bytes");
          Runner.equal(
              Runner.thrown(SyncException.class, () -> policy.verify(proof, nothing)).code(), Code.ARTIFACT_MISMATCH,
              "code");
        }
      });
    }
  }

  private void close() throws Exception {
    for (int round = 0; round < 50; round++) {
      Policy policy = Policy.parse(policyBytes);
      Proof proof = Proof.parse(proofBytes);
      boolean closesPolicy = round % 2 == 0;
      together(() -> {
        try {
          policy.verify(proof, digest);
          if (closesPolicy) policy.close();
          else proof.close();
          policy.verify(proof, digest);
          throw new AssertionError("it is closed by now");
        } catch (IllegalStateException expected) {
          // Closed by this thread or another.
        }
      });
      policy.close();
      proof.close();
    }
  }

  private void hasher() throws Exception {
    try (Hasher hasher = new Hasher()) {
      together(() -> {
        for (int i = 0; i < 1000; i++) {
          hasher.update(proofBytes);
          if (i % 10 == 0) hasher.digest();
        }
      });
      hasher.digest();
      Runner.equal(hasher.update(new byte[0]).digest().toString().substring(0, 8), "e3b0c442", "as new");
    }
  }
}
