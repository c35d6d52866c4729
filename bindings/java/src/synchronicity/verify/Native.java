package synchronicity.verify;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The functions of the native library. Handles are addresses: {@link Handle} alone says when they may be used. Text and
 * structs come as bytes, which {@link Answer} reads, so that native code makes one array and nothing else.
 */
final class Native {
  /** Of a policy or a proof, as the C header has it. One byte more is enough to be refused. */
  static final int TEXT_BYTES_MAX = 1_048_576;

  /** Numbers that a file's state has. */
  static final int FILE_STATE_SIZE = 5;
  /** What {@link #openFile} gives for a folder, a pipe or a device. */
  static final int NOT_REGULAR = Integer.MIN_VALUE;
  /** Linux's ENOENT. */
  static final int NO_SUCH_FILE = 2;
  /** Linux's EACCES. */
  static final int ACCESS_DENIED = 13;

  static {
    NativeLibrary.load();
  }

  private Native() {}

  static native byte[] version();

  static native long createPolicy(byte[] policy) throws SyncException;

  static native long followPolicy(long policy, long epoch, byte[] handover) throws SyncException;

  static native void destroyPolicy(long policy);

  static native byte[] verify(long policy, byte[] proof, byte[] digest) throws SyncException;

  static native byte[] verifyParsed(long policy, long proof, byte[] digest) throws SyncException;

  static native long createProof(byte[] proof) throws SyncException;

  static native byte[] describe(long proof) throws SyncException;

  static native void destroyProof(long proof);

  static native long createHasher() throws SyncException;

  static native void update(long hasher, byte[] bytes, int offset, int size) throws SyncException;

  /** A direct buffer's bytes from offset on. */
  static native void updateDirect(long hasher, ByteBuffer bytes, int offset, int size) throws SyncException;

  static native byte[] finish(long hasher) throws SyncException;

  static native void destroyHasher(long hasher);

  static native byte[] findEmbedded(byte[] head, byte[] tail, long fileSize) throws SyncException;

  /**
   * Opens a regular file without waiting, and fills its state: the size first, then what changes with the file. Returns
   * its descriptor, a negated errno, or {@link #NOT_REGULAR}.
   */
  static native int openFile(byte[] name, long[] state);

  /** Fills the state as it is now. Returns 0 or an errno. */
  static native int fileState(int file, long[] state);

  /** Reads into a direct buffer. Returns how many bytes, 0 at the file's end, or a negated errno. */
  static native int readFile(int file, ByteBuffer buffer, int position, int size, long offset);

  static native void closeFile(int file);

  /** The system's words for an errno. */
  static native byte[] describeError(int error);

  /** Called from native code: throws what a status and its error object say. */
  private static void refuse(int status, byte[] message, long offset) throws SyncException {
    String sentence = new String(message, StandardCharsets.UTF_8);
    if (status >= 100) throw new IllegalArgumentException(sentence);
    throw new SyncException(status, sentence, offset);
  }
}
