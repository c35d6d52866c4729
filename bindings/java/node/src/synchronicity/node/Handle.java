package synchronicity.node;

import java.lang.ref.Cleaner;
import java.util.function.LongConsumer;

/**
 * A native object with its users. It is destroyed once, when it is closed and the last call that uses it has returned,
 * whichever comes later; so one thread may close what others are using.
 */
final class Handle implements Runnable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final long address;
  private final LongConsumer destroy;
  private int users;
  private boolean isClosed;

  Handle(long address, LongConsumer destroy) {
    this.address = address;
    this.destroy = destroy;
  }

  /** Closes this when the owner is collected. To clean the result is to forget that: it may return before a thread that
   * does the same has closed this, so whoever wants it closed calls {@link #run()} as well. */
  Cleaner.Cleanable closeWith(Object owner) {
    return CLEANER.register(owner, this);
  }

  /** The address, until {@link #release()}. */
  long acquire() {
    synchronized (this) {
      if (isClosed) throw new IllegalStateException("it is closed");
      users++;
      return address;
    }
  }

  void release() {
    synchronized (this) {
      users--;
      if (!isClosed || users > 0) return;
    }
    destroy.accept(address);
  }

  /** Closes it. Does nothing the second time. */
  @Override
  public void run() {
    synchronized (this) {
      if (isClosed) return;
      isClosed = true;
      if (users > 0) return;
    }
    destroy.accept(address);
  }
}
