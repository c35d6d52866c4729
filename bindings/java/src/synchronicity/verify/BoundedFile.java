package synchronicity.verify;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;

/** Files, read in bounded pieces: never more of a proof than it may have, never more of an artifact than one piece. */
final class BoundedFile implements AutoCloseable {
  private static final int PIECE_SIZE = 262_144;

  private final Path path;
  private final FileChannel channel;
  private final long size;
  private final BasicFileAttributes started;

  /** A pipe or a device would block, or never end. */
  BoundedFile(Path path) throws IOException {
    started = Files.readAttributes(path, BasicFileAttributes.class);
    if (!started.isRegularFile()) {
      throw new FileSystemException(path.toString(), null, "not a regular file");
    }
    this.path = path;
    channel = FileChannel.open(path);
    size = channel.size();
  }

  @Override
  public void close() throws IOException {
    channel.close();
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
    // Outside the heap, where both the system and the library find it without a copy.
    ByteBuffer piece = ByteBuffer.allocateDirect((int) Math.min(PIECE_SIZE, Math.max(contentSize, 1)));
    try (Hasher hasher = new Hasher()) {
      for (long offset = 0; offset < contentSize; offset += piece.limit()) {
        piece.clear().limit((int) Math.min(piece.capacity(), contentSize - offset));
        if (channel.read(piece, offset) < 0) throw shorter();
        hasher.update(piece.flip());
      }
      // The size may be untrue, as that of /proc/version is, and another process may be writing.
      if (contentSize >= size && channel.read(piece.clear(), contentSize) >= 0) throw changed();
      checkUnchanged();
      return hasher.digest();
    }
  }

  private byte[] read(long offset, int count) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(count);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, offset + bytes.position()) < 0) throw shorter();
    }
    return bytes.array();
  }

  private void checkUnchanged() throws IOException {
    BasicFileAttributes ended;
    try {
      ended = Files.readAttributes(path, BasicFileAttributes.class);
    } catch (NoSuchFileException gone) {
      throw changed();
    }
    if (ended.size() != size || started.size() != size || !ended.lastModifiedTime().equals(started.lastModifiedTime())
        || !Objects.equals(ended.fileKey(), started.fileKey())) {
      throw changed();
    }
  }

  private IOException changed() {
    return new IOException(path + " changed while it was read");
  }

  private EOFException shorter() {
    return new EOFException(path + " became shorter while it was read");
  }
}
