import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import synchronicity.verify.Digest;
import synchronicity.verify.FileVerification;
import synchronicity.verify.FileVerification.ProofOrigin;
import synchronicity.verify.Hasher;
import synchronicity.verify.Inside;
import synchronicity.verify.Policy;
import synchronicity.verify.Proof;
import synchronicity.verify.SyncException;
import synchronicity.verify.SyncException.Code;

/** Files: given, embedded and sidecar proofs, and bounded reads. */
final class FileTests {
  private final Vectors vectors;
  private final Path artifact;
  private final Path proofFile;
  private final Path policyFile;
  private final Digest digest;
  private Path folder;

  FileTests(Vectors vectors) {
    this.vectors = vectors;
    Map<String, String> row = vectors.accepted();
    artifact = vectors.artifact(row);
    proofFile = vectors.path(row.get("proof"));
    policyFile = vectors.path(row.get("policy"));
    digest = Vectors.digest(row);
  }

  void run(Runner runner) throws IOException {
    folder = Files.createTempDirectory("files");
    try {
      runner.test("a given proof", this::given);
      runner.test("a proof beside the artifact", this::sidecar);
      runner.test("a proof inside the artifact", this::embedded);
      runner.test("a broken proof inside is not made good by one beside", this::broken);
      runner.test("an artifact of many pieces has its digest", this::large);
      runner.test("a proof of 1 GiB is refused after the first bounded read", this::sparse);
      runner.test("what is no regular file is refused at once", this::irregular);
      runner.test("a file with more bytes than its size is refused", this::growing);
      runner.test("an interrupt stops the reading", this::interrupt);
      runner.test("no file stays open", this::open);
    } finally {
      try (Stream<Path> files = Files.walk(folder)) {
        files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
      }
    }
  }

