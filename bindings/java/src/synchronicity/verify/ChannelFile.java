package synchronicity.verify;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;

/** A file of a file system that some Java code makes up, such as the inside of an archive. */
final class ChannelFile implements RegularFile {
  private final Path path;
  private final FileChannel channel;
  private final State started;

  ChannelFile(Path path) throws IOException {
    this.path = path;
    BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
    if (!attributes.isRegularFile()) throw RegularFile.notRegular(path);
    started = of(attributes);
    channel = FileChannel.open(path);
  }

  private static State of(BasicFileAttributes attributes) {
    return new State(attributes.size(), Arrays.asList(attributes.lastModifiedTime(), attributes.fileKey()));
  }

  @Override
  public State started() {
    return started;
  }

  @Override
  public State current() throws IOException {
    return of(Files.readAttributes(path, BasicFileAttributes.class));
  }

  @Override
  public int read(ByteBuffer piece, long offset) throws IOException {
    return channel.read(piece, offset);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
