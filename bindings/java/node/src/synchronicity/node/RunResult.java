package synchronicity.node;

import java.util.Objects;

/**
 * How a run ended.
 *
 * @param ending how
 * @param status exit status 0...255, or the signal's number 1...64; else 0
 * @param wallNanoseconds how long it took
 * @param cpuNanoseconds of the whole tree; 0 where it is not known
 * @param memoryPeakBytes 0 where it is not known
 */
public record RunResult(
    Ending ending, int status, long wallNanoseconds, long cpuNanoseconds, long memoryPeakBytes) {
  /**
   * Checks what can be.
   *
   * @param ending how
   * @param status exit status 0...255, or the signal's number 1...64; else 0
   * @param wallNanoseconds how long it took
   * @param cpuNanoseconds of the whole tree; 0 where it is not known
   * @param memoryPeakBytes 0 where it is not known
   */
  public RunResult {
    Objects.requireNonNull(ending);
    if (wallNanoseconds < 0 || cpuNanoseconds < 0 || memoryPeakBytes < 0) {
      throw new IllegalArgumentException("a time or a size below zero");
    }
  }

  /**
   * A program that has exited.
   *
   * @param status 0...255
   * @param wallNanoseconds how long it took
   * @return that, and nothing else known
   */
  public static RunResult exited(int status, long wallNanoseconds) {
    return new RunResult(Ending.EXITED, status, wallNanoseconds, 0, 0);
  }

  /**
   * A program that was ended.
   *
   * @param ending how
   * @param status the signal's number for {@link Ending#SIGNALLED}, else 0
   * @param wallNanoseconds how long it took
   * @return that, and nothing else known
   */
  public static RunResult ended(Ending ending, int status, long wallNanoseconds) {
    return new RunResult(ending, status, wallNanoseconds, 0, 0);
  }
}
