package synchronicity.verify;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/** Files, read in bounded pieces: never more of a proof than it may have, never more of an artifact than one piece. */
final class BoundedFile implements AutoCloseable {
  private static final int PIECE_SIZE = 262_144;

  private final Path path;
  private final RegularFile file;
  private final long size;
  private ByteBuffer piece;

  /** A pipe or a device would block, or never end. */
  BoundedFile(Path path) throws IOException {
    this.path = path;
    file = RegularFile.open(path);
    size = file.started().size();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  long size() {
    return size;
  }

  /** A policy or a proof: one byte more than it may have, if it has that, so that the library refuses it. */
  static byte[] readText(Path path) throws IOException {
    try (BoundedFile file = new BoundedFile(path)) {
      return file.read(0, (int) Math.min(file.size, Native.TEXT_BYTES_MAX + 1));
    }
  }

  /** Where in the file a proof is, and its bytes. */
  record Located(Embedded embedded, Optional<byte[]> proof) {}

  Located locate() throws SyncException, IOException {
    byte[] head = read(0, (int) Math.min(size, Embedded.HEAD_SIZE));
    byte[] tail = read(size - Math.min(size, Embedded.TAIL_SIZE), (int) Math.min(size, Embedded.TAIL_SIZE));
    Embedded found = Embedded.find(head, tail, size);
    if (found.form() == Embedded.Form.NONE) return new Located(found, Optional.empty());
    int start = (int) (found.proofOffset() - (size - tail.length));
    return new Located(found, Optional.of(Arrays.copyOfRange(tail, start, start + (int) found.proofSize())));
  }

  /** The digest of the file's first bytes. An interrupt closes the file and ends this with its exception. */
  Digest hash(long contentSize) throws IOException {
    try (Hasher hasher = new Hasher()) {
      for (long offset = 0; offset < contentSize;) {
        ByteBuffer bytes = next(offset, contentSize - offset);
        offset += bytes.remaining();
        hasher.update(bytes);
      }
      // The size may be untrue, as that of /proc/version is, and another process may be writing.
      if (contentSize >= size && file.read(piece(1), contentSize) >= 0) throw changed();
      checkUnchanged();
      return hasher.digest();
    }
  }

  private byte[] read(long offset, int count) throws IOException {
    byte[] bytes = new byte[count];
    for (int done = 0; done < count;) {
      ByteBuffer found = next(offset + done, count - done);
      int size = found.remaining();
      found.get(bytes, done, size);
      done += size;
    }
    return bytes;
  }

  /** Some of the bytes at an offset, at least one, until the next call. */
  private ByteBuffer next(long offset, long wanted) throws IOException {
    ByteBuffer bytes = piece(wanted);
    if (file.read(bytes, offset) < 0) throw shorter();
    return bytes.flip();
  }

  /** Outside the heap, where both the system and the library find it without a copy. */
  private ByteBuffer piece(long wanted) {
    if (piece == null) piece = ByteBuffer.allocateDirect((int) Math.min(PIECE_SIZE, Math.max(size, 1)));
    return piece.clear().limit((int) Math.min(piece.capacity(), wanted));
  }

  private void checkUnchanged() throws IOException {
    RegularFile.State ended;
    try {
      ended = file.current();
    } catch (NoSuchFileException gone) {
      throw changed();
    }
    if (!ended.equals(file.started())) throw changed();
  }

  private IOException changed() {
    return new IOException(path + " changed while it was read");
  }

  private EOFException shorter() {
    return new EOFException(path + " became shorter while it was read");
  }
}
