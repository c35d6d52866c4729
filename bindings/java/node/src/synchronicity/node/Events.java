package synchronicity.node;

import java.time.Duration;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * One subscription: the events since it was made, oldest first. Several threads may take from one; each event goes to
 * one of them. One that is never closed is freed after the garbage collector has found it.
 *
 * <p>Iterating waits for each, and ends when the node has ended, when this is closed, or when the thread is
 * interrupted, which stays marked so.
 */
public final class Events implements Iterable<Event>, AutoCloseable {
  private static final Duration FOREVER = Duration.ofSeconds(Long.MAX_VALUE);

  private final Handle handle;

  Events(long address) {
    handle = new Handle(address, Native::destroyEvents);
    handle.closeWith(this);
  }

  /**
   * Takes the oldest event, or waits for it.
   *
   * @param timeout how long
   * @return the event
   * @throws NodeException {@link NodeTimeoutException} when none came, {@link NodeException.Code#STATE} when the node
   *     has ended and none is left
   * @throws InterruptedException if this thread is interrupted
   * @throws IllegalStateException if this is closed
   */
  public Event next(Duration timeout) throws NodeException, InterruptedException {
    return Event.of(Text.sliced(timeout, nanoseconds -> {
      long address = handle.acquire();
      try {
        return Native.nextEvent(address, nanoseconds);
      } finally {
        handle.release();
      }
    }));
  }

  @Override
  public Iterator<Event> iterator() {
    return new Iterator<>() {
      private Event next;

      @Override
      public boolean hasNext() {
        try {
          if (next == null) next = Events.this.next(FOREVER);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
        } catch (NodeException error) {
          if (error.code() != NodeException.Code.STATE) throw new IllegalStateException(error.getMessage(), error);
        } catch (IllegalStateException closed) {
          // Maybe by another thread, while this one waited.
        }
        return next != null;
      }

      @Override
      public Event next() {
        if (!hasNext()) throw new NoSuchElementException("no event is left");
        Event taken = next;
        next = null;
        return taken;
      }
    };
  }

  /** Ends the subscription, and frees it when no thread is in it any more. Does nothing the second time. */
  @Override
  public void close() {
    try {
      long address = handle.acquire();
      try {
        Native.closeEvents(address);
      } finally {
        handle.release();
      }
    } catch (IllegalStateException closed) {
      return;
    }
    handle.run();
  }
}
