package synchronicity.verify;

import java.io.IOException;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A file of the system's. Java can only look at a path and then open it, and in between a pipe may take the file's
 * place: opening that waits for its writer. So native code opens without waiting, and looks at what it has opened.
 */
final class DescriptorFile implements RegularFile {
  private final int file;
  private final State started;
  private boolean isClosed;

  DescriptorFile(Path path) throws IOException {
    long[] state = new long[Native.FILE_STATE_SIZE];
    file = Native.openFile(name(path), state);
    if (file == Native.NOT_REGULAR) throw RegularFile.notRegular(path);
    if (file < 0) throw failure(path, -file);
    started = of(state);
  }

  /** The name's own bytes, which its string does not give back in every locale, from the root on. */
  private static byte[] name(Path path) {
    String escaped = path.toUri().getRawPath();
    // The decoder is one for forms, where a plus sign is a space.
    return URLDecoder.decode(escaped.replace("+", "%2B"), StandardCharsets.ISO_8859_1)
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  private static State of(long[] state) {
    return new State(state[0], Arrays.stream(state).boxed().toList());
  }

  /** What java.nio.file would have thrown. */
  private static FileSystemException failure(Path path, int error) {
    String name = path.toString();
    return switch (error) {
      case Native.NO_SUCH_FILE -> new NoSuchFileException(name);
      case Native.ACCESS_DENIED -> new AccessDeniedException(name);
      default -> new FileSystemException(name, null, sentence(error));
    };
  }

  private static String sentence(int error) {
    return new String(Native.describeError(error), StandardCharsets.UTF_8);
  }

  @Override
  public State started() {
    return started;
  }

  @Override
  public State current() throws IOException {
    long[] state = new long[Native.FILE_STATE_SIZE];
    int error = Native.fileState(file, state);
    if (error != 0) throw new IOException(sentence(error));
    return of(state);
  }

  @Override
  public int read(ByteBuffer piece, long offset) throws IOException {
    if (Thread.currentThread().isInterrupted()) {
      close();
      throw new ClosedByInterruptException();
    }
    int count = Native.readFile(file, piece, piece.position(), piece.remaining(), offset);
    if (count < 0) throw new IOException(sentence(-count));
    if (count == 0 && piece.hasRemaining()) return -1;
    piece.position(piece.position() + count);
    return count;
  }

  /** The number may be another file's by the second time. */
  @Override
  public void close() {
    if (isClosed) return;
    isClosed = true;
    Native.closeFile(file);
  }
}
