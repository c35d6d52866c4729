import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import synchronicity.verify.Digest;
import synchronicity.verify.Policy;
import synchronicity.verify.Proof;
import synchronicity.verify.SyncException;
import synchronicity.verify.SyncException.Code;

/** Policies that are followed through hand-overs: the vectors, lives, wrong calls. */
final class HandoverTests {
  private final Vectors vectors;
  private final List<Map<String, String>> rows;
  private final byte[] first;
  private final byte[] second;
  private final byte[] before;
  private final byte[] behind;
  private final Digest digest;

  HandoverTests(Vectors vectors) throws Exception {
    this.vectors = vectors;
    rows = vectors.table("handovers.tsv");
    first = vectors.read("handovers/zero-to-one.tlog-proof");
    second = vectors.read("handovers/one-to-two.tlog-proof");
    before = vectors.read("handovers/evidence-0.tlog-proof");
    behind = vectors.read("handovers/evidence-1.tlog-proof");
    digest = rows.stream()
        .filter(row -> row.get("proof").equals("handovers/evidence-1.tlog-proof"))
        .map(Vectors::digest).findFirst().orElseThrow();
  }

  void run(Runner runner) {
    runner.test("every row of hand-overs has its status", this::rows);
    runner.test("a policy that was followed is one of its own", this::lives);
    runner.test("a hand-over that is refused leaves the policy", this::refusals);
    runner.test("wrong calls to follow have Java's own exceptions", this::wrongCalls);
    runner.test("threads follow one policy, which another closes", this::threads);
  }

  private Policy firstPolicy() throws Exception {
    return Policy.parse(vectors.read("policies/four.policy"));
  }

  private int status(Map<String, String> row) throws Exception {
    List<Policy> policies = new ArrayList<>();
    try {
      policies.add(Policy.parse(vectors.read(row.get("policy"))));
      String[] paths = row.get("handovers").equals("-") ? new String[0] : row.get("handovers").split(" ");
      for (int i = 0; i < paths.length; i++) {
        long epoch = Long.parseUnsignedLong(row.get("epoch")) + i;
        policies.add(policies.get(i).follow(epoch, vectors.read(paths[i])));
      }
      if (row.get("proof").equals("-")) return 0;
      Policy last = policies.get(policies.size() - 1);
      byte[] bytes = vectors.read(row.get("proof"));
      int reproducers = last.verify(bytes, Vectors.digest(row)).reproducers();
      try (Proof proof = Proof.parse(bytes)) {
        Runner.equal(last.verify(proof, Vectors.digest(row)).reproducers(), reproducers, row.get("name"));
      }
      return 0;
    } catch (SyncException error) {
      Runner.check(error.getMessage().length() > 10, "a sentence");
      return error.code().number();
    } finally {
      policies.forEach(Policy::close);
    }
  }

  private void rows() throws Exception {
    List<String> wrong = new ArrayList<>();
    int accepted = 0;
    for (Map<String, String> row : rows) {
      int wanted = Integer.parseInt(row.get("status"));
      int got = status(row);
      if (got != wanted) wrong.add(row.get("name") + ": " + got + " instead of " + wanted);
      if (wanted == 0) accepted++;
    }
    Runner.equal(wrong, List.of(), "rows");
    Runner.check(accepted >= 60 && rows.size() - accepted >= 200, "both kinds of rows");
  }

  private Code refused(Policy policy, long epoch, byte[] handover) throws Exception {
    return Runner.thrown(SyncException.class, () -> policy.follow(epoch, handover)).code();
  }

  private void lives() throws Exception {
    Policy policy = firstPolicy();
    Policy followed = policy.follow(0, first);
    try (Policy further = followed.follow(1, second)) {
      // What holds by the first alone is as it was.
      policy.verify(before, digest);
      SyncException unknown = Runner.thrown(SyncException.class, () -> policy.verify(behind, digest));
      Runner.equal(unknown.code(), Code.UNTRUSTED_LOG, "by the first policy");
      policy.close();
      followed.verify(behind, digest);
      followed.close();
      Runner.thrown(IllegalStateException.class, () -> followed.follow(1, second));
      for (int i = 0; i < 3; i++) {
        System.gc();
        // What was freed too early is given to others.
        firstPolicy().close();
        further.verify(before, digest);
        further.verify(behind, digest);
      }
    }
  }

  private void refusals() throws Exception {
    try (Policy policy = firstPolicy()) {
      Runner.equal(refused(policy, 1, first), Code.WRONG_EPOCH, "one more");
      Runner.equal(refused(policy, -1, first), Code.WRONG_EPOCH, "the largest epoch");
      Runner.equal(refused(policy, 0, second), Code.WRONG_EPOCH, "the second first");
      Runner.equal(refused(policy, 0, before), Code.NOT_HANDOVER, "evidence");
      Runner.equal(refused(policy, 0, new byte[0]), Code.MALFORMED, "nothing");
      Runner.equal(refused(policy, 0, Arrays.copyOf(first, first.length - 1)), Code.MALFORMED, "cut");
      for (int size : new int[] {1_048_577, 50_000_000}) {
        Runner.equal(refused(policy, 0, new byte[size]), Code.TOO_LARGE, "too large");
      }
      try (Policy followed = policy.follow(0, first)) {
        followed.verify(behind, digest);
        // The first to be followed says of which epoch the policy is; from then on it is known.
        Runner.equal(refused(followed, 2, second), Code.WRONG_EPOCH, "left out");
        Runner.equal(refused(followed, 0, first), Code.WRONG_EPOCH, "twice");
      }
    }
  }

  private void wrongCalls() throws Exception {
    Policy policy = firstPolicy();
    Runner.thrown(NullPointerException.class, () -> policy.follow(0, null));
    policy.close();
    Runner.thrown(IllegalStateException.class, () -> policy.follow(0, first));
    Runner.thrown(IllegalStateException.class, () -> policy.follow(0, null));
  }

  private void threads() throws Exception {
    Policy policy = firstPolicy();
    List<Throwable> failures = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      Thread thread = new Thread(() -> {
        try {
          for (int j = 0; j < 50; j++) {
            try (Policy followed = policy.follow(0, first)) {
              followed.verify(behind, digest);
            }
          }
        } catch (IllegalStateException closed) {
          // Another thread was quicker.
        } catch (Throwable error) {
          synchronized (failures) {
            failures.add(error);
          }
        }
      });
      threads.add(thread);
      thread.start();
    }
    Thread.sleep(5);
    policy.close();
    for (Thread thread : threads) thread.join();
    Runner.equal(failures, List.of(), "failures");
  }
}
