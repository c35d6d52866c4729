package synchronicity.node;

import java.time.Duration;
import java.util.Objects;

/**
 * One call of a plugin's method, from any thread, until the method has returned. Somebody may cease to wait for its
 * answer: then the call is cancelled, and the method is to end what it does and to return or throw, within ten seconds.
 */
public final class Call {
  private static final int SLICE_MILLISECONDS = 50;

  private final long number;
  private boolean isAnswered;

  Call(long number) {
    this.number = number;
  }

  /** The library's number, for the one answer. Behind this the call is over. */
  long answer() {
    synchronized (this) {
      if (isAnswered) throw new IllegalStateException("the call is answered");
      isAnswered = true;
      return number;
    }
  }

  /** For what belongs to the answer and comes before it. */
  long number() {
    return number;
  }

  private synchronized boolean isAnswered() {
    return isAnswered;
  }

  /**
   * Whether nobody waits for the answer: the call was cancelled or abandoned, or its method has returned.
   *
   * @return whether it is so
   */
  public boolean isCancelled() {
    return isAnswered() || Native.isCancelled(number);
  }

  /**
   * Waits until the call is cancelled.
   *
   * @param timeout how long
   * @return whether it is
   * @throws InterruptedException if this thread is interrupted
   */
  public boolean awaitCancelled(Duration timeout) throws InterruptedException {
    long whole = Text.nanoseconds(timeout);
    long start = System.nanoTime();
    int descriptor;
    synchronized (this) {
      // The library's is there until the call is answered; a copy does no harm behind that.
      descriptor = isAnswered ? -1 : Native.copyCancelDescriptor(number);
    }
    try {
      while (!isCancelled()) {
        if (Thread.interrupted()) throw new InterruptedException();
        long left = whole == Native.FOREVER ? Long.MAX_VALUE : whole - (System.nanoTime() - start);
        if (left <= 0) return false;
        int slice = (int) Math.min(SLICE_MILLISECONDS, 1 + left / 1_000_000);
        if (descriptor >= 0) Native.awaitReadable(descriptor, slice);
        else Thread.sleep(slice);
      }
      return true;
    } finally {
      if (descriptor >= 0) Native.closeDescriptor(descriptor);
    }
  }

  /**
   * What the program printed, in a run, in the order in which it came.
   *
   * @param bytes holds it
   * @param offset where it begins
   * @param size how much it is
   * @return false when it is more than the run may print: what fits is kept, and the run is to end with
   *     {@link Ending#TRANSCRIPT_EXCEEDED}
   * @throws IllegalStateException if the call takes nothing more: it was cancelled, or its method has returned
   */
  public boolean addTranscript(byte[] bytes, int offset, int size) {
    Objects.checkFromIndexSize(offset, size, bytes.length);
    synchronized (this) {
      int status = isAnswered ? NodeException.Code.STATE.number() : Native.addTranscript(number, bytes, offset, size);
      if (status == NodeException.Code.TOO_LARGE.number()) return false;
      if (status != 0) throw new IllegalStateException("the call takes nothing more: status " + status);
      return true;
    }
  }

  /**
   * All of an array.
   *
   * @param bytes what the program printed
   * @return as {@link #addTranscript(byte[], int, int)}
   */
  public boolean addTranscript(byte[] bytes) {
    return addTranscript(bytes, 0, bytes.length);
  }
}
