package synchronicity.node;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.time.Duration;

/** What goes to native code: text and paths as bytes, which have no NUL inside, and durations as numbers. */
final class Text {
  /** How long one call of the library waits at most, so that interrupts are heeded between two. */
  private static final long SLICE_NANOSECONDS = 100_000_000;

  private Text() {}

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String whole(String text, String name) {
    if (text.indexOf('\0') >= 0) throw new IllegalArgumentException(name + " holds a NUL; text without one is wanted");
    return text;
  }

  /** For people: whatever it is, it can be told. */
  static byte[] sentence(String text) {
    return utf8(text.replace('\0', ' '));
  }

  /** The path's own bytes, which its string does not give back in every locale, from the root on. */
  static byte[] path(Path path) {
    if (!path.getFileSystem().equals(FileSystems.getDefault())) {
      throw new IllegalArgumentException(path + " is on another file system than the default one, which is wanted");
    }
    String escaped = path.toUri().getRawPath();
    // The decoder is one for forms, where a plus sign is a space.
    return URLDecoder.decode(escaped.replace("+", "%2B"), StandardCharsets.ISO_8859_1)
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  /** What does not fit is for ever, and what is below zero is nothing. */
  static long nanoseconds(Duration timeout) {
    if (timeout.isNegative()) return 0;
    try {
      return timeout.toNanos();
    } catch (ArithmeticException tooLong) {
      return Native.FOREVER;
    }
  }

  /** A call that waits so many nanoseconds. */
  interface Wait<T> {
    T run(long nanoseconds) throws NodeException;
  }

  /** Waits in pieces, between which an interrupt ends it. */
  static <T> T sliced(Duration timeout, Wait<T> wait) throws NodeException, InterruptedException {
    long whole = nanoseconds(timeout);
    long start = System.nanoTime();
    while (true) {
      if (Thread.interrupted()) throw new InterruptedException();
      long left = whole == Native.FOREVER ? SLICE_NANOSECONDS : Math.max(0, whole - (System.nanoTime() - start));
      try {
        return wait.run(Math.min(left, SLICE_NANOSECONDS));
      } catch (NodeTimeoutException error) {
        if (whole != Native.FOREVER && left <= SLICE_NANOSECONDS) throw error;
      }
    }
  }
}
