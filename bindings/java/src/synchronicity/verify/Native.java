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

  static {
    NativeLibrary.load();
  }

  private Native() {}

  static native byte[] version();

  static native long createPolicy(byte[] policy) throws SyncException;

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

  /** Called from native code: throws what a status and its error object say. */
  private static void refuse(int status, byte[] message, long offset) throws SyncException {
    String sentence = new String(message, StandardCharsets.UTF_8);
    if (status >= 100) throw new IllegalArgumentException(sentence);
    throw new SyncException(status, sentence, offset);
  }
}
