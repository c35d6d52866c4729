package synchronicity.verify;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Path;

/** A regular file that is open for reading: the same one to the end, whatever takes its place meanwhile. */
interface RegularFile extends AutoCloseable {
  /**
   * What is equal before and after, unless the file was written to or replaced.
   *
   * @param size the file's bytes, by its own word
   * @param rest what else there is to compare
   */
  record State(long size, Object rest) {}

  /** Refuses what is no regular file: a pipe or a device would block, or never end. */
  static RegularFile open(Path path) throws IOException {
    boolean isOfSystem = path.getFileSystem().equals(FileSystems.getDefault());
    return isOfSystem ? new DescriptorFile(path) : new ChannelFile(path);
  }

  static FileSystemException notRegular(Path path) {
    return new FileSystemException(path.toString(), null, "not a regular file");
  }

  /** The state when it was opened. */
  State started();

  State current() throws IOException;

  /** Reads what is at an offset into a direct buffer. Returns how many bytes, or -1 at the end. */
  int read(ByteBuffer piece, long offset) throws IOException;

  @Override
  void close() throws IOException;
}
