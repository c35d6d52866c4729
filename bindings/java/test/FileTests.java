import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
      runner.test("a pipe that takes a file's place is not waited for", this::swapped);
      runner.test("what cannot be opened is told as Java tells it", this::unreadable);
      runner.test("a name may have any bytes", this::names);
      runner.test("files inside an archive", this::archive);
      runner.test("a file with more bytes than its size is refused", this::growing);
      runner.test("an interrupt stops the reading", this::interrupt);
      runner.test("no file stays open", this::open);
    } finally {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path path : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
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

  private Path pipe(String name) throws Exception {
    Path pipe = folder.resolve(name);
    Runner.equal(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor(), 0, "mkfifo");
    return pipe;
  }

  private static void refusedAsIrregular(Path path, Runner.Body body) {
    FileSystemException thrown = Runner.thrown(FileSystemException.class, body);
    Runner.equal(thrown.getMessage(), path + ": not a regular file", "message");
    Runner.equal(thrown.getReason(), "not a regular file", "reason");
  }

  private void irregular() throws Exception {
    Path file = Files.copy(artifact, folder.resolve("regular"));
    Path beside = pipe("regular.tlog-proof");
    Path link = Files.createSymbolicLink(folder.resolve("link"), beside);
    try (Policy policy = Policy.read(policyFile)) {
      refusedAsIrregular(beside, () -> policy.verifyFile(file));
      for (Path path : List.of(beside, link, folder, Path.of("/dev/zero"), Path.of("/dev/null"), Path.of(""))) {
        refusedAsIrregular(path, () -> policy.verifyFile(path));
        refusedAsIrregular(path, () -> policy.verifyFile(path, proofFile));
        refusedAsIrregular(path, () -> policy.verifyFile(file, path));
        refusedAsIrregular(path, () -> Proof.read(path));
        refusedAsIrregular(path, () -> Policy.read(path));
      }
    }
  }

  /** One thread reads, while another puts now the file and now a pipe under the name that is read. */
  private void swapped() throws Exception {
    List<Path> targets = List.of(policyFile.toAbsolutePath(), pipe("nobody-writes"));
    Path name = Files.createSymbolicLink(folder.resolve("swapped"), targets.get(0));
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    int[] counts = new int[2];
    long end = System.nanoTime() + 1_000_000_000L;
    Thread reader = new Thread(() -> {
      try {
        while (System.nanoTime() < end || counts[0] == 0 || counts[1] == 0) {
          try {
            Policy.read(name).close();
            counts[0]++;
          } catch (FileSystemException refused) {
            Runner.equal(refused.getMessage(), name + ": not a regular file", "message");
            counts[1]++;
          }
        }
      } catch (Exception | Error error) {
        thrown.set(error);
      }
    });
    reader.setDaemon(true);
    reader.start();
    Path next = folder.resolve("swapped.next");
    long limit = end + 30_000_000_000L;
    for (int i = 1; reader.isAlive() && System.nanoTime() < limit; i++) {
      Files.createSymbolicLink(next, targets.get(i % 2));
      Files.move(next, name, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
    Runner.check(!reader.isAlive(), "the reader waits for the pipe");
    if (thrown.get() != null) throw new AssertionError(thrown.get());
  }

  private void unreadable() throws Exception {
    Path missing = folder.resolve("nothing");
    Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), missing);
    Path secret = Files.write(folder.resolve("secret"), new byte[1]);
    Files.setPosixFilePermissions(secret, Set.of());
    Path loop = folder.resolve("loop");
    Files.createSymbolicLink(loop, loop);
    try (Policy policy = Policy.read(policyFile)) {
      for (Path path : List.of(missing, dangling, secret, loop, policyFile.resolve("inside"), Path.of("nothing"))) {
        // Root may read all.
        if (Files.isReadable(path)) continue;
        Exception wanted = Runner.thrown(FileSystemException.class, () -> Files.newByteChannel(path));
        for (Runner.Body body : List.<Runner.Body>of(
            () -> policy.verifyFile(path), () -> policy.verifyFile(path, proofFile),
            () -> policy.verifyFile(artifact, path), () -> Proof.read(path), () -> Policy.read(path))) {
          Exception got = Runner.thrown(FileSystemException.class, body);
          Runner.equal(got.getClass(), wanted.getClass(), path.toString());
          // Of a loop Java says more.
          Runner.check(wanted.getMessage().startsWith(got.getMessage()), got.getMessage());
        }
      }
    }
  }

  private void names() throws Exception {
    Path odd = Files.createDirectory(folder.resolve("a b+c%41#?"));
    String copy = "cp \"$1\" \"$(printf '\\374 +%%41\\303\\274\\n.')\"";
    Process made = new ProcessBuilder("sh", "-c", copy, "sh", policyFile.toAbsolutePath().toString())
        .directory(odd.toFile()).start();
    Runner.equal(made.waitFor(), 0, "cp");
    try (Stream<Path> files = Files.list(odd)) {
      for (Path file : files.toList()) Policy.read(file).close();
    }
    Path here = Path.of("").toAbsolutePath();
    Policy.read(here.relativize(policyFile.toAbsolutePath())).close();
  }

  private void archive() throws Exception {
    Path zip = folder.resolve("all.zip");
    try (FileSystem made = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
      Files.copy(policyFile, made.getPath("policy"));
      Files.copy(artifact, made.getPath("artifact"));
      Files.copy(proofFile, made.getPath("artifact.tlog-proof"));
    }
    try (FileSystem files = FileSystems.newFileSystem(zip); Policy policy = Policy.read(files.getPath("policy"))) {
      Path inside = files.getPath("artifact");
      Runner.equal(policy.verifyFile(inside).digest(), digest, "digest");
      Runner.equal(policy.verifyFile(inside, proofFile).proofOrigin(), ProofOrigin.GIVEN, "origin");
      refusedAsIrregular(files.getPath("/"), () -> Proof.read(files.getPath("/")));
      Runner.thrown(NoSuchFileException.class, () -> Proof.read(files.getPath("nothing")));
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
