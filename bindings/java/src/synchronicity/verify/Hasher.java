package synchronicity.verify;

import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.Objects;

/** SHA-256 of bytes that come in pieces. One thread at a time has its turn. */
public final class Hasher implements AutoCloseable {
  private final Handle handle;
  private final Cleaner.Cleanable cleanable;

  /** A hasher that has seen nothing. */
  public Hasher() {
    try {
      handle = new Handle(Native.createHasher(), Native::destroyHasher);
    } catch (SyncException error) {
      throw new IllegalStateException(error);
    }
    cleanable = handle.closeWith(this);
  }

  /**
   * Takes the next piece.
   *
   * @param bytes all of them
   * @return this
   */
  public Hasher update(byte[] bytes) {
    return update(bytes, 0, bytes.length);
  }

  /**
   * Takes the next piece.
   *
   * @param bytes an array that holds it
   * @param offset where it begins
   * @param size its bytes
   * @return this
   */
  public synchronized Hasher update(byte[] bytes, int offset, int size) {
    Objects.checkFromIndexSize(offset, size, bytes.length);
    call(hasher -> Native.update(hasher, bytes, offset, size));
    return this;
  }

  /**
   * Takes what remains of a buffer, whose position is then its limit.
   *
   * @param bytes the buffer; a direct one is read where it is
   * @return this
   */
  public synchronized Hasher update(ByteBuffer bytes) {
    if (bytes.isDirect()) {
      call(hasher -> Native.updateDirect(hasher, bytes, bytes.position(), bytes.remaining()));
      bytes.position(bytes.limit());
    } else if (bytes.hasArray()) {
      update(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
      bytes.position(bytes.limit());
    } else {
      byte[] copy = new byte[bytes.remaining()];
      bytes.get(copy);
      update(copy);
    }
    return this;
  }

  /**
   * The digest of all pieces. The hasher is then as new.
   *
   * @return the digest
   */
  public synchronized Digest digest() {
    byte[][] digest = new byte[1][];
    call(hasher -> digest[0] = Native.finish(hasher));
    return Digest.ofOwned(digest[0]);
  }

  /** Frees what it holds outside the heap. Does nothing the second time. */
  @Override
  public void close() {
    handle.run();
    cleanable.clean();
  }

  private interface Call {
    void with(long hasher) throws SyncException;
  }

  /** Nothing that is hashed can be refused. */
  private void call(Call call) {
    long hasher = handle.acquire();
    try {
      call.with(hasher);
    } catch (SyncException error) {
      throw new IllegalStateException(error);
    } finally {
      handle.release();
    }
  }
}