  private Path sparse(String name, long size) throws IOException {
    Path file = folder.resolve(name);
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(size);
    }
    return file;
  }

  private static Code refused(Runner.Body body) {
    return Runner.thrown(SyncException.class, body).code();
  }

  private void given() throws Exception {
    try (Policy policy = Policy.read(policyFile)) {
      FileVerification shown = policy.verifyFile(artifact, proofFile);
      Runner.equal(shown.proofOrigin(), ProofOrigin.GIVEN, "origin");
      Runner.equal(shown.digest(), digest, "digest");
      Runner.equal(shown.contentSize(), Files.size(artifact), "size");
      Runner.check(shown.proof().artifacts().stream().anyMatch(item -> item.digest().equals(digest)), "artifact");
      Runner.thrown(IllegalStateException.class, () -> policy.verify(shown.proof(), digest));
    }
  }

  private void sidecar() throws Exception {
    Path file = Files.copy(artifact, folder.resolve("beside"));
    Path beside = folder.resolve("beside.tlog-proof");
    try (Policy policy = Policy.read(policyFile)) {
      NoSuchFileException missing = Runner.thrown(NoSuchFileException.class, () -> policy.verifyFile(file));
      Runner.equal(missing.getFile(), beside.toString(), "the file that is missing");
      Files.copy(proofFile, beside);
      Runner.equal(policy.verifyFile(file).proofOrigin(), ProofOrigin.SIDECAR, "origin");
      Files.write(file, new byte[1], StandardOpenOption.APPEND);
      Runner.equal(refused(() -> policy.verifyFile(file)), Code.ARTIFACT_MISMATCH, "code");
    }
  }

  private void embedded() throws Exception {
    int count = 0;
    for (Map<String, String> row : vectors.table("embedded.tsv")) {
      if (!row.get("status").equals("0") || row.get("form").equals("0")) continue;
      byte[] bytes = vectors.read(row.get("file"));
      byte[] content = Arrays.copyOf(bytes, Integer.parseInt(row.get("content_size")));
      Digest wanted = Digest.of(MessageDigest.getInstance("SHA-256").digest(content));
      List<Map<String, String>> accepting = vectors.cases.stream()
          .filter(other -> other.get("status").equals("0") && Vectors.digest(other).equals(wanted)).toList();
      if (accepting.isEmpty()) continue;
      try (Policy policy = Policy.read(vectors.path(accepting.get(0).get("policy")))) {
        FileVerification shown = policy.verifyFile(vectors.path(row.get("file")));
        Runner.equal(shown.proofOrigin(), ProofOrigin.EMBEDDED, row.get("name"));
        Runner.equal(shown.digest(), wanted, row.get("name"));
        Runner.equal(shown.contentSize(), (long) content.length, row.get("name"));
        if (content.length > 8) {
          bytes[content.length - 1] ^= 1;
          Path changed = Files.write(folder.resolve("changed"), bytes);
          Runner.thrown(SyncException.class, () -> policy.verifyFile(changed));
        }
      }
      count++;
    }
    Runner.check(count > 0, "no embedded proof has an accepting policy");
  }

  private void broken() throws Exception {
    Map<String, String> row =
        vectors.table("embedded.tsv").stream().filter(one -> one.get("status").equals("1")).findFirst().orElseThrow();
    Path file = Files.copy(vectors.path(row.get("file")), folder.resolve("broken"));
    Files.copy(proofFile, folder.resolve("broken.tlog-proof"));
    try (Policy policy = Policy.read(policyFile)) {
      Runner.equal(refused(() -> policy.verifyFile(file)), Code.MALFORMED, "code");
    }
  }

  private void large() throws Exception {
    MessageDigest reference = MessageDigest.getInstance("SHA-256");
    for (int size : new int[] {0, 1, 262_143, 262_144, 262_145, 3_000_001}) {
      byte[] bytes = new byte[size + 1];
      for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (i % 251);
      reference.update(bytes, 0, size);
      Digest wanted = Digest.of(reference.digest());
      try (Hasher hasher = new Hasher()) {
        Runner.equal(hasher.update(bytes, 0, size).digest(), wanted, size + " bytes");
      }
      Path file = Files.write(folder.resolve("large"), bytes);
      Runner.equal(Inside.hash(file, size), wanted, size + " bytes of a file");
      Runner.thrown(EOFException.class, () -> Inside.hash(file, size + 2));
    }
  }

  private void sparse() throws Exception {
    Path file = Files.write(folder.resolve("small"), new byte[1]);
    Path huge = sparse("small.tlog-proof", 1L << 30);
    try (Policy policy = Policy.read(policyFile)) {
      long start = System.nanoTime();
      Runner.equal(refused(() -> policy.verifyFile(file)), Code.TOO_LARGE, "sidecar");
      Runner.equal(refused(() -> policy.verifyFile(file, huge)), Code.TOO_LARGE, "given");
      Runner.equal(refused(() -> Proof.read(huge)), Code.TOO_LARGE, "proof");
      Runner.equal(refused(() -> Policy.read(huge)), Code.TOO_LARGE, "policy");
      // Reading 1 GiB four times would take longer, and would not fit into the tests' heap.
      Runner.check(System.nanoTime() - start < 2_000_000_000L, "bounded reads");
      Path vast = sparse("vast", 1L << 42);
      Runner.thrown(NoSuchFileException.class, () -> policy.verifyFile(vast));
    }
  }

  private void irregular() throws Exception {
    Path pipe = folder.resolve("pipe");
    new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor();
    try (Policy policy = Policy.read(policyFile)) {
      for (Path path : List.of(pipe, folder, Path.of("/dev/zero"))) {
        Runner.equal(
            Runner.thrown(FileSystemException.class, () -> policy.verifyFile(path)).getReason(), "not a regular file",
            path.toString());
        Runner.thrown(FileSystemException.class, () -> Proof.read(path));
      }
      Runner.thrown(NoSuchFileException.class, () -> policy.verifyFile(folder.resolve("nothing")));
    }
  }

  private void growing() throws Exception {
    Path version = Path.of("/proc/version");
    try (Policy policy = Policy.read(policyFile)) {
      Runner.equal(
          Runner.thrown(IOException.class, () -> policy.verifyFile(version, proofFile)).getMessage(),
          version + " changed while it was read", "message");
    }
  }

  private void interrupt() throws Exception {
    Path endless = sparse("endless", 1L << 42);
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    try (Policy policy = Policy.read(policyFile)) {
      Thread reader = new Thread(() -> thrown.set(
          Runner.thrown(ClosedByInterruptException.class, () -> policy.verifyFile(endless, proofFile))));
      reader.start();
      Thread.sleep(100);
      reader.interrupt();
      reader.join();
    }
    Runner.check(thrown.get() != null, "the interrupt's exception");
  }

  private void open() throws Exception {
    Path descriptors = Path.of("/proc/self/fd");
    try (Policy policy = Policy.read(policyFile)) {
      policy.verifyFile(artifact, proofFile);
      long before = count(descriptors);
      for (int i = 0; i < 100; i++) {
        policy.verifyFile(artifact, proofFile);
        Runner.thrown(NoSuchFileException.class, () -> policy.verifyFile(artifact));
      }
      Runner.equal(count(descriptors), before, "open files");
    }
  }

  private static long count(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.count();
    }
  }
}
