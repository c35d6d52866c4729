package synchronicity.node;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** A node of libsync's with the calls that are in it, of any thread. It is ended once, and then freed. */
final class NodeHandle implements Runnable {
  private static final long END_PATIENCE_SECONDS = 15;

  /** All that are not ended, so that they are when the JVM is. */
  private static final Set<NodeHandle> OPEN = ConcurrentHashMap.newKeySet();

  private final long address;
  /** 0 where there is none. */
  private final long logNumber;
  private int users;
  private boolean isClosing;
  private boolean isClosed;

  NodeHandle(long address, long logNumber) {
    this.address = address;
    this.logNumber = logNumber;
    OPEN.add(this);
  }

  /** The address, until {@link #release()}. */
  synchronized long acquire() {
    if (isClosing) throw new IllegalStateException("the node is closed");
    users++;
    return address;
  }

  synchronized void release() {
    users--;
    notifyAll();
  }

  synchronized boolean isClosing() {
    return isClosing;
  }

  /** Ends and frees the node. Returns when that is done, also when another thread does it; an interrupt waits. */
  void close() {
    if (Host.isInside()) {
      if (isClosing()) return;
      throw new IllegalStateException(Host.fromWithin("close it"));
    }
    synchronized (this) {
      if (isClosing) {
        waitUntil(() -> isClosed);
        return;
      }
      isClosing = true;
    }
    try {
      // Whoever waits in a call gets an error then.
      Native.stop(address, Native.FOREVER);
    } catch (NodeException error) {
      // With this it had ended by itself, which Node.stop tells.
    }
    synchronized (this) {
      waitUntil(() -> users == 0);
    }
    Native.destroyNode(address);
    if (logNumber != 0) Host.dropLog(logNumber).close();
    OPEN.remove(this);
    synchronized (this) {
      isClosed = true;
      notifyAll();
    }
  }

  private interface Condition {
    boolean holds();
  }

  /** With the lock held. */
  private void waitUntil(Condition condition) {
    boolean wasInterrupted = false;
    while (!condition.holds()) {
      try {
        wait();
      } catch (InterruptedException interrupted) {
        wasInterrupted = true;
      }
    }
    if (wasInterrupted) Thread.currentThread().interrupt();
  }

  /** For the cleaner, whose one thread is not to wait for a node. */
  @Override
  public void run() {
    if (!isClosing()) inBackground();
  }

  private Thread inBackground() {
    Thread thread = new Thread(this::close, "synchronicity-close");
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** When the JVM ends: whoever does not end in time is left to the process's end, which loses nothing either. */
  static void closeAll() {
    Thread[] threads = OPEN.stream().map(NodeHandle::inBackground).toArray(Thread[]::new);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_PATIENCE_SECONDS);
    try {
      for (Thread thread : threads) {
        long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        if (left > 0) thread.join(left);
      }
      Native.end();
      // Every call fails now, so that a check ends soon, and clears its folder away.
      Registry.awaitChecks(end - System.nanoTime());
    } catch (InterruptedException interrupted) {
      // Nothing interrupts a hook; if so, it is over.
      Native.end();
    }
  }
}
