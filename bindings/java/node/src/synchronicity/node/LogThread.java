package synchronicity.node;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/** Hands a node's log to whoever wants it, on a thread of its own: one that does not return holds up nothing else. */
final class LogThread {
  private static final int LINES_MAX = 4096;
  private static final long PATIENCE_MILLISECONDS = 5000;

  private record Line(LogLevel level, String text) {}

  /** Behind this there is nothing. */
  private static final Line END = new Line(LogLevel.UNKNOWN, "");

  private final BlockingQueue<Line> lines = new ArrayBlockingQueue<>(LINES_MAX);
  private final Thread thread;
  private volatile boolean isClosed;
  private int dropped;

  LogThread(BiConsumer<LogLevel, String> taker) {
    thread = new Thread(() -> Host.inside(() -> run(taker)), "synchronicity-log");
    thread.setDaemon(true);
    thread.start();
  }

  private void run(BiConsumer<LogLevel, String> taker) {
    try {
      for (Line line = lines.take(); line != END; line = lines.take()) {
        try {
          taker.accept(line.level, line.text);
        } catch (Throwable error) {
          thread.getUncaughtExceptionHandler().uncaughtException(thread, error);
        }
      }
    } catch (InterruptedException ended) {
      // By close, which waits no longer.
    }
  }

  /** On one thread at a time. */
  void put(LogLevel level, String text) {
    if (isClosed) return;
    boolean isTold =
        dropped == 0 || lines.offer(new Line(LogLevel.WARNING, dropped + " lines of the log were dropped"));
    if (isTold) dropped = 0;
    if (!isTold || !lines.offer(new Line(level, text))) dropped++;
  }

  /** Waits until what is there has been taken, a few seconds at most. */
  void close() {
    isClosed = true;
    boolean wasInterrupted = false;
    long end = System.nanoTime() + PATIENCE_MILLISECONDS * 1_000_000;
    boolean isTold = false;
    for (long left = end - System.nanoTime(); left > 0 && thread.isAlive(); left = end - System.nanoTime()) {
      try {
        if (!isTold) isTold = lines.offer(END, left, TimeUnit.NANOSECONDS);
        else thread.join(Math.max(1, left / 1_000_000));
      } catch (InterruptedException interrupted) {
        wasInterrupted = true;
      }
    }
    thread.interrupt();
    if (wasInterrupted) Thread.currentThread().interrupt();
  }
}
